//! `agentauth policy check`, `explain` and `schema`.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{Folder, Run};

const SCHEMA: &str = r#"@kind("case") entity Case;

action "motions:file" appliesTo {
  principal: User,
  resource: Case,
  context: { arguments: { title?: String, fee: Long } }
};
"#;

const COURT: &str = r#"@id("lawyers-file-small-motions")
permit (
  principal in Subject::"https://sts.court.example#alice",
  action == Action::"motions:file",
  resource is Case
) when {
  context.agent in SpiffePath::"spiffe://court.example/agent/lawyer" &&
  context.arguments.fee <= 500
};

@id("sealed") @message("The case is sealed.")
forbid (principal, action, resource == Case::"99");
"#;

/// A folder with the files of one directory of policies.
fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("policies")).unwrap();
    for (name, text) in files {
        folder.write(&format!("policies/{name}"), text);
    }
    folder
}

fn court() -> Folder {
    folder(&[("court.cedarschema", SCHEMA), ("court.cedar", COURT)])
}

fn check(files: &[(&str, &str)], flags: &[&str]) -> Run {
    folder(files).run(&[&["policy", "check", "policies"], flags].concat(), "")
}

/// The lawyer's clerk files a motion for alice.
fn explain(flags: &[&str], arguments: &str) -> Run {
    let asked = [
        "policy",
        "explain",
        "policies",
        "--agent",
        "spiffe://court.example/agent/clerk",
        "--for",
        "https://sts.court.example#alice",
        "--action",
        "motions:file",
        "--arguments",
        "-",
        "--at",
        "1800000000",
    ];
    court().run(&[&asked, flags].concat(), arguments)
}

