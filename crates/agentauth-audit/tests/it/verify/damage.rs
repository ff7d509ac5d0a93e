//! The mutation table: each kind of damage in each place, and the exact verdict.

use agentauth_audit::format::{
    Body, EntryKind, Frame, SALT_BYTES, SegmentHeader, append_frame, commitment, segment_name,
};
use agentauth_audit::tree::{Hash, leaf_hash};
use agentauth_audit::verify::{Report, Verdict, Verifier};
use serde_json::json;

use super::build::{Build, CHAIN, Files, Notes, frames, log};
use crate::support::{ORIGIN, key};

/// The code of the first fault and where it is, or the verdict where there is none.
fn told(report: &Report) -> String {
    let Some(fault) = report.fault() else {
        let torn = report.torn.as_ref().map(|torn| format!(" {}+{}", number(&torn.segment), torn.offset));
        return format!("{:?}{}", report.verdict(), torn.unwrap_or_default());
    };
    let segment = fault.segment.as_deref().map_or_else(|| "log".into(), number);
    let entry = fault.entry.map_or_else(|| "-".into(), |entry| entry.to_string());
    format!("{} {segment}+{} #{entry}", fault.kind.code(), fault.offset)
}

fn number(segment: &str) -> String {
    segment.trim_end_matches(".log").trim_start_matches('0').parse::<u64>().unwrap_or_default().to_string()
}

/// Changes the frame of entry `index` of a segment, and writes it as if it had always been so.
pub(crate) fn rewrite(segment: &mut Vec<u8>, index: usize, change: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>)) {
    let starts = frames(segment);
    let (start, end) = (starts[index], starts[index + 1]);
    let (frame, _) = Frame::read(&segment[start..]).unwrap();
    let (mut body, mut side) = (frame.body.to_vec(), frame.side.to_vec());
    change(&mut body, &mut side);
    let mut written = Vec::new();
    append_frame(&mut written, &body, &side);
    segment.splice(start..end, written);
}

fn header(segment: &mut Vec<u8>, change: impl FnOnce(&mut SegmentHeader)) {
    let (mut header, length) = SegmentHeader::read(segment).unwrap();
    change(&mut header);
    segment.splice(..length, header.to_bytes());
}

fn rename(files: &mut Files, from: &str, to: &str) {
    let content = files.0.remove(from).unwrap();
    files.0.insert(to.into(), content);
}

type Damage = Box<dyn Fn(&mut Files)>;

fn damage(change: impl Fn(&mut Files) + 'static) -> Damage {
    Box::new(change)
}

