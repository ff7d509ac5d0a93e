//! `agentauth keys`.

use std::fs;

use agentauth_core::jose::{Algorithm, KeySet, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Folder, encode, key, pkcs8, seed};

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A folder with `key.pem`, the private key of RFC 8037 A.1.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("key.pem", pem("PRIVATE KEY", &pkcs8(&seed())));
    folder
}

#[test]
fn a_new_key_is_made_for_each_algorithm_and_can_be_read_again() {
    for alg in ["EdDSA", "ES256", "ES384", "RS256", "PS256"] {
        let folder = Folder::new();
        let run = folder.run(&["keys", "generate", "--alg", alg, "--out", "new.pem"], "");
        assert_eq!(run.status, 0, "{}", run.err);
        let public: Value = run.json();
        assert_eq!((&public["alg"], &public["use"]), (&json!(alg), &json!("sig")));
        let members = public.as_object().unwrap().keys();
        assert!(members.clone().all(|name| "kty crv x y n e alg use kid".split(' ').any(|known| known == name)));

        let mut arguments = vec!["keys", "jwks", "new.pem"];
        if alg.ends_with("S256") && alg != "ES256" {
            arguments.extend(["--rsa-alg", alg]);
        }
        let document = folder.run(&arguments, "");
        assert_eq!(document.json()["keys"], json!([public]), "{}", document.err);
        assert_eq!(KeySet::from_jwks(document.out.as_bytes()).unwrap().len(), 1);
    }
}

#[cfg(unix)]
#[test]
fn a_private_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    assert_eq!(folder.run(&["keys", "generate", "--out", "new.pem"], "").status, 0);
    assert_eq!(fs::metadata(folder.path("new.pem")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_file_is_never_overwritten_with_a_key() {
    let folder = Folder::new();
    folder.write("precious.pem", "precious");
    let run = folder.run(&["keys", "generate", "--out", "precious.pem"], "");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert_eq!(fs::read_to_string(folder.path("precious.pem")).unwrap(), "precious");
    assert_snapshot!(run.err, @"error: `precious.pem` exists, and a file is never overwritten with a new key: choose another name, or move it away");
}

#[test]
fn the_public_half_of_a_known_key_is_that_of_the_standard() {
    assert_snapshot!("jwks", folder().run(&["keys", "jwks", "key.pem"], "").transcript());
}

#[test]
fn every_form_of_a_key_has_the_same_public_half() {
    let folder = folder();
    let public: Value = serde_json::from_str(key().public_jwk()).unwrap();
    let private = json!({"kty": "OKP", "crv": "Ed25519", "kid": key().key_id(), "x": public["x"], "d": encode(seed()), "key_ops": ["sign"]});
    folder.write("key.der", pkcs8(&seed()));
    folder.write("public.jwk", public.to_string());
    folder.write("private.jwk", private.to_string());
    let expected = folder.run(&["keys", "jwks", "key.pem"], "").out;
    for file in ["key.der", "public.jwk", "private.jwk", "jwks.json"] {
        assert_eq!(folder.run(&["keys", "jwks", file], "").out, expected, "{file}");
    }
}

#[test]
fn several_keys_make_one_document() {
    let folder = folder();
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    folder.write("other.pem", pem("PRIVATE KEY", &other.to_pkcs8().unwrap()));
    let both =
        fs::read_to_string(folder.path("key.pem")).unwrap() + &fs::read_to_string(folder.path("other.pem")).unwrap();
    folder.write("both.pem", both);
    let apart = folder.run(&["keys", "jwks", "key.pem", "other.pem"], "");
    assert_eq!(KeySet::from_jwks(apart.out.as_bytes()).unwrap().len(), 2);
    assert_eq!(folder.run(&["keys", "jwks", "both.pem"], "").out, apart.out);
}

#[test]
fn a_jwks_that_would_mislead_is_not_written() {
    let folder = folder();
    let mut renamed: Value = serde_json::from_str(key().public_jwk()).unwrap();
    renamed["kid"] = json!("another-name");
    folder.write("renamed.jwk", renamed.to_string());
    let mut taken: Value = serde_json::from_str(SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()).unwrap();
    taken["kid"] = json!(key().key_id());
    folder.write("taken.jwk", taken.to_string());
    let rsa = SigningKey::generate(Algorithm::Rs256).unwrap().to_pkcs8().unwrap();
    folder.write("rsa.pem", pem("PRIVATE KEY", &rsa));
    folder.write("old.pem", pem("EC PRIVATE KEY", b"not looked at"));
    folder.write("locked.pem", pem("ENCRYPTED PRIVATE KEY", b"not looked at"));
    folder.write("certificate.pem", pem("CERTIFICATE", b"not looked at"));
    folder.write("broken.pem", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v!\n");
    folder.write("secret.jwk", json!({"kty": "oct", "k": encode([5; 32])}).to_string());
    folder.write("empty.json", r#"{"keys":[]}"#);
    folder.write("text.txt", "hello");
    let mut sentences = String::new();
    for files in [
        &["key.pem", "key.pem"][..],
        &["key.pem", "renamed.jwk"],
        &["key.pem", "taken.jwk"],
        &["rsa.pem"],
        &["old.pem"],
        &["locked.pem"],
        &["certificate.pem"],
        &["broken.pem"],
        &["secret.jwk"],
        &["empty.json"],
        &["text.txt"],
    ] {
        let run = folder.run(&[&["keys", "jwks"], files].concat(), "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{files:?}");
        assert!(!run.err.contains("MC4CAQAw"));
        sentences += &run.err;
    }
    assert_snapshot!("refused_keys", sentences);
}
