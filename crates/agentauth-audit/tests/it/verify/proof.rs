//! What a proof proves, and what each change of it is told to be.

use agentauth_audit::checkpoint::{CheckpointVerifier, Head};
use agentauth_audit::format::{EntryKind, Frame, append_frame};
use agentauth_audit::verify::{MAX_PROOF_BYTES, Proof, ProofError, ProveError, Which, prove};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::build::{Build, log};
use super::damage::rewrite;
use crate::support::{ORIGIN, key};

fn proven(build: &Build, which: Which<'_>, with_personal: bool) -> Proof {
    prove(&build.files, which, with_personal).unwrap().proof
}

#[test]
fn each_entry_below_the_last_checkpoint_can_be_proven() {
    let build = log();
    for number in 0..12 {
        let text = proven(&build, Which::Number(number), number % 2 == 0).to_text();
        let record = Proof::read(text.as_bytes()).unwrap().check(&build.verifier()).unwrap();
        assert_eq!((record.number, record.head.size, record.head.origin.as_str()), (number, 12, ORIGIN));
        assert_eq!(record.time.secs(), 1_800_000_000 + number);
        if record.kind == EntryKind::Record {
            let line: Value = serde_json::from_slice(record.line()).unwrap();
            assert!(line["evaluation_id"].is_string());
            assert_eq!(record.is_without_personal, number % 2 == 1);
        }
    }
    for number in [12, 13] {
        assert!(
            matches!(prove(&build.files, Which::Number(number), false), Err(ProveError::Unsigned(at)) if at == number)
        );
    }
}

#[test]
fn a_record_is_found_by_its_evaluation_id_and_others_with_it_are_named() {
    let mut build = log();
    build.add(EntryKind::Opened, &json!({"sdk": "0", "process": 8, "clean": true}));
    let outcome = build.record("e");
    build.checkpoint();
    let proved = prove(&build.files, Which::Evaluation("e"), true).unwrap();
    assert_eq!((proved.proof.index(), proved.also), (6, vec![outcome]));
    let record = proved.proof.check(&build.verifier()).unwrap();
    assert!(!record.is_without_personal);
    assert_eq!(record.head.size, 16);
}

#[test]
fn the_text_is_that_of_the_standard() {
    let build = log();
    let text = proven(&build, Which::Number(2), false).to_text();
    let (head, note) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = head.split('\n').collect();
    assert_eq!((lines[0], lines[2]), ("c2sp.org/tlog-proof@v1", "index 2"));
    assert!(lines[1].starts_with("extra "));
    assert_eq!(lines[3..].iter().map(|line| STANDARD.decode(line).unwrap().len()).collect::<Vec<_>>(), [32; 4]);
    assert_eq!(note, build.notes[2]);
    assert_eq!(Proof::read(text.as_bytes()).unwrap().to_text(), text);
}

#[test]
fn what_cannot_be_proven_is_told_why() {
    let code = |build: &Build, which| prove(&build.files, which, true).unwrap_err().code();
    let mut build = log();
    assert_eq!(code(&build, Which::Number(14)), "prove_absent");
    assert_eq!(code(&build, Which::Evaluation("z")), "prove_absent");
    assert_eq!(code(&build, Which::Number(13)), "prove_unsigned");
    let mut unsigned = Build::new("c0", ORIGIN, None);
    unsigned.record("a");
    unsigned.checkpoint();
    assert_eq!(code(&unsigned, Which::Evaluation("a")), "prove_unsigned");
    // Entry 2 without what is personal, and then without anything.
    rewrite(build.files.get(0), 2, |_, side| side.fill(0));
    assert_eq!(code(&build, Which::Number(2)), "prove_erased");
    assert!(prove(&build.files, Which::Number(2), false).is_ok());
    rewrite(build.files.get(0), 2, |body, _| *body.last_mut().unwrap() ^= 1);
    assert_eq!(code(&build, Which::Number(6)), "prove_changed");
    build.files.get(1)[200] ^= 1;
    assert_eq!(code(&build, Which::Number(10)), "prove_damaged");
    let mut build = Build::signed();
    let leaf = agentauth_audit::tree::leaf_hash(b"gone");
    let mut body = Vec::new();
    build.body(EntryKind::Retired, &leaf.0, &[]).write(&mut body);
    build.frame(&body, &[], leaf);
    build.add(EntryKind::RetiredSegments, &json!({"before": 2}));
    build.checkpoint();
    assert_eq!(code(&build, Which::Number(1)), "prove_retired");
    assert!(proven(&build, Which::Number(0), false).check(&build.verifier()).is_ok(), "others can be, beside it");
    let absent = agentauth_audit::disk::RealDirectory::existing("/nonexistent").unwrap_err();
    assert_eq!(ProveError::from(absent).code(), "prove_io");
}