#[test]
fn good_policies_are_good() {
    let run = check(&[("court.cedarschema", SCHEMA), ("court.cedar", COURT)], &[]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert_snapshot!("policy_check_good", run.transcript());
}

#[test]
fn every_mistake_is_told_at_once() {
    let wrong = COURT
        .replace("fee <=", "fees <=")
        .replace("Case::\"99\"", "Cse::\"99\"")
        .replace("motions:file", "motion:file");
    let broken = "permit (principal, action);\n\npermit (principal, action, resource) when { };\n";
    let files = [("court.cedarschema", SCHEMA), ("court.cedar", &wrong), ("more.cedar", broken)];
    let run = check(&files, &[]);
    assert_snapshot!("policy_check_errors", run.transcript());
    let json = check(&files, &["--json"]).json();
    assert_eq!((&json["errors"], &json["policies"]), (&json!(4), &json!(4)), "{json}");
    assert_eq!(json["found"][0]["file"], "policies/court.cedar");
    assert_eq!(json["found"][0]["code"], "policy_unknown_action");
}

#[test]
fn a_file_of_rules_is_checked_too() {
    let folder = Folder::new();
    folder.write("wrong.json", r#"{"allow": [{"id": "a", "agent": 5}]}"#);
    let wrong = folder.run(&["policy", "check", "wrong.json"], "");
    assert_eq!((wrong.status, wrong.out.contains("wrong.json:1:")), (1, true), "{}", wrong.out);
    assert!(wrong.out.trim_end().ends_with("in the rules"), "{}", wrong.out);
    assert_eq!(folder.run(&["policy", "check", "nowhere.toml"], "").status, 2);
}

#[test]
fn warnings_count_where_they_are_asked_to() {
    let wide = "permit (principal, action, resource);\n";
    let files = [("court.cedarschema", SCHEMA), ("wide.cedar", wide)];
    let run = check(&files, &["--notes"]);
    assert_snapshot!("policy_check_warnings", run.transcript());
    assert_eq!(check(&files, &["--deny-warnings"]).status, 1);
    let good = [("court.cedarschema", SCHEMA), ("court.cedar", COURT)];
    assert_eq!(check(&good, &["--deny-warnings", "--notes"]).status, 0);
}

#[test]
fn a_forbidden_call_is_explained_so_that_a_newcomer_could_fix_the_policy() {
    let run = explain(&["--on", "case/17"], r#"{"fee": 900, "title": "Motion to dismiss"}"#);
    assert_eq!((run.status, run.err.as_str()), (1, ""));
    assert_snapshot!("policy_explain_denied", run.transcript());
    assert_snapshot!("policy_explain_forbidden", explain(&["--on", "case/99"], r#"{"fee": 1}"#).transcript());
    assert_snapshot!("policy_explain_schema", explain(&["--on", "case/17"], r#"{"fees": 1}"#).transcript());
}

#[test]
fn a_permitted_call_is_explained_too() {
    let lawyer = ["--on", "case/17", "--agent", "spiffe://court.example/agent/lawyer/7"];
    let asked =
        ["policy", "explain", "policies", "--for", "https://sts.court.example#alice", "--action", "motions:file"];
    let folder = court();
    folder.write("arguments.json", r#"{"fee": 100}"#);
    let arguments = [&asked[..], &lawyer, &["--arguments", "arguments.json"]].concat();
    let run = folder.run(&arguments, "");
    assert_eq!(run.status, 0);
    assert_snapshot!("policy_explain_permitted", run.transcript());
    let client = folder.run(&[&arguments[..], &["--mode", "client_only"]].concat(), "");
    assert_eq!((client.status, client.out.contains("actor_unauthorized")), (1, true), "{}", client.out);
    let even =
        folder.run(&[&arguments[..], &["--mode", "client_only", "--even-in", "client_only", "--json"]].concat(), "");
    assert_eq!((even.status, &even.json()["decision"]["effect"]), (0, &json!("allow")));
}

#[test]
fn the_schema_is_written_in_one_piece_that_is_a_schema() {
    let links = r#"[{ "id": "a", "template": "none", "agent": "spiffe://court.example/a" }]"#;
    let broken = folder(&[("court.cedarschema", SCHEMA), ("court.cedar", "permit ("), ("links.json", links)]);
    let run = broken.run(&["policy", "schema", "policies"], "");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    for word in ["entity Agent in", "entity Case", "action \"motions:file\"", "now", "fee"] {
        assert!(run.out.contains(word), "{word}: {}", run.out);
    }
}

#[test]
fn what_a_list_of_tools_says_is_nothing_but_names_of_the_schema() {
    let folder = folder(&[("court.cedar", "permit (principal, action == Action::\"caf\u{e9}\", resource);")]);
    let tools = json!([{
        "name": "caf\u{e9}", "description": "Tea.\u{202e}\u{1b}[2J\raction \"x\";\naction \"y\";",
        "inputSchema": {"type": "object", "properties": {"cups": {"type": "integer"}}},
    }]);
    folder.write("tools.json", tools.to_string());
    let run = folder.run(&["policy", "schema", "--tools", "tools.json"], "");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(run.out.bytes().all(|byte| byte == b'\n' || byte == b' ' || byte.is_ascii_graphic()), "{}", run.out);
    assert_eq!(run.out.lines().filter(|line| line.starts_with("action")).count(), 1, "{}", run.out);
    folder.write("policies/tools.cedarschema", &run.out);
    let run = folder.run(&["policy", "check", "policies"], "");
    assert!(run.status == 0 && run.out.contains("1 policy"), "{}", run.out);

    folder.write("tools.json", r#"[{"name": "x", "inputSchema": {"anyOf": []}}]"#);
    let run = folder.run(&["policy", "schema", "--tools", "tools.json"], "");
    assert!(run.status == 1 && run.out.contains("has `anyOf`"), "{}", run.out);
}

#[test]
fn what_cannot_be_looked_at_is_a_problem() {
    let court = court();
    court.write("not_json.txt", "fee=1");
    let asked = ["policy", "explain", "policies", "--action", "motions:file"];
    let agent = ["--agent", "spiffe://court.example/a"];
    let alice = ["--for", "https://sts.court.example#alice"];
    for (arguments, word) in [
        (vec!["policy", "check", "nowhere"], "cannot be read"),
        (vec!["policy", "check", "."], "holds no policies"),
        (vec!["policy", "schema", "nowhere"], "name the directory"),
        ([&asked[..], &agent, &["--for", "alice"]].concat(), "<issuer>#<subject>"),
        ([&asked[..], &alice, &["--agent", "clerk"]].concat(), "by its SPIFFE ID"),
        ([&asked[..], &alice, &agent, &["--on", "case"]].concat(), "<kind>/<id>"),
        ([&asked[..], &alice, &agent, &["--arguments", "not_json.txt"]].concat(), "--arguments: "),
        ([&asked[..], &alice, &agent, &["--server", "court"]].concat(), "--server: "),
        ([&asked[..], &alice, &agent, &["--mode", "root"]].concat(), "client_only"),
    ] {
        let run = court.run(&arguments, "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(run.err.contains(word), "{arguments:?}: {}", run.err);
    }
    let broken = folder(&[("a.cedar", "permit (principal, action);\nforbid (principal);")]);
    let run = broken.run(&[&asked[..], &agent, &alice].concat(), "");
    assert!(run.status == 2 && run.err.contains("agentauth policy check"), "{}", run.err);
}

#[test]
fn what_policies_say_cannot_drive_the_terminal() {
    let driving =
        "@id(\"\u{1b}[2J\") permit (principal, action, resource) when { context.agent.name == \"\u{202e}\u{7f}\" };";
    for flags in [&[][..], &["--json"], &["--notes"]] {
        let run = check(&[("court.cedarschema", SCHEMA), ("a.cedar", driving), ("b.cedar", "permit (\u{9b});")], flags);
        let is_bad = |c: &char| c.is_control() && *c != '\n' || *c == '\u{202e}';
        assert_eq!(run.out.chars().find(is_bad), None, "{}", run.out);
    }
}

#[test]
fn a_list_of_tools_becomes_actions() {
    let folder = folder(&[]);
    let tools = r#"{"tools": [{"name": "add", "inputSchema": {"type": "object", "required": ["a"], "properties": {
        "a": {"type": "integer"}, "note": {"type": "string"}}}}]}"#;
    let run = folder.run(&["policy", "schema", "--tools", "-", "--resource", "Tool"], tools);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_snapshot!("policy_schema_tools", run.out);
    let odd = r#"[{"name": "any", "inputSchema": {"properties": {"x": {"type": "object"}, "\u001b[31m": {"type": "string"}}}}]"#;
    let run = folder.run(&["policy", "schema", "--tools", "-"], odd);
    assert_eq!((run.status, run.out.contains('\u{1b}')), (1, false), "{}", run.out);
    assert_eq!(folder.run(&["policy", "schema"], "").status, 2);
    assert_eq!(folder.run(&["policy", "schema", "--tools", "nowhere.json"], "").status, 2);
}

#[test]
fn what_arguments_say_is_no_part_of_an_explanation() {
    let value = r#"{"fee": 900, "title": "x\n\nPermitted: all is well\u001b[2J\u202e"}"#;
    let name = r#"{"fee": 900, "y\nPermitted: all is well\u001b[2J\u202e": "\u009b"}"#;
    let titled =
        COURT.replace("context.arguments.fee <= 500", "context.arguments has title && context.arguments.title == \"\"");
    for (flags, arguments) in [(&[][..], value), (&["--json"], value), (&[], name), (&["--json"], name)] {
        let folder = folder(&[("court.cedarschema", SCHEMA), ("court.cedar", &titled)]);
        let asked =
            ["policy", "explain", "policies", "--agent", "spiffe://court.example/agent/lawyer", "--on", "case/1"];
        let asked =
            [&asked[..], &["--for", "https://sts.court.example#alice", "--action", "motions:file", "--arguments", "-"]];
        let run = folder.run(&[&asked.concat()[..], flags].concat(), arguments);
        let is_bad = |c: &char| c.is_control() && *c != '\n' || !c.is_ascii();
        assert_eq!(run.out.chars().find(is_bad), None, "{}", run.out);
        assert!(run.status == 1 && run.out.contains("Permitted: all is well"), "{}", run.out);
        assert!(!run.out.lines().any(|line| line.trim_start().starts_with("Permitted")), "{}", run.out);
    }
}
