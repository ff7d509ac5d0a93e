//! Opening: one writer, the end that the last one has left, and whether anybody knows of more.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use agentauth_core::audit::AuditError;
use aws_lc_rs::digest;

use super::builder::AuditLogBuilder;
use super::publish::{Lock, Outbox, Publisher};
use super::queue::Queue;
use super::reserve::Reserve;
use super::rollback::Known;
use super::scan::{self, End, ScanError};
use super::tape::{Position, Tape};
use super::trouble::Trouble;
use super::writer::{Parts, Writer};
use super::{AuditLog, OpenError};
use crate::checkpoint::{CheckpointError, CheckpointKey};
use crate::disk::{Directory, LogFile};
use crate::format::{
    CHECKPOINT_FILE, EntryKind, Opened, Recovered, SegmentHeader, UNFINISHED, segment_name, segments_of,
};
use crate::read::SegmentReader;
use crate::tree::Hash;

/// Copied at once.
const COPY_CHUNK: usize = 256 * 1024;

/// A part of the log that a crash has torn.
#[derive(Debug)]
struct Torn {
    /// The number of the entry that should be there.
    number: u64,
    bytes: Vec<u8>,
}

/// The last segment with a header, and the torn one after it, if there is one.
#[derive(Debug, Default)]
struct Last {
    segment: Option<(String, SegmentReader)>,
    torn: Option<Torn>,
}

