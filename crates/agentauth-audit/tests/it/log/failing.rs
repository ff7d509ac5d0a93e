//! A disk that fails: nobody is told yes for what is not there, and the log goes on when it can.

use std::time::Duration;

use agentauth_audit::disk::Directory as _;
use agentauth_audit::format::segment_name;
use agentauth_audit::{AuditLog, AuditLogBuilder};
use agentauth_core::audit::{AuditError, AuditSink as _};

use super::support::{Disk, allowed, denied, entries, names, segments, wait};

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

fn log(disk: &Disk) -> AuditLogBuilder {
    AuditLog::builder_in(disk.clone()).retry(Duration::ZERO)
}

fn is_write(result: &Result<(), AuditError>) -> bool {
    matches!(result, Err(AuditError::Write(_)))
}

#[test]
fn after_a_failed_sync_the_log_goes_on_in_a_new_segment() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    let before = disk.bytes(&segment_name(0));
    disk.fail_syncs(1);
    assert!(is_write(&wait(log.append(allowed("1")))));
    assert_eq!((log.health().is_writing, log.health().last_error), (false, Some("sync_failed")));
    // What was refused does not stand in the log as allowed.
    assert_eq!(disk.bytes(&segment_name(0)), before);
    assert_eq!(wait(log.append(allowed("2"))), Ok(()));
    assert_eq!((log.health().is_writing, log.health().last_error), (true, None));
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "Recovered", "Gap", "2", "Checkpoint", "Closed"]);
    assert_eq!(segments(&disk), [0, 2]);
    let entries = entries(&disk);
    assert_eq!((&entries[2].json["after"], &entries[3].json["why"]), (&"sync_failed".into(), &"write_failed".into()));
    assert!(entries[2].json["bytes"].as_u64().unwrap() > 0);
    assert_eq!((&entries[3].json["dropped"], &entries[3].json["first"]), (&1.into(), &"1".into()));
}

#[test]
fn what_a_failed_write_leaves_behind_is_no_part_of_the_log() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    disk.fail_cuts(true);
    for (round, fails) in [Disk::fail_writes as fn(&Disk, usize), Disk::fail_syncs].into_iter().enumerate() {
        let before = segments(&disk).into_iter().next_back().unwrap();
        let length = disk.bytes(&segment_name(before)).len();
        fails(&disk, 1);
        assert!(is_write(&wait(log.append(allowed("refused")))));
        let left = disk.bytes(&segment_name(before)).len() - length;
        assert_eq!(wait(log.append(allowed(&round.to_string()))), Ok(()));
        let entries = entries(&disk);
        let recovered = entries.iter().rfind(|entry| entry.name() == "Recovered").unwrap();
        assert!(left > 0 && left as u64 <= recovered.json["bytes"].as_u64().unwrap());
    }
    log.close().unwrap();
    let written = names(&disk);
    assert_eq!(written, ["Opened", "Recovered", "Gap", "0", "Recovered", "Gap", "1", "Checkpoint", "Closed"]);
    AuditLog::builder_in(disk).open().unwrap();
}

#[test]
fn while_it_is_too_soon_to_try_again_everything_is_refused_at_once() {
    let disk = Disk::default();
    let log = log(&disk).retry(NEVER).open().unwrap();
    // That of the write, that of the cut, and that of the new segment.
    disk.fail_syncs(3);
    assert!(is_write(&wait(log.append(allowed("0")))));
    // The first attempt comes with the next record, and fails too.
    assert!(is_write(&wait(log.append(allowed("1")))));
    let before = disk.syncs();
    assert!(is_write(&wait(log.append(allowed("2")))));
    assert!(is_write(&wait(log.append(denied("3")))));
    assert_eq!(disk.syncs(), before);
    // Closing tries once more, so that the end is on record.
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "Recovered", "Gap", "Checkpoint", "Closed"]);
    let gap = serde_json::json!({"dropped": 4, "first": "0", "last": "3", "why": "write_failed"});
    assert_eq!(entries(&disk)[2].json, gap);
}