#[test]
fn each_part_that_is_changed_is_told_by_its_code() {
    let build = log();
    let whole = proven(&build, Which::Number(6), true).to_text();
    let lines: Vec<&str> = whole.split('\n').collect();
    let frame = STANDARD.decode(lines[1].strip_prefix("extra ").unwrap()).unwrap();
    let line = |index: usize, line: &str| {
        let mut lines = lines.clone();
        lines[index] = line;
        lines.join("\n")
    };
    let framed = |change: &dyn Fn(&mut Vec<u8>, &mut Vec<u8>)| {
        let (old, _) = Frame::read(&frame).unwrap();
        let (mut body, mut side, mut new) = (old.body.to_vec(), old.side.to_vec(), Vec::new());
        change(&mut body, &mut side);
        append_frame(&mut new, &body, &side);
        line(1, &format!("extra {}", STANDARD.encode(new)))
    };
    let other = STANDARD.encode([7; 32]);
    let more = format!("{other}\n{}", lines[3]);
    let mut bits = frame.clone();
    bits[30] ^= 1;
    let stranger = key(ORIGIN);
    let signed = |key: &agentauth_audit::checkpoint::CheckpointKey, origin: &str| {
        let mut head = Head::read(&build.notes[2]).unwrap();
        head.origin = origin.into();
        format!("{}\n\n{}", whole.split_once("\n\n").unwrap().0, key.sign(&head).unwrap())
    };
    let cases = [
        ("nothing", whole.clone(), ""),
        ("another first line", line(0, "c2sp.org/tlog-proof@v2"), "proof_malformed"),
        ("no entry in it", whole.replace(&format!("{}\n", lines[1]), ""), "proof_entry"),
        ("an entry that is no base64", line(1, "extra !"), "proof_malformed"),
        ("an entry that is no frame", line(1, "extra AAAA"), "proof_entry"),
        ("a bit of the frame", line(1, &format!("extra {}", STANDARD.encode(bits))), "proof_entry"),
        (
            "more than the frame",
            line(1, &format!("extra {}", STANDARD.encode([&frame[..], &[0]].concat()))),
            "proof_entry",
        ),
        ("the entry changed", framed(&|body, _| *body.last_mut().unwrap() ^= 1), "proof_path"),
        ("its time changed", framed(&|body, _| body[12] ^= 1), "proof_path"),
        ("its number changed", framed(&|body, _| body[1] ^= 1), "proof_index"),
        ("its kind unknown", framed(&|body, _| body[0] = 77), "proof_entry"),
        ("its kind retired", framed(&|body, _| body[0] = 10), "proof_entry"),
        ("what is personal changed", framed(&|_, side| side[40] ^= 1), "proof_side"),
        ("what is personal left out", framed(&|_, side| side.clear()), ""),
        ("another number", line(2, "index 7"), "proof_index"),
        ("a number with a zero before it", line(2, "index 06"), "proof_malformed"),
        ("no number", line(2, "index x"), "proof_malformed"),
        ("a hash changed", line(3, &other), "proof_path"),
        ("a hash too many", line(3, &more), "proof_path"),
        ("a hash that is none", line(3, "AAAA"), "proof_malformed"),
        ("a hash too few", whole.replace(&format!("{}\n", lines[3]), ""), "proof_path"),
        ("hashes without end", line(3, &vec![other.as_str(); 65].join("\n")), "proof_malformed"),
        ("no checkpoint", whole.split_once("\n\n").unwrap().0.to_owned(), "proof_malformed"),
        ("a checkpoint that is none", format!("{}\n\nx", whole.split_once("\n\n").unwrap().0), "checkpoint_malformed"),
        ("another size", whole.replace("\n12\n", "\n13\n"), "checkpoint_signature"),
        ("another root", whole.replace(&build.notes[2], &build.notes[1]), "proof_path"),
        ("signed by a stranger", signed(&stranger, ORIGIN), "checkpoint_unsigned"),
        ("not UTF-8", String::new(), "proof_malformed"),
    ];
    for (name, text, expected) in cases {
        let checked = Proof::read(text.as_bytes()).and_then(|proof| proof.check(&build.verifier()));
        assert_eq!(checked.as_ref().map_or_else(ProofError::code, |_| ""), expected, "{name}");
    }
    let long = vec![b'x'; MAX_PROOF_BYTES + 1];
    assert_eq!(Proof::read(&long).unwrap_err().code(), "proof_oversize");
    let strangers = CheckpointVerifier::new([stranger.verifier_key()]).unwrap();
    assert_eq!(proven(&build, Which::Number(6), false).check(&strangers).unwrap_err().code(), "checkpoint_unsigned");
}

#[test]
fn no_flipped_byte_of_a_proof_proves_something_else() {
    let build = log();
    let whole = proven(&build, Which::Number(6), true).to_text().into_bytes();
    let expected = Proof::read(&whole).unwrap().check(&build.verifier()).unwrap();
    let mut same = 0;
    for at in 0..whole.len() {
        for flip in [1, 2, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Ok(record) = Proof::read(&bytes).and_then(|proof| proof.check(&build.verifier())) {
                assert_eq!(record, expected, "{at}");
                same += 1;
            }
        }
    }
    assert_eq!(same, 0);
}
