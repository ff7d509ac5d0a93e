//! Damaged logs: told with their place, and read as far as they can be.

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log, Matches, ReadError};
use proptest::prelude::*;
use serde_json::json;

use super::made::{LAWYER, Made, Memory, decision};

/// Three segments of three entries.
fn nine() -> Memory {
    let mut made = Made::new();
    for number in 0..9 {
        if number == 3 || number == 6 {
            made.rotate();
        }
        made.record(number * 1000, &decision(number, LAWYER, "alice", "motions:file", "permitted"));
    }
    made.directory
}

/// The numbers of what was read, and the codes and places of what could not be.
fn told(found: Matches) -> (Vec<u64>, Vec<(&'static str, u64)>) {
    let (mut numbers, mut errors) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Ok(record) => numbers.push(record.number()),
            Err(error) => {
                assert!(error.to_string().contains("audit verify"), "{error}");
                let ReadError::Damaged { entry, .. } = &error else { panic!("{error}") };
                errors.push((error.code(), *entry));
            }
        }
    }
    (numbers, errors)
}

#[test]
fn damage_is_told_and_passed_over_up_to_the_next_segment() {
    type Case = (&'static str, fn(&Memory), &'static [u64], (&'static str, u64));
    let names = nine().names();
    assert_eq!(names.len(), 3);
    let cases: [Case; 6] = [
        (
            "a flipped bit",
            |log| log.change("00000000000000000003.log", |bytes| *bytes.last_mut().unwrap() ^= 1),
            &[0, 1, 2, 3, 4, 6, 7, 8],
            ("frame_side_checksum", 5),
        ),
        (
            "a cut within",
            |log| log.change("00000000000000000003.log", |bytes| bytes.truncate(bytes.len() - 1)),
            &[0, 1, 2, 3, 4, 6, 7, 8],
            ("frame_cut_off", 5),
        ),
        (
            "no segment",
            |log| log.change("00000000000000000003.log", |bytes| bytes[0] = b'X'),
            &[0, 1, 2, 6, 7, 8],
            ("segment_magic", 3),
        ),
        ("a segment less", |log| log.take("00000000000000000003.log"), &[0, 1, 2, 6, 7, 8], ("log_entries_missing", 3)),
        ("the first less", |log| log.take("00000000000000000000.log"), &[3, 4, 5, 6, 7, 8], ("log_entries_missing", 0)),
        (
            "a segment in the place of another",
            |log| {
                let other = log.change("00000000000000000006.log", |bytes| bytes.clone());
                log.change("00000000000000000003.log", |bytes| *bytes = other);
            },
            &[0, 1, 2, 6, 7, 8],
            ("segment_header", 3),
        ),
    ];
    for (case, damage, numbers, error) in cases {
        let memory = nine();
        damage(&memory);
        assert_eq!(told(memory.log().oldest_first(&Filter::new())), (numbers.to_vec(), vec![error]), "{case}");
        let backwards = told(memory.log().newest_first(&Filter::new()));
        assert_eq!(backwards, (numbers.iter().rev().copied().collect(), vec![error]), "{case}, backwards");
    }
}

#[test]
fn where_there_is_no_log_that_is_said() {
    assert_eq!(Log::of("nothing", Memory::default()).unwrap_err().code(), "log_absent");
    let nowhere = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-nowhere");
    assert_eq!(Log::open(&nowhere).unwrap_err().code(), "log_unreadable");
    let many = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-many");
    let bytes = nine().change("00000000000000000000.log", |bytes| bytes.clone());
    for number in 0..=256 {
        let one = many.join(number.to_string());
        std::fs::create_dir_all(&one).unwrap();
        std::fs::write(one.join("00000000000000000000.log"), &bytes).unwrap();
    }
    assert_eq!(Log::open(&many).unwrap_err().code(), "log_too_many");
    std::fs::remove_dir_all(&many).unwrap();
}

#[test]
fn an_entry_out_of_its_order_is_told() {
    let mut made = Made::new();
    made.record(0, &decision(0, LAWYER, "alice", "motions:file", "permitted"));
    let start = made.directory.change("00000000000000000000.log", |bytes| bytes.len());
    made.record(1, &decision(1, LAWYER, "alice", "motions:file", "permitted"));
    made.own(EntryKind::Closed, 2, &json!({"records": 2}));
    made.directory.change("00000000000000000000.log", |bytes| {
        let copy = bytes[start..].to_vec();
        bytes.extend(copy);
    });
    let expected = (vec![0, 1, 2], vec![("log_entries_missing", 3)]);
    assert_eq!(told(made.directory.log().oldest_first(&Filter::new())), expected);
}

proptest! {
    /// Whatever stands in the files, reading ends, and both directions find the same.
    #[test]
    fn no_bytes_are_too_much(places in proptest::collection::vec((0..3_usize, any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let memory = nine();
        let names = memory.names();
        for (file, place, byte) in places {
            memory.change(&names[file], |bytes| {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            });
        }
        let sorted = |found: Matches| -> Vec<u64> {
            let mut numbers: Vec<u64> = found.filter_map(|one| Some(one.ok()?.number())).collect();
            numbers.sort_unstable();
            numbers
        };
        let log = memory.log();
        prop_assert_eq!(sorted(log.oldest_first(&Filter::new())), sorted(log.newest_first(&Filter::new())));
    }
}
