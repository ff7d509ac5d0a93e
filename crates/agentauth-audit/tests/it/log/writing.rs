//! What is answered with yes is on the disk; and what is opened again goes on where it was.

use std::task::Poll;

use agentauth_audit::AuditLog;
use agentauth_core::audit::AuditSink as _;

use super::support::{Disk, allowed, denied, names, poll, wait};

#[test]
fn a_durable_record_is_answered_once_it_is_on_the_disk() {
    let disk = Disk::default();
    let log = AuditLog::builder_in(disk.clone()).open().unwrap();
    disk.hang();
    let mut first = log.append(allowed("first"));
    disk.until_it_hangs();
    assert!(poll(&mut first).is_pending());
    assert_eq!(names(&disk.crashed(0)), ["Opened"]);
    disk.go_on();
    assert_eq!(wait(first), Ok(()));
    assert_eq!(names(&disk.crashed(0)), ["Opened", "first"]);
}

#[test]
fn a_buffered_record_is_answered_while_the_disk_is_busy() {
    let disk = Disk::default();
    let log = AuditLog::builder_in(disk.clone()).open().unwrap();
    disk.hang();
    let mut first = log.append(denied("first"));
    assert_eq!(poll(&mut first), Poll::Ready(Ok(())));
    disk.go_on();
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "first", "Checkpoint", "Closed"]);
}

#[test]
fn records_that_come_during_a_write_share_the_next() {
    let disk = Disk::default();
    let log = AuditLog::builder_in(disk.clone()).open().unwrap();
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    let more: Vec<_> = (1..100).map(|number| log.append(allowed(&number.to_string()))).collect();
    let before = disk.syncs();
    disk.go_on();
    assert!(std::iter::once(first).chain(more).all(|append| wait(append).is_ok()));
    assert_eq!(disk.syncs() - before, 2);
    assert_eq!((log.health().largest_group, log.health().records), (99, 100));
}

#[test]
fn what_is_closed_and_opened_again_goes_on() {
    let folder = std::env::temp_dir().join(format!("agentauth-audit-{}-again", std::process::id()));
    for round in 0..3 {
        let log = AuditLog::open(&folder).unwrap();
        assert_eq!(wait(log.append(allowed(&round.to_string()))), Ok(()));
        log.close().unwrap();
    }
    let directory = agentauth_audit::disk::RealDirectory::existing(&folder).unwrap();
    let round = |round: &str| ["Opened", round, "Checkpoint", "Closed"].map(str::to_owned);
    assert_eq!(names(&directory), ["0", "1", "2"].map(round).concat());
    std::fs::remove_dir_all(&folder).unwrap();
}
