//! Records as events of OCSF: against a table of what the schema requires, and against the schema itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::audit_ask::{court, write};
use crate::made::{LAWYER, Made, decision};
use crate::support::Folder;

/// Of each class: its number, that of the activity, and what it requires beyond what every event does. Taken from the schema, 1.8.0.
const CLASSES: [(&str, u64, u64, &[&str]); 7] = [
    ("authentication", 3002, 3, &["/user/uid", "/service/name"]),
    ("issuance", 3003, 1, &["/user/uid", "/privileges/0"]),
    ("revocation", 3005, 2, &["/user/uid", "/privileges/0"]),
    ("decision", 6003, 99, API),
    ("outcome", 6003, 99, API),
    ("approval", 6003, 99, API),
    ("policy_reload", 6003, 99, API),
];

const API: &[&str] = &["/actor/app_uid", "/actor/user/uid", "/api/operation", "/src_endpoint/uid", "/dst_endpoint/uid"];

fn everything() -> Made {
    let mut made = court();
    let of = |kind: &str, number: u64, members: Value| {
        let mut record = json!({
            "version": 2, "kind": kind, "evaluation_id": format!("e{number:031x}"), "time": "2027-01-15T08:00:10.5Z",
            "server": "https://sts.example", "effect": "allow", "code": kind, "reasons": [],
        });
        record.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        record
    };
    let issued = json!({
        "client": {"id": LAWYER, "method": "private_key_jwt"},
        "issued": {
            "subject_hash": "hash-of-alice", "actors": [{"spiffe": LAWYER}], "audience": "https://tools.example",
            "scopes": "motions:file records:read", "token": "8c79", "expires": "2027-01-15T08:05:00Z",
        },
        "personal": {"subject": "alice"},
    });
    made.record(11_000_000, &of("issuance", 1, issued));
    let nothing = json!({"effect": "deny", "code": "client_unknown", "reasons": [{"kind": "refused", "text": "who?"}]});
    made.record(11_000_000, &of("issuance", 2, nothing));
    let revoked = json!({
        "revocation": {"what": "principal", "principal_hash": "hash-of-alice"},
        "personal": {"revoked_principal": {"issuer": "https://sts.example", "kind": "subject", "subject": "alice"}, "why": "left"},
    });
    made.record(12_000_000, &of("revocation", 3, revoked));
    made.record(13_000_000, &of("policy_reload", 4, json!({"policy_reload": {"after": "2", "cases_passed": 3}})));
    made
}

/// The events of `everything`, and their lines.
fn events() -> (Vec<Value>, String) {
    let folder = Folder::new();
    write(&everything(), &folder, "audit");
    let run = folder.run(&["audit", "export", "audit", "--format", "ocsf"], "");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    (run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), run.out)
}

#[test]
fn each_event_has_what_its_class_requires() {
    let (events, _) = events();
    assert_eq!(events.len(), 14);
    for event in &events {
        let kind = event["metadata"]["event_code"].as_str().unwrap();
        let (_, class, activity, required) = CLASSES.into_iter().find(|(name, ..)| *name == kind).unwrap();
        for (name, number) in [
            ("class_uid", class),
            ("category_uid", class / 1000),
            ("activity_id", activity),
            ("type_uid", class * 100 + activity),
        ] {
            assert_eq!(event[name].as_u64(), Some(number), "{name} in {event}");
        }
        assert!([1, 2].contains(&event["severity_id"].as_u64().unwrap()), "{event}");
        assert!(event["time"].as_u64().unwrap() / 1000 - 1_800_000_000 < 60, "{event}");
        for pointer in required.iter().chain(&["/metadata/version", "/metadata/product/name"]) {
            assert!(event.pointer(pointer).is_some_and(Value::is_string), "{pointer} in {event}");
        }
    }
    for (kind, ..) in CLASSES {
        assert!(events.iter().any(|event| event["metadata"]["event_code"] == kind), "{kind}");
    }
}

#[test]
fn what_matters_of_a_decision_is_where_it_is_looked_for() {
    let (events, _) = events();
    let by_id = |id: u64, kind: &str| {
        let id = format!("{id:032x}");
        let is = |event: &&Value| event["metadata"]["correlation_uid"] == id && event["metadata"]["event_code"] == kind;
        events.iter().find(is).unwrap()
    };
    let (allowed, denied, late) = (by_id(1, "decision"), by_id(2, "decision"), by_id(3, "decision"));
    for (pointer, expected) in [
        ("/actor/app_uid", json!(LAWYER)),
        ("/actor/user/uid", json!("https://sts.example#alice")),
        (
            "/actor/authorizations/0",
            json!({
                "decision": "Allow", "policy": {"uid": "lawyers-file", "version": "1", "is_applied": true},
            }),
        ),
        ("/api/operation", json!("motions:file")),
        ("/resources/0/uid", json!("17")),
        ("/status_id", json!(1)),
        ("/unmapped/delegation/chain/1/agent/named/name", json!("clerk#7")),
        ("/unmapped/trace", json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
    ] {
        assert_eq!(allowed.pointer(pointer), Some(&expected), "{pointer}");
    }
    // The record's names, and nothing that is personal but the names of those who acted.
    assert!(allowed["unmapped"].get("personal").is_none());
    assert_eq!((&denied["status_id"], &denied["severity_id"]), (&json!(2), &json!(2)));
    assert_eq!(denied["status_code"], "policy_not_permitted");
    assert_eq!((&late["status_id"], &late["unmapped"]["refused_late"]), (&json!(2), &json!(true)));
    assert_eq!(by_id(1, "outcome")["duration"], 12);
}

#[test]
fn the_schema_itself_takes_each_event() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/ocsf");
    let python = folder.join("venv/bin/python");
    if !python.exists() {
        return println!("skipped: the schema of OCSF is not installed (scripts/install-peers)");
    }
    let check = |lines: &str| {
        let mut child = Command::new(&python);
        let child =
            child.arg(folder.join("check.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        (done.status.success(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let (events, lines) = events();
    assert_eq!(check(&lines), (true, format!("{}\n", events.len()), String::new()));
    // That it would notice.
    let mut event = events[3].clone();
    event.as_object_mut().unwrap().remove("severity_id");
    let (is_good, _, why) = check(&format!("{event}\n"));
    assert!(!is_good && why.contains("severity_id"), "{why}");
}

#[test]
fn a_record_that_cannot_be_read_is_left_out_aloud() {
    let mut made = Made::new();
    made.record(0, &decision(1, LAWYER, "alice", "motions:file", "permitted"));
    made.record(0, &json!({"version": 99}));
    let folder = Folder::new();
    write(&made, &folder, "audit");
    let run = folder.run(&["audit", "export", "audit", "--format", "ocsf"], "");
    assert_eq!((run.status, run.out.lines().count()), (0, 1));
    assert!(run.err.contains("left out: 1 record that cannot be read here"), "{}", run.err);
}
