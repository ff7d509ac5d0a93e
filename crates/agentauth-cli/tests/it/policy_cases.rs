//! `agentauth policy test` and `agentauth policy bundle`.

use std::fs;

use agentauth_core::Timestamp;
use agentauth_core::policy::PolicyBundle;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;

use crate::support::{Folder, NOW, key, pkcs8, seed};

const SCHEMA: &str = r#"
@kind("case") entity Case;
action "motions:file" appliesTo { principal: User, resource: Case, context: { arguments: { fee: Long } } };
"#;

const POLICIES: &str = r#"@id("file")
permit (principal, action == Action::"motions:file", resource)
when { context.agent in TrustDomain::"court.example" && context.arguments.fee <= 500 };

@id("sealed") @reason("the judge has sealed it")
forbid (principal, action, resource == Case::"99");
"#;

const DEFAULTS: &str = r#""defaults": {
    "server": "https://court.example",
    "agent": "spiffe://court.example/agent/lawyer",
    "principal": { "issuer": "https://sts.court.example", "subject": "alice" },
    "action": "motions:file",
    "resource": { "kind": "case", "id": "17" },
    "arguments": { "fee": 120 }
  }"#;

fn cases(cases: &str) -> String {
    format!("{{\n  {DEFAULTS},\n  \"cases\": [\n{cases}\n  ]\n}}\n")
}

const GOOD: &str = r#"    { "name": "a small motion", "expect": "allow", "policies": ["file"] },
    { "name": "a dear motion", "arguments": { "fee": 501 }, "expect": "deny", "code": "policy_not_permitted" },
    { "name": "a sealed case", "resource": { "kind": "case", "id": "99" }, "expect": "deny", "policies": ["sealed"] }"#;

/// A folder with `policies`, and these cases in it.
fn folder(text: &str) -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.path("policies")).unwrap();
    folder.write("policies/court.cedarschema", SCHEMA);
    folder.write("policies/court.cedar", POLICIES);
    folder.write("policies/court.cases.json", text);
    let pem = STANDARD.encode(pkcs8(&seed()));
    folder.write("key.pem", format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"));
    folder
}

const FAILING: &str = r#"    { "name": "a small motion", "expect": "allow", "policies": ["file"] },
    { "name": "a sealed case", "resource": { "kind": "case", "id": "99" }, "expect": "allow" },
    { "name": "a wrong argument", "arguments": { "fee": "120" }, "expect": "deny", "code": "policy_forbidden" }"#;

#[test]
fn cases_are_shown_as_they_pass_and_fail() {
    let run = folder(&cases(GOOD)).run(&["policy", "test", "policies"], "");
    assert_snapshot!("policy_test_good", run.transcript());
    let run = folder(&cases(FAILING)).run(&["policy", "test", "policies"], "");
    assert_snapshot!("policy_test_failing", run.transcript());
    let run = folder(&cases(FAILING)).run(&["policy", "test", "policies", "--json"], "");
    assert_eq!(run.status, 1);
    assert_eq!(
        (&run.json()["passed"], &run.json()["cases"][1]["differences"][0]["actual"]),
        (&1.into(), &"deny".into())
    );
}

