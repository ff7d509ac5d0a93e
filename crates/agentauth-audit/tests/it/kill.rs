//! `kill -9` at any moment, under load: whatever is acknowledged is there afterwards, and nothing is called damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use agentauth_audit::AuditLog;
use agentauth_audit::disk::{Directory, RealDirectory};
use agentauth_audit::format::EntryKind;
use agentauth_audit::verify::{Verdict, Verifier};
use agentauth_core::audit::AuditSink as _;
use serde_json::Value;

use crate::log::support::{allowed, wait};
use crate::support::Folder;
use crate::support::whole::{Entry, assert_whole};

/// Where the child writes. Absent in the parent.
const DIRECTORY: &str = "AGENTAUTH_AUDIT_KILLED_IN";

/// Which of the children it is.
const LIFE: &str = "AGENTAUTH_AUDIT_KILLED_AS";

const KILLS: u64 = 200;
const THREADS: u64 = 6;

/// Before an evaluation id that was acknowledged; beside what the test program itself writes.
const SAID: &str = "acknowledged ";
const OPENING: &str = "opening";

fn open(directory: &Path) -> AuditLog {
    let log = AuditLog::builder(directory).segment_bytes(24 * 1024).checkpoint_every(16, Duration::from_secs(3600));
    log.reserve(4096).open().unwrap()
}

/// Writes until it is killed, if it is the child.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let life: u64 = std::env::var(LIFE).unwrap().parse().unwrap();
    say(OPENING);
    let log = open(Path::new(&directory));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = log.clone();
            scope.spawn(move || {
                for count in 0.. {
                    let id = format!("{:032x}", (u128::from(life) << 64) + (u128::from(thread) << 32) + count);
                    wait(log.append(allowed(&id))).unwrap();
                    say(&format!("{SAID}{id}"));
                }
            });
        }
    });
}

/// One line, in one write, past the buffer of the test program.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Runs a child and kills it once it has said `lines` lines. Says what it had acknowledged.
fn killed(directory: &Path, life: u64, lines: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut heard = 0;
    // A last line may be cut off by the kill: then nobody was told.
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        if let Some(id) = line.strip_suffix('\n').and_then(|line| line.strip_prefix(SAID)) {
            said.push(id.to_owned());
        }
        if line.starts_with(SAID) || line.trim_end() == OPENING {
            heard += 1;
            if heard == lines {
                child.kill().unwrap();
            }
        }
        line.clear();
    }
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the child has ended by itself: {status}");
    said
}

fn ids(entries: &[Entry]) -> impl Iterator<Item = String> {
    let records = entries.iter().filter(|entry| entry.kind == EntryKind::Record);
    records.map(|entry| {
        let record: Value = serde_json::from_slice(&entry.payload).unwrap();
        record["evaluation_id"].as_str().unwrap().to_owned()
    })
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_200_kills() {
    let folder = Folder::new();
    let path = folder.path("log");
    let mut random = 0x5eed_u64;
    let (mut acknowledged, mut found, mut verified) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut first = 0;
    for life in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Now and then while it opens the log.
        let lines = if random >> 60 < 3 { 1 } else { 2 + (random >> 33) % 120 };
        let said = killed(&path, life, lines);
        let mut new: BTreeSet<String> = said.into_iter().collect();
        // Verified as it was left: a torn end is no damage.
        let directory = RealDirectory::existing(&path);
        if life % 8 == 0
            && let Ok(directory) = &directory
            && !directory.list().unwrap().iter().all(|name| name == "lock")
        {
            let verdict = Verifier::new().verify(directory).unwrap();
            assert!(verdict.verdict() <= Verdict::TornTail, "life {life}: {:?}", verdict.faults);
            verified += 1;
        }
        // An orderly opening and closing, after every other kill: so kills follow kills, too.
        if life % 2 == 0 {
            open(&path).close().unwrap();
        }
        acknowledged.append(&mut new);
        if life % 20 == 19 || life == KILLS - 1 {
            open(&path).close().unwrap();
            let directory = RealDirectory::existing(&path).unwrap();
            let report = Verifier::new().verify(&directory).unwrap();
            assert_eq!(report.verdict(), Verdict::Whole, "life {life}: {:?}", report.faults);
            verified += 1;
            let entries = assert_whole(&directory);
            found.clear();
            let mut latest: BTreeMap<String, String> = BTreeMap::new();
            for id in ids(&entries) {
                let before = latest.insert(id[..24].to_owned(), id.clone());
                assert!(before.is_none_or(|before| before < id), "record {id} is there twice, or too late");
                found.insert(id);
            }
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "life {life}: {lost:?} were acknowledged, and are lost");
            first = entries.len();
        }
    }
    let segments = RealDirectory::existing(&path).unwrap().list().unwrap().len();
    println!(
        "kill: {KILLS} kills, {} records acknowledged, 0 lost, {} found; {first} entries in {segments} files verified {verified} times, 0 false alarms",
        acknowledged.len(),
        found.len(),
    );
    assert!(acknowledged.len() as u64 > KILLS, "it was under load");
}