#[test]
fn a_full_disk_is_on_record_and_nothing_goes_on_before_there_is_room() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    disk.leave_room(100);
    assert!(is_write(&wait(log.append(allowed("1")))));
    // The reserve has made room for the log to say so.
    disk.until(|disk| segments(disk).len() == 2);
    assert!(!disk.has("reserve"));
    assert_eq!(names(&disk), ["Opened", "0", "Recovered", "Gap"]);
    assert_eq!(entries(&disk)[2].json["after"], "disk_full");
    // There is room for more records, but not for the next end.
    assert!(is_write(&wait(log.append(allowed("2")))));
    assert_eq!((log.health().is_writing, log.health().last_error), (false, Some("disk_full")));

    disk.make_room();
    assert_eq!(wait(log.append(allowed("3"))), Ok(()));
    assert!(disk.has("reserve") && log.health().is_writing && log.health().last_error.is_none());
    log.close().unwrap();
    let names = names(&disk);
    assert_eq!(names, ["Opened", "0", "Recovered", "Gap", "3", "Gap", "Checkpoint", "Closed"]);
}

#[test]
fn a_log_on_a_full_disk_can_still_be_closed_in_order() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    disk.leave_room(10);
    assert!(is_write(&wait(log.append(allowed("0")))));
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "Recovered", "Gap", "Checkpoint", "Closed"]);
}

#[test]
fn a_log_whose_file_is_gone_does_not_write_to_nowhere() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    disk.remove(&segment_name(0)).unwrap();
    assert_eq!(wait(log.append(allowed("1"))), Ok(()));
    log.close().unwrap();
    assert_eq!(segments(&disk), [2]);
    // And one that was put in its place is not taken for it.
    let log = self::log(&disk).open().unwrap();
    let copy = disk.bytes(&segment_name(2));
    disk.put(&segment_name(2), copy);
    assert_eq!(wait(log.append(allowed("2"))), Ok(()));
    log.close().unwrap();
    assert_eq!(segments(&disk).len(), 2);
    let last = entries_of_last(&disk);
    assert_eq!((last[0].0.as_str(), &last[0].1["after"]), ("Recovered", &"file_gone".into()));
}

#[test]
fn a_file_that_somebody_else_has_written_to_is_left_alone() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    disk.open(&segment_name(0)).unwrap().append(b"not ours").unwrap();
    assert_eq!(wait(log.append(allowed("0"))), Ok(()));
    log.close().unwrap();
    let last = entries_of_last(&disk);
    assert_eq!((last[0].0.as_str(), &last[0].1["after"]), ("Recovered", &"file_changed".into()));
    assert!(disk.bytes(&segment_name(0)).ends_with(b"not ours"));
}

#[test]
fn a_file_that_goes_during_a_write_takes_no_acknowledged_record_with_it() {
    let disk = Disk::default();
    let log = log(&disk).open().unwrap();
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    disk.remove(&segment_name(0)).unwrap();
    disk.go_on();
    assert!(is_write(&wait(first)));
    assert_eq!(wait(log.append(allowed("1"))), Ok(()));
}

/// Name and content of the entries in the last segment.
fn entries_of_last(disk: &Disk) -> Vec<(String, serde_json::Value)> {
    use agentauth_audit::format::Body;
    let last = segments(disk).into_iter().next_back().unwrap();
    let file = disk.open(&segment_name(last)).unwrap();
    let mut reader = agentauth_audit::read::SegmentReader::new(file).unwrap().unwrap();
    let mut found = Vec::new();
    while let Ok(entry) = reader.next_entry() {
        let body = Body::read(entry.body).unwrap();
        found.push((format!("{:?}", body.kind), serde_json::from_slice(body.payload).unwrap()));
    }
    found
}
