//! What other policies would change in a record.

use agentauth_audit::format::EntryKind;
use agentauth_core::policy::Arguments;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::audit_ask::write;
use crate::made::Made;
use crate::support::{Folder, NOW};

const SCHEMA: &str = r#"
@kind("case") entity Case;
action "motions:file" appliesTo { principal: User, resource: Case, context: { arguments: { fee: Long, title?: String } } };
action "records:read" appliesTo { principal: User, resource: Case };
"#;

/// What was in force when the record was kept: no more than these policies.
const POLICIES: &str = r#"
@id("file") permit (principal, action == Action::"motions:file", resource) when { context.arguments.fee <= 500 };
@id("read") permit (principal, action == Action::"records:read", resource);
@id("sealed") forbid (principal, action, resource == Case::"99");
"#;

/// A record of one decision on `action` in `case`.
fn decision(number: u32, action: &str, case: &str, arguments: &Value, shown: Option<Value>, allowed: bool) -> Value {
    let mut record = json!({
        "version": 2, "kind": "decision", "evaluation_id": format!("{number:032x}"), "time": "2027-01-15T08:00:00Z",
        "server": "https://tools.example", "effect": if allowed { "allow" } else { "deny" },
        "code": if allowed { "allowed" } else { "policy_not_permitted" },
        "reasons": [{"kind": if allowed { "permitted" } else { "not_permitted" }, "text": "so it is"}],
        "delegation": {
            "agent": {"spiffe": "spiffe://court.example/agent/lawyer"},
            "principal_hash": "68a8f11e959d06b64689f7c30a6f76ce", "mode": "on_behalf_of",
            "chain": [{"agent": {"spiffe": "spiffe://court.example/agent/lawyer"}, "proof": "token"}], "depth": 1, "scopes": "motions:file records:read",
            "audience": "https://tools.example", "issuer": "https://sts.example", "binding": "bearer",
            "token": "8c79bef21c6a4bb855a6f8e86056ec53", "expires": "2027-01-15T08:05:00Z",
        },
        "action": {
            "name": action, "resource": {"kind": "case", "id": case},
            "arguments": Arguments::of(arguments).unwrap().digest(),
        },
        "policy_version": "1",
        "personal": {"principal": {"issuer": "https://sts.example", "kind": "subject", "subject": "alice"}},
    });
    if let Some(shown) = shown {
        record["personal"]["shown"] = shown;
    }
    record
}

fn records() -> Vec<Value> {
    let file = |number, fee: i64, shown: bool, allowed| {
        let arguments = json!({"fee": fee, "title": "to dismiss"});
        let on_record = shown.then(|| arguments.clone());
        decision(number, "motions:file", "17", &arguments, on_record, allowed)
    };
    let read = |number, case| decision(number, "records:read", case, &json!({}), None, case != "99");
    let mut unapproved = file(9, 200, true, true);
    unapproved["effect"] = "deny".into();
    unapproved["code"] = "approval_required".into();
    unapproved["obligations"] = json!([{"approval": 3600}]);
    unapproved["reasons"].as_array_mut().unwrap().push(json!({"kind": "refused", "text": "a human must approve"}));
    let mut before = read(10, "17");
    before.as_object_mut().unwrap().remove("policy_version");
    let mut outcome = read(11, "17");
    outcome["kind"] = "outcome".into();
    vec![
        file(1, 120, true, true),
        file(2, 400, true, true),
        file(3, 400, true, true),
        file(4, 900, true, false),
        file(5, 120, false, true),
        read(6, "17"),
        read(7, "18"),
        read(8, "99"),
        unapproved,
        before,
        outcome,
    ]
}

fn log(folder: &Folder, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    folder.write("audit.jsonl", lines);
}

fn trying(policies: &str) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("next")).unwrap();
    folder.write("next/court.cedarschema", SCHEMA);
    folder.write("next/court.cedar", policies);
    log(&folder, &records());
    folder
}

const REPLAY: [&str; 6] = ["policy", "replay", "--log", "audit.jsonl", "--candidate", "next"];

