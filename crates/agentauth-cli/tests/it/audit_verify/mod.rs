//! Whether a log is whole, and what a proof proves.

/// Logs in memory.
#[allow(dead_code, reason = "it is written for the tests of the library, which use more of it")]
#[path = "../../../../agentauth-audit/tests/it/verify/build.rs"]
mod build;

use agentauth_audit::anchor::{AnchorSink as _, FileAnchor, SegmentProofs};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Folder, Run};
use build::{Build, Files, frames, log};

/// Whose logs these are: the same key each time.
mod keys {
    use agentauth_audit::checkpoint::CheckpointKey;
    use agentauth_core::{Random, RandomUnavailable};

    pub(super) const ORIGIN: &str = "log.example/tools";

    #[derive(Debug)]
    struct Same;

    impl Random for Same {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
            bytes.fill(9);
            Ok(())
        }
    }

    pub(super) fn key(origin: &str) -> CheckpointKey {
        CheckpointKey::generate(origin, &Same).unwrap()
    }
}

/// A folder with a log in `audit`, its verifier key in `key`, and an anchor that knows of its first two checkpoints.
fn folder(build: &Build, files: &Files) -> Folder {
    let folder = Folder::new();
    files.write(&folder.path("audit"));
    folder.write("key", keys::key(keys::ORIGIN).verifier_key());
    let anchor = FileAnchor::open(folder.path("anchor")).unwrap();
    for note in &build.notes[..2] {
        anchor.anchor(note, &SegmentProofs::new(&build.files)).unwrap();
    }
    folder
}

fn verify(change: impl FnOnce(&mut Files), more: &[&str]) -> Run {
    let build = log();
    let mut files = build.files.clone();
    change(&mut files);
    folder(&build, &files).run(&[&["audit", "verify", "audit"], more].concat(), "")
}

const ALL: [&str; 4] = ["--key", "key", "--anchors", "anchor"];

#[test]
fn a_whole_log_is_told_with_who_vouches_for_what() {
    assert_snapshot!("audit_verify_whole", verify(|_| (), &ALL).transcript());
    assert_snapshot!("audit_verify_alone", verify(|_| (), &[]).transcript());
}

#[test]
fn damage_is_told_with_its_place() {
    let damaged = |files: &mut Files| files.get(1)[300] ^= 1;
    assert_snapshot!("audit_verify_damaged", verify(damaged, &ALL).transcript());
    let json = verify(damaged, &[&ALL[..], &["--json"]].concat());
    assert_eq!(json.status, 1);
    assert_eq!(json.json()["verdict"], "damaged");
    let fault = &json.json()["logs"][0]["faults"][0];
    assert_eq!((&fault["code"], &fault["segment"]), (&"frame_checksum".into(), &"00000000000000000005.log".into()));
    let whole = verify(|_| (), &["--json"]).json();
    assert_eq!((&whole["verdict"], &whole["logs"][0]["ranges"]["unanchored"]["until"]), (&"whole".into(), &14.into()));
}

#[test]
fn what_is_cut_off_is_told_by_the_anchor_and_what_is_torn_has_a_status_of_its_own() {
    let cut = |files: &mut Files| {
        let name = files.name(2);
        files.0.remove(&name);
        let to = frames(files.get(1))[2];
        files.get(1).truncate(to);
    };
    assert_eq!(verify(cut, &ALL[..2]).status, 0, "nothing in it shows that it was longer");
    assert_snapshot!("audit_verify_cut", verify(cut, &ALL).transcript());
    let torn = |files: &mut Files| files.get(2).extend([200, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    assert_snapshot!("audit_verify_torn", verify(torn, &ALL).transcript());
    let forged = |files: &mut Files| *files = Build::new("c0", keys::ORIGIN, None).files;
    let run = verify(forged, &ALL[..2]);
    assert_eq!((run.status, run.out.contains("nothing_signed")), (1, true), "{}", run.out);
}

#[test]
fn several_logs_are_verified_one_by_one() {
    let folder = Folder::new();
    let mut other = Build::new("c1", "log.example/other", None);
    other.record("a");
    other.files.write(&folder.path("logs/b"));
    log().files.write(&folder.path("logs/a"));
    let run = folder.run(&["audit", "verify", "logs", "--json"], "");
    let json = run.json();
    assert_eq!((run.status, json["logs"].as_array().unwrap().len()), (0, 2), "{}", run.out);
    assert_eq!(json["logs"][1]["origin"], "log.example/other");
    other.files.get(0)[20] ^= 1;
    other.files.write(&folder.path("logs/b"));
    assert_eq!(folder.run(&["audit", "verify", "logs"], "").status, 1);
    let run = folder.run(&["audit", "verify", "logs", "--anchors", "x"], "");
    assert_eq!((run.status, run.err.contains("one at a time")), (2, true), "{}", run.err);
}

#[test]
fn what_is_no_log_is_told_apart_from_what_cannot_be_read() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("empty")).unwrap();
    for (arguments, status, word) in [
        (&["audit", "verify", "empty"][..], 1, "log_absent"),
        (&["audit", "verify", "absent"], 2, "cannot be read"),
        (&["audit", "verify", "jwks.json"], 2, "cannot be read"),
        (&["audit", "verify", "empty", "--key", "absent"], 2, "--key"),
        (&["audit", "verify", "empty", "--key", "a+b+c"], 2, "--key"),
        (&["audit", "verify", "empty", "--anchors", "absent"], 2, "--anchors"),
        (&["audit", "prove", "empty", "1"], 1, "prove_absent"),
        (&["audit", "prove", "absent", "1"], 2, "cannot be read"),
        (&["audit", "check-proof", "absent", "--key", "a+b+c"], 2, "--key"),
    ] {
        let run = folder.run(arguments, "");
        assert_eq!(run.status, status, "{arguments:?} {} {}", run.out, run.err);
        assert!(format!("{}{}", run.out, run.err).contains(word), "{arguments:?} {} {}", run.out, run.err);
    }
}

#[test]
fn a_proof_is_given_away_and_checked() {
    let mut build = log();
    build.add(agentauth_audit::format::EntryKind::Opened, &json!({"sdk": "0", "process": 8, "clean": true}));
    build.record("e");
    build.checkpoint();
    let folder = folder(&build, &build.files);
    assert_snapshot!("audit_prove", folder.run(&["audit", "prove", "audit", "e"], "").transcript());
    let run = folder.run(&["audit", "prove", "audit", "e", "--with-personal", "--out", "e.tlog-proof"], "");
    assert_eq!((run.status, run.out.as_str()), (0, ""), "{}", run.err);
    let again = folder.run(&["audit", "prove", "audit", "6", "--out", "e.tlog-proof"], "");
    assert_eq!((again.status, again.err.contains("another name")), (2, true), "{}", again.err);
    let check = ["audit", "check-proof", "e.tlog-proof", "--key", "key"];
    assert_snapshot!("audit_check_proof", folder.run(&check, "").transcript());
    let json = folder.run(&[&check[..], &["--json"]].concat(), "").json();
    assert_eq!((&json["proven"], &json["entry"], &json["of"]), (&true.into(), &6.into(), &16.into()));
    assert_eq!(json["says"]["evaluation_id"], "e");
    let text = std::fs::read_to_string(folder.path("e.tlog-proof")).unwrap();
    folder.write("e.tlog-proof", text.replace("index 6", "index 7"));
    let run = folder.run(&check, "");
    assert_eq!((run.status, run.out.contains("proof_index")), (1, true), "{}", run.out);
    assert_eq!(folder.run(&[&check[..], &["--json"]].concat(), "").json()["code"], "proof_index");
}
