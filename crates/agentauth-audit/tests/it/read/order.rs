//! In both directions, and while a log is written.

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, Log, LogRecord, ReadError};
use agentauth_core::Timestamp;
use serde_json::json;

use super::made::{LAWYER, Made, START, decision};

fn numbers(found: impl Iterator<Item = Result<LogRecord, ReadError>>) -> Vec<u64> {
    found.map(|record| record.unwrap().number()).collect()
}

/// Three segments: ten records each, in the last of them five.
fn three() -> Made {
    let mut made = Made::new();
    for number in 0..25 {
        if number == 10 || number == 20 {
            made.rotate();
        }
        made.record(number * 1_000_000, &decision(number, LAWYER, "alice", "motions:file", "permitted"));
    }
    made
}

#[test]
fn a_log_is_read_in_both_directions() {
    let log = three().directory.log();
    assert_eq!(numbers(log.oldest_first(&Filter::new())), (0..25).collect::<Vec<_>>());
    assert_eq!(numbers(log.newest_first(&Filter::new())), (0..25).rev().collect::<Vec<_>>());
}

#[test]
fn the_latest_are_found_in_the_last_segment_alone() {
    let made = three();
    let log = made.directory.log();
    let mut latest = log.newest_first(&Filter::new());
    assert_eq!(numbers(latest.by_ref().take(3)), [24, 23, 22]);
    // What is before it is not opened.
    made.directory.change("00000000000000000010.log", Vec::clear);
    assert_eq!(numbers(latest.by_ref().take(2)), [21, 20]);
    assert_eq!(latest.next().unwrap().unwrap_err().code(), "frame_cut_off");
}

#[test]
fn a_large_segment_is_read_backwards_piece_by_piece() {
    let mut made = Made::new();
    let long = "x".repeat(60_000);
    for number in 0..60 {
        let mut record = decision(number, LAWYER, "alice", "motions:file", "permitted");
        record["reasons"][0]["text"] = long.as_str().into();
        made.record(number, &record);
    }
    assert_eq!(numbers(made.directory.log().newest_first(&Filter::new())), (0..60).rev().collect::<Vec<_>>());
}

#[test]
fn a_record_is_whole_again_and_without_what_was_erased() {
    let mut made = Made::new();
    let record = decision(1, LAWYER, "alice", "motions:file", "permitted");
    made.record(5, &record);
    let mut stripped = record.clone();
    stripped.as_object_mut().unwrap().remove("personal");
    made.entry(EntryKind::Record, START + 6, stripped.to_string().as_bytes(), &[0; 90]);
    let found: Vec<_> = made.directory.log().oldest_first(&Filter::new()).map(Result::unwrap).collect();
    assert_eq!((found[0].value().unwrap(), found[0].is_erased()), (record, false));
    assert_eq!((found[1].value().unwrap(), found[1].is_erased()), (stripped, true));
    assert_eq!(found[0].time().micros(), START + 5);

    let view = found[0].view().unwrap();
    assert_eq!(view.principal().unwrap(), "https://sts.example#alice");
    assert_eq!(view.agent().unwrap(), LAWYER);
    assert_eq!((view.mode(), view.resource()), (Some("on_behalf_of"), Some(("case", "17"))));
    assert_eq!(
        view.chain().map(|hop| hop.agent.into_owned()).collect::<Vec<_>>(),
        [LAWYER, "spiffe://court.example/agent/clerk"]
    );
    let erased = found[1].view().unwrap();
    assert_eq!((erased.principal(), erased.principal_hash()), (None, Some("hash-of-alice")));
}

#[test]
fn records_that_came_too_late_are_known_in_both_directions() {
    let mut made = three();
    let late = made.record(26_000_000, &decision(25, LAWYER, "alice", "motions:file", "permitted"));
    made.rotate();
    made.own(EntryKind::Refused, 30_000_000, &json!({"entries": [late]}));
    let log = made.directory.log();
    for found in [log.oldest_first(&Filter::new()), log.newest_first(&Filter::new())] {
        let refused: Vec<u64> =
            found.map(Result::unwrap).filter(LogRecord::is_refused_late).map(|record| record.number()).collect();
        assert_eq!(refused, [late]);
    }
}

#[test]
fn what_comes_is_followed_into_the_next_segment() {
    let mut made = three();
    let log = made.directory.log();
    let mut follow = log.follow(&Filter::new().kind("decision"));
    assert!(follow.poll().unwrap().is_empty());
    let past: Vec<_> = log.newest_first(&Filter::new()).map(Result::unwrap).collect();
    assert!(past.iter().all(|record| follow.is_past(record)));

    let come = |follow: &mut agentauth_audit::read::Follow| -> Vec<u64> {
        follow.poll().unwrap().iter().map(LogRecord::number).collect()
    };
    let record = |number| decision(number, LAWYER, "alice", "motions:file", "permitted");
    made.record(30_000_000, &record(25));
    assert_eq!(come(&mut follow), [25]);
    made.record(31_000_000, &record(26));
    made.rotate();
    made.own(EntryKind::Closed, 32_000_000, &json!({"records": 27}));
    made.record(33_000_000, &record(28));
    assert_eq!(come(&mut follow), [26, 28]);
    assert_eq!(come(&mut follow), [0_u64; 0]);
}

