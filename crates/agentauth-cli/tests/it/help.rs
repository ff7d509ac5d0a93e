//! What the program says of itself.

use insta::assert_snapshot;

use crate::support::Folder;

#[test]
fn help_explains_each_command() {
    let folder = Folder::new();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_token_inspect", &["token", "inspect", "--help"]),
        ("help_token_verify", &["token", "verify", "--help"]),
        ("help_svid_inspect", &["svid", "inspect", "--help"]),
        ("help_svid_verify", &["svid", "verify", "--help"]),
        ("help_xfcc_parse", &["xfcc", "parse", "--help"]),
        ("help_spiffe_watch", &["spiffe", "watch", "--help"]),
        ("help_policy_check", &["policy", "check", "--help"]),
        ("help_policy_explain", &["policy", "explain", "--help"]),
        ("help_policy_schema", &["policy", "schema", "--help"]),
        ("help_policy_test", &["policy", "test", "--help"]),
        ("help_policy_bundle", &["policy", "bundle", "--help"]),
        ("help_policy_replay", &["policy", "replay", "--help"]),
        ("help_audit_tail", &["audit", "tail", "--help"]),
        ("help_audit_query", &["audit", "query", "--help"]),
        ("help_audit_explain", &["audit", "explain", "--help"]),
        ("help_audit_stats", &["audit", "stats", "--help"]),
        ("help_audit_export", &["audit", "export", "--help"]),
        ("help_audit_erase", &["audit", "erase", "--help"]),
        ("help_audit_keygen", &["audit", "keygen", "--help"]),
        ("help_audit_verify", &["audit", "verify", "--help"]),
        ("help_audit_view", &["audit", "view", "--help"]),
        ("help_audit_prove", &["audit", "prove", "--help"]),
        ("help_audit_check_proof", &["audit", "check-proof", "--help"]),
        ("help_keys_generate", &["keys", "generate", "--help"]),
        ("help_keys_jwks", &["keys", "jwks", "--help"]),
    ] {
        let run = folder.run(arguments, "");
        assert_eq!((run.status, run.err.as_str()), (0, ""));
        assert_snapshot!(name, run.out);
    }
}

#[test]
fn a_wrong_command_line_has_status_2_and_says_what_is_missing() {
    let folder = Folder::new();
    for (arguments, word) in [
        (&["token", "verify"][..], "--issuer"),
        (&["token", "verify", "--profile", "nobody"], "rfc8693"),
        (&["keys", "generate"], "--out"),
        (&["keys", "generate", "--alg", "HS256", "--out", "x"], "EdDSA"),
        (&["keys", "jwks"], "FILE"),
        (&["tokens"], "token"),
        (&[], "Usage"),
    ] {
        let run = folder.run(arguments, "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(run.err.contains(word), "{}", run.err);
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let run = Folder::new().run(&["--version"], "");
    assert_eq!(run.out.trim_end(), format!("agentauth {}", env!("CARGO_PKG_VERSION")));
}
