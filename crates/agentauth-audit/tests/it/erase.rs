//! What is personal can be erased, and everything that was said of the log stays true.

use agentauth_audit::anchor::{ConsistencyProofs as _, SegmentProofs};
use agentauth_audit::disk::Directory;
use agentauth_audit::erase::{EraseError, Erasure, MAX_REASON_BYTES};
use agentauth_audit::format::{EntryKind, segment_name};
use agentauth_audit::read::{Filter, Log, Matches, SegmentReader};
use agentauth_core::Timestamp;
use agentauth_core::identity::{IssuerId, PrincipalId};
use serde_json::Value;

use crate::support::fault::{Disk, Faults, Mounted};
use crate::support::fixture::{Fixture, ISSUER, log};
use crate::support::whole::{Entry, assert_whole, is_erased};

const NOW: Timestamp = Timestamp::from_secs(1_800_100_000);

fn alice() -> PrincipalId {
    PrincipalId::new(IssuerId::new(ISSUER).unwrap(), "alice")
}

fn erasure() -> Erasure {
    Erasure::new("a request under Art. 17 GDPR").unwrap().principal(&alice())
}

fn of(entry: &Entry, subject: &str) -> bool {
    String::from_utf8_lossy(&entry.side).contains(&format!("\"subject\":\"{subject}\""))
}

fn a_log(seed: u64) -> (Disk, Mounted) {
    let disk = Disk::new(seed);
    let directory = disk.mount();
    log(&directory, 3);
    (disk, directory)
}

#[test]
fn what_is_erased_is_gone_and_every_hash_stays() {
    let (disk, directory) = a_log(1);
    let before = assert_whole(&directory);
    let looked = erasure().look(&directory).unwrap();
    assert_eq!(assert_whole(&directory), before, "looking changes nothing");
    let report = erasure().run(&directory, NOW).unwrap();
    assert_eq!(report, looked);
    assert_eq!((report.erased, report.nothing_left, report.segments), (9, 0, 3));

    let after = assert_whole(&directory);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((&old.body, old.leaf), (&new.body, new.leaf), "{}", old.number);
        if of(old, "alice") {
            assert!(is_erased(&new.side) && new.side.len() == old.side.len(), "{}", old.number);
        } else {
            assert_eq!(old.side, new.side, "{}", old.number);
        }
    }
    let added: Vec<_> = after[before.len()..].iter().map(|entry| entry.kind).collect();
    assert_eq!(added, [EntryKind::Erased, EntryKind::Erased, EntryKind::Erased, EntryKind::Closed]);
    for first in 0..3 {
        let content = disk.content(&segment_name(first * 6 + u64::from(first > 0)));
        assert!(!String::from_utf8_lossy(&content).contains("\"alice\""));
    }
    assert_eq!(erasure().run(&directory, NOW).unwrap().erased, 0, "it is done");
    assert_eq!(assert_whole(&directory), after);
}

#[test]
fn entries_are_erased_by_number_and_what_has_nothing_is_passed_over() {
    let (_, directory) = a_log(2);
    let choice = Erasure::new("a mistake").unwrap().entry(2).entry(6);
    let report = choice.run(&directory, NOW).unwrap();
    assert_eq!((report.erased, report.nothing_left, report.segments), (1, 1, 1));
    let entries = assert_whole(&directory);
    assert!(entries.iter().all(|entry| is_erased(&entry.side) == (entry.number == 2)));
    let erased = entries.iter().find(|entry| entry.kind == EntryKind::Erased).unwrap();
    let payload: Value = serde_json::from_slice(&erased.payload).unwrap();
    assert_eq!(payload, serde_json::json!({"entries": [2], "reason": "a mistake"}));
    assert_eq!((erased.micros, entries.last().unwrap().kind), (NOW.micros(), EntryKind::Closed));
    assert_eq!(choice.run(&directory, NOW).unwrap().nothing_left, 2);
}

#[test]
fn what_a_choice_sees_is_the_json_without_its_salt() {
    let (_, directory) = a_log(3);
    let choice = Erasure::new("a test").unwrap().matching(|personal| {
        let personal: Value = serde_json::from_slice(personal).unwrap();
        personal["shown"]["fee"] == 4
    });
    assert_eq!(choice.run(&directory, NOW).unwrap().erased, 1);
    assert!(is_erased(&assert_whole(&directory)[4].side));
}

