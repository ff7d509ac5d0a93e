//! Anchors that remember in files.

use std::fs;
use std::io::Write as _;

use agentauth_audit::anchor::{AnchorError, AnchorSink, FileAnchor};
use agentauth_audit::checkpoint::CheckpointKey;

use crate::support::trees::{Folder, NoProofs, ORIGIN, allow, head, key};

fn code<T>(result: Result<T, AnchorError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

/// Checkpoints of these sizes.
fn notes(key: &CheckpointKey, sizes: &[u64]) -> Vec<String> {
    sizes.iter().map(|&size| key.sign(&head(ORIGIN, size)).unwrap()).collect()
}

/// The rules of every anchor.
pub(crate) fn remembers_and_goes_only_forward(anchor: &dyn AnchorSink) {
    assert_eq!(anchor.anchored(ORIGIN), Ok(Vec::new()));
    let key = key(ORIGIN);
    let notes = notes(&key, &[0, 3, 3, 10]);
    for note in &notes {
        assert_eq!(anchor.anchor(note, &NoProofs), Ok(()));
    }
    let known = anchor.anchored(ORIGIN).unwrap();
    assert_eq!(known, [&*notes[0], &notes[1], &notes[3]], "the same is remembered once, the oldest is first");

    // Back, another tree, and what is no checkpoint.
    let unsigned = head(ORIGIN, 11).text();
    let other_tree = unsigned.replace("\n11\n", "\n10\n");
    for refused in [&notes[1], &other_tree, "", "no checkpoint\n", &notes[3].replace("10", "010")] {
        assert_eq!(code(anchor.anchor(refused, &NoProofs)), "anchor_refused", "{refused}");
    }
    assert_eq!(anchor.anchored(ORIGIN).unwrap(), known);
    // A head that is signed by a new key, or by none, is remembered as well.
    assert_eq!(anchor.anchor(&unsigned, &NoProofs), Ok(()));
    assert_eq!(anchor.anchored(ORIGIN).unwrap().last(), Some(&unsigned));
}

#[test]
fn a_file_remembers_and_goes_only_forward() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    remembers_and_goes_only_forward(&FileAnchor::open(&path).unwrap());
    let again = FileAnchor::existing(&path).unwrap();
    assert_eq!(again.anchored(ORIGIN).unwrap().len(), 4);
    assert!(again.name().contains("anchor"));

    // It is one log's.
    let other = key("other.example").sign(&head("other.example", 50)).unwrap();
    assert_eq!(code(again.anchor(&other, &NoProofs)), "anchor_refused");
    assert_eq!(code(again.anchored("other.example")), "anchor_damaged");
}

#[test]
fn a_file_that_is_missing_is_not_an_empty_one() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    assert_eq!(code(FileAnchor::existing(&path)), "anchor_unavailable");
    assert_eq!(code(FileAnchor::open(folder.path("no/anchor"))), "anchor_unavailable");
    let anchor = FileAnchor::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(code(anchor.anchored(ORIGIN)), "anchor_unavailable");
    assert_eq!(code(anchor.anchor(&head(ORIGIN, 1).text(), &NoProofs)), "anchor_unavailable");
    assert!(!path.exists());
}

#[test]
fn one_process_writes_at_a_time() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    let anchor = FileAnchor::open(&path).unwrap();
    let other = fs::File::open(&path).unwrap();
    other.lock().unwrap();
    let note = head(ORIGIN, 1).text();
    assert_eq!(code(anchor.anchor(&note, &NoProofs)), "anchor_unavailable");
    assert_eq!(anchor.anchored(ORIGIN), Ok(Vec::new()));
    other.unlock().unwrap();
    assert_eq!(anchor.anchor(&note, &NoProofs), Ok(()));
}

#[test]
fn half_a_note_is_cut_off_and_nothing_else_is() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    let anchor = FileAnchor::open(&path).unwrap();
    let notes = notes(&key(ORIGIN), &[3, 5, 8]);
    let mut ends = vec![0];
    for note in &notes {
        anchor.anchor(note, &NoProofs).unwrap();
        ends.push(fs::read(&path).unwrap().len());
    }
    let whole = fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let left = ends.iter().filter(|&&end| end <= cut).count() - 1;
        assert_eq!(anchor.anchored(ORIGIN).unwrap(), notes[..left], "cut at {cut}");
        anchor.anchor(&notes[2], &NoProofs).unwrap();
        let known = anchor.anchored(ORIGIN).unwrap();
        assert_eq!((known.len(), known.last()), (left + 1, notes.last()), "cut at {cut}");
    }
    // A file system may have grown the file before it wrote.
    fs::write(&path, [&whole[..ends[2]], &[0; 300]].concat()).unwrap();
    anchor.anchor(&notes[2], &NoProofs).unwrap();
    assert_eq!(fs::read(&path).unwrap(), whole);

    // One bit of the last note makes it half a note; of another one, damage.
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let read = anchor.anchored(ORIGIN);
        if place < ends[2] {
            assert_eq!(code(read), "anchor_damaged", "{place}");
            assert_eq!(code(anchor.anchor(&notes[2], &NoProofs)), "anchor_damaged", "{place}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        } else if let Ok(read) = read {
            assert_eq!(read, notes[..2], "{place}");
        }
    }

    // Somebody else's file is left alone.
    for content in ["precious", "note to self", "note 3 00000000\nabc\n\nmore"] {
        let path = folder.write("precious", content.repeat(if content == "precious" { 1 } else { 9000 }));
        let before = fs::read(&path).unwrap();
        let precious = FileAnchor::open(&path).unwrap();
        assert_eq!(code(precious.anchor(&notes[2], &NoProofs)), "anchor_damaged", "{content}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn of_a_long_file_the_end_is_read() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    let anchor = FileAnchor::open(&path).unwrap();
    let key = key(ORIGIN);
    anchor.anchor(&key.sign(&head(ORIGIN, 3)).unwrap(), &NoProofs).unwrap();
    let one = fs::read(&path).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    (0..9000).for_each(|_| file.write_all(&one).unwrap());
    anchor.anchor(&key.sign(&head(ORIGIN, 4)).unwrap(), &NoProofs).unwrap();
    let known = anchor.anchored(ORIGIN).unwrap();
    assert!((4000..9000).contains(&known.len()), "{}", known.len());
    assert!(known.last().unwrap().contains("\n4\n"));
}

#[test]
fn what_cannot_be_written_does_not_count() {
    let folder = Folder::new();
    let path = folder.path("anchor");
    let anchor = FileAnchor::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(code(anchor.anchor(&head(ORIGIN, 1).text(), &NoProofs)), "anchor_unavailable");
    allow(&path, 0o700);
}
