//! What a crash leaves is set aside and recorded; what it cannot have left is refused.

use agentauth_audit::disk::Directory as _;
use agentauth_audit::format::{Body, EntryKind, SegmentHeader, segment_name};
use agentauth_audit::tree::Hash;
use agentauth_audit::{AuditLog, OpenError};
use agentauth_core::audit::AuditSink as _;
use agentauth_core::{ManualClock, Random, RandomUnavailable, Timestamp};

use super::support::{Disk, allowed, entries, names, segments, wait};

/// A log with these records, each in a write of its own, whose process has then died.
fn crashed(records: &[&str]) -> Disk {
    let disk = Disk::default();
    let log = AuditLog::builder_in(disk.clone()).reserve(0).open().unwrap();
    for id in records {
        wait(log.append(allowed(id))).unwrap();
    }
    disk.crashed(0)
}

fn open(disk: &Disk) -> Result<AuditLog, OpenError> {
    AuditLog::builder_in(disk.clone()).reserve(0).open()
}

fn code(disk: &Disk) -> &'static str {
    open(disk).map_or_else(|error| error.code(), |_| "opened")
}

/// Where the frames of the first segment begin, and where the last ends.
fn frames(disk: &Disk) -> Vec<usize> {
    let file = disk.open(&segment_name(0)).unwrap();
    let mut reader = agentauth_audit::read::SegmentReader::new(file).unwrap().unwrap();
    let mut offsets = vec![usize::try_from(reader.offset()).unwrap()];
    while reader.next_entry().is_ok() {
        offsets.push(usize::try_from(reader.offset()).unwrap());
    }
    offsets
}

fn changed(disk: &Disk, change: impl FnOnce(&mut Vec<u8>)) -> Disk {
    let after = disk.crashed(0);
    let mut bytes = disk.bytes(&segment_name(0));
    change(&mut bytes);
    after.put(&segment_name(0), bytes);
    after
}

#[test]
fn a_log_that_was_not_closed_says_so() {
    let disk = crashed(&["0"]);
    open(&disk).unwrap().close().unwrap();
    open(&disk).unwrap();
    let clean: Vec<_> = entries(&disk).into_iter().filter(|entry| entry.kind == EntryKind::Opened).collect();
    let clean: Vec<_> =
        clean.iter().map(|entry| entry.json.get("clean").and_then(serde_json::Value::as_bool)).collect();
    assert_eq!(clean, [None, Some(false), Some(true)]);
}

#[test]
fn a_tail_that_is_torn_at_any_byte_is_set_aside() {
    let disk = crashed(&["0", "1"]);
    let [.., start, end] = frames(&disk)[..] else { panic!() };
    for length in start..end {
        let torn = changed(&disk, |bytes| bytes.truncate(length));
        let kept = disk.bytes(&segment_name(0))[start..length].to_vec();
        drop(open(&torn).unwrap());
        let expected: &[&str] = match length {
            _ if length == start => &["Opened", "0", "Opened", "Checkpoint", "Closed"],
            _ => &["Opened", "0", "Opened", "Recovered", "Checkpoint", "Closed"],
        };
        assert_eq!(names(&torn), expected, "{length}");
        if length > start {
            let entries = entries(&torn);
            assert_eq!(entries[3].json["bytes"], kept.len());
            assert_eq!(
                (&entries[3].json["after"], &entries[3].json["kept_in"]),
                (&"crash".into(), &"torn-2-0.bin".into())
            );
            assert_eq!(torn.bytes("torn-2-0.bin"), kept);
        }
    }
}

#[test]
fn a_second_crash_keeps_what_the_first_has_left() {
    let disk = crashed(&["0", "1"]);
    let torn = changed(&disk, |bytes| bytes.truncate(bytes.len() - 1));
    torn.put("torn-2-0.bin", b"of the first".to_vec());
    drop(open(&torn).unwrap());
    assert_eq!(torn.bytes("torn-2-0.bin"), b"of the first");
    assert!(torn.has("torn-2-1.bin"));
}

