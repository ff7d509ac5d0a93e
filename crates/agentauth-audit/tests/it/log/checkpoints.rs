//! When there is a checkpoint, who signs it, and where it goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agentauth_audit::anchor::{AnchorError, AnchorSink, ConsistencyProofs};
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier, Head};
use agentauth_audit::erase::Retention;
use agentauth_audit::format::EntryKind;
use agentauth_audit::tree::Frontier;
use agentauth_audit::verify::Verifier;
use agentauth_audit::{AuditLog, AuditLogBuilder};
use agentauth_core::SystemRandom;
use agentauth_core::audit::AuditSink as _;
use agentauth_core::jose::{Algorithm, Signer, Signing, SigningFailed, SigningKey};

use super::rollback::Witness;
use super::support::{Disk, Read, allowed, entries, names, segments, wait};

const NEVER: Duration = Duration::from_secs(3600);
const ORIGIN: &str = "log.example/tools";

fn log(disk: &Disk) -> AuditLogBuilder {
    AuditLog::builder_in(disk.clone()).origin(ORIGIN).reserve(0).heartbeat(NEVER).checkpoint_every(1000, NEVER)
}

fn checkpoints(disk: &Disk) -> Vec<Read> {
    entries(disk).into_iter().filter(|entry| entry.kind == EntryKind::Checkpoint).collect()
}

fn note(entry: &Read) -> String {
    entry.json["note"].as_str().unwrap().into()
}

/// Each checkpoint says what the tree of all entries before it is.
fn are_true(disk: &Disk) {
    let mut tree = Frontier::default();
    for entry in entries(disk) {
        if entry.kind == EntryKind::Checkpoint {
            let head = Head::read(&note(&entry)).unwrap();
            assert_eq!((head.origin.as_str(), head.size, head.root), (ORIGIN, entry.number, tree.root()));
        }
        tree.push(entry.leaf);
    }
}

#[test]
fn there_is_a_checkpoint_after_so_many_records() {
    let disk = Disk::default();
    let log = log(&disk).checkpoint_every(3, NEVER).open().unwrap();
    for id in 0..7 {
        wait(log.append(allowed(&id.to_string()))).unwrap();
    }
    assert_eq!(log.health().checkpoint_size, 8);
    log.close().unwrap();
    let expected = ["Opened", "0", "1", "2", "Checkpoint", "3", "4", "5", "Checkpoint", "6", "Checkpoint", "Closed"];
    assert_eq!(names(&disk), expected);
    are_true(&disk);
    // The last is in a file too.
    let last = checkpoints(&disk).pop().unwrap();
    assert_eq!(disk.bytes("checkpoint"), note(&last).into_bytes());
}

#[test]
fn there_is_a_checkpoint_when_a_record_has_waited_for_one() {
    let disk = Disk::default();
    let log = log(&disk).checkpoint_every(1000, Duration::from_millis(1)).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    disk.until(|disk| names(disk).last().is_some_and(|last| last == "Checkpoint"));
    are_true(&disk);
}

#[test]
fn a_log_in_which_nothing_happens_shows_that_it_is_there() {
    let disk = Disk::default();
    let _log = log(&disk).heartbeat(Duration::from_millis(1)).open().unwrap();
    disk.until(|disk| checkpoints(disk).len() >= 3);
    are_true(&disk);
}

#[test]
fn a_segment_ends_with_a_checkpoint() {
    let disk = Disk::default();
    let log = log(&disk).segment_bytes(2000).open().unwrap();
    for id in 0..10 {
        wait(log.append(allowed(&id.to_string()))).unwrap();
    }
    log.close().unwrap();
    let (firsts, entries) = (segments(&disk), entries(&disk));
    assert!(firsts.len() > 2);
    assert!(
        firsts[1..].iter().all(|first| entries[usize::try_from(*first).unwrap() - 1].kind == EntryKind::Checkpoint)
    );
    are_true(&disk);
}

#[test]
fn checkpoints_are_signed_and_the_log_says_by_whom() {
    let disk = Disk::default();
    let key = CheckpointKey::generate(ORIGIN, &SystemRandom).unwrap();
    let verifier_key = key.verifier_key().to_owned();
    AuditLog::builder_in(disk.clone()).key(key).open().unwrap().close().unwrap();
    assert_eq!(entries(&disk)[0].json["verifier_key"], verifier_key);
    let verifier = CheckpointVerifier::new([&verifier_key]).unwrap();
    let head = verifier.verify(&note(&checkpoints(&disk)[0])).unwrap();
    // A log without a name is called as its key is.
    assert_eq!((head.origin.as_str(), head.size), (ORIGIN, 1));
}

#[derive(Debug)]
struct Fickle {
    key: SigningKey,
    works: Arc<AtomicBool>,
}

impl Signer for Fickle {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn key_id(&self) -> &str {
        self.key.key_id()
    }

    fn public_jwk(&self) -> &str {
        self.key.public_jwk()
    }

    fn signature(&self, message: &[u8]) -> Signing {
        if self.works.load(Ordering::SeqCst) { self.key.signature(message) } else { Signing::ready(Err(SigningFailed)) }
    }
}

#[test]
fn a_key_that_fails_leaves_no_unsigned_checkpoint() {
    let (disk, works) = (Disk::default(), Arc::new(AtomicBool::new(false)));
    let signer = Fickle { key: SigningKey::generate(Algorithm::EdDsa).unwrap(), works: Arc::clone(&works) };
    let key = CheckpointKey::from_signer(ORIGIN, Arc::new(signer)).unwrap();
    let log = log(&disk).key(key).checkpoint_every(1, NEVER).retry(Duration::ZERO).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    assert_eq!(log.health().last_error, Some("signer_failed"));
    works.store(true, Ordering::SeqCst);
    wait(log.append(allowed("1"))).unwrap();
    assert_eq!(log.health().last_error, None);
    works.store(false, Ordering::SeqCst);
    log.close().unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "1", "Checkpoint", "Closed"]);
}