/// What is done to the log of three segments (entries 0 to 4, 5 to 8, 9 to 13), and what is told: the code, the segment
/// and the offset, and the entry.
fn table() -> Vec<(&'static str, Damage, String)> {
    let files = log().files;
    let at = |segment: usize, frame: usize| frames(&files.0[&files.name(segment)])[frame];
    let (one, two, three) = (files.name(0), files.name(1), files.name(2));
    let mut table = vec![
        ("nothing", damage(|_| ()), "Whole".into()),
        ("all segments removed", damage(|files| files.0.clear()), "log_absent log+0 #-".into()),
        (
            "first segment removed",
            {
                let one = one.clone();
                damage(move |files| drop(files.0.remove(&one)))
            },
            "entries_missing 5+0 #5".into(),
        ),
        (
            "middle segment removed",
            {
                let two = two.clone();
                damage(move |files| drop(files.0.remove(&two)))
            },
            format!("entries_missing 0+{} #5", at(0, 5)),
        ),
        // What no log can show of itself: an anchor does, below.
        (
            "last segment removed",
            {
                let three = three.clone();
                damage(move |files| drop(files.0.remove(&three)))
            },
            "Whole".into(),
        ),
        (
            "names swapped",
            {
                let (one, two) = (one.clone(), two.clone());
                damage(move |files| {
                    rename(files, &one, "x");
                    rename(files, &two, &one);
                    rename(files, "x", &two);
                })
            },
            "segment_name 0+0 #-".into(),
        ),
        (
            "segment renamed",
            {
                let three = three.clone();
                damage(move |files| rename(files, &three, &segment_name(10)))
            },
            "segment_name 10+0 #-".into(),
        ),
        (
            "segment twice",
            {
                let two = two.clone();
                damage(move |files| {
                    let copy = files.0[&two].clone();
                    files.0.insert(segment_name(7), copy);
                })
            },
            "segment_name 7+0 #-".into(),
        ),
    ];
    for (index, first) in [0, 5, 9].into_iter().enumerate() {
        let place = format!("{first}+0 #-");
        table.push((
            "segment of another log",
            damage(move |files| {
                let mut other = log_like("ffffffffffffffffffffffffffffffff", ORIGIN);
                *files.get(index) = other.files.get(index).clone();
            }),
            format!("segment_chain {place}"),
        ));
        table.push((
            "header: another chain",
            damage(move |files| header(files.get(index), |header| header.chain = "x".into())),
            format!("segment_chain {place}"),
        ));
        table.push((
            "header: another number",
            damage(move |files| {
                header(files.get(index), |header| {
                    // With as many bits that are set, so that it can be read.
                    (header.first, header.frontier) = (64, vec![Hash::default()]);
                })
            }),
            format!("segment_name {place}"),
        ));
        let place = format!("{first}+0 #{first}");
        if index > 0 {
            table.push((
                "header: another origin",
                damage(move |files| header(files.get(index), |header| header.origin = "x".into())),
                format!("segment_origin {place}"),
            ));
            table.push((
                "header: another link",
                damage(move |files| header(files.get(index), |header| header.previous.0[3] ^= 1)),
                format!("segment_link {place}"),
            ));
            table.push((
                "header: another tree",
                damage(move |files| header(files.get(index), |header| header.frontier[0].0[3] ^= 1)),
                format!("segment_tree {place}"),
            ));
        }
        table.push((
            "header: not ours",
            damage(move |files| files.get(index)[0] ^= 1),
            format!("segment_magic {place}"),
        ));
        table.push((
            "header: damaged",
            damage(move |files| files.get(index)[30] ^= 1),
            format!("frame_checksum {place}"),
        ));
        let (second, end) = (at(index, 1), *frames(&files.0[&files.name(index)]).last().unwrap());
        let entry = first + 1;
        let place = format!("{first}+{second} #{entry}");
        let next = format!("{first}+{} #{}", at(index, 2), entry + 1);
        table.push((
            "body: a bit",
            damage(move |files| files.get(index)[second + 100] ^= 4),
            format!("frame_checksum {place}"),
        ));
        table.push((
            "length: a bit",
            damage(move |files| files.get(index)[second] ^= 4),
            format!("frame_checksum {place}"),
        ));
        table.push((
            "length: absurd",
            damage(move |files| files.get(index)[second + 3] = 0xff),
            format!("frame_length {place}"),
        ));
        table.push((
            "length: none",
            damage(move |files| files.get(index)[second..second + 4].fill(0)),
            format!("frame_length {place}"),
        ));
        table.push((
            "overwritten with zeros",
            damage(move |files| files.get(index)[second..second + 150].fill(0)),
            format!("frame_length {place}"),
        ));
        table.push((
            "bytes put in",
            damage(move |files| {
                files.get(index).splice(second..second, [9; 40]);
            }),
            format!("frame_length {place}"),
        ));
        // Those that have the checksums right.
        table.push((
            "payload changed",
            damage(move |files| rewrite(files.get(index), 1, |body, _| *body.last_mut().unwrap() ^= 1)),
            format!("entry_link {next}"),
        ));
        table.push((
            "time changed",
            damage(move |files| rewrite(files.get(index), 1, |body, _| body[12] ^= 1)),
            format!("entry_link {next}"),
        ));
        table.push((
            "link changed",
            damage(move |files| rewrite(files.get(index), 1, |body, _| body[20] ^= 1)),
            format!("entry_link {place}"),
        ));
        table.push((
            "number changed",
            damage(move |files| rewrite(files.get(index), 1, |body, _| body[1] ^= 64)),
            format!("entry_number {place}"),
        ));
        table.push((
            "kind unknown",
            damage(move |files| rewrite(files.get(index), 1, |body, _| body[0] = 99)),
            format!("entry_kind {place}"),
        ));
        table.push((
            "body too short",
            damage(move |files| rewrite(files.get(index), 1, |body, _| body.truncate(80))),
            format!("entry_short {place}"),
        ));
        table.push((
            "entry removed",
            damage(move |files| {
                let starts = frames(files.get(index));
                files.get(index).drain(starts[1]..starts[2]);
            }),
            format!("entry_number {place}"),
        ));
        table.push((
            "entry twice",
            damage(move |files| {
                let starts = frames(files.get(index));
                let copy = files.get(index)[starts[1]..starts[2]].to_vec();
                files.get(index).splice(starts[2]..starts[2], copy);
            }),
            format!("entry_number {}", next.clone()),
        ));
        table.push((
            "entries reordered",
            damage(move |files| {
                let starts = frames(files.get(index));
                let moved: Vec<u8> = files.get(index).drain(starts[1]..starts[2]).collect();
                let to = starts[3] - moved.len();
                files.get(index).splice(to..to, moved);
            }),
            format!("entry_number {place}"),
        ));
        let side = if index == 0 { 1 } else { 0 };
        let place = format!("{first}+{} #{}", at(index, side), first + side as u64);
        table.push((
            "personal: changed",
            damage(move |files| rewrite(files.get(index), side, |_, side| side[40] ^= 1)),
            format!("side_changed {place}"),
        ));
        table.push((
            "personal: salt changed",
            damage(move |files| rewrite(files.get(index), side, |_, side| side[3] ^= 1)),
            format!("side_changed {place}"),
        ));
        table.push((
            "personal: taken out",
            damage(move |files| rewrite(files.get(index), side, |_, side| side.clear())),
            format!("side_missing {place}"),
        ));
        table.push((
            "personal: other zeros",
            damage(move |files| rewrite(files.get(index), side, |_, side| side[..SALT_BYTES].fill(0))),
            format!("side_changed {place}"),
        ));
        table.push((
            "personal: overwritten without a word",
            damage(move |files| rewrite(files.get(index), side, |_, side| side.fill(0))),
            format!("side_erased {place}"),
        ));
        table.push((
            "personal: a bit",
            damage(move |files| {
                let end = frames(files.get(index))[side + 1];
                files.get(index)[end - 1] ^= 1;
            }),
            format!("frame_side_checksum {place}"),
        ));
        table.push((
            "content taken out without a word",
            damage(move |files| {
                rewrite(files.get(index), side, |body, side| {
                    let leaf = leaf_hash(body);
                    let old = body.clone();
                    let body_of = Body::read(&old).unwrap();
                    body.clear();
                    Body { kind: EntryKind::Retired, commitment: Hash::default(), payload: &leaf.0, ..body_of }
                        .write(body);
                    side.clear();
                })
            }),
            format!("{} {place}", if index == 0 { "retired_unannounced" } else { "retired_late" }),
        ));
        if index < 2 {
            let cut = format!("{first}+{} #{}", at(index, 2), first + 2);
            table.push((
                "cut off within an entry",
                damage(move |files| {
                    let to = frames(files.get(index))[3] - 5;
                    files.get(index).truncate(to);
                }),
                format!("frame_cut_off {cut}"),
            ));
            table.push((
                "cut off between entries",
                damage(move |files| {
                    let to = frames(files.get(index))[2];
                    files.get(index).truncate(to);
                }),
                format!("entries_missing {cut}"),
            ));
            table.push((
                "emptied",
                damage(move |files| files.get(index).clear()),
                format!("frame_cut_off {first}+0 #{first}"),
            ));
            table.push((
                "bytes at the end",
                damage(move |files| files.get(index).extend([9; 40])),
                format!("segment_leftover {first}+{end} #-"),
            ));
        } else {
            table.push((
                "cut off within an entry",
                damage(move |files| {
                    let to = frames(files.get(index))[3] - 5;
                    files.get(index).truncate(to);
                }),
                format!("TornTail {first}+{}", at(index, 2)),
            ));
            table.push((
                "cut off between entries",
                damage(move |files| {
                    let to = frames(files.get(index))[2];
                    files.get(index).truncate(to);
                }),
                "Whole".into(),
            ));
            table.push(("emptied", damage(move |files| files.get(index).clear()), format!("TornTail {first}+0")));
            table.push((
                "bytes at the end",
                damage(move |files| files.get(index).extend([9; 40])),
                format!("TornTail {first}+{end}"),
            ));
            table.push((
                "last entry: a bit",
                damage(move |files| files.get(index)[end - 1] ^= 1),
                format!("TornTail {first}+{}", at(index, 4)),
            ));
        }
    }
    table
}