#[test]
fn damage_before_a_later_write_is_refused_wherever_it_is() {
    let disk = crashed(&["0", "1", "2"]);
    let offsets = frames(&disk);
    for frame in 0..3 {
        for byte in (offsets[frame]..offsets[frame + 1]).step_by(7) {
            let damaged = changed(&disk, |bytes| bytes[byte] ^= 1);
            let before = damaged.bytes(&segment_name(0));
            match open(&damaged) {
                Err(OpenError::Damaged { segment, offset }) => {
                    assert_eq!((segment, offset), (segment_name(0), offsets[frame] as u64), "{byte}");
                }
                other => panic!("{other:?} at {byte}"),
            }
            assert_eq!(damaged.bytes(&segment_name(0)), before);
        }
    }
    let damaged = changed(&disk, |bytes| bytes[offsets[1]] ^= 1);
    assert_eq!(code(&damaged), "log_damaged");
    assert!(open(&damaged).unwrap_err().to_string().contains("agentauth audit verify"));
}

#[test]
fn pages_of_the_last_write_may_be_there_in_any_order() {
    let disk = Disk::default();
    let clock = std::sync::Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
    let log = AuditLog::builder_in(disk.clone()).reserve(0).clock(clock).open().unwrap();
    disk.hang();
    let first = log.append(allowed("0"));
    disk.until_it_hangs();
    let group: Vec<_> = (0..20).map(|id| log.append(allowed(&format!("group {id}")))).collect();
    disk.go_on();
    wait(first).unwrap();
    assert!(group.into_iter().all(|append| wait(append).is_ok()));
    let disk = disk.crashed(0);
    let offsets = frames(&disk);
    let (start, end) = (offsets[2], *offsets.last().unwrap());
    for page in start / 4096..=end / 4096 {
        let lost = changed(&disk, |bytes| {
            let from = (page * 4096).max(start);
            let to = ((page + 1) * 4096).min(end);
            bytes[from..to].fill(0);
        });
        let log = open(&lost).unwrap_or_else(|error| panic!("{error} without page {page}"));
        log.close().unwrap();
        assert!(names(&lost).contains(&"0".to_owned()) && names(&lost).contains(&"Recovered".to_owned()));
    }
    // The write before was synchronised, so what is lost of it is no crash's.
    let damaged = changed(&disk, |bytes| bytes[offsets[1] + 200] ^= 1);
    assert_eq!(code(&damaged), "log_damaged");
}

#[test]
fn more_than_one_write_is_no_torn_tail() {
    let damaged = changed(&crashed(&["0"]), |bytes| bytes.extend(vec![0; 4 * 1024 * 1024]));
    assert_eq!(code(&damaged), "log_damaged");
}

#[test]
fn a_whole_entry_that_does_not_belong_there_is_refused() {
    let disk = crashed(&["0", "1"]);
    let offsets = frames(&disk);
    let twice = changed(&disk, |bytes| bytes.extend_from_within(offsets[2]..offsets[3]));
    assert_eq!(code(&twice), "log_damaged");
}

#[test]
fn a_segment_that_was_being_begun_is_set_aside() {
    let disk = crashed(&["0"]);
    let header = disk.bytes(&segment_name(0))[..frames(&disk)[0]].to_vec();
    for length in 0..header.len() {
        let torn = disk.crashed(0);
        torn.put(&segment_name(2), header[..length].to_vec());
        open(&torn).unwrap_or_else(|error| panic!("{error} at {length}")).close().unwrap();
        assert_eq!(segments(&torn), [0]);
        assert_eq!(names(&torn), ["Opened", "0", "Opened", "Recovered", "Checkpoint", "Closed"]);
        assert_eq!(torn.bytes("torn-2-0.bin"), &header[..length]);
    }
    // One that says that it is another is not torn.
    let foreign = disk.crashed(0);
    foreign.put(&segment_name(2), header);
    assert_eq!(code(&foreign), "log_damaged");
    // Nor is one with entries.
    let damaged = changed(&disk, |bytes| bytes[20] ^= 1);
    assert_eq!(code(&damaged), "log_damaged");
}

