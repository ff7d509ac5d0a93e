//! The file of records: whole lines, in order, for its owner alone, and nothing allowed once it cannot be written.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use agentauth_core::audit::{AuditError, AuditKey, AuditSink, JsonLinesFile, Record};
use agentauth_core::{Action, AgentAuth, Evidence, TrustedIssuer};
use serde_json::Value;

use crate::support::court::{Counter, Court, Oracle, RESOURCE, STS, authenticate, caller, claims, code_of, wait};
use crate::support::folder::Folder;

/// Records with the ids 1, 2, 3 and so on.
fn records(count: u64) -> Vec<Arc<Record>> {
    let court = Court::new();
    let auth = court.engine().audit_key(AuditKey::new(&[7; 32])).random(Counter::up_to(count)).build().unwrap();
    for _ in 0..count {
        assert!(authenticate(&auth, Evidence::none()).is_err());
    }
    court.records.take()
}

/// The ids of the records in the file, as numbers. Every line must be JSON.
fn ids(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{text}");
    let id = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        u64::from_str_radix(record["evaluation_id"].as_str().unwrap(), 16).unwrap()
    };
    text.lines().map(id).collect()
}

#[test]
fn records_are_lines_of_json_in_the_order_they_were_taken() {
    let folder = Folder::new();
    let file = JsonLinesFile::open(folder.path("audit.jsonl")).unwrap();
    let waiting: Vec<_> = records(700).into_iter().map(|record| file.append(record)).collect();
    for append in waiting.into_iter().rev() {
        assert_eq!(wait(append), Ok(()));
    }
    assert_eq!(ids(&folder.path("audit.jsonl")), (1..=700).collect::<Vec<_>>());
}

#[test]
fn a_record_is_in_the_file_before_its_answer_is_given() {
    let folder = Folder::new();
    let court = Court::new();
    let auth = AgentAuth::builder(RESOURCE)
        .clock(court.clock.clone())
        .issuer(TrustedIssuer::rfc8693(STS, court.key.key_set()))
        .policy(Oracle::permitting())
        .audit(JsonLinesFile::open(folder.path("audit.jsonl")).unwrap())
        .audit_key(AuditKey::new(&[7; 32]))
        .random(Counter::up_to(9))
        .build()
        .unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    assert_eq!(ids(&folder.path("audit.jsonl")), [1]);
    let permit = wait(caller.authorize(Action::new("motions:file").unwrap())).unwrap();
    assert_eq!(ids(&folder.path("audit.jsonl")), [1, 2]);
    let seen = wait(permit.run(async |()| Ok::<_, ()>(ids(&folder.path("audit.jsonl")).len()))).unwrap();
    assert_eq!(seen, Ok(2));
    assert_eq!(ids(&folder.path("audit.jsonl")), [1, 2, 2], "an outcome has the id of its decision");
    assert_eq!(code_of(&authenticate(&auth, Evidence::none())), "no_credentials");
    assert_eq!(ids(&folder.path("audit.jsonl")), [1, 2, 2, 3]);
}

#[test]
fn a_file_is_continued_and_never_begun_anew() {
    let folder = Folder::new();
    for (n, record) in (1..).zip(records(3)) {
        let file = JsonLinesFile::open(folder.path("audit.jsonl")).unwrap();
        assert_eq!(wait(file.append(record)), Ok(()));
        assert_eq!(ids(&folder.path("audit.jsonl")), (1..=n).collect::<Vec<_>>());
    }
}

#[test]
fn a_torn_last_line_is_ended_and_stays_visible() {
    let folder = Folder::new();
    for (before, after) in [("{\"half\":", "{\"half\":\n"), ("{}\n", "{}\n"), ("{}\n{\"a", "{}\n{\"a\n"), ("", "")] {
        fs::write(folder.path("audit.jsonl"), before).unwrap();
        let file = JsonLinesFile::open(folder.path("audit.jsonl")).unwrap();
        assert_eq!(fs::read_to_string(folder.path("audit.jsonl")).unwrap(), after);
        assert_eq!(wait(file.append(records(1).remove(0))), Ok(()));
        let text = fs::read_to_string(folder.path("audit.jsonl")).unwrap();
        let line = text.strip_prefix(after).unwrap();
        assert!(serde_json::from_str::<Value>(line).is_ok() && line.ends_with('\n'), "{text}");
    }
}

#[test]
fn a_file_has_one_writer() {
    let folder = Folder::new();
    let file = JsonLinesFile::open(folder.path("audit.jsonl")).unwrap();
    assert_eq!(JsonLinesFile::open(folder.path("audit.jsonl")).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(wait(file.append(records(1).remove(0))), Ok(()), "the first one goes on");
    drop(file);
    drop(JsonLinesFile::open(folder.path("audit.jsonl")).unwrap());
}

#[test]
fn what_cannot_be_opened_says_so() {
    let folder = Folder::new();
    assert_eq!(JsonLinesFile::open(folder.0.join("absent").join("x")).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(JsonLinesFile::open(&folder.0).is_err(), "a folder is no file");
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let _file = JsonLinesFile::open(folder.path("audit.jsonl")).unwrap();
    assert_eq!(fs::metadata(folder.path("audit.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Names the file, for the process in which the disk is small.
const SMALL_DISK: &str = "AGENTAUTH_TEST_SMALL_DISK";

/// The disk fills up: a process that may write files of a few KiB only runs this same test.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_stops_the_writer_and_every_action() {
    if let Some(path) = std::env::var_os(SMALL_DISK) {
        return fill(Path::new(&path));
    }
    let folder = Folder::new();
    let name = "audit_file::a_disk_that_is_full_stops_the_writer_and_every_action";
    let run = std::process::Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 8 && exec "$0" --exact "$1" --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(SMALL_DISK, folder.path("audit.jsonl"))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stdout).contains("stopped at"), "the disk was filled");
}

#[cfg(unix)]
fn fill(path: &Path) {
    let file = JsonLinesFile::open(path).unwrap();
    let mut records = records(100).into_iter();
    let (taken, error) =
        (0..).zip(&mut records).find_map(|(n, record)| Some((n, wait(file.append(record)).err()?))).unwrap();
    assert!(matches!(error, AuditError::Write(_)), "{error}");
    assert!(taken > 0);
    // What was refused has left nothing behind; what was taken is whole.
    assert_eq!(ids(path), (1..=taken).collect::<Vec<_>>());
    // Nothing is taken any more, by whichever door it comes.
    assert_eq!(wait(file.append(records.next().unwrap())), Err(AuditError::Closed));
    let court = Court::new();
    let auth = court.engine().audit(file).build().unwrap();
    for evidence in [Evidence::bearer(&court.key.mint(&claims())), Evidence::none()] {
        assert_eq!(code_of(&authenticate(&auth, evidence)), "audit_unavailable");
    }
    assert_eq!(ids(path).len() as u64, taken);
    println!("stopped at {taken}");
}
