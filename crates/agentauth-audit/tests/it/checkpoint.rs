//! Checkpoints: who signs them, and which are believed.

use std::collections::BTreeSet;
use std::sync::Arc;

use agentauth_audit::checkpoint::{CheckpointError, CheckpointKey, CheckpointVerifier, Cosigner, Head, MAX_NOTE_BYTES};
use agentauth_core::jose::{Algorithm, Signer, Signing, SigningFailed, SigningKey};
use agentauth_core::{Random, RandomUnavailable, SystemRandom};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::trees::{Folder, ORIGIN, allow, head, key};

/// The example of Go's package note (golang.org/x/mod/sumdb/note).
const GO_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn believing(key: &CheckpointKey) -> CheckpointVerifier {
    CheckpointVerifier::new([key.verifier_key()]).unwrap()
}

/// The signature lines of a note.
fn lines(note: &str) -> &str {
    note.split_once("\n\n").unwrap().1
}

#[test]
fn a_key_has_the_text_of_other_implementations() {
    let key = CheckpointKey::read(GO_PRIVATE).unwrap();
    assert_eq!(
        (key.name(), key.verifier_key(), key.to_text().as_deref()),
        ("PeterNeumann", GO_PUBLIC, Some(GO_PRIVATE))
    );
    let again = CheckpointKey::read(&format!("{GO_PRIVATE}\n")).unwrap();
    let note = again.sign(&head("PeterNeumann", 3)).unwrap();
    // Ed25519 has no randomness: the same key signs the same.
    assert_eq!(key.sign(&head("PeterNeumann", 3)).unwrap(), note);
    let theirs = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
    let known = signed_note::StandardVerifier::new(GO_PUBLIC).unwrap();
    theirs.verify(&signed_note::VerifierList::new(vec![Box::new(known)])).unwrap();
}

#[test]
fn what_is_signed_is_believed_and_read_again() {
    let key = key(ORIGIN);
    for size in [0, 1, 2, 1000] {
        let head = head(ORIGIN, size);
        let note = key.sign(&head).unwrap();
        assert_eq!(believing(&key).verify(&note).unwrap(), head);
        assert_eq!((Head::read(&note).unwrap(), Head::read(&head.text()).unwrap()), (head.clone(), head));
    }
}

#[test]
fn no_two_keys_are_alike_and_none_shows_itself() {
    let made: BTreeSet<String> = (0..8).map(|_| key(ORIGIN).to_text().unwrap()).collect();
    assert_eq!(made.len(), 8);
    let key = CheckpointKey::read(GO_PRIVATE).unwrap();
    let shown = format!("{key:?} {:?}", believing(&key));
    assert!(shown.contains("PeterNeumann+c74f20a3") && !shown.contains("AYEKFALVFGyNhPJEMzD1"), "{shown}");
}

#[test]
fn a_key_that_is_none_is_refused() {
    let private = |rest: &str| format!("PRIVATE+KEY+{rest}");
    let (id, seed) = ("c74f20a3", "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
    let cosigner = STANDARD.encode([4; 33]);
    for (text, code) in [
        (String::new(), "checkpoint_key"),
        (GO_PUBLIC.into(), "checkpoint_key"),
        (private(""), "checkpoint_key"),
        (private(&format!("PeterNeumann+{id}")), "checkpoint_key"),
        (private(&format!("PeterNeumann+{id}+{seed}=")), "checkpoint_key"),
        (private(&format!("PeterNeumann+{id}+AQ==")), "checkpoint_key"),
        (private(&format!("PeterNeumann+{id}+")), "checkpoint_key"),
        (private(&format!("PeterNeumann+{id}+{cosigner}")), "checkpoint_key"),
        (format!(" {GO_PRIVATE}"), "checkpoint_key"),
        (format!("{GO_PRIVATE}\n\n"), "checkpoint_key"),
        (private(&format!("PeterNeumann+c74f20a4+{seed}")), "checkpoint_key_id"),
        (private(&format!("PeterNeumann+C74F20A3+{seed}")), "checkpoint_key_id"),
        (private(&format!("PeterNeumanN+{id}+{seed}")), "checkpoint_key_id"),
        (private(&format!("+{id}+{seed}")), "checkpoint_name"),
        (private(&format!("Peter Neumann+{id}+{seed}")), "checkpoint_name"),
    ] {
        assert_eq!(CheckpointKey::read(&text).unwrap_err().code(), code, "{text}");
    }
    for (keys, code) in [
        (&[][..], "checkpoint_key"),
        (&[GO_PRIVATE], "checkpoint_key"),
        (&["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX"], "checkpoint_key_id"),
        (&["PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW "], "checkpoint_key"),
        (&[GO_PUBLIC, GO_PUBLIC], "checkpoint_key_twice"),
    ] {
        assert_eq!(CheckpointVerifier::new(keys).unwrap_err().code(), code, "{keys:?}");
    }
}

#[test]
fn a_name_can_stand_in_a_note() {
    let long = "x".repeat(255);
    for name in ["a", "log.example/tools", "früh.example/ä", long.as_str()] {
        let key = key(name);
        let note = key.sign(&head(name, 5)).unwrap();
        assert_eq!(believing(&key).verify(&note).unwrap().origin, name);
    }
    let longer = "x".repeat(256);
    for name in ["", " ", "a b", "a+b", "a\nb", "a\u{2003}b", "a\u{85}b", "a\0", longer.as_str()] {
        assert_eq!(CheckpointKey::generate(name, &SystemRandom).unwrap_err().code(), "checkpoint_name", "{name:?}");
    }
}

#[test]
fn without_randomness_no_key_is_made() {
    #[derive(Debug)]
    struct Dry;
    impl Random for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomUnavailable> {
            Err(RandomUnavailable)
        }
    }
    assert_eq!(CheckpointKey::generate(ORIGIN, &Dry).unwrap_err().code(), "random_unavailable");
}

