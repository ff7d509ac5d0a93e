use std::fs;
use std::sync::Arc;

use agentauth_core::jose::{Algorithm, KeySet, Signer, Signing, SigningFailed, SigningKey, TokenType};
use agentauth_core::policy::{BundleError, BundleFile, MAX_BUNDLE_BYTES, MAX_BUNDLE_FILES, PolicyBundle};
use agentauth_core::{ManualClock, ResourceId, Timestamp};
use serde_json::{Value, json};

use crate::support::court::wait;
use crate::support::folder::Folder;

const COURT: &str = "https://court.example";
const NOW: u64 = 1_800_000_000;

fn bundle(sequence: u64) -> PolicyBundle {
    PolicyBundle::new(COURT, sequence).with("a.cedar", "permit (principal, action, resource);").with("b.cedar", "")
}

fn sign(bundle: &PolicyBundle, key: &SigningKey) -> String {
    wait(bundle.sign(key)).unwrap()
}

fn code(text: &str, keys: &KeySet) -> &'static str {
    let verified = PolicyBundle::verify(text.as_bytes(), keys, COURT, Timestamp::from_secs(NOW));
    verified.map_or_else(|error| error.code(), |_| "accepted")
}

/// A bundle with any manifest, signed as a JWS of any type.
fn forged(key: &SigningKey, token_type: TokenType, manifest: &Value, files: &Value) -> String {
    let manifest = key.sign(token_type, manifest.to_string().as_bytes()).unwrap();
    json!({"manifest": manifest, "files": files}).to_string()
}

