//! A disk that is slow or hangs: bounded queue, bounded wait, and a log that does not lie about who was refused.

use std::task::Poll;
use std::time::Duration;

use agentauth_audit::{AuditLog, AuditLogBuilder, WriteClass, WriteClasses};
use agentauth_core::audit::{AuditError, AuditSink as _, RecordKind};
use agentauth_core::policy::Effect;
use agentauth_core::{Clock, Timestamp};

use super::support::{Disk, allowed, denied, entries, names, poll, record, wait};

/// So long that what is appended to an idle log is being written before it is late.
const SOON: Duration = Duration::from_millis(300);

/// Never, as tests go.
const NEVER: Duration = Duration::from_secs(3600);

fn log(disk: &Disk, max_wait: Duration) -> AuditLogBuilder {
    AuditLog::builder_in(disk.clone()).max_wait(max_wait)
}

#[test]
fn what_does_not_fit_into_the_queue_is_refused_at_once_and_counted() {
    let disk = Disk::default();
    let log = log(&disk, NEVER).queue(2, usize::MAX).open().unwrap();
    disk.hang();
    let mut taken = vec![log.append(allowed("0"))];
    disk.until_it_hangs();
    taken.extend(["1", "2"].map(|id| log.append(allowed(id))));
    assert_eq!(poll(&mut log.append(allowed("3"))), Poll::Ready(Err(AuditError::Full)));
    assert_eq!(poll(&mut log.append(denied("4"))), Poll::Ready(Err(AuditError::Full)));
    assert_eq!((log.health().queue_depth, log.health().dropped), (2, 2));
    disk.go_on();
    assert!(taken.into_iter().all(|append| wait(append).is_ok()));
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "1", "2", "Gap", "Checkpoint", "Closed"]);
    let gap = &entries(&disk)[4].json;
    assert_eq!(*gap, serde_json::json!({"dropped": 2, "first": "3", "last": "4", "why": "queue_full"}));
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let disk = Disk::default();
    let log = log(&disk, NEVER).queue(1000, 1).open().unwrap();
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    // One may be longer than the queue.
    let second = log.append(allowed("1"));
    assert_eq!(wait(log.append(allowed("2"))), Err(AuditError::Full));
    disk.go_on();
    assert_eq!((wait(first), wait(second)), (Ok(()), Ok(())));
}

#[test]
fn while_the_disk_hangs_everybody_is_answered() {
    let disk = Disk::default();
    let log = log(&disk, SOON).open().unwrap();
    disk.hang();
    let first = log.append(allowed("written too late"));
    disk.until_it_hangs();
    let second = log.append(allowed("not written"));
    let kept = log.append(denied("buffered"));
    assert_eq!(wait(kept), Ok(()));
    assert_eq!((wait(first), wait(second)), (Err(AuditError::Late), Err(AuditError::Late)));

    // From here on nobody waits at all.
    assert!(log.health().is_stalled);
    assert_eq!(poll(&mut log.append(allowed("refused"))), Poll::Ready(Err(AuditError::Late)));
    assert_eq!(poll(&mut log.append(denied("refused too"))), Poll::Ready(Err(AuditError::Late)));
    assert_eq!(log.health().late, 2);

    disk.go_on();
    disk.until(|_| !log.health().is_stalled);
    assert_eq!(wait(log.append(allowed("again"))), Ok(()));
    log.close().unwrap();
    let entries = entries(&disk);
    let position = |name: &str| entries.iter().position(|entry| entry.name() == name).unwrap();
    // Right after what was refused, the log says that it was.
    assert_eq!((position("written too late"), position("Refused")), (1, 2));
    assert_eq!(entries[2].json, serde_json::json!({"entries": [1]}));
    assert!(position("buffered") < position("again"));
    assert!(!entries.iter().any(|entry| entry.name() == "not written"));
    let gap = &entries[position("Gap")].json;
    assert_eq!(
        *gap,
        serde_json::json!({"dropped": 3, "first": "not written", "last": "refused too", "why": "stalled"})
    );
}