fn log_like(chain: &str, origin: &str) -> Build {
    let mut build = Build::new(chain, origin, Some(key(origin)));
    for (ids, last) in [(["a", "b", "c"], false), (["d", "e", "f"], false), (["g", "h", "i"], true)] {
        ids.iter().for_each(|id| _ = build.record(id));
        if last {
            build.close()
        } else {
            build.checkpoint();
        }
        if !last {
            build.rotate();
        }
    }
    build
}

#[test]
fn each_damage_in_each_place_has_its_exact_verdict() {
    let whole = log();
    println!("| damage | told: code, segment+offset, entry |");
    println!("|---|---|");
    let mut wrong = Vec::new();
    for (name, change, expected) in table() {
        let mut files = whole.files.clone();
        change(&mut files);
        let found = told(&files.verify());
        println!("| {name} | {found} |");
        if found != expected {
            wrong.push(format!("{name}: {found}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_damaged_or_cut_off_is_seen_by_an_anchor_too() {
    let whole = log();
    let files = whole.files.clone();
    for (name, change, expected) in table() {
        let mut files = files.clone();
        change(&mut files);
        let anchor = Notes(Ok(whole.notes.clone()));
        let report = Verifier::new().key(whole.verifier()).anchor(anchor).verify(&files).unwrap();
        let is_whole = name == "nothing" || name == "bytes at the end" || name == "last entry: a bit";
        let expected = match expected.as_str() {
            "Whole" if !is_whole => "rolled_back",
            torn if torn.starts_with("TornTail") && !is_whole => "rolled_back",
            other => other.split(' ').next().unwrap(),
        };
        let code = report.fault().map_or_else(|| format!("{:?}", report.verdict()), |fault| fault.kind.code().into());
        assert_eq!(code, expected, "{name}");
    }
}

#[test]
fn what_the_log_itself_writes_is_held_to_it() {
    type Wrong = fn(&mut Build);
    let cases: [(&str, &str, Wrong); 20] = [
        ("a first entry that opens nothing", "entry_order", |build| {
            *build = Build::new(CHAIN, ORIGIN, None);
            build.files.0.clear();
            build.tree = agentauth_audit::tree::Frontier::default();
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
            let mut head = agentauth_audit::checkpoint::Head::new(ORIGIN, &build.tree);
            head.root.0[0] ^= 1;
            let note = build.note(&head);
            build.add(EntryKind::Checkpoint, &json!({"note": note}));
        }),
        ("of another log", "checkpoint_origin", |build| {
            let note = agentauth_audit::checkpoint::Head::new("other.example", &build.tree).text();
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
            let note = build.note(&agentauth_audit::checkpoint::Head::new(ORIGIN, &build.tree));
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
        rewrite(build.files.get(0), index, |body, side| {
            let (leaf, old) = (leaf_hash(body), body.clone());
            body.clear();
            let stub = Body {
                kind: EntryKind::Retired,
                commitment: Hash::default(),
                payload: &leaf.0,
                ..Body::read(&old).unwrap()
            };
            stub.write(body);
            side.clear();
        });
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
