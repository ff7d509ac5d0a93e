//! Policies from a directory and from a signed bundle, read again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use agentauth_cedar::{PolicyDir, SignedPolicies};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::policy::{BundleFile, Cases, PolicyBundle, PolicyEngine};
use agentauth_core::reload::{LivePolicies, PolicySource, Reload};
use agentauth_core::{Mode, ResourceId};
use serde_json::json;

use crate::support::{SCHEMA, SERVER, answer, scenario};

const READ: &str = r#"@id("read") permit (principal, action == Action::"records:read", resource);"#;
const FILE: &str = r#"@id("file") permit (principal, action == Action::"motions:file", resource);"#;

fn expecting(answer: &str) -> String {
    format!(
        r#"{{"cases": [{{"name": "filing", "server": "{SERVER}", "agent": "spiffe://court.example/agent/lawyer/7",
        "principal": {{"issuer": "https://sts.court.example", "subject": "alice"}}, "action": "motions:file",
        "resource": {{"kind": "case", "id": "17"}}, "arguments": {{"fee": 1}}, "expect": "{answer}"}}]}}"#
    )
}

/// A directory of one test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("policies-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn server() -> ResourceId {
    ResourceId::new(SERVER).unwrap()
}

fn file() -> agentauth_core::policy::Scenario {
    scenario("motions:file", json!({"fee": 1}))
}

#[tokio::test]
async fn the_policies_of_a_directory_are_replaced_once_they_are_good() {
    let folder = Folder::new();
    folder.put("a.cedarschema", SCHEMA);
    folder.put("a.cedar", READ);
    folder.put("a.cases.json", &expecting("deny"));
    folder.put("notes.md", "not a policy");
    let live = LivePolicies::of(PolicyDir::new(&folder.0), &server()).start().await.unwrap();
    assert_eq!(live.reload().await, Ok(Reload::Unchanged));
    assert_eq!(answer(&live, &file()).await, "policy_not_permitted");

    let before = live.version();
    folder.put("a.cedar", FILE);
    assert_eq!(live.reload().await.unwrap_err().code(), "policy_cases_failed");
    folder.put("a.cases.json", "{}");
    assert_eq!(live.reload().await.unwrap_err().code(), "case_member_missing");
    folder.put("a.cases.json", &expecting("allow"));
    folder.put("b.cedar", "permit (principal, action, resorce);");
    assert_eq!(live.reload().await.unwrap_err().code(), "policy_syntax");
    assert_eq!((answer(&live, &file()).await, live.version()), ("policy_not_permitted", before));
    fs::remove_file(folder.0.join("b.cedar")).unwrap();
    assert!(matches!(live.reload().await, Ok(Reload::Replaced { .. })));
    assert_eq!(answer(&live, &file()).await, "allow");

    // As if the volume were not there.
    folder.put("a.cedar", "// nothing\n");
    assert_eq!(live.reload().await.unwrap_err().code(), "policy_set_empty");
    fs::remove_dir_all(&folder.0).unwrap();
    assert_eq!(live.reload().await.unwrap_err().code(), "policy_unreadable");
    assert_eq!(answer(&live, &file()).await, "allow");
}

#[tokio::test]
async fn what_is_done_to_policies_is_done_each_time() {
    let folder = Folder::new();
    folder.put("a.cedarschema", SCHEMA);
    folder.put("a.cedar", READ);
    let source = PolicyDir::new(&folder.0).prepared(|policies| policies.even_in(Mode::ClientOnly));
    let live = LivePolicies::of(source, &server()).start().await.unwrap();
    let plain = || scenario("records:read", json!({})).in_mode(Mode::ClientOnly);
    assert_eq!(answer(&live, &plain()).await, "allow");
    folder.put("a.cedar", &format!("{READ}\n{FILE}"));
    assert!(matches!(live.reload().await, Ok(Reload::Replaced { .. })));
    assert_eq!(answer(&live, &plain()).await, "allow");
}