#[test]
fn a_key_that_has_failed_is_not_asked_for_every_record() {
    let (disk, works) = (Disk::default(), Arc::new(AtomicBool::new(false)));
    let signer = Fickle { key: SigningKey::generate(Algorithm::EdDsa).unwrap(), works: Arc::clone(&works) };
    let key = CheckpointKey::from_signer(ORIGIN, Arc::new(signer)).unwrap();
    let log = log(&disk).key(key).checkpoint_every(1, NEVER).retry(NEVER).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    works.store(true, Ordering::SeqCst);
    wait(log.append(allowed("1"))).unwrap();
    assert_eq!(names(&disk), ["Opened", "0", "1"]);
}

#[test]
fn checkpoints_go_to_the_anchors_and_those_that_fail_are_overtaken() {
    let (disk, witness) = (Disk::default(), Witness::default());
    let log = log(&disk).anchor(witness.clone()).checkpoint_every(1, NEVER).open().unwrap();
    assert_eq!(log.health().unanchored, 1);
    witness.0.lock().unwrap().is_away = true;
    wait(log.append(allowed("0"))).unwrap();
    disk.until(|_| log.health().last_error == Some("anchor_failed"));
    witness.0.lock().unwrap().is_away = false;
    wait(log.append(allowed("1"))).unwrap();
    disk.until(|_| log.health().last_error.is_none());
    assert_eq!(log.health().unanchored, 1);
    log.close().unwrap();
    let notes: Vec<String> = checkpoints(&disk).iter().map(note).collect();
    assert_eq!(witness.0.lock().unwrap().notes, notes[1..]);
}

#[test]
fn what_is_not_to_be_kept_is_given_up_with_the_next_segment() {
    let disk = Disk::default();
    let key = CheckpointKey::generate(ORIGIN, &SystemRandom).unwrap();
    let log = log(&disk).key(key).segment_bytes(2000).retain(Retention::forever().keep_segments(2)).open().unwrap();
    for id in 0..20 {
        wait(log.append(allowed(&id.to_string()))).unwrap();
    }
    log.close().unwrap();
    let file = agentauth_audit::disk::Directory::open(&disk, &agentauth_audit::format::segment_name(0)).unwrap();
    let mut reader = agentauth_audit::read::SegmentReader::new(file).unwrap().unwrap();
    reader.next_entry().unwrap();
    assert_eq!(reader.next_entry().unwrap().read().unwrap().kind, EntryKind::Retired);
    self::log(&disk).open().unwrap();
}

/// An anchor that panics the first time, and works then.
#[derive(Debug, Clone, Default)]
struct Clumsy(Arc<AtomicBool>);

impl AnchorSink for Clumsy {
    fn name(&self) -> &str {
        "clumsy"
    }

    fn anchor(&self, _: &str, _: &dyn ConsistencyProofs) -> Result<(), AnchorError> {
        assert!(self.0.swap(true, Ordering::SeqCst), "the first time");
        Ok(())
    }

    fn anchored(&self, _: &str) -> Result<Vec<String>, AnchorError> {
        Ok(Vec::new())
    }
}

#[test]
fn an_anchor_that_panics_has_failed_and_is_asked_again() {
    let disk = Disk::default();
    let log = log(&disk).anchor(Clumsy::default()).checkpoint_every(1, NEVER).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    disk.until(|_| log.health().last_error == Some("anchor_failed"));
    wait(log.append(allowed("1"))).unwrap();
    disk.until(|_| log.health().last_error.is_none() && log.health().unanchored == 1);
    log.close().unwrap();
}

#[test]
fn never_is_no_time_that_ends_the_writer() {
    let disk = Disk::default();
    let log = AuditLog::builder_in(disk.clone()).heartbeat(Duration::MAX).checkpoint_every(1000, Duration::MAX);
    let log = log.max_wait(Duration::MAX).retry(Duration::MAX).open().unwrap();
    wait(log.append(allowed("0"))).unwrap();
    disk.fail_syncs(1);
    let refused = wait(log.append(allowed("1")));
    assert!(matches!(refused, Err(agentauth_core::audit::AuditError::Write(_))), "{refused:?}");
    assert_eq!(wait(log.append(allowed("2"))), Ok(()));
    log.close().unwrap();
}

#[test]
fn what_is_given_up_was_vouched_for_before() {
    let disk = Disk::default();
    let key = CheckpointKey::generate(ORIGIN, &SystemRandom).unwrap();
    let verifier = CheckpointVerifier::new([key.verifier_key()]).unwrap();
    let log = log(&disk).key(key).segment_bytes(2000).retain(Retention::forever().keep_segments(2)).open().unwrap();
    let mut is_retired = false;
    for id in 0..20 {
        wait(log.append(allowed(&id.to_string()))).unwrap();
        let report = Verifier::new().key(verifier.clone()).verify(&disk).unwrap();
        // Segments are being replaced meanwhile: what is told must not be that nobody vouches for it.
        assert!(report.faults.iter().all(|fault| fault.kind.code() != "retired_unproven"), "{report:?}");
        is_retired |= report.retired > 0;
    }
    assert!(is_retired);
    log.close().unwrap();
}
