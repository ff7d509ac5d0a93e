//! Who vouches for which entries.

use agentauth_audit::anchor::AnchorError;
use agentauth_audit::checkpoint::{CheckpointVerifier, Head};
use agentauth_audit::format::EntryKind;
use agentauth_audit::verify::{Progress, Range, Report, Verdict, Verifier};
use serde_json::json;

use super::build::{Build, Files, Notes, log};
use crate::support::{ORIGIN, key};

fn bounds(report: &Report) -> [(u64, u64, u64); 3] {
    let range = |range: &Range| (range.from, range.until, range.records);
    [range(&report.ranges.anchored), range(&report.ranges.signed), range(&report.ranges.unanchored)]
}

fn code(report: &Report) -> &'static str {
    report.fault().map_or("", |fault| fault.kind.code())
}

#[test]
fn anchored_signed_and_other_entries_are_told_apart() {
    let build = log();
    let report = build.files.verify();
    assert_eq!((report.entries, report.records, report.segments, report.checkpoints), (14, 9, 3, 3));
    assert_eq!((report.origin.as_str(), report.is_closed, report.signed_checkpoints), (ORIGIN, true, 0));
    assert_eq!(bounds(&report), [(0, 0, 0), (0, 0, 0), (0, 14, 9)]);

    let report = Verifier::new().key(build.verifier()).verify(&build.files).unwrap();
    assert_eq!(bounds(&report), [(0, 0, 0), (0, 12, 9), (12, 14, 0)]);
    assert_eq!(report.signed_checkpoints, 3);

    let anchor = || Notes(Ok(build.notes[..2].to_vec()));
    let report = Verifier::new().key(build.verifier()).anchor(anchor()).verify(&build.files).unwrap();
    assert_eq!(bounds(&report), [(0, 8, 6), (8, 12, 3), (12, 14, 0)]);
    assert_eq!((report.anchors[0].checkpoints, report.anchors[0].latest), (2, 8));
    let times = |range: &Range| [range.first, range.last].map(|time| time.unwrap().secs() - 1_800_000_000);
    assert_eq!(times(&report.ranges.anchored), [0, 7]);
    assert_eq!(times(&report.ranges.signed), [8, 11]);
    assert_eq!(times(&report.ranges.unanchored), [12, 13]);
    // An anchor alone vouches as well.
    let report = Verifier::new().anchor(anchor()).verify(&build.files).unwrap();
    assert_eq!(bounds(&report), [(0, 8, 6), (8, 8, 0), (8, 14, 3)]);
    // Up to the first fault, and not further.
    let mut files = build.files.clone();
    files.get(1)[300] ^= 1;
    let report = Verifier::new().key(build.verifier()).anchor(anchor()).verify(&files).unwrap();
    assert_eq!(bounds(&report)[0], (0, 4, 3));
    assert!(report.ranges.unanchored.until <= report.fault().unwrap().entry.unwrap());
}

#[test]
fn who_rewrites_the_log_is_convicted_by_key_or_anchor() {
    let honest = log();
    // The same log, written anew by somebody who has the files and no key.
    let mut forged = Build::new(&honest.chain, ORIGIN, Some(key(ORIGIN)));
    ["a", "b", "x"].iter().for_each(|id| _ = forged.record(id));
    forged.close();
    assert_eq!(forged.files.verify().verdict(), Verdict::Whole, "nothing shows it without a key or an anchor");
    let report = Verifier::new().key(honest.verifier()).verify(&forged.files).unwrap();
    assert_eq!((report.verdict(), code(&report)), (Verdict::Unproven, "nothing_signed"));
    let report = Verifier::new().anchor(Notes(Ok(honest.notes[..1].to_vec()))).verify(&forged.files).unwrap();
    assert_eq!((report.verdict(), code(&report)), (Verdict::Damaged, "forked"));
    let report = Verifier::new().anchor(Notes(Ok(honest.notes.clone()))).verify(&forged.files).unwrap();
    let codes: Vec<_> = report.faults.iter().map(|fault| fault.kind.code()).collect();
    assert_eq!(codes, ["forked", "rolled_back", "rolled_back"]);
    // What the anchor says must be signed where a key is given.
    let report =
        Verifier::new().key(honest.verifier()).anchor(Notes(Ok(forged.notes.clone()))).verify(&honest.files).unwrap();
    assert_eq!((report.verdict(), code(&report)), (Verdict::Damaged, "anchor_note"));
}

#[test]
fn a_key_or_an_anchor_that_vouches_for_nothing_is_told() {
    let build = log();
    let empty = Verifier::new().anchor(Notes(Ok(Vec::new()))).verify(&build.files).unwrap();
    assert_eq!((empty.verdict(), code(&empty)), (Verdict::Unproven, "nothing_anchored"));
    let down = Notes(Err(AnchorError::Unavailable("no route".into())));
    let down = Verifier::new().anchor(down).verify(&build.files).unwrap();
    assert_eq!((down.verdict(), code(&down)), (Verdict::Unproven, "anchor_unavailable"));
    let other = Verifier::new().origin("other.example").verify(&build.files).unwrap();
    assert_eq!((other.verdict(), code(&other)), (Verdict::Damaged, "log_origin"));
    // Nothing is left, and the anchor is asked all the same.
    let gone = Verifier::new().origin(ORIGIN).anchor(Notes(Ok(build.notes.clone()))).verify(&Files::default()).unwrap();
    let codes: Vec<_> = gone.faults.iter().map(|fault| fault.kind.code()).collect();
    assert_eq!(codes, ["log_absent", "rolled_back", "rolled_back", "rolled_back"]);
    let gone = Verifier::new().anchor(Notes(Ok(build.notes.clone()))).verify(&Files::default()).unwrap();
    assert_eq!((gone.verdict(), code(&gone)), (Verdict::Damaged, "log_absent"));
}

