//! What the log itself has written, and what was done to it as it should be.

use agentauth_audit::checkpoint::Head;
use agentauth_audit::format::{EntryKind, append_frame, commitment};
use agentauth_audit::tree::{Frontier, Hash};
use agentauth_audit::verify::{Verdict, Verifier};
use serde_json::json;

use super::build::{Build, CHAIN, frames, log};
use super::damage::{retire, rewrite, told};
use crate::support::{ORIGIN, key};

#[test]
fn what_the_log_itself_writes_is_held_to_it() {
    type Wrong = fn(&mut Build);
    let cases: [(&str, &str, Wrong); 20] = [
        ("a first entry that opens nothing", "entry_order", |build| {
            *build = Build::new(CHAIN, ORIGIN, None);
            build.files.0.clear();
            build.tree = Frontier::default();
            build.previous = Hash::default();
            build.rotate();
            build.record("x");
        }),
        ("a record after the end", "entry_order", |build| {
            build.add(EntryKind::Closed, &json!({"records": 0}));
            build.record("x");
        }),
        ("an end that was none", "entry_order", |build| {
            build.add(EntryKind::Opened, &json!({"sdk": "0", "process": 7, "clean": true}));
        }),
        ("an opening that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Opened, b"{}", &[])),
        ("an end that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Closed, b"[]", &[])),
        ("a checkpoint that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Checkpoint, b"{", &[])),
        ("a recovery that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Recovered, b"", &[])),
        ("a gap that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Gap, b"null", &[])),
        ("a refusal that says nothing", "entry_payload", |build| _ = build.raw(EntryKind::Refused, b"{}", &[])),
        ("an erasure of what is to come", "entry_payload", |build| {
            build.add(EntryKind::Erased, &json!({"entries": [99], "reason": "x"}));
        }),
        ("a retirement of what is to come", "entry_payload", |build| {
            build.add(EntryKind::RetiredSegments, &json!({"before": 99}));
        }),
        ("a stub that is none", "entry_payload", |build| _ = build.raw(EntryKind::Retired, b"x", &[])),
        ("no note", "checkpoint_malformed", |build| {
            build.add(EntryKind::Checkpoint, &json!({"note": "x"}));
        }),
        ("of another size", "checkpoint_size", |build| {
            build.rotate();
            let note = build.notes[0].clone();
            build.add(EntryKind::Checkpoint, &json!({"note": note}));
        }),
        ("of another tree", "checkpoint_root", |build| {
            let mut head = Head::new(ORIGIN, &build.tree);
            head.root.0[0] ^= 1;
            let note = build.note(&head);
            build.add(EntryKind::Checkpoint, &json!({"note": note}));
        }),
        ("of another log", "checkpoint_origin", |build| {
            let note = Head::new("other.example", &build.tree).text();
            build.add(EntryKind::Checkpoint, &json!({"note": note}));
        }),
        ("not signed any more", "checkpoint_unsigned", |build| {
            build.key = None;
            build.checkpoint();
        }),
        ("signed by another", "checkpoint_unsigned", |build| {
            build.key = Some(key(ORIGIN));
            build.checkpoint();
        }),
        ("signed falsely", "checkpoint_signature", |build| {
            let note = build.note(&Head::new(ORIGIN, &build.tree));
            let (head, signature) =
                build.notes[0].rsplit_once('\n').map(|_| build.notes[0].split_once("\n\n").unwrap()).unwrap();
            assert_ne!(note.split_once("\n\n").unwrap().0, head);
            let note = format!("{}\n\n{signature}", note.split_once("\n\n").unwrap().0);
            build.add(EntryKind::Checkpoint, &json!({"note": note}));
        }),
        ("more erased than is named", "side_erased", |build| {
            build.add(EntryKind::Erased, &json!({"entries": [2], "reason": "x"}));
            let name = build.files.name(0);
            rewrite(build.files.0.get_mut(&name).unwrap(), 1, |_, side| side.fill(0));
            rewrite(build.files.0.get_mut(&name).unwrap(), 2, |_, side| side.fill(0));
        }),
    ];
    for (name, code, wrong) in cases {
        let mut build = Build::signed();
        build.record("a");
        build.record("b");
        build.checkpoint();
        let key = build.verifier();
        wrong(&mut build);
        let report = Verifier::new().key(key).verify(&build.files).unwrap();
        let found: Vec<_> = report.faults.iter().map(|fault| fault.kind.code()).collect();
        assert_eq!(found.first(), Some(&code), "{name}: {found:?}");
        assert_eq!(report.verdict(), Verdict::Damaged, "{name}");
    }
}

#[test]
fn what_is_erased_and_retired_as_it_should_be_is_whole() {
    let mut build = log();
    build.add(EntryKind::Opened, &json!({"sdk": "0", "process": 8, "clean": true}));
    build.add(EntryKind::Erased, &json!({"entries": [7, 7, 1], "reason": "art. 17"}));
    build.add(EntryKind::RetiredSegments, &json!({"before": 5}));
    build.close();
    rewrite(build.files.get(1), 2, |_, side| side.fill(0));
    for index in 1..4 {
        rewrite(build.files.get(0), index, retire);
    }
    let report = Verifier::new().key(build.verifier()).verify(&build.files).unwrap();
    assert_eq!((report.verdict(), report.fault()), (Verdict::Whole, None));
    assert_eq!((report.erased, report.retired, report.records), (1, 3, 6));
    // Of a stub, nothing but the hash may be left.
    rewrite(build.files.get(0), 1, |body, _| body[50] ^= 1);
    assert_eq!(told(&build.files.verify()), format!("entry_payload 0+{} #1", frames(build.files.get(0))[1]));
}

#[test]
fn what_a_failed_write_has_left_is_explained_by_the_segment_after_it() {
    let left = |recovered: &dyn Fn(&[u8]) -> serde_json::Value| {
        let mut build = Build::signed();
        build.record("a");
        // Half an entry, and a whole one that nobody was told of.
        let (mut rest, mut bytes) = (vec![1, 2, 3], Vec::new());
        build.body(EntryKind::Record, b"{}", &[]).write(&mut bytes);
        append_frame(&mut rest, &bytes, &[]);
        build.files.get(0).extend(&rest);
        build.rotate();
        build.add(EntryKind::Recovered, &recovered(&rest));
        build.files.verify()
    };
    let report = left(&|rest| json!({"bytes": rest.len(), "after": "EIO"}));
    assert_eq!((told(&report).as_str(), report.recovered, report.recovered_bytes), ("Whole", 1, 102));
    let whole = |rest: &[u8]| json!({"bytes": rest.len(), "after": "EIO", "sha256": commitment(rest).to_string()});
    assert_eq!(told(&left(&whole)), "Whole");
    for wrong in [json!({"bytes": 101, "sha256": null}), json!({"sha256": "0".repeat(64)})] {
        let report = left(&|rest| {
            let mut recovered = whole(rest);
            wrong.as_object().unwrap().iter().for_each(|(name, value)| recovered[name] = value.clone());
            recovered
        });
        assert_eq!(report.fault().unwrap().kind.code(), "segment_leftover", "{wrong}");
    }
}