#[test]
fn what_cannot_be_tested_is_said_with_its_place() {
    let wrong = folder(&cases(r#"    { "name": "a", "expects": "allow" }"#));
    wrong.write("policies/court.cedar", POLICIES.replace("fee", "fees"));
    assert_snapshot!("policy_test_problems", wrong.run(&["policy", "test", "policies"], "").transcript());
    let none = folder(&cases(""));
    let run = none.run(&["policy", "test", "policies"], "");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.contains("there are no cases in `policies`"), "{}", run.err);
    let elsewhere = none.run(&["policy", "test", "policies", "--cases", "nowhere"], "");
    assert_eq!(elsewhere.status, 2);
    assert!(elsewhere.out.contains("[case_unreadable]"), "{}", elsewhere.out);
}

#[test]
fn a_mode_without_delegation_is_tested_as_the_server_has_it() {
    let text = r#"    { "name": "a client", "mode": "client_only", "expect": "allow" }"#;
    let folder = folder(&cases(text));
    assert_eq!(folder.run(&["policy", "test", "policies"], "").status, 1);
    assert_eq!(folder.run(&["policy", "test", "policies", "--even-in", "client_only"], "").status, 0);
}

#[test]
fn what_a_provider_tells_the_server_stands_in_a_file_for_the_cases() {
    let folder = folder(&cases(
        r#"    { "name": "in", "action": "pay", "resource": null, "arguments": {}, "expect": "allow" }"#,
    ));
    let schema = r#"action "pay" appliesTo { principal: User, resource: Server };"#;
    folder.write("policies/pay.cedarschema", schema);
    folder.write("policies/pay.cedar", r#"permit (principal in Group::"buyers", action == Action::"pay", resource);"#);
    folder.write("told.json", r#"{ "groups": { "buyers": { "users": ["https://sts.court.example#alice"] } } }"#);
    assert_eq!(folder.run(&["policy", "test", "policies"], "").status, 1);
    let told = folder.run(&["policy", "test", "policies", "--entities", "told.json"], "");
    assert_eq!(told.status, 0, "{}{}", told.out, told.err);
    // What is signed are the files of the directory, and not what a provider tells.
    assert_eq!(folder.run(&SIGN, "").status, 1);
    let signed = folder.run(&[&SIGN[..], &["--entities", "told.json"]].concat(), "");
    assert!(signed.status == 0 && signed.out.contains("5 files, 1 case passed"), "{}{}", signed.out, signed.err);
    assert!(folder.run(&["policy", "test", "policies", "--entities", "no.json"], "").err.contains("cannot be read"));
    folder.write("told.json", r#"{ "group": {} }"#);
    let wrong = folder.run(&["policy", "test", "policies", "--entities", "told.json"], "");
    assert!(wrong.status == 2 && wrong.out.starts_with("told.json:1:3: `group` is not known"), "{}", wrong.out);
}

const SIGN: [&str; 11] = [
    "policy",
    "bundle",
    "policies",
    "--key",
    "key.pem",
    "--server",
    "https://court.example",
    "--sequence",
    "7",
    "--out",
    "court.bundle",
];

#[test]
fn a_bundle_is_signed_once_its_cases_pass() {
    let good = folder(&cases(GOOD));
    let run = good.run(&SIGN, "");
    assert_snapshot!("policy_bundle", run.transcript());
    let signed = fs::read(good.path("court.bundle")).unwrap();
    let (keys, now) = (key().public_key_set().unwrap(), Timestamp::from_secs(NOW));
    let bundle = PolicyBundle::verify(&signed, &keys, "https://court.example", now).unwrap();
    let names: Vec<_> = bundle.files().iter().map(|file| &*file.name).collect();
    assert_eq!((bundle.sequence(), bundle.expires()), (7, None));
    assert_eq!(names, ["court.cases.json", "court.cedar", "court.cedarschema"]);
    assert_eq!(good.run(&[&SIGN[..], &["--days", "30"]].concat(), "").status, 0, "it is replaced");
    let signed = fs::read(good.path("court.bundle")).unwrap();
    assert!(
        PolicyBundle::verify(&signed, &keys, "https://court.example", Timestamp::from_secs(0)).unwrap().expires()
            > None
    );

    let failing = folder(&cases(FAILING));
    let run = failing.run(&SIGN, "");
    assert_eq!((run.status, failing.path("court.bundle").exists()), (1, false));
    assert!(run.err.contains("nothing was signed"), "{}", run.err);
    failing.write("policies/court.cases.json", "{");
    assert_eq!(failing.run(&SIGN, "").status, 2);
}

#[test]
fn the_policies_of_the_examples_pass_their_cases() {
    for example in ["courtroom", "tools"] {
        let policies = format!("{}/../../examples/policies/{example}", env!("CARGO_MANIFEST_DIR"));
        let run = Folder::new().run(&["policy", "test", &policies], "");
        assert_eq!(run.status, 0, "{}{}", run.out, run.err);
    }
}

/// What stands in a file is no line of the report.
#[test]
fn what_cases_say_is_no_part_of_the_report() {
    let forged = r"x\u000a\u000atest result: ok. 9 passed; 0 failed\u001b[2J\u202e";
    let folder = folder(&cases(&format!(
        r#"{{ "name": "a\u202e", "expect": "allow", "code": "{forged}", "policies": ["{forged}"] }},
        {{ "name": "b", "expect": "deny", "arguments": {{ "fee": 1, "{forged}": 2 }} }}"#
    )));
    let reason = "@reason(\"x\\n\\ntest result: ok. 9 passed; 0 failed\\u{1b}[2J\")";
    folder.write("policies/court.cedar", POLICIES.replacen("@id(\"file\")", &format!("@id(\"file\") {reason}"), 1));
    for flags in [&[][..], &["--json"]] {
        let run = folder.run(&[&["policy", "test", "policies"][..], flags].concat(), "");
        let is_bad = |c: &char| c.is_control() && *c != '\n' || !c.is_ascii();
        assert_eq!(run.out.chars().find(is_bad), None, "{}", run.out);
        assert!(run.status == 1 && !run.out.lines().any(|line| line.starts_with("test result: ok")), "{}", run.out);
    }
}
