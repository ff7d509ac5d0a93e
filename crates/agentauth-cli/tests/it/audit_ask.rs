//! What a log is asked, and what it answers: `agentauth audit tail`, `query`, `explain`, `stats` and `export`.

use std::fs;
use std::time::Duration;

use agentauth_audit::format::EntryKind;
use agentauth_cli::{Exit, Terminal, run};
use agentauth_core::{ManualClock, Timestamp};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::made::{LAWYER, Made, decision};
use crate::support::{Folder, NOW};

const SECOND: u64 = 1_000_000;

/// The evaluation id of [`decision`].
fn id(number: u64) -> String {
    format!("{number:032x}")
}

fn authentication(id: &str, code: &str) -> Value {
    let is_allowed = code == "authenticated";
    let mut record = decision(0, LAWYER, "alice", "", "permitted");
    let members = record.as_object_mut().unwrap();
    members.retain(|name, _| !["action", "authentication_id", "policy_version"].contains(&name.as_str()));
    record["kind"] = "authentication".into();
    record["evaluation_id"] = id.into();
    record["effect"] = if is_allowed { "allow" } else { "deny" }.into();
    record["code"] = code.into();
    record["reasons"] = json!([]);
    if !is_allowed {
        record["reasons"] = json!([{"kind": "refused", "text": "the token has expired"}]);
        record.as_object_mut().unwrap().retain(|name, _| !["delegation", "personal"].contains(&name.as_str()));
    }
    record["peer"] = LAWYER.into();
    record["peer_proof"] = "mutual_tls".into();
    record
}

fn outcome(number: u64, code: &str) -> Value {
    json!({
        "version": 2, "kind": "outcome", "evaluation_id": id(number), "time": "2027-01-15T08:00:02Z",
        "server": "https://tools.example", "effect": "allow", "code": code, "reasons": [], "took_micros": 12_345,
        "authentication_id": format!("a{number:031x}"), "action": {"name": "motions:file"},
    })
}

