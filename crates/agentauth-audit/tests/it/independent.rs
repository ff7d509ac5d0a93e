//! Keys, checkpoints and proofs against another implementation: that of the Go project, in `scripts/audit-check`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agentauth_audit::anchor::{ConsistencyProofs as _, SegmentProofs};
use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier, Head};
use agentauth_audit::disk::RealDirectory;
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use agentauth_audit::verify::{Which, prove};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::verify::build::log;
use crate::support::trees::{Folder, ORIGIN, head, key, leaf, tree, write_log};

/// The program, if it is there.
struct Checker(PathBuf);

impl Checker {
    fn find() -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/audit-check/bin/audit-check");
        if path.exists() {
            return Some(Self(path));
        }
        println!("skipped: scripts/install-peers has not built audit-check");
        None
    }

    /// What it writes, if it accepts.
    fn run(&self, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Option<String> {
        let output = Command::new(&self.0).args(arguments.iter().map(AsRef::as_ref)).output().unwrap();
        assert_ne!(output.status.code(), Some(2), "{arguments:?}", arguments = String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), !text.starts_with("refused: "), "{text}");
        output.status.success().then_some(text)
    }
}

fn lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| format!("{}\n", STANDARD.encode(hash.0))).collect()
}

/// Each of `content` with one bit changed.
fn with_one_bit_changed(content: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..content.len()).map(|place| {
        let mut changed = content.to_vec();
        changed[place] ^= 1 << (place % 8);
        changed
    })
}

#[test]
fn another_implementation_believes_our_checkpoints_and_none_that_was_changed() {
    let Some(checker) = Checker::find() else { return };
    let folder = Folder::new();
    let key = key(ORIGIN);
    let vkey = folder.write("vkey", format!("{}\n", key.verifier_key()));
    for size in [0, 1, 2, 1000] {
        let note = folder.write("note", key.sign(&head(ORIGIN, size)).unwrap());
        let root = STANDARD.encode(tree(size).root().0);
        assert_eq!(checker.run(&[&"note", &vkey, &note]), Some(format!("{size} {root}\n")));
    }
    let note = key.sign(&head(ORIGIN, 1000)).unwrap();
    for changed in with_one_bit_changed(note.as_bytes()) {
        let file = folder.write("note", &changed);
        assert_eq!(checker.run(&[&"note", &vkey, &file]), None, "{}", String::from_utf8_lossy(&changed));
    }
    let stranger = folder.write("note", crate::support::key(ORIGIN).sign(&head(ORIGIN, 5)).unwrap());
    assert_eq!(checker.run(&[&"note", &vkey, &stranger]), None);
}

#[test]
fn keys_are_read_by_both_sides() {
    let Some(checker) = Checker::find() else { return };
    let folder = Folder::new();
    // Theirs, by us.
    let made = checker.run(&[&"keygen", &ORIGIN]).unwrap();
    let (private, public) = made.trim_end().split_once('\n').unwrap();
    let theirs = CheckpointKey::read(private).unwrap();
    assert_eq!((theirs.verifier_key(), theirs.to_text().as_deref()), (public, Some(private)));
    let private = folder.write("private", private);
    let text = folder.write("text", head(ORIGIN, 7).text());
    let note = checker.run(&[&"sign", &private, &text]).unwrap();
    assert_eq!(CheckpointVerifier::new([public]).unwrap().verify(&note).unwrap(), head(ORIGIN, 7));
    assert_eq!(theirs.sign(&head(ORIGIN, 7)).unwrap(), note, "both sign the same");

    // Ours, by them.
    let ours = key(ORIGIN);
    let private = folder.write("private", format!("{}\n", ours.to_text().unwrap()));
    let id = &ours.verifier_key()[..ORIGIN.len() + "+01234567".len()];
    assert_eq!(checker.run(&[&"public", &private]), Some(format!("{id}\n")));
    assert_eq!(checker.run(&[&"sign", &private, &text]), Some(ours.sign(&head(ORIGIN, 7)).unwrap()));
}

