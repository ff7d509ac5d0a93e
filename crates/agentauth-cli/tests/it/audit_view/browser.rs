//! The page in a real browser, over a log with 100,000 records.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use agentauth_audit::checkpoint::CheckpointKey;
use agentauth_core::SystemRandom;
use serde_json::Value;

use super::Viewing;
use super::log::{ORIGIN, busy};
use crate::support::Folder;

/// About two records for each.
const DECISIONS: u64 = 53_000;

/// What the browser has seen. Nothing, if there is none.
fn look(viewing: &Viewing) -> Option<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/audit-page");
    if Command::new("node").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: node is not installed, so the page is not looked at");
        return None;
    }
    if !folder.join("node_modules/puppeteer-core").is_dir() {
        println!("skipped: no browser is installed (npm ci in scripts/audit-page), so the page is not looked at");
        return None;
    }
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-page");
    fs::create_dir_all(&pictures).unwrap();
    let mut child = Command::new("node")
        .arg("page.mjs")
        .current_dir(&folder)
        // The browser is unpacked there.
        .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = serde_json::json!({"url": viewing.url, "screenshots": pictures});
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let written = String::from_utf8(done.stdout).unwrap();
    if !done.status.success() && written.is_empty() {
        println!("skipped: the browser does not start here");
        return None;
    }
    Some(serde_json::from_str(&written).unwrap())
}

fn number(seen: &Value, name: &str) -> u64 {
    seen[name].as_u64().unwrap_or_else(|| panic!("{name}: {seen:#}"))
}

#[test]
fn a_hundred_thousand_records_are_looked_at_in_a_real_browser() {
    let folder = Folder::new();
    let path = folder.path("log");
    fs::create_dir(&path).unwrap();
    let key = CheckpointKey::generate(ORIGIN, &SystemRandom).unwrap();
    let verifier = key.verifier_key().to_owned();
    busy(&path, DECISIONS, 60_000, Some(key));
    let viewing = Viewing::start(&path, &["--key", &verifier]);
    let Some(seen) = look(&viewing) else { return };
    for (name, milliseconds) in seen["times"].as_object().unwrap() {
        println!("{name}: {milliseconds} ms");
    }
    assert_eq!(seen["failure"], Value::Null, "{seen:#}");
    let records = viewing.read()["records"].as_u64().unwrap();
    assert!(records >= 100_000, "{records}");

    // What is asked for is what is shown.
    let total = number(&seen, "total");
    assert_eq!(total, DECISIONS + 1);
    assert!((20..100).contains(&number(&seen, "rows")), "only what is seen is there: {}", seen["rows"]);
    for (name, query) in [
        ("by_reason", format!("reason={}", seen["reason"].as_str().unwrap())),
        ("by_text", "text=sealed".into()),
        ("by_hash", "text=sealed".into()),
    ] {
        assert_eq!(number(&seen, name), viewing.json(&format!("/api/summary?{query}"))["matches"], "{name}");
        assert!((1..total).contains(&number(&seen, name)), "{name}");
    }
    assert!((1..total).contains(&number(&seen, "by_agent")));
    assert_eq!(seen["shared"], "#text=sealed");
    assert!(!seen["address"].as_str().unwrap().contains("token"), "{}", seen["address"]);

    // One decision, opened.
    let opened = &seen["opened"];
    let count = |value: &Value| value.as_array().unwrap().len();
    assert!(count(&opened["chain"]) >= 3, "principal, agents and action: {opened:#}");
    assert_eq!(
        opened["depth"].as_u64().unwrap(),
        count(&opened["chain"]) as u64,
        "each below the one before: {opened:#}"
    );
    assert_eq!(seen["cleared"], "", "the form says what the filters are");
    assert!(count(&opened["reasons"]) >= 1, "{opened:#}");
    assert!(opened["raw"].as_str().unwrap().contains("\"policy_version\": \"2027-01-12.3\""), "{opened:#}");
    for section in ["Why", "Who acts for whom", "What was asked", "How the caller was verified", "In the log"] {
        assert!(opened["sections"].as_array().unwrap().iter().any(|title| title == section), "{section}: {opened:#}");
    }
    assert!(
        seen["integrity"].as_str().unwrap().contains("entries are signed, and not anchored"),
        "{}",
        seen["integrity"]
    );
    assert!(seen["badge"].as_str().unwrap().starts_with("Verified, "), "{}", seen["badge"]);
    assert!(
        seen["integrity"].as_str().unwrap().contains(ORIGIN)
            && seen["integrity"].as_str().unwrap().contains("3 records were not kept")
    );

    keyboard(&seen["keyboard"]);

    // Everybody can read it.
    for (place, contrast) in seen["contrast"].as_object().unwrap() {
        println!("{place}: the least contrast is {} of {} texts", contrast["least"], contrast["texts"]);
        assert!(contrast["least"].as_f64().unwrap() >= 4.5 && number(contrast, "texts") > 20, "{place}: {contrast:#}");
    }
    for (place, violations) in seen["axe"].as_object().unwrap() {
        let serious = violations
            .as_array()
            .unwrap()
            .iter()
            .filter(|violation| violation["impact"] == "serious" || violation["impact"] == "critical");
        assert_eq!(serious.count(), 0, "{place}: {violations:#}");
    }
    assert_eq!(seen["narrow_overflow"], 0);
    assert_eq!(seen["motion"], 0);
    assert!(seen["shifts"]["sum"].as_f64().unwrap() < 0.05, "{:#}", seen["shifts"]);

    // Nobody else is asked, nothing runs that should not, and nothing is said of it.
    let origin = viewing.url.split("/#").next().unwrap();
    assert_eq!(seen["requests"], serde_json::json!([origin]));
    assert_eq!(seen["violations"], serde_json::json!([]));
    assert_eq!(seen["errors"], serde_json::json!([]));
    assert_eq!(seen["probe"], serde_json::json!({"ran": null, "elements": 0, "text": true, "hidden": false}));
    assert_eq!(seen["stranger"]["rows"], 0);
    assert!(seen["stranger"]["notice"].as_str().unwrap().contains("audit view"), "{}", seen["stranger"]);
}

fn keyboard(said: &Value) {
    let stops = said["stops"].as_array().unwrap();
    for stop in ["skip", "integrity", "verdict", "text", "agent", "reason", "kind", "timeline", "list"] {
        assert!(stops.iter().any(|name| name == stop), "{stop}: {stops:?}");
    }
    assert_eq!(said["unseen"], serde_json::json!([]), "where the keyboard is, is seen");
    assert_eq!(said["after_skip"], "list");
    assert_ne!(said["time_before"], said["time_after"]);
    assert!(said["zoomed"].as_str().unwrap().contains("since="), "{said:#}");
    let graph: Vec<_> = said["graph"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(graph, ["principal", "agent", "agent", "agent"], "{said:#}");
    assert_eq!(said["last"]["index"], said["last"]["of"]);
    assert_eq!(said["last"]["isInSight"], true, "{said:#}");
    assert_eq!(said["row"], "7");
    assert_eq!((&said["in_dialog"], &said["stepped"]), (&"decision-title".into(), &true.into()));
    assert_eq!(said["after_escape"], "list");
}
