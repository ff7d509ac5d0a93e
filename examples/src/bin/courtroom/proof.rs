//! The record, put to the proof: it is verified, and so are copies that somebody has tampered with.

use std::fs;
use std::path::{Path, PathBuf};

use agentauth_audit::disk::RealDirectory;
use agentauth_audit::verify::{Report, Verdict, Verifier};

use crate::Error;
use crate::world::World;

/// What is done to a copy, and what must be said of it.
struct Forgery {
    title: &'static str,
    forge: fn(&[Segment]) -> Result<(), Error>,
    code: &'static str,
}

/// A segment of the log: where it is, and its bytes.
struct Segment {
    path: PathBuf,
    bytes: Vec<u8>,
}

const FORGERIES: [Forgery; 4] = [
    Forgery { title: "a byte of an entry is flipped", forge: flip_a_byte, code: "frame_checksum" },
    Forgery { title: "the last entries are cut off", forge: cut_the_tail, code: "rolled_back" },
    Forgery { title: "a segment in the middle is deleted", forge: delete_a_segment, code: "entries_missing" },
    Forgery { title: "all of it is deleted", forge: delete_everything, code: "log_absent" },
];

/// Verifies the record, and what is made of it. Answers how many forgeries were not told as what they are.
pub(crate) fn hold(world: &World) -> Result<usize, Error> {
    let report = verify(world, &world.record_at())?;
    println!("\nThe record, as `agentauth audit verify` sees it: {}.", told(&report));
    let mut uncaught = usize::from(report.verdict() != Verdict::Whole);
    println!("\n{:<36} verdict", "what is done to a copy of it");
    println!("{}", "-".repeat(110));
    for forgery in FORGERIES {
        let segments = copy(&world.record_at(), &world.copy_at())?;
        (forgery.forge)(&segments)?;
        let report = verify(world, &world.copy_at())?;
        let (code, told) = match report.fault() {
            Some(fault) => (fault.kind.code(), fault.to_string()),
            None => ("none", "nothing is wrong".into()),
        };
        let is_caught = code == forgery.code;
        let surprise = if is_caught { String::new() } else { format!("   SURPRISE: expected {}", forgery.code) };
        println!("{:<36} {code}: {told}{surprise}", forgery.title);
        uncaught += usize::from(!is_caught);
    }
    Ok(uncaught)
}

fn verify(world: &World, path: &Path) -> Result<Report, Error> {
    Ok(Verifier::new().key(world.verifier.clone()).anchor(world.anchor()?).verify(&RealDirectory::existing(path)?)?)
}

fn told(report: &Report) -> String {
    let ranges = &report.ranges;
    format!(
        "{} entries in {} segments, {} records; {} entries are anchored, {} more are signed, {} neither",
        report.entries,
        report.segments,
        report.records,
        ranges.anchored.entries(),
        ranges.signed.entries(),
        ranges.unanchored.entries()
    )
}

/// A fresh copy; its segments, in order.
fn copy(from: &Path, to: &Path) -> Result<Vec<Segment>, Error> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir(to)?;
    let mut segments = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, bytes) = (to.join(entry.file_name()), fs::read(entry.path())?);
        fs::write(&path, &bytes)?;
        if path.extension().is_some_and(|extension| extension == "log") {
            segments.push(Segment { path, bytes });
        }
    }
    segments.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(segments)
}

fn flip_a_byte(segments: &[Segment]) -> Result<(), Error> {
    let first = segments.first().ok_or("the record has segments")?;
    let mut bytes = first.bytes.clone();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Ok(fs::write(&first.path, bytes)?)
}

/// As if the last segment had never been.
fn cut_the_tail(segments: &[Segment]) -> Result<(), Error> {
    let last = segments.last().ok_or("the record has segments")?;
    Ok(fs::remove_file(&last.path)?)
}

fn delete_a_segment(segments: &[Segment]) -> Result<(), Error> {
    let second = segments.get(1).ok_or("the record has several segments")?;
    Ok(fs::remove_file(&second.path)?)
}

fn delete_everything(segments: &[Segment]) -> Result<(), Error> {
    segments.iter().try_for_each(|segment| Ok(fs::remove_file(&segment.path)?))
}