#[test]
fn a_private_key_that_others_may_read_is_not_used() {
    let folder = Folder::new();
    let file = folder.write("key", format!("{GO_PRIVATE}\n"));
    assert_eq!(CheckpointKey::from_file(&file).unwrap().verifier_key(), GO_PUBLIC);
    for mode in [0o640, 0o604, 0o620, 0o610, 0o644, 0o666] {
        allow(&file, mode);
        assert_eq!(CheckpointKey::from_file(&file).unwrap_err().code(), "checkpoint_key_exposed", "{mode:o}");
    }
    allow(&file, 0o400);
    assert!(CheckpointKey::from_file(&file).is_ok());
}

#[test]
fn a_file_of_keys_is_bounded_and_may_have_remarks() {
    let folder = Folder::new();
    let other = key("other.example");
    let text = format!("# keys of 2026\n\n{GO_PUBLIC}\r\n  {}\n", other.verifier_key());
    let verifier = CheckpointVerifier::from_file(folder.write("keys", text)).unwrap();
    assert!(verifier.verify(&other.sign(&head("other.example", 1)).unwrap()).is_ok());

    let refused = |path| {
        (CheckpointKey::from_file(&path).unwrap_err().code(), CheckpointVerifier::from_file(&path).unwrap_err().code())
    };
    let file = ("checkpoint_key_file", "checkpoint_key_file");
    assert_eq!(refused(folder.path("missing")), file);
    assert_eq!(refused(folder.write("long", "#".repeat(64 * 1024 + 1))), file);
    assert_eq!(refused(folder.write("binary", [0xff; 9])), file);
    assert_eq!(refused(folder.write("empty", "# none\n")), ("checkpoint_key", "checkpoint_key"));
}

#[test]
fn only_a_known_key_with_the_name_of_the_log_is_believed() {
    let (mine, next, other) = (key(ORIGIN), key(ORIGIN), key("other.example"));
    let note = mine.sign(&head(ORIGIN, 7)).unwrap();
    let of_other = other.sign(&head("other.example", 7)).unwrap();
    let code = |verifier: &CheckpointVerifier, note: &str| verifier.verify(note).map_err(|error| error.code());
    let good = Ok(head(ORIGIN, 7));

    // While keys are changed, both count; a stranger's does not, though it has the name.
    let both = CheckpointVerifier::new([mine.verifier_key(), next.verifier_key()]).unwrap();
    assert_eq!(code(&both, &note), good);
    assert_eq!(code(&both, &next.sign(&head(ORIGIN, 7)).unwrap()), good);
    assert_eq!(code(&believing(&next), &note), Err("checkpoint_unsigned"));

    // Two signatures, in either order: those that are not known are not looked at.
    let (by_next, stranger) = (next.sign(&head(ORIGIN, 7)).unwrap(), lines(&of_other));
    for more in
        [format!("{note}{}", lines(&by_next)), format!("{by_next}{}", lines(&note)), format!("{note}{stranger}")]
    {
        assert_eq!(code(&both, &more), good);
        assert_eq!(code(&believing(&mine), &more), good);
    }

    // A false one beside a good one, before it and behind it, and behind a good one of the same key.
    let text = note.split_once("\n\n").unwrap().0;
    let elsewhere = next.sign(&head(ORIGIN, 8)).unwrap();
    for false_line in [lines(&elsewhere), lines(&mine.sign(&head(ORIGIN, 8)).unwrap())] {
        for note in [format!("{note}{false_line}"), format!("{text}\n\n{false_line}{}", lines(&note))] {
            assert_eq!(code(&both, &note), Err("checkpoint_signature"), "{note}");
        }
    }

    // A key of another log, which is known too, signs nothing of this one.
    let two_logs = CheckpointVerifier::new([mine.verifier_key(), other.verifier_key()]).unwrap();
    assert_eq!(code(&two_logs, &of_other), Ok(head("other.example", 7)));
    let text = head(ORIGIN, 7).text();
    let forged = signed_note::StandardSigner::new(&other.to_text().unwrap()).unwrap();
    let mut forged_note = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    forged_note.add_sigs(&[&forged]).unwrap();
    let forged = String::from_utf8(forged_note.to_bytes()).unwrap();
    assert_eq!(code(&two_logs, &forged), Err("checkpoint_origin"));
    assert_eq!(code(&two_logs, &format!("{forged}{}", lines(&note))), Ok(head(ORIGIN, 7)));
    assert_eq!(other.sign(&head(ORIGIN, 7)).unwrap_err().code(), "checkpoint_origin");
}

