//! Records that are on the disk before their answers are given, beside a bare loop on the same disk.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use agentauth_audit::AuditLog;
use agentauth_core::audit::{AuditError, AuditSink as _, Record};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::folder::Folder;
use crate::report::{Row, median};

/// Records that one writer gives in a round.
const ALONE: usize = 200;
/// Writers at once, and what each gives in a round.
const WRITERS: usize = 64;
const EACH: usize = 300;

/// One writer, record by record.
pub(crate) fn one(folder: &Folder, record: &Arc<Record>, rounds: u32) -> Result<Row, Box<dyn Error>> {
    eprintln!("durable/1");
    let runtime = Builder::new_current_thread().build()?;
    let (directory, bare) = (folder.fresh("one")?, folder.fresh("bare")?);
    let log = AuditLog::open(&directory)?;
    let mut file = open(&bare)?;
    let bytes = bytes_of_a_record(&log, &directory, record, &runtime)?;
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut times = Vec::with_capacity(ALONE);
        runtime.block_on(async {
            for _ in 0..ALONE {
                let start = Instant::now();
                log.append(Arc::clone(record)).await?;
                times.push(micros(start));
            }
            Ok::<_, AuditError>(())
        })?;
        own.push(median(times.into_iter()));
        floor.push(median(bare_times(&mut file, bytes, ALONE)?.into_iter()));
    }
    Ok(Row::beside("durable/1", &own, &floor, format!("{bytes} bytes a record")))
}

/// Many writers at once, on as many threads as there are cores: less one, which the log's own thread has to itself, or
/// `crowded`, where it has none.
pub(crate) fn many(
    folder: &Folder,
    record: &Arc<Record>,
    rounds: u32,
    is_crowded: bool,
) -> Result<Row, Box<dyn Error>> {
    let case = if is_crowded { "durable/64/crowded" } else { "durable/64" };
    eprintln!("{case}");
    let cores = thread::available_parallelism()?.get();
    let threads = if is_crowded { cores } else { (cores - 1).max(1) };
    let runtime = Builder::new_multi_thread().worker_threads(threads).build()?;
    let (directory, bare) = (folder.fresh("many")?, folder.fresh("bare")?);
    let log = AuditLog::open(&directory)?;
    let mut file = open(&bare)?;
    let bytes = bytes_of_a_record(&log, &directory, record, &runtime)?;
    let records = WRITERS * EACH;
    let (mut own, mut floor, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let groups = log.health().writes;
        let start = Instant::now();
        runtime.block_on(all(&log, record))?;
        own.push(micros(start) / records as f64);
        let groups = usize::try_from(log.health().writes - groups)?.max(1);
        sizes.push(records as f64 / groups as f64);
        let start = Instant::now();
        // The bytes of all groups, as evenly as whole records allow.
        let times = bare_times(&mut file, bytes * records / groups, groups)?;
        floor.push(micros(start) / records as f64);
        drop(times);
    }
    let group = median(sizes.into_iter());
    let note = format!("{bytes} bytes a record, {group:.0} records a group, writers on {threads} of {cores} cores");
    Ok(Row::beside(case, &own, &floor, note))
}

async fn all(log: &AuditLog, record: &Arc<Record>) -> Result<(), Box<dyn Error>> {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (log, record) = (log.clone(), Arc::clone(record));
        writers.spawn(async move {
            for _ in 0..EACH {
                log.append(Arc::clone(&record)).await?;
            }
            Ok::<_, AuditError>(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(())
}

/// What one record takes on the disk.
fn bytes_of_a_record(
    log: &AuditLog,
    directory: &Path,
    record: &Arc<Record>,
    runtime: &Runtime,
) -> Result<usize, Box<dyn Error>> {
    let before = bytes_in(directory)?;
    runtime.block_on(log.append(Arc::clone(record)))?;
    Ok(usize::try_from(bytes_in(directory)? - before)?)
}

/// Of all segments.
pub(crate) fn bytes_in(directory: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(b".log") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create_new(true).open(path)
}

/// The bare loop: `times` times, `bytes` are written and waited for.
fn bare_times(file: &mut File, bytes: usize, times: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let buffer = vec![b'.'; bytes];
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        file.write_all(&buffer)?;
        file.sync_data()?;
        all.push(micros(start));
    }
    Ok(all)
}

pub(crate) fn micros(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e6
}
