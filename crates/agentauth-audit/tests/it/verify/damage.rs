//! The mutation table: each kind of damage in each place, and the exact verdict.

use std::collections::BTreeSet;

use agentauth_audit::format::{Body, EntryKind, Frame, SALT_BYTES, SegmentHeader, append_frame, segment_name};
use agentauth_audit::tree::{Hash, leaf_hash};
use agentauth_audit::verify::{Report, Verifier};

use super::build::{Build, Files, Notes, frames, log};
use crate::support::{ORIGIN, key};

/// The code of the first fault and where it is, or the verdict where there is none.
pub(crate) fn told(report: &Report) -> String {
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

type Damage = Box<dyn Fn(&mut Files)>;

/// What is done to the log of three segments (entries 0 to 4, 5 to 8, 9 to 13), and what is told: the code, the segment
/// and the offset, and the entry.
#[derive(Default)]
struct Table {
    rows: Vec<(&'static str, Damage, String)>,
    /// The segment that the next rows are about.
    index: usize,
}

impl Table {
    fn files(&mut self, name: &'static str, told: &str, change: impl Fn(&mut Files) + 'static) {
        self.rows.push((name, Box::new(change), told.into()));
    }

    fn segment(&mut self, name: &'static str, told: &str, change: impl Fn(&mut Vec<u8>) + 'static) {
        let index = self.index;
        self.files(name, told, move |files| change(files.get(index)));
    }

    fn header(&mut self, name: &'static str, told: &str, change: impl Fn(&mut SegmentHeader) + 'static) {
        self.segment(name, told, move |segment| {
            let (mut header, length) = SegmentHeader::read(segment).unwrap();
            change(&mut header);
            segment.splice(..length, header.to_bytes());
        });
    }

    fn entry(
        &mut self,
        name: &'static str,
        told: &str,
        at: usize,
        change: impl Fn(&mut Vec<u8>, &mut Vec<u8>) + 'static,
    ) {
        self.segment(name, told, move |segment| rewrite(segment, at, &change));
    }
}

fn table() -> Vec<(&'static str, Damage, String)> {
    let files = log().files;
    let starts: Vec<Vec<usize>> = (0..3).map(|index| frames(&files.0[&files.name(index)])).collect();
    let mut table = Table::default();
    of_files(&mut table, &starts[0]);
    for (index, first) in [0, 5, 9].into_iter().enumerate() {
        table.index = index;
        of_header(&mut table, first);
        of_frame(&mut table, first, &starts[index]);
        of_entry(&mut table, first, &starts[index]);
        of_side(&mut table, first, &starts[index]);
        of_end(&mut table, first, &starts[index]);
    }
    table.rows
}

fn of_files(table: &mut Table, starts: &[usize]) {
    let names = [0, 5, 9].map(segment_name);
    let remove = |index: usize| {
        let name = names[index].clone();
        move |files: &mut Files| _ = files.0.remove(&name)
    };
    table.files("nothing", "Whole", |_| ());
    table.files("all segments removed", "log_absent log+0 #-", |files| files.0.clear());
    table.files("first segment removed", "entries_missing 5+0 #5", remove(0));
    table.files("middle segment removed", &format!("entries_missing 0+{} #5", starts[5]), remove(1));
    // What no log can show of itself: an anchor does, below.
    table.files("last segment removed", "Whole", remove(2));
    let [one, two, three] = names;
    let (first, second) = (one, two.clone());
    table.files("names swapped", "segment_name 0+0 #-", move |files| {
        let (one, two) = (files.0.remove(&first).unwrap(), files.0.remove(&second).unwrap());
        files.0.extend([(second.clone(), one), (first.clone(), two)]);
    });
    table.files("segment renamed", "segment_name 10+0 #-", move |files| {
        let content = files.0.remove(&three).unwrap();
        files.0.insert(segment_name(10), content);
    });
    table.files("segment twice", "segment_name 7+0 #-", move |files| {
        let copy = files.0[&two].clone();
        files.0.insert(segment_name(7), copy);
    });
}

fn of_header(table: &mut Table, first: u64) {
    let index = table.index;
    let place = format!("{first}+0 #-");
    let other = format!("segment_chain {place}");
    table.segment("segment of another log", &other, move |segment| {
        *segment = log_like("ffffffffffffffffffffffffffffffff").files.get(index).clone();
    });
    table.header("header: another chain", &other, |header| header.chain = "x".into());
    table.header("header: another number", &format!("segment_name {place}"), |header| {
        // With as many bits that are set as hashes, so that it can be read.
        (header.first, header.frontier) = (64, vec![Hash::default()]);
    });
    let place = format!("{first}+0 #{first}");
    if index > 0 {
        table.header("header: another origin", &format!("segment_origin {place}"), |header| header.origin = "x".into());
        table.header("header: another link", &format!("segment_link {place}"), |header| header.previous.0[3] ^= 1);
        table.header("header: another tree", &format!("segment_tree {place}"), |header| header.frontier[0].0[3] ^= 1);
    }
    table.segment("header: not ours", &format!("segment_magic {place}"), |segment| segment[0] ^= 1);
    table.segment("header: damaged", &format!("frame_checksum {place}"), |segment| segment[30] ^= 1);
    table.segment("header: no JSON", &format!("segment_header {place}"), |segment| {
        let (_, length) = SegmentHeader::read(segment).unwrap();
        let mut header = b"AGAUDIT1".to_vec();
        append_frame(&mut header, b"{}", &[]);
        segment.splice(..length, header);
    });
}

/// The second entry of a segment, without its checksums.
fn of_frame(table: &mut Table, first: u64, starts: &[usize]) {
    let at = starts[1];
    let told = |code: &str| format!("{code} {first}+{at} #{}", first + 1);
    table.segment("body: a bit", &told("frame_checksum"), move |segment| segment[at + 100] ^= 4);
    table.segment("length: a bit", &told("frame_checksum"), move |segment| segment[at] ^= 4);
    table.segment("length: absurd", &told("frame_length"), move |segment| segment[at + 3] = 0xff);
    table.segment("length: none", &told("frame_length"), move |segment| segment[at..at + 4].fill(0));
    table.segment("overwritten with zeros", &told("frame_length"), move |segment| segment[at..at + 150].fill(0));
    table.segment("bytes put in", &told("frame_length"), move |segment| _ = segment.splice(at..at, [9; 40]));
}

/// The second entry of a segment, with its checksums.
fn of_entry(table: &mut Table, first: u64, starts: &[usize]) {
    let at = |code: &str, entry: usize| format!("{code} {first}+{} #{}", starts[entry], first + entry as u64);
    table.entry("payload changed", &at("entry_link", 2), 1, |body, _| *body.last_mut().unwrap() ^= 1);
    table.entry("time changed", &at("entry_link", 2), 1, |body, _| body[12] ^= 1);
    table.entry("link changed", &at("entry_link", 1), 1, |body, _| body[20] ^= 1);
    table.entry("number changed", &at("entry_number", 1), 1, |body, _| body[1] ^= 64);
    table.entry("kind unknown", &at("entry_kind", 1), 1, |body, _| body[0] = 99);
    table.entry("body too short", &at("entry_short", 1), 1, |body, _| body.truncate(80));
    table.segment("entry removed", &at("entry_number", 1), |segment| {
        let starts = frames(segment);
        segment.drain(starts[1]..starts[2]);
    });
    table.segment("entry twice", &at("entry_number", 2), |segment| {
        let starts = frames(segment);
        let copy = segment[starts[1]..starts[2]].to_vec();
        segment.splice(starts[2]..starts[2], copy);
    });
    table.segment("entries reordered", &at("entry_number", 1), |segment| {
        let starts = frames(segment);
        segment[starts[1]..starts[3]].rotate_left(starts[2] - starts[1]);
    });
}

/// What is personal in the first record of a segment.
fn of_side(table: &mut Table, first: u64, starts: &[usize]) {
    let at = usize::from(table.index == 0);
    let told = |code: &str| format!("{code} {first}+{} #{}", starts[at], first + at as u64);
    let end = starts[at + 1];
    table.entry("personal: changed", &told("side_changed"), at, |_, side| side[40] ^= 1);
    table.entry("personal: salt changed", &told("side_changed"), at, |_, side| side[3] ^= 1);
    table.entry("personal: salt gone", &told("side_changed"), at, |_, side| side[..SALT_BYTES].fill(0));
    table.entry("personal: taken out", &told("side_missing"), at, |_, side| side.clear());
    table.entry("personal: overwritten without a word", &told("side_erased"), at, |_, side| side.fill(0));
    table.segment("personal: a bit", &told("frame_side_checksum"), move |segment| segment[end - 1] ^= 1);
    let code = if at == 1 { "retired_unannounced" } else { "retired_late" };
    table.entry("content taken out without a word", &told(code), at, retire);
}

fn of_end(table: &mut Table, first: u64, starts: &[usize]) {
    let (third, end) = (starts[2], *starts.last().unwrap());
    let is_last = table.index == 2;
    let cut = format!("{first}+{third} #{}", first + 2);
    let or_torn = |told: String, from: usize| if is_last { format!("TornTail {first}+{from}") } else { told };
    let between = if is_last { "Whole".into() } else { format!("entries_missing {cut}") };
    let within = starts[3] - 5;
    let told = or_torn(format!("frame_cut_off {cut}"), third);
    table.segment("cut off within an entry", &told, move |segment| segment.truncate(within));
    table.segment("cut off between entries", &between, move |segment| segment.truncate(third));
    let told = or_torn(format!("frame_cut_off {first}+0 #{first}"), 0);
    table.segment("emptied", &told, Vec::clear);
    let told = or_torn(format!("segment_leftover {first}+{end} #-"), end);
    table.segment("bytes at the end", &told, |segment| segment.extend([9; 40]));
    if is_last {
        let told = or_torn(String::new(), starts[starts.len() - 2]);
        table.segment("last entry: a bit", &told, move |segment| segment[end - 1] ^= 1);
    }
}

/// Puts the stub of an entry in its place.
pub(crate) fn retire(body: &mut Vec<u8>, side: &mut Vec<u8>) {
    let (leaf, old) = (leaf_hash(body), body.clone());
    body.clear();
    let old = Body::read(&old).unwrap();
    Body { kind: EntryKind::Retired, commitment: Hash::default(), payload: &leaf.0, ..old }.write(body);
    side.clear();
}

/// Another log with as many entries.
fn log_like(chain: &str) -> Build {
    let mut build = Build::new(chain, ORIGIN, Some(key(ORIGIN)));
    for (ids, is_last) in [(["a", "b", "c"], false), (["d", "e", "f"], false), (["g", "h", "i"], true)] {
        ids.iter().for_each(|id| _ = build.record(id));
        if is_last {
            build.close();
        } else {
            build.checkpoint();
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
    let (mut wrong, mut codes) = (Vec::new(), BTreeSet::new());
    for (name, change, expected) in table() {
        let mut files = whole.files.clone();
        change(&mut files);
        let found = told(&files.verify());
        println!("| {name} | {found} |");
        codes.extend(found.split(' ').next().map(str::to_owned));
        if found != expected {
            wrong.push(format!("{name}: {found}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for code in ["segment_name", "segment_chain", "segment_origin", "segment_link", "segment_tree"] {
        assert!(codes.contains(code), "{code}");
    }
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