pub(super) fn open(builder: AuditLogBuilder) -> Result<AuditLog, OpenError> {
    let directory = builder.directory?;
    let lock: Lock = match directory.lock() {
        Ok(lock) => Arc::new(Mutex::new(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(OpenError::Locked),
        Err(error) => return Err(error.into()),
    };
    let names = directory.list()?;
    if builder.retention.is_some() && builder.key.is_none() {
        tracing::warn!(target: "agentauth::audit",
            "without a key no checkpoint is signed, so that no content of the audit log is ever given up (`retain`)");
    }

    // Nothing is written before it is known that the log may be gone on with.
    let Last { segment, torn: torn_segment } = find_last(&*directory, &names)?;
    let header = segment.as_ref().map(|(_, reader)| reader.header().clone());
    let chain = match &header {
        Some(header) => header.chain.clone(),
        None => new_name(&*builder.random)?,
    };
    let origin = origin(builder.origin, builder.key.as_ref(), header.map(|header| header.origin), &chain)?;
    let mut known = Known::ask(&*directory, &names, &builder.anchors, &origin);
    let (end, name) = match segment {
        Some((name, mut reader)) => {
            let file = directory.open(&name)?;
            let end = scan::to_end(&mut reader, &*file, |at| known.see(at));
            (end.map_err(|error| damaged(error, &name))?, Some(name))
        }
        None => {
            known.see(&Position::default());
            (End { at: Position::default(), length: 0, torn: Vec::new(), last: None }, None)
        }
    };
    known.see_older(&*directory, &names);
    let entries = end.at.tree.size();
    if let Some(lost) = known.lost(entries).filter(|_| !builder.acknowledges_loss) {
        return Err(lost);
    }
    let acknowledged = known.lost(entries).map(|_| known.loss(entries));

    for unfinished in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
        directory.remove(unfinished)?;
    }
    let reserve = Reserve::new(Arc::clone(&directory), Arc::clone(&builder.random), builder.reserve_bytes);
    reserve.make().map_err(|source| OpenError::Reserve { bytes: builder.reserve_bytes, source })?;

    let mut recovered = Vec::new();
    if let Some(torn) = torn_segment {
        recovered.push(set_aside(&*directory, &names, &torn)?);
        directory.remove(&segment_name(torn.number))?;
        directory.sync()?;
    }
    let mut tape = Tape::new(Arc::clone(&directory), builder.clock, chain, origin, end.at);
    let is_new = name.is_none();
    if let Some(name) = name {
        let is_torn = !end.torn.is_empty();
        if is_torn {
            recovered.push(set_aside(&*directory, &names, &Torn { number: entries, bytes: end.torn })?);
        }
        let file = match end.last {
            Some(EntryKind::Closed) if known.written + 2 == entries && !is_torn => directory.open(&name)?,
            _ => copy(&*directory, &name, end.length)?,
        };
        // A name may be seen, and not be on the disk, too.
        directory.sync()?;
        tape.go_on(name, file)?;
    }

    tape.begin();
    tape.add_own(
        EntryKind::Opened,
        &Opened {
            sdk: env!("CARGO_PKG_VERSION").into(),
            process: std::process::id(),
            clean: end.last.map(|last| last == EntryKind::Closed),
            verifier_key: builder.key.as_ref().map(|key| key.verifier_key().into()),
            acknowledged_loss: acknowledged,
        },
    );
    for recovered in recovered {
        tape.add_own(EntryKind::Recovered, &recovered);
    }
    let written = if is_new { tape.start_segment() } else { tape.commit() };
    written.map_err(|failure| failure.error)?;
    if acknowledged.is_some() && names.iter().any(|name| name == CHECKPOINT_FILE) {
        // It speaks of what is gone, and would do so at the next opening.
        directory.remove(CHECKPOINT_FILE)?;
        directory.sync()?;
    }

    let queue = Arc::new(Queue::new(builder.limits));
    queue.counters.is_writing.store(true, Relaxed);
    queue.counters.entries.store(tape.size(), Relaxed);
    queue.counters.anchored.store(known.anchored.min(entries), Relaxed);
    if known.is_partial {
        queue.counters.failed(Trouble::AnchorFailed);
    }
    let outbox = Arc::new(Outbox::default());
    let has_anchors = !builder.anchors.is_empty();
    let publisher = Publisher {
        directory,
        anchors: builder.anchors,
        outbox: Arc::clone(&outbox),
        queue: Arc::clone(&queue),
        lock: Some(Arc::clone(&lock)),
    };
    // Until the writer says how it has ended.
    let ending = Arc::new(Mutex::new(Err(AuditError::Write("the thread that writes has panicked".into()))));
    let parts = Parts {
        queue: Arc::clone(&queue),
        tape,
        reserve,
        outbox,
        key: builder.key,
        rhythm: builder.rhythm,
        retention: builder.retention,
        has_anchors,
        ending: Arc::clone(&ending),
        lock,
    };
    Ok(AuditLog::start(queue, Writer::new(parts), publisher, builder.classes, builder.random, ending)?)
}

/// Opens the last segment. One whose header is torn was being begun when the process ended; the one before it is the last.
fn find_last(directory: &dyn Directory, names: &[String]) -> Result<Last, OpenError> {
    let mut last = Last::default();
    let firsts = segments_of(names);
    for &first in firsts.iter().rev() {
        let name = segment_name(first);
        match SegmentReader::new(directory.open(&name)?)? {
            Ok(reader) if reader.header().first == first => {
                if let Some(before) = firsts.iter().rev().copied().find(|&before| before < first) {
                    check_same(directory, before, reader.header()).map_err(|error| damaged(error, &name))?;
                }
                last.segment = Some((name, reader));
                break;
            }
            Err(error) if last.torn.is_none() => {
                let bytes = scan::torn_segment(&*directory.open(&name)?, first, error);
                last.torn = Some(Torn { number: first, bytes: bytes.map_err(|error| damaged(error, &name))? });
            }
            _ => return Err(OpenError::Damaged { segment: name, offset: 0 }),
        }
    }
    Ok(last)
}

/// A segment of another log would be gone on with under that one's name, and what is written be part of neither.
fn check_same(directory: &dyn Directory, before: u64, last: &SegmentHeader) -> Result<(), ScanError> {
    match SegmentReader::new(directory.open(&segment_name(before))?)? {
        Ok(reader) if (&reader.header().chain, &reader.header().origin) == (&last.chain, &last.origin) => Ok(()),
        _ => Err(ScanError::Damaged(0)),
    }
}

fn damaged(error: ScanError, name: &str) -> OpenError {
    match error {
        ScanError::Io(error) => error.into(),
        ScanError::Damaged(offset) => OpenError::Damaged { segment: name.into(), offset },
    }
}

/// Puts a copy of the first `length` bytes of a segment in its place, unless it is known that all of it is on the disk.
///
/// Where a write has failed, the system may show what it has lost, and writes it no more: entries behind it would be lost
/// with it when the power fails. A segment that ends with the checkpoint of an orderly end, which the file `checkpoint`
/// has too, was on the disk.
fn copy(directory: &dyn Directory, name: &str, length: u64) -> io::Result<Box<dyn LogFile>> {
    let unfinished = format!("{name}{UNFINISHED}");
    let (from, mut to) = (directory.open(name)?, directory.create(&unfinished)?);
    let (mut buffer, mut done) = (vec![0; COPY_CHUNK], 0);
    while done < length {
        let most = usize::try_from(length - done).unwrap_or(COPY_CHUNK).min(COPY_CHUNK);
        let room = buffer.get_mut(..most).unwrap_or_default();
        let read = from.read_at(room, done)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.append(room.get(..read).unwrap_or_default())?;
        done += read as u64;
    }
    to.sync()?;
    directory.rename(&unfinished, name)?;
    Ok(to)
}

/// Keeps what is torn in a file of its own, on the disk before it is taken out of the log.
fn set_aside(directory: &dyn Directory, names: &[String], torn: &Torn) -> io::Result<Recovered> {
    let name = |attempt: u32| format!("torn-{}-{attempt}.bin", torn.number);
    let attempt = (0..).find(|attempt| !names.contains(&name(*attempt))).unwrap_or_default();
    let name = name(attempt);
    let mut file = directory.create(&name)?;
    file.append(&torn.bytes)?;
    file.sync()?;
    directory.sync()?;
    let mut hash = Hash::default();
    hash.0.copy_from_slice(digest::digest(&digest::SHA256, &torn.bytes).as_ref());
    Ok(Recovered {
        bytes: torn.bytes.len() as u64,
        sha256: Some(hash.to_string()),
        kept_in: Some(name),
        after: "crash".into(),
    })
}

fn new_name(random: &dyn agentauth_core::Random) -> Result<String, OpenError> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// What the log is called: as it calls itself, or is told to when it begins.
fn origin(
    asked: Option<String>,
    key: Option<&CheckpointKey>,
    here: Option<String>,
    chain: &str,
) -> Result<String, OpenError> {
    let is_name =
        |name: &str| !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+');
    match (here, asked) {
        (Some(here), Some(asked)) if here != asked => Err(OpenError::Origin { here, asked }),
        (Some(here), _) => Ok(here),
        (None, Some(asked)) if is_name(&asked) => Ok(asked),
        (None, Some(_)) => Err(OpenError::Name(CheckpointError::Name)),
        (None, None) => {
            let of_key = key.map(CheckpointKey::name);
            Ok(of_key.map_or_else(|| format!("agentauth/{chain}"), Into::into))
        }
    }
}
