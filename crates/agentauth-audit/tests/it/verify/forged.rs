//! What whoever owns the files, and not the key, writes behind what is vouched for cannot take that away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use agentauth_audit::AuditLog;
use agentauth_audit::disk::{Directory, LogFile};
use agentauth_audit::format::{Body, EntryKind, Frame, SegmentHeader, append_frame, segment_name};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use agentauth_audit::verify::{Report, Verdict, Verifier};
use serde_json::json;

use super::build::{Build, CHAIN, Files, Notes, START, frames, log};
use crate::support::{Folder, ORIGIN};

/// With the key, and an anchor that knows of all checkpoints of the honest log.
fn verify(build: &Build, notes: &[String]) -> Report {
    Verifier::new().key(build.verifier()).anchor(Notes(Ok(notes.to_vec()))).verify(&build.files).unwrap()
}

fn found(report: &Report) -> (Verdict, &'static str) {
    (report.verdict(), report.fault().map_or("", |fault| fault.kind.code()))
}

/// Makes something else of each frame of a segment.
fn rewrite(files: &mut Files, index: usize, change: impl Fn(&Body<'_>, &[u8], &[u8], &mut Vec<u8>)) {
    let segment = files.get(index);
    let starts = frames(segment);
    let mut out = segment[..starts[0]].to_vec();
    for &start in &starts[..starts.len() - 1] {
        let (frame, _) = Frame::read(&segment[start..]).unwrap();
        change(&Body::read(frame.body).unwrap(), frame.body, frame.side, &mut out);
    }
    *segment = out;
}

fn retire(files: &mut Files, index: usize) {
    rewrite(files, index, |old, body, side, out| {
        if old.kind != EntryKind::Record {
            return append_frame(out, body, side);
        }
        let (leaf, mut stub) = (leaf_hash(body), Vec::new());
        Body { kind: EntryKind::Retired, commitment: Hash::default(), payload: &leaf.0, ..*old }.write(&mut stub);
        append_frame(out, &stub, &[]);
    });
}

fn erase(files: &mut Files, index: usize) {
    rewrite(files, index, |_, body, side, out| append_frame(out, body, &vec![0; side.len()]));
}

#[test]
fn content_that_is_gone_on_the_word_of_nobody_is_told() {
    type Act = (fn(&mut Build), fn(&mut Build), &'static str);
    let acts: [Act; 2] = [
        (
            |build| _ = build.add(EntryKind::RetiredSegments, &json!({"before": 5})),
            |build| retire(&mut build.files, 0),
            "retired_unproven",
        ),
        (
            |build| _ = build.add(EntryKind::Erased, &json!({"entries": [1, 2, 3], "reason": "x"})),
            |build| erase(&mut build.files, 0),
            "side_erased_unproven",
        ),
    ];
    for (says, does, code) in acts {
        let mut build = log();
        says(&mut build);
        does(&mut build);
        let (key, notes) = (build.verifier(), build.notes.clone());
        assert_eq!(found(&verify(&build, &notes)), (Verdict::Unproven, code));
        assert_eq!(found(&Verifier::new().key(key).verify(&build.files).unwrap()), (Verdict::Unproven, code));
        let anchored = Verifier::new().anchor(Notes(Ok(notes.clone()))).verify(&build.files).unwrap();
        assert_eq!(found(&anchored), (Verdict::Unproven, code));
        assert_eq!(
            build.files.verify().verdict(),
            Verdict::Whole,
            "without a key or an anchor nobody vouches for more"
        );
        // The next checkpoint vouches for what was said, whoever it was.
        build.checkpoint();
        assert_eq!(found(&verify(&build, &notes)), (Verdict::Whole, ""), "{code}");
        // What is announced a second time was vouched for the first time.
        says(&mut build);
        assert_eq!(found(&verify(&build, &notes)), (Verdict::Whole, ""), "{code}");
    }
}

#[test]
fn who_says_that_a_loss_was_acknowledged_does_not_make_up_for_it() {
    let honest = log();
    // The last segment is gone, and the forger has an operator have said so.
    let mut build = Build::signed();
    ["a", "b", "c"].iter().for_each(|id| _ = build.record(id));
    build.key = None;
    build.files.0.clear();
    build.files.0.insert(segment_name(0), honest.files.0[&segment_name(0)].clone());
    build.files.0.insert(segment_name(5), honest.files.0[&segment_name(5)].clone());
    let last = honest.files.0[&segment_name(9)].clone();
    let (header, _) = SegmentHeader::read(&last).unwrap();
    (build.tree, build.previous) = (header.tree(), header.previous);
    build.rotate();
    build.add(EntryKind::Opened, &json!({"sdk": "0", "process": 8, "clean": false, "acknowledged_loss": u64::MAX}));
    let report =
        Verifier::new().key(honest.verifier()).anchor(Notes(Ok(honest.notes.clone()))).verify(&build.files).unwrap();
    assert_eq!(found(&report), (Verdict::Unproven, "loss_acknowledged"));
    assert_eq!((report.ranges.anchored.until, report.acknowledged_loss), (8, u64::MAX));
}

#[test]
fn records_are_refused_for_being_late_soon_after_them_and_never_before() {
    for (named, is_so) in [(1, true), (2, false), (3, false), (u64::MAX, false)] {
        let mut build = Build::signed();
        build.record("a");
        build.add(EntryKind::Refused, &json!({"entries": [named]}));
        let report = build.files.verify();
        let expected = if is_so { (Verdict::Whole, "") } else { (Verdict::Damaged, "entry_payload") };
        assert_eq!(found(&report), expected, "{named}");
    }
}

#[test]
fn what_was_written_without_a_side_has_none_that_was_erased() {
    let mut build = log();
    erase(&mut build.files, 0);
    rewrite(&mut build.files, 0, |old, body, side, out| {
        append_frame(out, body, if old.number == 0 { &[0; 40] } else { side });
    });
    build.add(EntryKind::Erased, &json!({"entries": [0, 1, 2, 3], "reason": "x"}));
    assert_eq!(found(&build.files.verify()), (Verdict::Damaged, "side_changed"));
}

#[test]
fn numbers_at_the_end_of_all_numbers_end_nothing() {
    let mut files = log().files;
    let mut header = SegmentHeader::new(CHAIN, ORIGIN, Hash::default(), &Frontier::default());
    (header.first, header.frontier) = (u64::MAX, vec![Hash([1; 32]); 64]);
    let mut segment = header.to_bytes();
    for number in [u64::MAX, 0] {
        let mut body = Vec::new();
        let (micros, previous, commitment) = (u64::MAX, Hash::default(), Hash::default());
        Body { kind: EntryKind::Gap, number, micros, previous, commitment, payload: b"{}" }.write(&mut body);
        append_frame(&mut segment, &body, &[]);
    }
    files.0.insert(segment_name(u64::MAX), segment);
    let report = files.verify();
    assert_eq!(found(&report), (Verdict::Damaged, "entries_missing"));
    let folder = Folder::new();
    files.write(&folder.path("log"));
    assert_eq!(AuditLog::open(folder.path("log")).unwrap_err().code(), "log_damaged");
}

/// A log whose first segments are given up once the first of them has been opened `after` times.
#[derive(Debug)]
struct Retiring {
    before: Files,
    after: Files,
    left: AtomicUsize,
}

impl Directory for Retiring {
    fn list(&self) -> io::Result<Vec<String>> {
        self.before.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.before.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let left = self.left.load(SeqCst);
        if name == segment_name(0) && left > 0 {
            self.left.store(left - 1, SeqCst);
        }
        if left > 0 { self.before.open(name) } else { self.after.open(name) }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.before.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.before.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn std::fmt::Debug + Send>> {
        self.before.lock()
    }
}

#[test]
fn a_writer_that_gives_content_up_meanwhile_raises_no_alarm() {
    let mut build = log();
    build.add(EntryKind::RetiredSegments, &json!({"before": 9}));
    build.checkpoint();
    let before = build.files.clone();
    (0..2).for_each(|index| retire(&mut build.files, index));
    // However far the verifier is.
    for times in 0..5 {
        let log = Retiring { before: before.clone(), after: build.files.clone(), left: AtomicUsize::new(times) };
        let report = Verifier::new().key(build.verifier()).verify(&log).unwrap();
        assert_eq!(found(&report), (Verdict::Whole, ""), "{times}");
    }
    // One in which the first is there still has been changed.
    build.files.0.insert(segment_name(0), before.0[&segment_name(0)].clone());
    assert_eq!(found(&build.files.verify()), (Verdict::Damaged, "retired_late"));
}

/// Counts what is read.
#[derive(Debug)]
struct Counting<T>(T, Arc<AtomicUsize>);

impl Directory for Counting<Files> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.0.create(name)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        Ok(Box::new(Counting(self.0.open(name)?, Arc::clone(&self.1))))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn lock(&self) -> io::Result<Box<dyn std::fmt::Debug + Send>> {
        self.0.lock()
    }
}

impl LogFile for Counting<Box<dyn LogFile>> {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset).inspect(|read| _ = self.1.fetch_add(*read, SeqCst))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn bytes_that_look_like_long_frames_everywhere_are_not_read_for_ever() {
    let mut build = log();
    // The head of a frame that says that its body is a megabyte long.
    let mut body = Vec::new();
    let (number, previous, commitment) = (20, Hash::default(), Hash::default());
    Body { kind: EntryKind::Record, number, micros: START, previous, commitment, payload: &[] }.write(&mut body);
    let head = [&1_000_000_u32.to_le_bytes()[..], &[0; 12], &body].concat();
    let length = 6 << 20;
    let segment = build.files.get(2);
    segment.push(0);
    while segment.len() < length {
        segment.extend_from_slice(&head);
    }
    let read = Arc::new(AtomicUsize::new(0));
    let report = Verifier::new().verify(&Counting(build.files, Arc::clone(&read))).unwrap();
    assert_eq!(report.verdict(), Verdict::Damaged);
    assert!(read.load(SeqCst) < 8 * length, "{read:?}");
}
