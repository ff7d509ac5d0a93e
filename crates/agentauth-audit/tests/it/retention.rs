//! Old content can be given up, and everything that was said of the log stays true.

use std::time::Duration;

use agentauth_audit::disk::Directory;
use agentauth_audit::erase::{Retention, Retired, retire};
use agentauth_audit::format::EntryKind;
use agentauth_core::Timestamp;

use crate::erase::cut_torn_end;
use crate::support::fault::Disk;
use crate::support::fixture::{START, STEP, log};
use crate::support::whole::{Entry, assert_whole};

/// A minute after entry `number`.
fn after(number: u64) -> Timestamp {
    Timestamp::from_secs((START + STEP * (number + 1)) / 1_000_000)
}

/// Segments begin with the entries 0, 7, 13, 19, 25 and 31.
fn a_log(seed: u64) -> Disk {
    let disk = Disk::new(seed);
    log(&disk.mount(), 6);
    disk
}

fn given_up(directory: &dyn Directory, retention: &Retention, proven: u64, now: Timestamp) -> (u64, u64) {
    let Retired { segments, before, .. } = retire(directory, retention, proven, now).unwrap();
    (segments, before)
}

fn assert_same_tree(before: &[Entry], after: &[Entry], retired: u64) {
    for (old, new) in before.iter().zip(after) {
        assert_eq!((old.leaf, old.micros), (new.leaf, new.micros), "{}", old.number);
        if old.kind == EntryKind::Record && old.number < retired {
            assert_eq!((new.kind, &new.payload[..]), (EntryKind::Retired, &old.leaf.0[..]), "{}", old.number);
            assert!(new.side.is_empty());
        } else {
            assert_eq!((&old.body, &old.side), (&new.body, &new.side), "{}", old.number);
        }
    }
}

#[test]
fn what_is_given_up_leaves_its_hashes_and_everything_else_stays() {
    let directory = a_log(1).mount();
    let before = assert_whole(&directory);
    let keep = Retention::forever().keep_segments(3);
    assert_eq!(given_up(&directory, &keep, u64::MAX, after(40)), (3, 19));
    let entries = assert_whole(&directory);
    assert_same_tree(&before, &entries, 19);
    let added: Vec<_> = entries[before.len()..].iter().map(|entry| entry.kind).collect();
    assert_eq!(added, [EntryKind::RetiredSegments, EntryKind::Closed]);
    assert_eq!(given_up(&directory, &keep, u64::MAX, after(41)), (0, 0), "it is done");
    assert_eq!(assert_whole(&directory), entries);
    assert_eq!(given_up(&directory, &keep.keep_segments(2), u64::MAX, after(42)), (1, 25), "the next one");
    assert_same_tree(&before, &assert_whole(&directory), 25);
}

#[test]
fn each_limit_says_what_is_old() {
    let length = |disk: &Disk, name: &str| disk.content(name).len() as u64;
    let newest = |disk: &Disk| length(disk, "00000000000000000031.log") + length(disk, "00000000000000000025.log");
    let (exactly, less) = (newest(&a_log(2)), newest(&a_log(2)) - 1);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let forever = Retention::forever();
    for (retention, expected) in [
        (forever.clone(), 0),
        (forever.clone().keep_segments(6), 0),
        (forever.clone().keep_segments(5), 7),
        (forever.clone().keep_segments(0), 31),
        (forever.clone().keep_segments(u64::MAX), 0),
        (forever.clone().keep_bytes(exactly), 25),
        (forever.clone().keep_bytes(less), 31),
        (forever.clone().keep_bytes(0), 31),
        (forever.clone().keep_bytes(u64::MAX), 0),
        // At 41, entry 13 is 28 minutes old.
        (forever.clone().keep_for(minutes(28)), 7),
        (forever.clone().keep_for(minutes(27)), 13),
        (forever.clone().keep_for(minutes(0)), 31),
        (forever.clone().keep_for(Duration::MAX), 0),
        (forever.keep_segments(4).keep_bytes(less).keep_for(minutes(28)), 31),
    ] {
        let directory = a_log(2).mount();
        assert_eq!(given_up(&directory, &retention, u64::MAX, after(40)).1, expected, "{retention:?}");
        assert_whole(&directory);
    }
}

#[test]
fn nothing_is_given_up_that_no_checkpoint_proves() {
    for (proven, expected) in [(0, 0), (6, 0), (7, 7), (18, 13), (19, 19), (31, 31), (u64::MAX, 31)] {
        let directory = a_log(3).mount();
        let retention = Retention::forever().keep_segments(0);
        assert_eq!(given_up(&directory, &retention, proven, after(40)).1, expected, "{proven}");
        assert_whole(&directory);
    }
}

#[test]
fn a_crash_at_any_step_leaves_a_log_that_is_whole_and_goes_on() {
    let keep = Retention::forever().keep_segments(2);
    let mut steps = 0;
    for seed in 0..8 {
        for step in 0.. {
            let disk = a_log(seed);
            let before = assert_whole(&disk.mount());
            disk.die_at(step);
            let done = retire(&disk.mount(), &keep, 30, after(40));
            let was_dead = disk.failed() > 0;
            assert_eq!(was_dead, done.is_err(), "seed {seed}, step {step}");
            disk.crash();
            let directory = disk.mount();
            cut_torn_end(&disk, &directory);
            let entries = assert_whole(&directory);
            let last =
                entries.iter().rfind(|entry| entry.kind == EntryKind::Retired).map_or(0, |entry| entry.number + 1);
            assert_same_tree(&before, &entries, last);
            retire(&directory, &keep, 30, after(40)).unwrap();
            assert_same_tree(&before, &assert_whole(&directory), 25);
            assert!(directory.list().unwrap().iter().all(|name| !name.ends_with(".tmp")));
            steps += 1;
            if !was_dead {
                break;
            }
        }
    }
    println!("retention: {steps} crashes");
}