#[test]
fn a_principal_is_found_in_each_role_and_no_other_is_taken_for_it() {
    for (side, is_alice) in [
        (format!(r#"{{"principal":{{"issuer":"{ISSUER}","subject":"alice"}}}}"#), true),
        (format!(r#"{{"approver":{{"issuer":"{ISSUER}","tenant":"t","subject":"alice"}}}}"#), true),
        (format!(r#"{{"by":"{ISSUER}#alice"}}"#), true),
        (format!(r#"{{"shown":[{{"deep":{{"issuer":"{ISSUER}","subject":"alice"}}}}]}}"#), true),
        (r#"{"principal":{"issuer":"https://other.example","subject":"alice"}}"#.into(), false),
        (format!(r#"{{"principal":{{"issuer":"{ISSUER}","subject":"alice2"}}}}"#), false),
        (format!(r#"{{"by":"{ISSUER}#alice#2"}}"#), false),
        (r#"{"principal":{"subject":"alice"}}"#.into(), false),
        // The server of these records is the issuer: so are the tokens that it has issued.
        (r#"{"subject":"alice"}"#.into(), true),
        (r#"{"subject":"bob"}"#.into(), false),
    ] {
        let directory = Disk::new(4).mount();
        Fixture::new(&directory).personal(side.as_bytes());
        assert_eq!(erasure().look(&directory).unwrap().erased, u64::from(is_alice), "{side}");
    }
}

#[test]
fn what_cannot_be_erased_is_told() {
    let (disk, directory) = a_log(5);
    let entries = assert_whole(&directory).len() as u64;
    let code = |erasure: Erasure| erasure.run(&directory, NOW).unwrap_err().code();
    assert_eq!(code(Erasure::new("x").unwrap().entry(entries)), "erase_no_entry");
    for reason in ["", "  ", "two\nlines", &"x".repeat(MAX_REASON_BYTES + 1)] {
        assert_eq!(Erasure::new(reason).unwrap_err().code(), "erase_reason");
    }
    assert!(Erasure::new(&"x".repeat(MAX_REASON_BYTES)).is_ok());

    let lock = directory.lock().unwrap();
    assert_eq!(code(erasure()), "erase_in_use");
    drop(lock);

    let whole = disk.content(&segment_name(7));
    for at in [3, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        disk.put(&segment_name(7), &flipped);
        assert_eq!(code(erasure()), "erase_damaged", "{at}");
    }
    disk.put(&segment_name(7), &whole[..whole.len() - 1]);
    assert!(
        matches!(erasure().run(&directory, NOW), Err(EraseError::Damaged { segment, .. }) if segment == segment_name(7))
    );
    directory.remove(&segment_name(7)).unwrap();
    assert_eq!(code(erasure()), "erase_damaged", "a segment is not there");
    assert_eq!(erasure().run(&Disk::new(6).mount(), NOW).unwrap_err().code(), "erase_no_log");
}

#[test]
fn what_a_failed_write_has_left_does_not_count_and_goes() {
    let (disk, directory) = a_log(8);
    let before = assert_whole(&directory);
    let read = |disk: &Disk| {
        let log = Log::of("court", disk.copy().mount()).unwrap();
        let numbers = |found: Matches| {
            found.map(|record| record.map(|record| record.number())).collect::<Result<Vec<_>, _>>().unwrap()
        };
        let proof = SegmentProofs::new(&disk.mount()).prove(3, 12).unwrap();
        (numbers(log.oldest_first(&Filter::new())), numbers(log.newest_first(&Filter::new())), proof)
    };
    let reads = read(&disk);
    // A record of alice that was refused, and half of another.
    let first = disk.content(&segment_name(0));
    disk.put(&segment_name(0), &[&first[..], &first[first.len() / 3..first.len() / 2]].concat());
    assert_eq!(assert_whole(&directory), before);
    assert_eq!(read(&disk), reads);
    let report = Erasure::new("a mistake").unwrap().entry(9).run(&directory, NOW).unwrap();
    assert_eq!((report.erased, report.segments), (1, 2));
    assert_eq!(disk.content(&segment_name(0)), first);
}

#[test]
fn other_files_of_the_directory_are_told_of() {
    let (disk, directory) = a_log(7);
    for name in ["lock", "checkpoint", "00000000000000000000.torn", "00000000000000000007.log.tmp"] {
        disk.put(name, b"alice");
    }
    assert_eq!(erasure().run(&directory, NOW).unwrap().kept_elsewhere, ["00000000000000000000.torn"]);
    assert!(!directory.list().unwrap().contains(&"00000000000000000007.log.tmp".into()), "it held what is erased");
}

/// The power fails before each operation in turn, and a second time in what is done after it.
#[test]
fn a_crash_at_any_step_leaves_a_log_that_is_whole_and_can_be_erased() {
    let mut steps = 0;
    for seed in 0..8 {
        for step in 0.. {
            let (disk, directory) = a_log(seed);
            let before = assert_whole(&directory);
            disk.die_at(step);
            let done = erasure().run(&directory, NOW);
            let was_dead = disk.failed() > 0;
            let code = done.as_ref().err().map(EraseError::code);
            assert_eq!(code, was_dead.then_some("erase_io"), "seed {seed}, step {step}");
            disk.crash();
            let directory = disk.mount();
            // The end may be torn, which the next writer mends; here a hand cuts it off.
            cut_torn_end(&disk, &directory);
            let after = assert_whole(&directory);
            assert!(after.len() >= before.len(), "seed {seed}, step {step}: nothing is lost");
            for (old, new) in before.iter().zip(&after) {
                assert_eq!(old.body, new.body);
                assert!(old.side == new.side || of(old, "alice") && is_erased(&new.side));
            }
            let left = erasure().run(&directory, NOW).unwrap().erased;
            assert!(was_dead || left == 0, "seed {seed}: what was reported as erased came back");
            let entries = assert_whole(&directory);
            assert!(!entries.iter().any(|entry| of(entry, "alice")));
            assert!(directory.list().unwrap().iter().all(|name| !name.ends_with(".tmp")));
            steps += 1;
            if !was_dead {
                break;
            }
        }
    }
    println!("erase: {steps} crashes");
}

/// Each operation fails in turn, and the machine goes on.
#[test]
fn a_fault_at_any_step_leaves_a_log_that_is_whole_and_can_be_erased() {
    let any = Faults { append: 100, sync: 100, cut: 100, create: 100, rename: 100, directory_sync: 100, read: 0 };
    // Names that are seen and not on the disk; pages that are seen and not on the disk.
    let names = Faults { directory_sync: 300, ..Faults::default() };
    let pages = Faults { sync: 200, cut: 1000, ..Faults::default() };
    let of_alice = || Erasure::new(&"x".repeat(MAX_REASON_BYTES)).unwrap().principal(&alice());
    // Records of alice in the first segments: so the last is only added to.
    let old = || [1, 7, 13, 19].into_iter().fold(Erasure::new(&"x".repeat(900)).unwrap(), Erasure::entry);
    for (faults, segments, erasure) in [(any, 3, of_alice()), (names, 3, of_alice()), (pages, 5, old())] {
        for seed in 0..50 {
            let disk = Disk::new(seed);
            log(&disk.mount(), segments);
            disk.set_faults(faults);
            let _ = erasure.run(&disk.mount(), NOW);
            disk.set_faults(Faults::default());
            let again = erasure.run(&disk.mount(), NOW);
            disk.crash();
            let directory = disk.mount();
            match again {
                Ok(_) => {
                    assert_whole(&directory);
                    assert_eq!(erasure.look(&directory).unwrap().erased, 0, "seed {seed}");
                }
                Err(error) => {
                    // Cutting off half a frame has failed too: only a writer mends that.
                    assert_eq!(error.code(), "erase_damaged", "seed {seed}");
                    cut_torn_end(&disk, &directory);
                    assert_whole(&directory);
                }
            }
        }
    }
}

/// Cuts the last segment after its last whole frame.
pub(crate) fn cut_torn_end(disk: &Disk, directory: &dyn Directory) {
    let name = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).max().unwrap();
    let mut reader = SegmentReader::new(directory.open(&name).unwrap()).unwrap().unwrap();
    while reader.next_entry().is_ok() {}
    let end = usize::try_from(reader.offset()).unwrap();
    disk.put(&name, &disk.content(&name)[..end]);
}