/// RFC 6962 §2.1.1: the path of the leaf `number` in the tree of `size` leaves of these tests.
fn path(number: u64, size: u64) -> Vec<Hash> {
    let (mut low, mut high, mut path) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + (1 << (high - low - 1).ilog2());
        let other = if number < middle { middle..high } else { low..middle };
        let mut tree = Frontier::default();
        other.for_each(|number| tree.push(leaf_hash(&leaf(number))));
        path.push(tree.root());
        (low, high) = if number < middle { (low, middle) } else { (middle, high) };
    }
    path.reverse();
    path
}

#[test]
fn another_implementation_finds_our_entries_in_our_trees() {
    let Some(checker) = Checker::find() else { return };
    let folder = Folder::new();
    let key = key(ORIGIN);
    let vkey = folder.write("vkey", key.verifier_key());
    for (number, size) in [(0, 1), (0, 2), (4, 7), (6, 7), (500, 1000), (999, 1000)] {
        let note = folder.write("note", key.sign(&head(ORIGIN, size)).unwrap());
        let proof = lines(&path(number, size));
        let holds = |number: u64, body: &[u8], proof: &[u8]| {
            let (body, proof) = (folder.write("body", body), folder.write("proof", proof));
            checker.run(&[&"record", &vkey, &note, &number.to_string(), &body, &proof]).is_some()
        };
        assert!(holds(number, &leaf(number), proof.as_bytes()), "{number} of {size}");
        assert!(!holds(number + 1, &leaf(number), proof.as_bytes()));
        assert!(!with_one_bit_changed(&leaf(number)).any(|body| holds(number, &body, proof.as_bytes())));
        assert!(!with_one_bit_changed(proof.as_bytes()).step_by(7).any(|proof| holds(number, &leaf(number), &proof)));
    }
}

#[test]
fn another_implementation_checks_what_we_give_to_third_parties() {
    let Some(checker) = Checker::find() else { return };
    let folder = Folder::new();
    let build = log();
    let vkey = folder.write("vkey", build.key.as_ref().unwrap().verifier_key());
    let holds = |text: &[u8]| {
        let proof = folder.write("record.tlog-proof", text);
        checker.run(&[&"proof", &vkey, &proof]).is_some()
    };
    for number in 0..12 {
        let text = prove(&build.files, Which::Number(number), true).unwrap().proof.to_text();
        assert!(holds(text.as_bytes()), "{number}");
        let start = text.find("\nindex ").unwrap();
        let changed = with_one_bit_changed(text.as_bytes()).skip(start).step_by(11);
        assert!(!changed.into_iter().any(|changed| holds(&changed)), "{number}");
    }
}

#[test]
fn another_implementation_sees_that_our_log_has_only_grown() {
    let Some(checker) = Checker::find() else { return };
    let folder = Folder::new();
    let log = RealDirectory::create(folder.path("log")).unwrap();
    let (trees, _) = write_log(&log, 100, 16, 20, "{}");
    let key = key(ORIGIN);
    let vkey = folder.write("vkey", key.verifier_key());
    let note = |size: usize, name: &str| folder.write(name, key.sign(&Head::new(ORIGIN, &trees[size])).unwrap());
    for (old, new) in [(1, 2), (3, 7), (7, 8), (16, 100), (33, 99), (64, 100), (100, 100)] {
        let proof = SegmentProofs::new(&log).prove(old as u64, new as u64).unwrap();
        let (older, newer) = (note(old, "older"), note(new, "newer"));
        let holds = |proof: &[u8]| {
            let proof = folder.write("proof", proof);
            checker.run(&[&"tree", &vkey, &older, &newer, &proof]).is_some()
        };
        assert!(holds(lines(&proof).as_bytes()), "{old} {new}");
        assert!(!with_one_bit_changed(lines(&proof).as_bytes()).step_by(7).any(|proof| holds(&proof)), "{old} {new}");
        let older = note(old - 1, "older");
        if old > 1 {
            let proof = folder.path("proof");
            fs::write(&proof, lines(&SegmentProofs::new(&log).prove(old as u64, new as u64).unwrap())).unwrap();
            assert_eq!(checker.run(&[&"tree", &vkey, &older, &newer, &proof]), None);
        }
    }
}