#[test]
fn policies_that_decide_alike_change_nothing() {
    let folder = trying(POLICIES);
    log(&folder, &records()[..8]);
    let run = folder.run(&REPLAY, "");
    assert_eq!(run.status, 0, "{}", run.out);
    assert!(
        run.out.starts_with("8 decisions: 7 the same, 0 now denied, 0 now allowed, 1 undetermined\n"),
        "{}",
        run.out
    );
    // Which action it was, not which arguments, decides about the one whose arguments are not on record.
    let open = trying(&POLICIES.replace(" when { context.arguments.fee <= 500 }", ""));
    log(&open, &records()[4..5]);
    let run = open.run(&REPLAY, "");
    assert!(
        run.out.starts_with("1 decision: 1 the same, 0 now denied, 0 now allowed, 0 undetermined\n1 decided without"),
        "{}",
        run.out
    );
}

#[test]
fn what_would_change_is_shown_with_its_ground() {
    let next = POLICIES
        .replace("<= 500", "<= 300")
        .replace(r#"@id("read") permit"#, r#"@id("read") @approval("8h") permit"#)
        .replace(
            r#"forbid (principal, action, resource == Case::"99")"#,
            r#"forbid (principal, action, resource == Case::"18")"#,
        )
        + r#"@id("large") permit (principal, action == Action::"motions:file", resource) when { context.arguments.fee > 800 };"#;
    let folder = trying(&next);
    let run = folder.run(&REPLAY, "");
    assert_eq!(run.status, 1);
    assert_snapshot!("replay", run.transcript());
    let json = folder.run(&[&REPLAY[..], &["--json"]].concat(), "").json();
    assert_eq!((&json["decisions"], &json["now_denied"], &json["now_allowed"]), (&json!(9), &json!(3), &json!(2)));
    assert_eq!((&json["same"], &json["other_conditions"], &json["undetermined"]), (&json!(1), &json!(2), &json!(1)));
}

#[test]
fn a_log_is_read_as_its_lines_are() {
    let folder = trying(&POLICIES.replace("<= 500", "<= 300"));
    let mut made = Made::new();
    made.own(EntryKind::Opened, 0, &json!({"sdk": "0.1.0", "process": 7}));
    for (number, record) in records().iter().enumerate() {
        if number == 5 {
            made.rotate();
        }
        made.record(number as u64, record);
    }
    write(&made, &folder, "audit");
    let arguments = ["policy", "replay", "--log", "audit", "--candidate", "next"];
    let (lines, log) = (folder.run(&REPLAY, ""), folder.run(&arguments, ""));
    assert_eq!((log.status, log.transcript()), (1, lines.transcript()));

    // What cannot be read is no ground to say that nothing would change.
    made.directory.change("00000000000000000000.log", |bytes| *bytes.last_mut().unwrap() ^= 1);
    write(&made, &folder, "audit");
    let run = folder.run(&arguments, "");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.contains("agentauth audit verify"), "{}", run.err);
}

#[test]
fn only_the_first_changes_are_shown_unless_all_are_asked_for() {
    let folder = trying("");
    let many: Vec<Value> =
        (0..1204).map(|n| decision(n, "records:read", &format!("c{}", n % 30), &json!({}), None, true)).collect();
    log(&folder, &many);
    let run = folder.run(&REPLAY, "");
    assert_eq!((run.status, run.out.matches("now denied:").count()), (1, 20));
    assert!(run.out.contains("... and 400 more decisions change (--all shows them)\n"), "{}", run.out);
    assert!(
        run.out.contains("1,204 decisions: 0 the same, 1,204 now denied, 0 now allowed, 0 undetermined"),
        "{}",
        run.out
    );
    let run = folder.run(&[&REPLAY[..], &["--all"]].concat(), "");
    assert_eq!(run.out.matches("now denied:").count(), 30);
}