#[test]
fn half_a_frame_is_no_entry_yet_and_may_be_another_later() {
    let mut made = three();
    let log = made.directory.log();
    let mut follow = log.follow(&Filter::new());
    let name = "00000000000000000020.log";
    // A writer died within a frame: its successor cuts it off, and writes something else.
    let before = made.directory.change(name, |bytes| bytes.len());
    made.directory.change(name, |bytes| bytes.extend(vec![200, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3]));
    made.directory.change(name, |bytes| bytes[before + 4..before + 8].fill(0));
    assert!(follow.poll().unwrap().is_empty());
    assert_eq!(numbers(log.oldest_first(&Filter::new())).len(), 25);
    assert_eq!(numbers(log.newest_first(&Filter::new())).len(), 25);
    made.directory.change(name, |bytes| bytes.truncate(before));
    made.record(30_000_000, &decision(25, LAWYER, "alice", "motions:file", "permitted"));
    assert_eq!(follow.poll().unwrap().len(), 1);
}

#[test]
fn logs_of_several_replicas_are_merged_by_time() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-merged");
    let _ = std::fs::remove_dir_all(&folder);
    for (name, begin) in [("one", 0), ("two", 500)] {
        let mut made = Made::new();
        for number in 0..10 {
            made.record(begin + number * 1000, &decision(number, LAWYER, "alice", "motions:file", "permitted"));
        }
        std::fs::create_dir_all(folder.join(name)).unwrap();
        for file in made.directory.names() {
            let bytes = made.directory.change(&file, |bytes| bytes.clone());
            std::fs::write(folder.join(name).join(file), bytes).unwrap();
        }
    }
    let log = Log::open(&folder).unwrap();
    assert_eq!(log.names().collect::<Vec<_>>(), ["one", "two"]);
    let told = |found: agentauth_audit::read::Matches| -> Vec<(String, u64)> {
        found.map(Result::unwrap).map(|record| (record.log().to_owned(), record.number())).collect()
    };
    let mut expected: Vec<(String, u64)> =
        (0..10).flat_map(|number| ["one", "two"].map(|log| (log.into(), number))).collect();
    assert_eq!(told(log.oldest_first(&Filter::new())), expected);
    expected.reverse();
    assert_eq!(told(log.newest_first(&Filter::new())), expected);
    assert_eq!(Log::open(folder.join("one")).unwrap().names().collect::<Vec<_>>(), ["one"]);
}

#[test]
fn the_checkpoint_that_covers_an_entry_is_found() {
    let mut made = three();
    let note = |size: u64, signed: &str| json!({"note": format!("court.example/log\n{size}\nhash\n{signed}")});
    made.own(EntryKind::Checkpoint, 30_000_000, &note(25, ""));
    made.own(EntryKind::Checkpoint, 31_000_000, &note(26, "\n\u{2014} court.example/log c2ln\n"));
    let log = made.directory.log();
    let signed = log.checkpoint_of("court", 3).unwrap();
    assert_eq!((signed.number, signed.is_signed), (26, true));
    assert_eq!(log.checkpoint_of("court", 25).unwrap().number, 26);
    assert_eq!(log.checkpoint_of("court", 26), None);
    assert_eq!(log.checkpoint_of("other", 3), None);
}

#[test]
fn a_forged_time_of_what_was_given_up_hides_no_record() {
    // The first segment's content is gone, and so is that of the second, whose time somebody has changed since.
    for forged in [0, u64::MAX] {
        let mut made = Made::new();
        made.entry(EntryKind::Retired, START, &[7; 32], &[]);
        made.rotate();
        made.entry(EntryKind::Retired, forged, &[7; 32], &[]);
        made.rotate();
        let record = made.record(1_000_000, &decision(2, LAWYER, "alice", "motions:file", "permitted"));
        made.rotate();
        made.record(7_200_000_000, &decision(3, LAWYER, "alice", "motions:file", "permitted"));
        let begin = Timestamp::from_secs(START / 1_000_000);
        let filter = Filter::new().kind("record").since(begin).until(begin.plus(std::time::Duration::from_secs(60)));
        let log = made.directory.log();
        assert_eq!(numbers(log.oldest_first(&filter)), [record], "{forged}");
        assert_eq!(numbers(log.newest_first(&filter)), [record], "{forged}");
    }
}

#[test]
fn what_stands_behind_the_last_entry_of_a_segment_refuses_nothing() {
    for (named, is_refused) in [
        (json!({"entries": [0]}), true),
        (json!({"entries": [0, 7, u64::MAX]}), true),
        (json!({"entries": [1]}), false),
    ] {
        let mut made = Made::new();
        made.record(0, &decision(0, LAWYER, "alice", "motions:file", "permitted"));
        made.own(EntryKind::Refused, 1, &named);
        for record in [
            &made.directory.log().oldest_first(&Filter::new().kind("record")).next().unwrap().unwrap(),
            &made.directory.log().newest_first(&Filter::new().kind("record")).next().unwrap().unwrap(),
        ] {
            assert_eq!(record.is_refused_late(), is_refused, "{named}");
        }
    }
    // What a failed write has left, or somebody has put there, behind the last entry.
    let mut made = Made::new();
    made.record(0, &decision(0, LAWYER, "alice", "motions:file", "permitted"));
    let mut behind = Made::new();
    behind.record(0, &decision(0, LAWYER, "alice", "motions:file", "permitted"));
    let name = made.directory.names().remove(0);
    let length = made.directory.change(&name, |bytes| bytes.len());
    behind.own(EntryKind::Refused, 1, &json!({"entries": [0]}));
    let left = behind.directory.change(&name, |bytes| bytes[length..].to_vec());
    made.directory.change(&name, |bytes| bytes.extend(left));
    made.rotate();
    made.own(EntryKind::Recovered, 2, &json!({"bytes": 4000, "after": "sync_failed"}));
    let log = made.directory.log();
    for mut found in [log.oldest_first(&Filter::new().kind("record")), log.newest_first(&Filter::new().kind("record"))]
    {
        assert!(!found.next().unwrap().unwrap().is_refused_late());
    }
}