#[test]
fn a_write_that_only_buffered_records_wait_for_stalls_the_log_as_well() {
    let disk = Disk::default();
    let log = log(&disk, Duration::from_millis(1)).open().unwrap();
    disk.hang();
    assert_eq!(wait(log.append(denied("0"))), Ok(()));
    disk.until(|_| log.health().is_stalled);
    assert_eq!(wait(log.append(denied("1"))), Err(AuditError::Late));
    disk.go_on();
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "Gap", "Checkpoint", "Closed"]);
}

#[test]
fn best_effort_never_fails_and_what_it_drops_is_counted() {
    let disk = Disk::default();
    let classes = WriteClasses::default().with(RecordKind::Outcome, Effect::Allow, WriteClass::BestEffort);
    let log = log(&disk, NEVER).queue(1, usize::MAX).classes(classes).open().unwrap();
    let outcome = |id: &str| record(RecordKind::Outcome, Effect::Allow, id);
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    for id in ["1", "2", "3", "4"] {
        assert_eq!(wait(log.append(outcome(id))), Ok(()));
    }
    disk.go_on();
    wait(first).unwrap();
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "1", "Gap", "Checkpoint", "Closed"]);
    let gap = serde_json::json!({"dropped": 3, "first": "2", "last": "4", "why": "queue_full"});
    assert_eq!(entries(&disk)[3].json, gap);
}

#[test]
fn what_allows_something_is_durable_unless_it_is_said_otherwise() {
    use RecordKind::{Approval, Authentication, Decision, Issuance, Outcome, PolicyReload, Revocation};
    let classes = WriteClasses::default();
    for kind in [Decision, Issuance, Approval, Revocation, PolicyReload] {
        assert_eq!(classes.class(kind, Effect::Allow), WriteClass::Durable, "{kind}");
    }
    for kind in [Authentication, Decision, Outcome, Issuance, Approval, Revocation, PolicyReload] {
        assert_eq!(classes.class(kind, Effect::Deny), WriteClass::Buffered, "{kind}");
    }
    for kind in [Authentication, Outcome] {
        assert_eq!(classes.class(kind, Effect::Allow), WriteClass::Buffered, "{kind}");
    }
    let set = classes.with(Authentication, Effect::Allow, WriteClass::Durable);
    let set = set.with(Authentication, Effect::Allow, WriteClass::BestEffort);
    assert_eq!(set.class(Authentication, Effect::Allow), WriteClass::BestEffort);
    assert_eq!(set.class(Authentication, Effect::Deny), WriteClass::Buffered);
}

#[test]
fn a_closed_log_takes_nothing() {
    let disk = Disk::default();
    let log = log(&disk, NEVER).open().unwrap();
    let clone = log.clone();
    log.close().unwrap();
    assert_eq!(wait(clone.append(allowed("0"))), Err(AuditError::Closed));
    assert!(!clone.health().is_writing);
    assert_eq!(names(&disk), ["Opened", "Checkpoint", "Closed"]);
}

/// A clock that panics once it is told to.
#[derive(Debug, Default)]
struct Broken(std::sync::atomic::AtomicBool);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(std::sync::atomic::Ordering::SeqCst), "it is broken");
        Timestamp::from_secs(1_800_000_000)
    }
}

#[test]
fn a_panic_of_the_writer_leaves_nobody_waiting_and_is_no_orderly_end() {
    let (disk, clock) = (Disk::default(), std::sync::Arc::new(Broken::default()));
    let log = log(&disk, NEVER).clock(clock.clone()).open().unwrap();
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    let (second, third) = (log.append(allowed("1")), log.append(denied("2")));
    clock.0.store(true, std::sync::atomic::Ordering::SeqCst);
    disk.go_on();
    assert_eq!((wait(first), wait(second), wait(third)), (Ok(()), Err(AuditError::Closed), Ok(())));
    assert_eq!(wait(log.append(allowed("3"))), Err(AuditError::Closed));
    // The second and the third are not kept, and neither is the fourth.
    assert_eq!((log.health().is_writing, log.health().queue_depth, log.health().dropped), (false, 0, 3));
    assert!(matches!(log.close(), Err(AuditError::Write(_))));
}