#[test]
fn a_checkpoint_with_one_bit_changed_is_not_believed() {
    let key = key(ORIGIN);
    let (verifier, note) = (believing(&key), key.sign(&head(ORIGIN, 1234)).unwrap());
    for place in 0..note.len() {
        for bit in 0..8 {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let read = verifier.verify(&changed);
            assert!(read.is_err(), "bit {bit} of {place}: {changed}");
        }
    }
}

#[test]
fn a_head_has_one_form() {
    let text = head(ORIGIN, 12).text();
    let root = text.lines().nth(2).unwrap();
    let note = key(ORIGIN).sign(&head(ORIGIN, 12)).unwrap();
    for (changed, what) in [
        (String::new(), "nothing"),
        (text.trim_end().to_owned(), "no line feed"),
        (format!("{text}\n"), "a blank line"),
        (format!("\n{text}"), "a blank line first"),
        (format!("{text}extension\n"), "an extension"),
        (note.replace("\n\n", "\nextension\n\n"), "an extension in a note"),
        (note.replace("\n\n", "\n\n\n"), "a blank line in a note"),
        (note.trim_end().to_owned(), "a note without a line feed"),
        (format!("{}\n\n", text.trim_end()), "a note without signatures"),
        (format!("{ORIGIN}\n012\n{root}\n"), "zeros"),
        (format!("{ORIGIN}\n+12\n{root}\n"), "a sign"),
        (format!("{ORIGIN}\n-12\n{root}\n"), "a sign"),
        (format!("{ORIGIN}\n12 \n{root}\n"), "a space"),
        (format!("{ORIGIN}\n0x12\n{root}\n"), "hexadecimal"),
        (format!("{ORIGIN}\n18446744073709551616\n{root}\n"), "2^64"),
        (format!("\n12\n{root}\n"), "no origin"),
        (format!("{ORIGIN}\n12\n{root} \n"), "a space"),
        (format!("{ORIGIN}\n12\n{}\n", root.trim_end_matches('=')), "no padding"),
        (format!("{ORIGIN}\n12\nAAAA\n"), "a short root"),
        (format!("{ORIGIN}\n12\n{}\n", STANDARD.encode([7; 33])), "a long root"),
        (format!("{ORIGIN}\r\n12\n{root}\n"), "a carriage return"),
        (format!("{ORIGIN}\t\n12\n{root}\n"), "a control character"),
        (format!("{note}{}", "x".repeat(MAX_NOTE_BYTES)), "length"),
    ] {
        assert_eq!(Head::read(&changed).unwrap_err().code(), "checkpoint_malformed", "{what}");
    }
    let spaced = format!("{ORIGIN} \n12\n{root}\n");
    assert_eq!(Head::read(&spaced).unwrap().origin, format!("{ORIGIN} "), "nothing is trimmed");
}

/// A signer that answers with what it was told to.
#[derive(Debug)]
struct Puppet {
    key: Arc<SigningKey>,
    answer: fn(&SigningKey, &[u8]) -> Signing,
}

impl Signer for Puppet {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn key_id(&self) -> &str {
        self.key.key_id()
    }

    fn public_jwk(&self) -> &str {
        self.key.public_jwk()
    }

    fn signature(&self, message: &[u8]) -> Signing {
        (self.answer)(&self.key, message)
    }
}