/// What every kind of record has, in two segments.
pub(crate) fn court() -> Made {
    let mut made = Made::new();
    made.own(EntryKind::Opened, 0, &json!({"sdk": "0.1.0", "process": 7}));
    made.record(SECOND, &authentication(&format!("a{:031x}", 1), "authenticated"));
    let mut filed = decision(1, LAWYER, "alice", "motions:file", "permitted");
    filed["delegation"]["chain"] = json!([
        {"agent": {"spiffe": LAWYER}, "key": "jkt:QGrGx2yRJHgKhr7cWgp8JbjDOPJBIGvOhOZTNBmNeys", "proof": "mutual_tls",
            "authority": "motions:file"},
        {"agent": {"named": {"issuer": "https://sts.example", "name": "clerk#7"}}, "proof": "token"},
    ]);
    filed["peer"] = LAWYER.into();
    filed["peer_proof"] = "mutual_tls".into();
    filed["trace"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
    filed["replica"] = "one".into();
    filed["obligations"] = json!([{"approval": 3600}]);
    filed["would_flip"] = json!([{"policy": "stricter", "to": "deny"}]);
    filed["approval"] = json!({"id": "appr-1"});
    filed["personal"]["shown"] = json!({"fee": 120});
    let mut asked = decision(9, LAWYER, "alice", "motions:file", "permitted");
    asked["code"] = "approval_required".into();
    asked["effect"] = "deny".into();
    asked["approval"] = json!({"id": "appr-1"});
    made.record(SECOND, &asked);
    let approved = json!({
        "version": 2, "kind": "approval", "evaluation_id": "b".repeat(32), "time": "2027-01-15T08:00:01Z",
        "server": "https://tools.example", "effect": "allow", "code": "approved", "reasons": [],
        "action": {"name": "motions:file", "resource": {"kind": "case", "id": "17"}, "arguments": "digest"},
        "approval": {"id": "appr-1", "approver_hash": "hash-of-judge", "asked_by": id(9)},
        "personal": {"approver": {"named": "judge"}},
    });
    made.record(2 * SECOND, &approved);
    made.record(2 * SECOND, &filed);
    made.record(3 * SECOND, &outcome(1, "succeeded"));
    made.record(4 * SECOND, &decision(2, LAWYER, "bob", "motions:withdraw", "policy_not_permitted"));
    made.rotate();
    made.record(5 * SECOND, &authentication(&"c".repeat(32), "token_expired"));
    let late = made.record(6 * SECOND, &decision(3, LAWYER, "alice", "records:read", "permitted"));
    made.own(EntryKind::Refused, 7 * SECOND, &json!({"entries": [late]}));
    let note = "court.example/log\n10\nhash\n\n\u{2014} court.example/log c2lnbmF0dXJl\n";
    made.own(EntryKind::Checkpoint, 8 * SECOND, &json!({"note": note}));
    made.record(9 * SECOND, &decision(4, LAWYER, "alice", "records:read", "permitted"));
    let hostile = "\u{1b}[2J\u{202e}rm";
    made.record(10 * SECOND, &decision(5, hostile, hostile, hostile, "policy_not_permitted"));
    made
}

pub(crate) fn write(made: &Made, folder: &Folder, name: &str) {
    fs::create_dir_all(folder.path(name)).unwrap();
    for file in made.directory.names() {
        fs::write(folder.path(name).join(&file), made.directory.change(&file, |bytes| bytes.clone())).unwrap();
    }
}

/// Asks the log at `name`, a minute after it began; all of it for a snapshot.
fn ask(folder: &Folder, command: &str, name: &str, more: &[&str]) -> (Exit, String, String) {
    let path = folder.path(name);
    let arguments =
        ["agentauth", "audit", command, path.to_str().unwrap()].into_iter().chain(more.iter().copied()).map(Into::into);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let clock = ManualClock::at(Timestamp::from_secs(NOW).plus(Duration::from_secs(60)));
    let exit = run(arguments, &mut Terminal::new(std::io::empty(), &mut out, &mut err, clock));
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn told((exit, out, err): (Exit, String, String)) -> String {
    assert!(out.is_ascii() && err.is_ascii() && !out.contains('\u{1b}'), "{out}{err}");
    format!("{exit:?}\n{out}{}", if err.is_empty() { String::new() } else { format!("--- standard error\n{err}") })
}

fn asked_court() -> Folder {
    let folder = Folder::new();
    write(&court(), &folder, "audit");
    folder
}

#[test]
fn the_latest_entries_are_told_a_line_each() {
    let folder = asked_court();
    assert_snapshot!("audit_tail", told(ask(&folder, "tail", "audit", &[])));
    assert_snapshot!("audit_tail_json", told(ask(&folder, "tail", "audit", &["-n", "2", "--json"])));
}

#[test]
fn what_is_asked_for_is_found_and_nothing_else() {
    let folder = asked_court();
    let all = [
        &["--verdict", "deny", "--kind", "decision"][..],
        &["--for", "bob", "--newest-first"],
        &["--agent", "spiffe://court.example/*", "--tool", "records:*", "--limit", "1"],
        &["--since", "52s", "--reason", "permitted"],
        &["--evaluation", &id(1), "--json"],
        &["--chain", "https://sts.example#clerk%237", "--count"],
        &["--count", "--json"],
        &["--agent", "spiffe://court.example/agent/nobody"],
    ];
    let told = all.map(|more| format!("$ query {}\n{}", more.join(" "), told(ask(&folder, "query", "audit", more))));
    assert_snapshot!("audit_query", told.join("\n"));
}

#[test]
fn one_decision_is_a_story() {
    let folder = asked_court();
    assert_snapshot!("audit_explain_allowed", told(ask(&folder, "explain", "audit", &[&id(1)])));
    for (name, number) in [("denied", 2), ("late", 3), ("unknown", 4), ("hostile", 5)] {
        assert_snapshot!(format!("audit_explain_{name}"), told(ask(&folder, "explain", "audit", &[&id(number)])));
    }
    let refused = ask(&folder, "explain", "audit", &[&"c".repeat(32)]);
    assert_snapshot!("audit_explain_refused_caller", told(refused));
    let (exit, out, err) = ask(&folder, "explain", "audit", &["0*"]);
    assert_eq!((exit, out.trim()), (Exit::Refused, ""));
    assert!(err.contains("there is no record of evaluation 0*"), "{err}");

    let (exit, out, _) = ask(&folder, "explain", "audit", &[&id(1), "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(exit, Exit::Good);
    assert_eq!(json["record"]["content"]["personal"]["shown"], json!({"fee": 120}));
    assert_eq!(json["outcome"]["content"]["code"], "succeeded");
    assert_eq!(json["authentication"]["content"]["code"], "authenticated");
    assert_eq!(json["approvals"].as_array().unwrap().len(), 2);
    assert_eq!((&json["checkpoint"]["entry"], &json["checkpoint"]["signed"]), (&json!(10), &json!(true)));
    let (_, out, _) = ask(&folder, "explain", "audit", &[&id(4), "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["outcome"], &json["checkpoint"]), (&Value::Null, &Value::Null));
}

/// Where another sink fails, or the disk is late, the answer is put right under the same id.
#[test]
fn an_answer_that_was_put_right_is_told_as_it_was_given() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.record(SECOND, &decision(1, LAWYER, "alice", "motions:file", "permitted"));
    let mut right = decision(1, LAWYER, "alice", "", "audit_unavailable");
    right["reasons"] = json!([{"kind": "refused", "text": "the audit queue is full"}]);
    right.as_object_mut().unwrap().retain(|name, _| !["delegation", "personal", "action"].contains(&name.as_str()));
    made.record(2 * SECOND, &right);
    write(&made, &folder, "audit");
    let (exit, out, _) = ask(&folder, "explain", "audit", &[&id(1)]);
    assert_eq!(exit, Exit::Good);
    assert!(out.contains("FAIL refused: audit_unavailable") && out.contains("none: it was not allowed"), "{out}");
    assert!(!out.contains("which no server writes") && out.contains("the audit queue is full"), "{out}");
    let (_, out, _) = ask(&folder, "explain", "audit", &[&id(1), "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["correction"]["content"]["code"], "audit_unavailable");
    // A third is none of ours.
    made.record(3 * SECOND, &decision(1, LAWYER, "alice", "motions:file", "permitted"));
    write(&made, &folder, "forged");
    let (_, out, _) = ask(&folder, "explain", "forged", &[&id(1)]);
    assert!(out.contains("1 more records have this evaluation id, which no server writes"), "{out}");
}

#[test]
fn what_happened_is_counted() {
    let folder = asked_court();
    assert_snapshot!("audit_stats", told(ask(&folder, "stats", "audit", &["--every", "5s"])));
    let (exit, out, _) = ask(&folder, "stats", "audit", &["--since", "3d", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &json["decisions"]), (Exit::Good, &json!({"allowed": 3, "denied": 3})));
    assert_eq!(ask(&folder, "stats", "audit", &["--since", "2028-01-01"]).0, Exit::Refused);
    assert_eq!(ask(&folder, "stats", "audit", &["--every", "soon"]).0, Exit::Problem);
}

#[test]
fn records_are_exported_as_they_were_written() {
    let folder = asked_court();
    let (exit, out, err) = ask(&folder, "export", "audit", &["--format", "jsonl", "--for", "bob"]);
    let expected = decision(2, LAWYER, "bob", "motions:withdraw", "policy_not_permitted");
    assert_eq!((exit, err.as_str()), (Exit::Good, ""));
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected);
    let (_, out, _) = ask(&folder, "export", "audit", &["--format", "jsonl"]);
    assert_eq!(out.lines().count(), 10);
    assert!(out.is_ascii(), "{out}");
}

#[test]
fn a_damaged_log_is_told_and_read_as_far_as_it_can_be() {
    let made = court();
    made.directory.change("00000000000000000000.log", |bytes| *bytes.last_mut().unwrap() ^= 1);
    let folder = Folder::new();
    write(&made, &folder, "audit");
    assert_snapshot!("audit_query_damaged", told(ask(&folder, "query", "audit", &["--kind", "decision"])));
    assert_eq!(ask(&folder, "explain", "audit", &[&id(3)]).0, Exit::Problem);
    assert_eq!(ask(&folder, "export", "audit", &["--format", "jsonl"]).0, Exit::Problem);
    assert_eq!(ask(&folder, "stats", "audit", &[]).0, Exit::Problem);
}

#[test]
fn where_there_is_no_log_the_status_is_2() {
    let folder = Folder::new();
    for (command, more) in
        [("tail", &[][..]), ("query", &[]), ("explain", &["x"]), ("stats", &[]), ("export", &["--format", "jsonl"])]
    {
        let arguments: Vec<&str> = ["audit", command, "."].iter().chain(more).copied().collect();
        let run = folder.run(&arguments, "");
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{command}");
        assert!(run.err.contains("there is no audit log in `.`"), "{}", run.err);
    }
}

#[test]
fn logs_of_replicas_are_asked_together() {
    let folder = Folder::new();
    write(&court(), &folder, "logs/one");
    write(&court(), &folder, "logs/two");
    let (exit, out, _) = ask(&folder, "tail", "logs", &["-n", "2", "--kind", "outcome"]);
    assert_eq!(exit, Exit::Good);
    let logs: Vec<bool> = out.lines().map(|line| line.contains("  one  ")).collect();
    assert_eq!(logs, [true, false], "{out}");
}
