//! Damage at every byte of a small log.

use agentauth_audit::verify::{Verdict, Verifier};
use proptest::prelude::*;

use super::build::{Build, Files, Notes, frames, log};

/// The entry that byte `at` of a segment belongs to, counted within it; none of the header.
fn entry_of(starts: &[usize], at: usize) -> Option<usize> {
    starts.iter().rposition(|&start| start <= at)
}

#[test]
fn no_flipped_byte_is_missed_or_told_of_another_place() {
    let whole = log();
    let firsts = [0, 5, 9];
    for (segment, first) in firsts.into_iter().enumerate() {
        let name = whole.files.name(segment);
        let starts = frames(&whole.files.0[&name]);
        for at in 0..whole.files.0[&name].len() {
            for flip in [1, 0xff] {
                let mut files = whole.files.clone();
                files.get(segment)[at] ^= flip;
                let report = files.verify();
                let entry = entry_of(&starts, at);
                let is_last = segment == 2 && entry == Some(starts.len() - 2);
                let start = entry.map_or(0, |entry| starts[entry]) as u64;
                // The last entry but one, whose number or link is gone: one write may have been torn like this, and the
                // next writer sets both aside.
                let is_end = segment == 2 && entry == Some(starts.len() - 3);
                if is_last || is_end && report.verdict() == Verdict::TornTail {
                    assert!(
                        is_last || (starts[starts.len() - 3] + 16..).take(81).any(|head| head == at),
                        "{name} {at}"
                    );
                    assert_eq!(report.verdict(), Verdict::TornTail, "{name} {at}");
                    let torn = report.torn.unwrap();
                    assert_eq!((torn.segment, torn.offset), (name.clone(), start));
                    continue;
                }
                assert_eq!(report.verdict(), Verdict::Damaged, "{name} {at}");
                let fault = report.fault().unwrap();
                assert_eq!(fault.segment.as_ref(), Some(&name), "{at}: {fault}");
                assert_eq!(fault.offset, start, "{name} {at}: {fault}");
                assert_eq!(fault.entry, Some(first + entry.unwrap_or(0) as u64), "{name} {at}: {fault}");
                assert!(report.faults.len() == 1 || entry.is_none(), "{name} {at}: {:?}", report.faults);
            }
        }
    }
}

#[test]
fn no_cut_is_missed_but_at_the_very_end_where_an_anchor_sees_it() {
    let whole = log();
    for segment in 0..3 {
        let name = whole.files.name(segment);
        let starts = frames(&whole.files.0[&name]);
        for to in 0..whole.files.0[&name].len() {
            let mut files = whole.files.clone();
            files.get(segment).truncate(to);
            let report = files.verify();
            let is_between = starts.contains(&to);
            let expected = match (segment, is_between) {
                (2, true) => Verdict::Whole,
                (2, false) => Verdict::TornTail,
                _ => Verdict::Damaged,
            };
            assert_eq!(report.verdict(), expected, "{name} {to}");
            if let Some(fault) = report.fault() {
                let start = entry_of(&starts, to).map_or(0, |entry| starts[entry]);
                assert_eq!((fault.segment.as_ref(), fault.offset), (Some(&name), start as u64), "{to}: {fault}");
                assert_eq!(
                    fault.kind.code(),
                    if is_between { "entries_missing" } else { "frame_cut_off" },
                    "{name} {to}"
                );
            }
            // All but the last two entries are anchored: the checkpoint, and the end.
            let anchor = Notes(Ok(whole.notes.clone()));
            let anchored = Verifier::new().key(whole.verifier()).anchor(anchor).verify(&files).unwrap();
            let is_unanchored = segment == 2 && to >= starts[3];
            assert_eq!(anchored.verdict(), if is_unanchored { expected } else { Verdict::Damaged }, "{name} {to}");
            if segment == 2 && !is_unanchored {
                assert_eq!(anchored.fault().unwrap().kind.code(), "rolled_back");
            }
        }
    }
}

fn whole() -> &'static (Build, Files) {
    static WHOLE: std::sync::OnceLock<(Build, Files)> = std::sync::OnceLock::new();
    WHOLE.get_or_init(|| {
        let build = log();
        let files = build.files.clone();
        (build, files)
    })
}

#[derive(Debug, Clone)]
enum Edit {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (index(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (index(), 1..200_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (index(), index(), 1..400_usize).prop_map(|(from, to, length)| Edit::Copy(from, to, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    match edit {
        Edit::Set(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Edit::Insert(at, more) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Edit::Remove(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Edit::Copy(from, to, length) => {
            let from = from.index(bytes.len());
            let copy = bytes[from..(from + length).min(bytes.len())].to_vec();
            let to = to.index(bytes.len());
            bytes.splice(to..to, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_edits_are_missed(edits in prop::collection::vec((0..3_usize, edit()), 1..6)) {
        let (build, files) = whole();
        let mut edited = files.clone();
        for (segment, edit) in &edits {
            apply(edited.get(*segment), edit);
        }
        let anchor = Notes(Ok(build.notes.clone()));
        let report = Verifier::new().key(build.verifier()).anchor(anchor).verify(&edited).unwrap();
        // What is behind the last checkpoint is vouched for by nobody, and can be cut off.
        let last = frames(&files.0[&files.name(2)]);
        let is_same = edited == *files;
        let is_cut = (0..3).all(|segment| {
            let name = files.name(segment);
            let (now, then) = (&edited.0[&name], &files.0[&name]);
            now == then || segment == 2 && last[3..].contains(&now.len()) && then.starts_with(now)
        });
        prop_assert_eq!(report.verdict() == Verdict::Whole, is_same || is_cut, "{:?}", report);
        if report.verdict() == Verdict::TornTail {
            // Nothing but the end of the last segment is torn.
            prop_assert!((0..2).all(|segment| edited.0[&files.name(segment)] == files.0[&files.name(segment)]));
            prop_assert!(edited.0[&files.name(2)].starts_with(&files.0[&files.name(2)][..last[3]]));
        }
    }
}