#[test]
fn a_key_may_be_elsewhere() {
    let signing = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let here = CheckpointKey::from_signer(ORIGIN, Arc::clone(&signing) as _).unwrap();
    assert_eq!((here.name(), here.to_text()), (ORIGIN, None));
    let answers: [fn(&SigningKey, &[u8]) -> Signing; 2] =
        [|key, message| key.signature(message), |key, message| Signing::later(key.signature(message))];
    for answer in answers {
        let remote =
            CheckpointKey::from_signer(ORIGIN, Arc::new(Puppet { key: Arc::clone(&signing), answer })).unwrap();
        let note = remote.sign(&head(ORIGIN, 9)).unwrap();
        assert_eq!(believing(&here).verify(&note).unwrap(), head(ORIGIN, 9));
    }
    let answers: [fn(&SigningKey, &[u8]) -> Signing; 5] = [
        |_, _| Signing::ready(Err(SigningFailed)),
        |_, _| Signing::ready(Ok(vec![0; 64])),
        |_, _| Signing::ready(Ok(Vec::new())),
        |key, _| key.signature(b"something else"),
        |_, _| panic!("there is no reactor running"),
    ];
    for answer in answers {
        let remote =
            CheckpointKey::from_signer(ORIGIN, Arc::new(Puppet { key: Arc::clone(&signing), answer })).unwrap();
        assert_eq!(remote.sign(&head(ORIGIN, 9)).unwrap_err().code(), "checkpoint_signer");
    }
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let signer = Arc::new(SigningKey::generate(algorithm).unwrap());
        assert_eq!(CheckpointKey::from_signer(ORIGIN, signer).unwrap_err(), CheckpointError::Key);
    }
}

/// A witness's key: its verifier key, and what signs with it.
struct WitnessKey(Ed25519KeyPair);

impl WitnessKey {
    fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn id(&self) -> Vec<u8> {
        let hashed = [b"witness.example\n\x04", self.0.public_key().as_ref()].concat();
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &hashed).as_ref()[..4].to_vec()
    }

    fn verifier_key(&self) -> String {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("witness.example+{id}+{}", STANDARD.encode([&[4], self.0.public_key().as_ref()].concat()))
    }

    fn line(&self, text: &str, time: u64) -> String {
        let signature = self.0.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let bytes = [&self.id()[..], &time.to_be_bytes(), signature.as_ref()].concat();
        format!("\u{2014} witness.example {}\n", STANDARD.encode(bytes))
    }
}

#[test]
fn a_witness_signs_a_time_and_a_head() {
    let (log, witness) = (key(ORIGIN), WitnessKey::new());
    let (text, note) = (head(ORIGIN, 9).text(), log.sign(&head(ORIGIN, 9)).unwrap());
    let cosigner = Cosigner::read(&witness.verifier_key()).unwrap();
    let line = witness.line(&text, 1_800_000_000);
    let cosigned = format!("{note}{line}");
    let (seen, cosignature) = cosigner.verify(&cosigned).unwrap();
    assert_eq!((cosigner.name(), seen, cosignature.time.secs()), ("witness.example", head(ORIGIN, 9), 1_800_000_000));
    assert_eq!((&cosignature.line, cosigner.verify_lines(&note, &line).unwrap()), (&line, cosignature.clone()));
    // To those who look for the log's own signature, a witness's is a stranger's.
    assert_eq!(believing(&log).verify(&cosigned).unwrap(), head(ORIGIN, 9));
    assert_eq!(believing(&log).verify(&format!("{text}\n{line}")).unwrap_err().code(), "checkpoint_unsigned");

    let stranger = WitnessKey::new().line(&text, 5);
    assert_eq!(cosigner.verify_lines(&note, &format!("{stranger}{line}")).unwrap().line, line);
    for (lines, code) in [
        (String::new(), "checkpoint_malformed"),
        (line.trim_end().to_owned(), "checkpoint_malformed"),
        (format!("\n{line}"), "checkpoint_malformed"),
        (format!("{line}{text}"), "checkpoint_malformed"),
        (stranger, "checkpoint_unsigned"),
        (witness.line(&text, 0), "checkpoint_signature"),
        (witness.line(&text, 1 << 63), "checkpoint_signature"),
        (witness.line(&head(ORIGIN, 8).text(), 5), "checkpoint_signature"),
        (format!("{line}{}", witness.line("other\n", 5)), "checkpoint_signature"),
    ] {
        assert_eq!(cosigner.verify_lines(&note, &lines).unwrap_err().code(), code, "{lines}");
    }
    assert_eq!(Cosigner::read(log.verifier_key()).unwrap_err().code(), "checkpoint_key");
    assert_eq!(CheckpointVerifier::new([witness.verifier_key()]).unwrap_err().code(), "checkpoint_key");
}
