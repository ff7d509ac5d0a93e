//! `agentauth audit keygen`.

use std::fs;

use agentauth_audit::checkpoint::{CheckpointKey, CheckpointVerifier};
use insta::assert_snapshot;

use crate::support::Folder;

#[test]
fn a_key_for_checkpoints_is_made_and_can_be_read_again() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    let run = folder.run(&["audit", "keygen", "example.com/tool-server", "--out", "log.key"], "");
    assert_eq!((run.status, run.err.as_str()), (0, "note: the private key is in `log.key`; nobody else may read it\n"));
    assert_eq!(fs::metadata(folder.path("log.key")).unwrap().permissions().mode() & 0o7777, 0o600);
    let key = CheckpointKey::from_file(folder.path("log.key")).unwrap();
    assert_eq!((key.name(), key.verifier_key()), ("example.com/tool-server", run.out.trim_end()));
    folder.write("log.vkey", &run.out);
    assert!(CheckpointVerifier::from_file(folder.path("log.vkey")).is_ok());
    let secret = key.to_text().unwrap();
    assert!(!run.out.contains(&secret[secret.len() - 44..]));
}

#[test]
fn a_file_is_never_overwritten_with_a_key_for_checkpoints() {
    let folder = Folder::new();
    folder.write("precious", "precious");
    let run = folder.run(&["audit", "keygen", "example.com/tool-server", "--out", "precious"], "");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert_eq!(fs::read_to_string(folder.path("precious")).unwrap(), "precious");
    assert_snapshot!(run.err, @"error: `precious` exists, and a file is never overwritten with a new key: choose another name, or move it away");
}

#[test]
fn a_name_that_cannot_stand_in_a_checkpoint_gets_no_key() {
    let folder = Folder::new();
    for name in ["", "a b", "a+b"] {
        let run = folder.run(&["audit", "keygen", name, "--out", "log.key"], "");
        assert_eq!((run.status, run.out.as_str()), (2, ""));
        assert_eq!(
            run.err,
            "error: no key for checkpoints: a log's name is 1 to 255 bytes long, and has no plus sign, space or control character\n"
        );
        assert!(!folder.path("log.key").exists());
    }
}