#[tokio::test]
async fn signed_policies_are_replaced_by_newer_ones_of_the_pinned_key_only() {
    let (folder, key) = (Folder::new(), SigningKey::generate(Algorithm::EdDsa).unwrap());
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let set = |sequence, policies: &str| {
        let bundle = PolicyBundle::new(SERVER, sequence).with("a.cedarschema", SCHEMA).with("a.cedar", policies);
        bundle.with("a.cases.json", &expecting("allow"))
    };
    let put = async |bundle: PolicyBundle, key: &SigningKey| folder.put("p.bundle", &bundle.sign(key).await.unwrap());
    put(set(1, FILE), &key).await;
    let pinned = BundleFile::new(folder.0.join("p.bundle"), key.public_key_set().unwrap(), &server());
    let live = LivePolicies::of(SignedPolicies::new(pinned), &server()).start().await.unwrap();
    assert_eq!(live.reload().await, Ok(Reload::Unchanged));

    let both = format!("{FILE}\n{READ}");
    for (bundle, key, expected) in [
        (set(2, &both), &stranger, "key_unknown"),
        (set(0, &both), &key, "bundle_rollback"),
        (set(1, &both), &key, "bundle_sequence_reused"),
        (set(2, READ), &key, "policy_cases_failed"),
        (set(3, &both).with("limits.json", "{}"), &key, "bundle_file_unknown"),
    ] {
        put(bundle, key).await;
        assert_eq!(live.reload().await.unwrap_err().code(), expected);
    }
    put(set(4, &both), &key).await;
    assert!(matches!(live.reload().await, Ok(Reload::Replaced { .. })));
    assert_eq!(answer(&live, &scenario("records:read", json!({}))).await, "allow");
}

#[test]
fn a_bundle_is_made_of_the_files_that_count() {
    let folder = Folder::new();
    let cases = expecting("allow");
    for (name, text) in
        [("b.cedar", FILE), ("a.cedarschema", SCHEMA), ("a.cases.json", &cases), ("notes.md", ""), ("other.json", "")]
    {
        folder.put(name, text);
    }
    let dir = PolicyDir::new(&folder.0);
    let (set, files) = dir.load_with_files().unwrap();
    assert_eq!((set.cases.len(), &*files[2].text), (1, FILE));
    let names: Vec<_> = files.into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["a.cases.json", "a.cedarschema", "b.cedar"].map(Into::into));
    // What is read from the directory and what stands in it are the same to `state`.
    assert_eq!(dir.state(), dir.state());
    let before = dir.state();
    folder.put("notes.md", "more");
    assert_eq!(dir.state(), before);
    folder.put("b.cedar", " ");
    assert_ne!(dir.state(), before);
    assert!(dir.load_with_files().is_err(), "what a server would refuse is not given out");
    folder.put("a.cases.json", "");
    assert!(Cases::read(&folder.0).is_err(), "an empty file has no cases");
}

/// A device never ends, and a pipe never begins: whoever can write to the directory could keep every alarm from being raised.
#[cfg(unix)]
#[test]
fn only_files_are_read() {
    let folder = Folder::new();
    folder.put("a.cedarschema", SCHEMA);
    folder.put("a.cedar", READ);
    let dir = PolicyDir::new(&folder.0);
    assert!(dir.load().is_ok());
    for name in ["z.cedar", "z.cases.json"] {
        std::os::unix::fs::symlink("/dev/null", folder.0.join(name)).unwrap();
        assert_eq!(dir.load().unwrap_err().iter().next().unwrap().code, "policy_unreadable");
        assert_eq!(Cases::read(&folder.0).is_err(), name == "z.cases.json");
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    // As a volume of Kubernetes has them.
    folder.put("real", FILE);
    std::os::unix::fs::symlink("real", folder.0.join("b.cedar")).unwrap();
    assert!(dir.load().is_ok());
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let device = BundleFile::new("/dev/null", key.public_key_set().unwrap(), &server());
    assert_eq!(device.read().unwrap_err().code(), "bundle_unreadable");
}