#[test]
fn what_was_not_finished_is_removed() {
    let disk = crashed(&["0"]);
    disk.put("checkpoint.tmp", b"half".to_vec());
    open(&disk).unwrap().close().unwrap();
    assert!(!disk.has("checkpoint.tmp"));
}

#[test]
fn a_log_has_one_writer() {
    let disk = Disk::default();
    let log = open(&disk).unwrap();
    assert_eq!(code(&disk), "log_locked");
    log.close().unwrap();
    assert_eq!(code(&disk), "opened");
}

#[test]
fn a_log_keeps_its_name() {
    let disk = Disk::default();
    let named = |name: &str| AuditLog::builder_in(disk.clone()).origin(name).open();
    assert_eq!(named("two words").unwrap_err().code(), "log_name");
    assert!(names(&disk).is_empty());
    named("log.example/one").unwrap().close().unwrap();
    assert_eq!(named("log.example/two").unwrap_err().code(), "log_origin");
    named("log.example/one").unwrap().close().unwrap();
    open(&disk).unwrap();
}

#[test]
fn a_new_log_needs_a_name_of_its_own() {
    #[derive(Debug)]
    struct Nothing;
    impl Random for Nothing {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomUnavailable> {
            Err(RandomUnavailable)
        }
    }
    let error = AuditLog::builder_in(Disk::default()).random(std::sync::Arc::new(Nothing)).open().unwrap_err();
    assert_eq!(error.code(), "log_random");
}

#[test]
fn a_log_is_not_opened_without_room_for_its_end() {
    let disk = Disk::default();
    disk.leave_room(10_000);
    assert_eq!(AuditLog::builder_in(disk.clone()).open().unwrap_err().code(), "log_reserve");
    disk.make_room();
    AuditLog::builder_in(disk.clone()).reserve(1000).open().unwrap();
    assert_eq!(disk.bytes("reserve").len(), 1000);
}

#[test]
fn a_disk_that_fails_at_opening_is_told() {
    let disk = Disk::default();
    disk.fail_writes(1);
    assert_eq!(code(&disk), "log_io");
    let file = std::env::temp_dir().join(format!("agentauth-audit-{}-no-directory", std::process::id()));
    std::fs::write(&file, "").unwrap();
    assert_eq!(AuditLog::open(&file).unwrap_err().code(), "log_io");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_segment_of_another_log_is_not_gone_on_with() {
    let (disk, other) = (crashed(&["0"]), crashed(&["1", "2", "3"]));
    let header = |disk: &Disk| SegmentHeader::read(&disk.bytes(&segment_name(0))).unwrap().0;
    let mut later = header(&other);
    (later.first, later.frontier) = (4, vec![later.previous]);
    disk.put(&segment_name(4), later.to_bytes());
    match open(&disk) {
        Err(OpenError::Damaged { segment, offset: 0 }) => assert_eq!(segment, segment_name(4)),
        other => panic!("{other:?}"),
    }
    // Nor with one whose beginning cannot be read any more.
    later.chain = header(&disk).chain;
    disk.put(&segment_name(4), later.to_bytes());
    disk.put(&segment_name(2), b"AGAUDIT1 and no more".to_vec());
    assert_eq!(code(&disk), "log_damaged");
}

#[test]
fn an_end_that_looks_like_long_frames_everywhere_is_not_what_a_crash_leaves() {
    let disk = crashed(&["0"]);
    let mut body = Vec::new();
    let (number, previous, commitment) = (2, Hash::default(), Hash::default());
    Body { kind: EntryKind::Record, number, micros: 7, previous, commitment, payload: &[] }.write(&mut body);
    let head = [&1_000_000_u32.to_le_bytes()[..], &[0; 12], &body].concat();
    let damaged = changed(&disk, |bytes| {
        while bytes.len() < 1 << 20 {
            bytes.extend_from_slice(&head);
        }
    });
    assert_eq!(code(&damaged), "log_damaged");
}