#[test]
fn each_rule_for_a_bundle_has_its_code() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let (keys, kind) = (key.public_key_set().unwrap(), TokenType::PolicyBundle);
    let good = sign(&bundle(7), &key);
    let signed: Value = serde_json::from_str(&good).unwrap();
    let file = |name: &str, sha256: &str| json!({"name": name, "sha256": sha256});
    // SHA-256 of nothing.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let manifest = json!({"aud": COURT, "seq": 1, "files": [file("a", empty)]});
    let with = |name: &str, value: Value| {
        let mut changed = manifest.clone();
        changed[name] = value;
        forged(&key, kind, &changed, &json!([{"name": "a", "text": ""}]))
    };
    let without = |name: &str| {
        let mut changed = manifest.clone();
        changed.as_object_mut().unwrap().remove(name);
        forged(&key, kind, &changed, &json!([{"name": "a", "text": ""}]))
    };
    let of_files = |files: Value| json!({"manifest": signed["manifest"], "files": files}).to_string();
    let (a, b) = (&signed["files"][0], &signed["files"][1]);
    let many: Vec<_> = (0..=MAX_BUNDLE_FILES).map(|n| file(&n.to_string(), empty)).collect();
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    for (text, expected) in [
        (good.clone(), "accepted"),
        (with("exp", json!(NOW + 1)), "accepted"),
        (with("exp", json!(NOW)), "bundle_expired"),
        (with("aud", json!("https://other.example")), "bundle_audience"),
        (without("aud"), "bundle_manifest_malformed"),
        (without("seq"), "bundle_manifest_malformed"),
        (with("seq", json!(-1)), "bundle_manifest_malformed"),
        (with("seq", json!(1.5)), "bundle_manifest_malformed"),
        (with("files", json!(many)), "bundle_manifest_malformed"),
        (with("mode", json!("shadow")), "bundle_member_unknown"),
        (with("files", json!([{"name": "a", "sha256": empty, "sha1": ""}])), "bundle_member_unknown"),
        (with("files", json!([file("a", &"0".repeat(64))])), "bundle_file_changed"),
        (with("files", json!([file("b", empty)])), "bundle_files_other"),
        (with("files", json!([])), "bundle_files_other"),
        (with("files", json!([file("a", empty), file("b", empty)])), "bundle_files_other"),
        (with("files", json!([file("a", empty), file("a", empty)])), "bundle_file_repeated"),
        (with("files", json!([file("../a", empty)])), "bundle_file_name"),
        (with("files", json!([file("..", empty)])), "bundle_file_name"),
        (with("files", json!([file("", empty)])), "bundle_file_name"),
        (forged(&key, TokenType::AccessToken, &manifest, &json!([])), "typ_wrong"),
        (sign(&bundle(7), &stranger), "key_unknown"),
        (of_files(json!([a])), "bundle_files_other"),
        (of_files(json!([b, a])), "bundle_files_other"),
        (of_files(json!([a, b, b])), "bundle_files_other"),
        (
            of_files(json!([{"name": "a.cedar", "text": "forbid (principal, action, resource);"}, b])),
            "bundle_file_changed",
        ),
        (of_files(json!([{"name": "a.cedar"}, b])), "bundle_malformed"),
        (good.replacen("{", r#"{"note":1,"#, 1), "bundle_member_unknown"),
        (good.replacen(r#""files""#, r#""manifest":"","files""#, 1), "bundle_malformed"),
        ("{}".into(), "bundle_malformed"),
        ("permit (principal, action, resource);".into(), "bundle_malformed"),
        (" ".repeat(MAX_BUNDLE_BYTES + 1), "bundle_oversize"),
    ] {
        assert_eq!(code(&text, &keys), expected, "{text:.300}");
    }
    // One changed bit of the signature.
    let (before, signature) = signed["manifest"].as_str().unwrap().rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let bad = json!({"manifest": format!("{before}.{first}{}", &signature[1..]), "files": signed["files"]});
    assert_eq!(code(&bad.to_string(), &keys), "signature_invalid");
}

/// A key whose service is away.
#[derive(Debug)]
struct Away(SigningKey);

impl Signer for Away {
    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn key_id(&self) -> &str {
        self.0.key_id()
    }

    fn public_jwk(&self) -> &str {
        self.0.public_jwk()
    }

    fn signature(&self, _: &[u8]) -> Signing {
        Signing::ready(Err(SigningFailed))
    }
}

#[test]
fn what_would_be_refused_is_not_signed() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let refused = |bundle: PolicyBundle| wait(bundle.sign(&key)).unwrap_err().code();
    assert_eq!(refused(bundle(1).with("a.cedar", "")), "bundle_file_repeated");
    assert_eq!(refused(bundle(1).with("a/b", "")), "bundle_file_name");
    assert_eq!(refused(bundle(1).with("c", &"x".repeat(MAX_BUNDLE_BYTES))), "bundle_oversize");
    let many = (0..=MAX_BUNDLE_FILES).fold(bundle(1), |bundle, n| bundle.with(&n.to_string(), ""));
    assert_eq!(refused(many), "bundle_too_many_files");
    assert_eq!(wait(bundle(1).sign(&Away(key))).unwrap_err().code(), "bundle_unsigned");
}

#[test]
fn a_bundle_is_never_replaced_by_an_older_one() {
    let (folder, key) = (Folder::new(), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let server = ResourceId::new(COURT).unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let open =
        || BundleFile::new(folder.path("policies.bundle"), key.public_key_set().unwrap(), &server).clock(clock.clone());
    let put = |bundle: &PolicyBundle| fs::write(folder.path("policies.bundle"), sign(bundle, &key)).unwrap();
    let read = |file: &BundleFile| file.read().map_or_else(|error| error.code(), |_| "accepted");

    let file = open();
    assert_eq!((read(&file), file.digest()), ("bundle_unreadable", None));
    put(&bundle(7));
    let first = file.digest();
    assert_eq!((read(&file), read(&file), first.is_some()), ("accepted", "accepted", true));
    put(&bundle(6));
    assert_eq!((read(&file), file.digest() == first), ("bundle_rollback", false));
    put(&bundle(7).with("c.cedar", ""));
    assert_eq!(read(&file), "bundle_sequence_reused");
    put(&bundle(8).until(Timestamp::from_secs(NOW + 60)));
    assert_eq!(read(&file), "accepted");
    clock.set(Timestamp::from_secs(NOW + 60));
    assert_eq!(read(&file), "bundle_expired");
    put(&bundle(7));
    assert_eq!(read(&file), "bundle_rollback");

    // Another process knows nothing of that, unless it is remembered.
    assert_eq!(read(&open()), "accepted");
    let memory = folder.path("seen.json");
    put(&bundle(9));
    assert_eq!(read(&open().remembering(&memory)), "accepted");
    put(&bundle(8));
    assert_eq!(read(&open().remembering(&memory)), "bundle_rollback");
    assert_eq!(read(&open()), "accepted");
    put(&bundle(9).with("c.cedar", ""));
    assert_eq!(read(&open().remembering(&memory)), "bundle_sequence_reused");
    put(&bundle(9));
    let written = fs::read_to_string(&memory).unwrap();
    for broken in ["", "{}", r#"{"aud":"https://court.example","manifest":"x"}"#, &written.replace("court", "other")] {
        fs::write(&memory, broken).unwrap();
        assert_eq!(read(&open().remembering(&memory)), "bundle_memory", "{broken}");
    }
    assert_eq!(read(&open().remembering(folder.path("not/there"))), "bundle_memory");
    let error = BundleError::Rollback { found: 6, seen: 7 };
    assert!(error.to_string().contains("sequence number 6, and 7"));
}

/// Who can write beside the file makes nothing else of this server's be overwritten.
#[cfg(unix)]
#[test]
fn what_is_remembered_is_written_to_no_other_file() {
    let folder = Folder::new();
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    fs::write(folder.path("court.bundle"), sign(&bundle(7), &key)).unwrap();
    fs::write(folder.path("victim"), "precious").unwrap();
    std::os::unix::fs::symlink(folder.path("victim"), folder.path("memory.new")).unwrap();
    let server = ResourceId::new("https://court.example").unwrap();
    let file = BundleFile::new(folder.path("court.bundle"), key.public_key_set().unwrap(), &server);
    let file = file.clock(Arc::new(ManualClock::at(Timestamp::from_secs(NOW)))).remembering(folder.path("memory"));
    file.read().unwrap();
    assert_eq!(fs::read_to_string(folder.path("victim")).unwrap(), "precious");
    assert!(fs::read_to_string(folder.path("memory")).unwrap().contains("court.example"));
}
