//! How fast a log is verified, beside the SHA-256 of its bytes; and in how much memory.

use std::error::Error;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use agentauth_audit::disk::RealDirectory;
use agentauth_audit::verify::{Verdict, Verifier};
use agentauth_core::audit::Record;
use aws_lc_rs::digest;

use crate::durable::{bytes_in, micros};
use crate::folder::Folder;
use crate::made::{self, Made};
use crate::report::Row;

/// What is read at once for the floor.
const CHUNK: usize = 256 * 1024;
/// About a mebibyte of records.
const SMALL: u64 = 1_000;

pub(crate) fn rows(
    folder: &Folder,
    record: &Arc<Record>,
    made: &Made,
    rounds: u32,
) -> Result<[Row; 2], Box<dyn Error>> {
    eprintln!("verify");
    let bytes = bytes_in(&made.directory)?;
    let (mut own, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        check(made)?;
        own.push(micros(start));
        let start = Instant::now();
        hash_all(&made.directory)?;
        floor.push(micros(start));
    }
    let mut row = Row::beside("verify", &own, &floor, String::new());
    let megabytes = |us: f64| bytes as f64 / us;
    row.per_second = Some((megabytes(row.us) * 1e6).round());
    row.note = format!(
        "{:.0} MB in {:.0} ms: {:.0} MB/s; SHA-256 alone {:.0} MB/s",
        bytes as f64 / 1e6,
        row.us / 1e3,
        megabytes(row.us),
        megabytes(row.floor_us.unwrap_or(f64::NAN)),
    );
    let large = peak(made)?;
    let small = made::log(folder, record, SMALL).and_then(|made| Ok((peak(&made)?, bytes_in(&made.directory)?)))?;
    let note = format!(
        "{:.2} MiB for a log of {:.1} MB, {large:.2} MiB for one of {:.0} MB",
        small.0,
        small.1 as f64 / 1e6,
        bytes as f64 / 1e6
    );
    Ok([row, Row::alone("verify/memory", large, note)])
}

fn check(made: &Made) -> Result<(), Box<dyn Error>> {
    let report = Verifier::new().key(made.key.clone()).verify(&RealDirectory::existing(&made.directory)?)?;
    if report.verdict() == Verdict::Whole { Ok(()) } else { Err("the log does not verify".into()) }
}

/// The most memory that is in use at once, in MiB.
fn peak(made: &Made) -> Result<f64, Box<dyn Error>> {
    let mut done = Ok(());
    let measured = allocation_counter::measure(|| done = check(made));
    done?;
    Ok(measured.bytes_max as f64 / f64::from(1 << 20))
}

fn hash_all(directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut buffer = vec![0; CHUNK];
    let mut context = digest::Context::new(&digest::SHA256);
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let mut file = File::open(path)?;
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    read => context.update(buffer.get(..read).unwrap_or_default()),
                }
            }
        }
    }
    std::hint::black_box(context.finish());
    Ok(())
}