#[test]
fn a_log_that_was_not_signed_before_its_key_is_vouched_for_by_what_comes_after() {
    let mut build = Build::new("c0", ORIGIN, None);
    build.record("a");
    build.checkpoint();
    build.key = Some(key(ORIGIN));
    build.record("b");
    build.checkpoint();
    let report = Verifier::new().key(build.verifier()).verify(&build.files).unwrap();
    assert_eq!((report.verdict(), bounds(&report)), (Verdict::Whole, [(0, 0, 0), (0, 4, 2), (4, 5, 0)]));
    // Two keys, one after the other.
    let old = build.key.replace(key(ORIGIN)).unwrap();
    build.checkpoint();
    let keys = [old.verifier_key(), build.key.as_ref().unwrap().verifier_key()];
    let both = CheckpointVerifier::new(keys).unwrap();
    assert_eq!(Verifier::new().key(both).verify(&build.files).unwrap().verdict(), Verdict::Whole);
    let report = Verifier::new().key(CheckpointVerifier::new(&keys[..1]).unwrap()).verify(&build.files).unwrap();
    assert_eq!(code(&report), "checkpoint_unsigned");
}

#[test]
fn a_loss_that_was_acknowledged_is_no_crime() {
    // The anchor knows of 12 entries; the operator says that those after the fifth are gone.
    let lost = log().notes;
    let with = |acknowledged: Option<u64>| {
        let mut opened = json!({"sdk": "0", "process": 8, "clean": false});
        if let Some(lost) = acknowledged {
            opened["acknowledged_loss"] = lost.into();
        }
        let mut build = Build::new("c1", ORIGIN, None);
        for id in ["a", "b", "c"] {
            build.record(id);
        }
        let first = Head::new(ORIGIN, &build.tree).text();
        build.checkpoint();
        build.add(EntryKind::Opened, &opened);
        for id in 0..10 {
            build.record(&id.to_string());
        }
        let notes = [&[first][..], &lost[1..]].concat();
        Verifier::new().anchor(Notes(Ok(notes))).verify(&build.files).unwrap()
    };
    assert_eq!(code(&with(None)), "forked");
    let less = with(Some(6));
    let codes: Vec<_> = less.faults.iter().map(|fault| fault.kind.code()).collect();
    assert_eq!((less.verdict(), &codes[..]), (Verdict::Damaged, &["loss_acknowledged", "forked"][..]));
    // It is no better known than what the log itself says.
    let report = with(Some(7));
    assert_eq!((report.verdict(), code(&report)), (Verdict::Unproven, "loss_acknowledged"));
    assert_eq!(report.acknowledged_loss, 7);
}

#[test]
fn the_checkpoint_beside_the_segments_must_be_one_of_the_log() {
    let build = log();
    let with = |note: &str| {
        let mut files = build.files.clone();
        files.0.insert("checkpoint".into(), note.into());
        files.verify()
    };
    assert_eq!(with(&build.notes[2]).verdict(), Verdict::Whole);
    assert_eq!(with(&build.notes[0]).verdict(), Verdict::Whole);
    assert_eq!(code(&with("x")), "checkpoint_malformed");
    let mut longer = log();
    longer.checkpoint();
    longer.checkpoint();
    assert_eq!(code(&with(longer.notes.last().unwrap())), "rolled_back");
    let mut other = Build::signed();
    other.checkpoint();
    assert_eq!(with(&other.notes[0]).verdict(), Verdict::Whole, "the first entry is the same");
    other.record("z");
    other.checkpoint();
    assert_eq!(code(&with(&other.notes[1])), "forked");
}

#[test]
fn foreign_files_are_named_and_change_nothing() {
    let mut files = log().files;
    for name in ["lock", "checkpoint.tmp", "notes.txt", "1.log", "00000000000000000005.log.bak"] {
        files.0.insert(name.into(), b"x".to_vec());
    }
    let report = files.verify();
    assert_eq!(report.verdict(), Verdict::Whole);
    assert_eq!(report.foreign, ["00000000000000000005.log.bak", "1.log", "notes.txt"]);
}

#[test]
fn what_the_log_says_of_itself_is_counted() {
    let mut build = Build::signed();
    let late = build.record("a");
    build.add(EntryKind::Refused, &json!({"entries": [late]}));
    build.add(EntryKind::Gap, &json!({"dropped": 40, "first": "x", "last": "y", "why": "queue_full"}));
    build.add(EntryKind::Recovered, &json!({"bytes": 12, "kept_in": "torn-1", "after": "crash"}));
    build.files.0.insert("torn-1".into(), vec![0; 12]);
    let report = build.files.verify();
    assert_eq!((report.verdict(), report.is_closed), (Verdict::Whole, false));
    assert_eq!((report.refused, report.dropped, report.recovered, report.recovered_bytes), (1, 40, 1, 12));
    assert!(report.foreign.is_empty());
}

#[test]
fn progress_comes_to_the_end() {
    let build = log();
    let mut told: Vec<Progress> = Vec::new();
    let report = Verifier::new().progress(|progress| told.push(progress)).verify(&build.files).unwrap();
    let last = told.last().unwrap();
    assert_eq!((last.bytes, last.of, last.entries), (report.bytes, report.bytes, 14));
}