#[test]
fn a_mode_that_the_server_lets_in_is_let_in_here() {
    let folder = trying(POLICIES);
    let mut client = decision(1, "records:read", "17", &json!({}), None, true);
    client["delegation"]["mode"] = "client_only".into();
    log(&folder, &[client]);
    assert_eq!(folder.run(&REPLAY, "").status, 1);
    assert_eq!(folder.run(&[&REPLAY[..], &["--even-in", "client_only"]].concat(), "").status, 0);
    let run = folder.run(&[&REPLAY[..], &["--even-in", "shadow"]].concat(), "");
    assert_eq!(run.status, 2);
    assert!(run.err.contains("client_only"), "{}", run.err);
}

#[test]
fn torn_lines_are_told_and_what_is_no_record_is_refused() {
    let folder = trying(POLICIES);
    let good = records()[5].to_string();
    folder.write("audit.jsonl", format!("{}\n{good}\n\n{}", &good[..200], &good[..300]));
    let run = folder.run(&REPLAY, "");
    assert_eq!(run.status, 0);
    assert_snapshot!("replay_torn", run.transcript());

    for (content, word) in [
        (good.replace("\"version\":2", "\"version\":3"), "version"),
        (good.replace("\"mode\":\"on_behalf_of\"", "\"mode\":\"shadow\""), "mode"),
        ("[1]".into(), "not a record"),
        (r#"{"version":2,"kind":"decision","kind":"outcome"}"#.to_owned(), "twice"),
        (" ".repeat(agentauth_core::audit::MAX_RECORD_BYTES + 7), "longer"),
    ] {
        folder.write("audit.jsonl", format!("{good}\n{content}\n"));
        let run = folder.run(&REPLAY, "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{word}");
        assert!(run.err.contains("line 2") && run.err.contains(word), "{}", run.err);
    }
}

#[test]
fn a_candidate_that_is_not_good_is_not_tried() {
    for (policies, word) in [
        ("permit (principal, action, resource", "unexpected end"),
        (r#"@mode("shadwo") permit (principal, action, resource);"#, "shadwo"),
    ] {
        let run = trying(policies).run(&REPLAY, "");
        assert_eq!((run.status, run.out.as_str()), (2, ""));
        assert!(run.err.contains("court.cedar") && run.err.contains(word), "{}", run.err);
    }
    let folder = trying(POLICIES);
    assert_eq!(folder.run(&["policy", "replay", "--log", "none.jsonl", "--candidate", "next"], "").status, 2);
    assert_eq!(folder.run(&["policy", "replay", "--log", "audit.jsonl", "--candidate", "none"], "").status, 2);
    assert_eq!(NOW, 1_800_000_000, "the time of the records");
}

/// Agents choose the names of what they ask for, and much of a record is theirs.
#[test]
fn what_a_record_says_cannot_drive_the_terminal() {
    let folder = trying("@id(\"no\") @reason(\"x\\u{1b}[2J\\u{202e}\") forbid (principal, action, resource);");
    let hostile = "17\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\n1 decision: 1 the same";
    let mut records = records();
    for record in &mut records {
        record["evaluation_id"] = hostile.into();
        record["action"]["resource"]["id"] = hostile.into();
        record["personal"]["principal"]["subject"] = hostile.into();
        record["delegation"]["agent"] = json!({"named": {"issuer": "https://sts.example", "name": hostile}});
    }
    log(&folder, &records);
    for flags in [&[][..], &["--json"]] {
        let run = folder.run(&[&REPLAY[..], flags].concat(), "");
        let is_bad = |c: &char| c.is_control() && *c != '\n' || !(c.is_ascii() || *c == '✗');
        assert_eq!(format!("{}{}", run.out, run.err).chars().find(is_bad), None, "{}", run.out);
        assert!(!run.out.lines().any(|line| line.starts_with("1 decision: 1 the same")), "{}", run.out);
    }
    folder.write("audit.jsonl", format!("{{\"version\":2,\"kind\":\"{hostile}"));
    let run = folder.run(&REPLAY, "");
    assert!(run.err.contains("torn") && !run.err.contains('\u{1b}'), "{}", run.err);
}
