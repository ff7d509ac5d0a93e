//! `agentauth audit view`: what it refuses, what it answers, and what a real browser makes of its page.

mod browser;
pub(crate) mod log;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agentauth_audit::format::EntryKind;
use serde_json::{Value, json};

use self::log::{Decision, Log, PROBE, busy, probe};
use crate::support::Folder;

/// The program, at work, until it is dropped.
pub(crate) struct Viewing {
    child: Child,
    pub(crate) url: String,
    address: String,
    token: String,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Viewing {
    pub(crate) fn start(log: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_agentauth"))
            .args(["audit", "view"])
            .arg(log)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        let (address, token) = url.strip_prefix("http://").unwrap().split_once("/#token=").unwrap();
        let (address, token) = (address.to_owned(), token.to_owned());
        Self { child, url, address, token }
    }

    /// Sends `head` and reads until the end.
    fn send(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        // Whatever is asked is answered, or the test fails.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") { panic!("{head}") } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        self.send(&head)
    }

    fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[("Authorization", &format!("Bearer {}", self.token))])
    }

    fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Asks until all that is there has been read: each answer waits for some of it.
    fn read(&self) -> Value {
        let states = (0..100_000).map(|_| self.json("/api/state"));
        states.into_iter().find(|state| state["progress"]["is_up_to_date"] == true).expect("it is never up to date")
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a log that `fill` has filled.
fn logged(fill: impl FnOnce(&mut Log<'_>)) -> Folder {
    let folder = Folder::new();
    let path = folder.path("log");
    std::fs::create_dir(&path).unwrap();
    let mut log = Log::new(&path);
    fill(&mut log);
    log.flush();
    folder
}

fn decision<'a>(id: &str, code: Option<&'a str>) -> Decision<'a> {
    Decision {
        id: id.into(),
        principal: "alice",
        agents: vec!["spiffe://court.example/agent/lawyer", "spiffe://court.example/agent/orchestrator"],
        action: "motions:file",
        resource: ("case", "17"),
        code,
        policy: "lawyers",
        text: "lawyers file motions",
        shown: json!({"fee": 120}),
    }
}

#[test]
fn only_loopback_is_listened_at_and_only_a_log_is_shown() {
    let folder = logged(probe);
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
        let refused = folder.run(&["audit", "view", "log", "--listen", address], "");
        assert_eq!(refused.status, 2, "{address}");
        assert!(refused.err.contains("can be reached from other machines"), "{}", refused.err);
    }
    std::fs::create_dir(folder.path("empty")).unwrap();
    let refused = folder.run(&["audit", "view", "empty"], "");
    assert!(refused.status == 2 && refused.err.contains("holds no audit log"), "{}", refused.err);
    let refused = folder.run(&["audit", "view", "log", "--key", "none"], "");
    assert!(refused.status == 2 && refused.err.contains("--key"), "{}", refused.err);
    let refused = folder.run(&["audit", "view", "log", "--anchors", "nowhere"], "");
    assert!(refused.status == 2 && refused.err.contains("--anchors"), "{}", refused.err);
    std::fs::create_dir(folder.path("other")).unwrap();
    let other = folder.path("other");
    Log::new(&other).flush();
    let refused = folder.run(&["audit", "view", "."], "");
    assert!(refused.status == 2 && refused.err.contains("name one of `./log`, `./other`"), "{}", refused.err);
}

#[test]
fn whoever_has_no_token_or_comes_another_way_is_refused() {
    let folder = logged(probe);
    let viewing = Viewing::start(&folder.path("log"), &[]);
    let bearer = format!("Authorization: Bearer {}\r\n", viewing.token);
    let host = format!("Host: {}\r\n", viewing.address);
    let port = viewing.address.rsplit(':').next().unwrap();
    let state = |headers: &str| format!("GET /api/state HTTP/1.1\r\n{headers}");
    let short = &viewing.token[1..];
    let refused = [
        (state(&host), 401, "view_token"),
        (state(&format!("{host}Authorization: Bearer {short}\r\n")), 401, "view_token"),
        (state(&format!("{host}Authorization: Bearer {short}x\r\n")), 401, "view_token"),
        (state(&format!("{host}Cookie: token={}\r\n", viewing.token)), 401, "view_token"),
        (format!("GET /api/state?token={} HTTP/1.1\r\n{host}", viewing.token), 401, "view_token"),
        (state(&format!("Host: evil.example:{port}\r\n{bearer}")), 421, "view_host"),
        (state(&format!("Host: evil.example\r\n{bearer}")), 421, "view_host"),
        (state(&format!("Host: 127.0.0.1\r\n{bearer}")), 421, "view_host"),
        (state(&format!("{host}Host: evil.example\r\n{bearer}")), 421, "view_host"),
        (format!("GET http://{}/api/state HTTP/1.1\r\n{host}{bearer}", viewing.address), 421, "view_host"),
        (format!("GET / HTTP/1.1\r\nHost: evil.example:{port}\r\n"), 421, "view_host"),
        (format!("POST /api/state HTTP/1.1\r\n{host}{bearer}"), 405, "view_method"),
        (format!("HEAD /page.css HTTP/1.1\r\n{host}"), 405, ""),
        (format!("OPTIONS /api/state HTTP/1.1\r\n{host}{bearer}"), 405, "view_method"),
        (state(&format!("{host}{bearer}Sec-Fetch-Site: cross-site\r\n")), 403, "view_site"),
        (state(&format!("{host}{bearer}Sec-Fetch-Site: same-site\r\n")), 403, "view_site"),
        (format!("GET /nothing HTTP/1.1\r\n{host}{bearer}"), 404, "view_path"),
        (format!("GET /api/record/99 HTTP/1.1\r\n{host}{bearer}"), 404, "view_record"),
        (format!("GET /api/record/x HTTP/1.1\r\n{host}{bearer}"), 400, "view_filter"),
        (format!("GET /api/records?since=x HTTP/1.1\r\n{host}{bearer}"), 400, "view_filter"),
        (format!("GET /api/records?limit=-1 HTTP/1.1\r\n{host}{bearer}"), 400, "view_filter"),
        (format!("GET /api/records?text={} HTTP/1.1\r\n{host}{bearer}", "x".repeat(1025)), 400, "view_filter"),
    ];
    for (head, status, code) in refused {
        let answer = viewing.send(&head);
        assert_eq!(answer.status, status, "{head}");
        assert!(code.is_empty() || answer.json()["code"] == code, "{head}: {}", answer.body);
        has_headers(&answer);
    }
    assert_eq!(viewing.send(&state(&format!("{host}{bearer}"))).status, 200);
    assert_eq!(
        viewing.send(&state(&format!("Host: localhost:{port}\r\n{bearer}Sec-Fetch-Site: same-origin\r\n"))).status,
        200
    );
}

fn has_headers(answer: &Answer) {
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self';",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'; trusted-types 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "cross-origin-resource-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
    ] {
        assert!(answer.head.contains(header), "{header} is not in {}", answer.head);
    }
    assert!(!answer.head.contains("access-control-") && !answer.head.contains("set-cookie"), "{}", answer.head);
}

#[test]
fn the_page_is_whole_and_says_nothing_of_any_record() {
    let folder = logged(probe);
    let viewing = Viewing::start(&folder.path("log"), &[]);
    let page = viewing.get_with("/", &[]);
    assert!(page.status == 200 && page.head.contains("content-type: text/html; charset=utf-8"), "{}", page.head);
    has_headers(&page);
    assert!(!page.body.contains("evil.example") && !page.body.contains(&viewing.token));
    // Nothing is inline, and nothing is elsewhere.
    for inline in ["style=", " onclick", "<style", "javascript:", "//"] {
        let body = page.body.replace("<!doctype html>", "");
        assert!(!body.contains(inline), "{inline}");
    }
    let named = page.body.split(['"']).filter(|text| text.starts_with('/') && text.contains('.'));
    let mut files: Vec<String> = named.map(Into::into).collect();
    let mut seen = 0;
    while let Some(file) = files.pop() {
        let answer = viewing.get_with(&file, &[]);
        assert_eq!(answer.status, 200, "{file}");
        has_headers(&answer);
        seen += 1;
        if file == "/page.js" {
            let imported = answer.body.split('\'').filter(|text| text.starts_with("./") && text.ends_with(".js"));
            files.extend(imported.map(|name| name[1..].to_owned()));
        }
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!answer.body.contains(forbidden), "{file} has {forbidden}");
        }
    }
    assert_eq!(seen, 12 - 1);
}

#[test]
fn records_are_counted_filtered_listed_and_opened() {
    let folder = logged(|log| {
        for n in 0..40 {
            log.wait(60_000_000);
            let code = (n % 4 == 0).then_some(if n % 8 == 0 { "policy_forbidden" } else { "token_expired" });
            let outcome = if n == 2 { None } else { code.is_none().then_some("completed") };
            decision(&format!("e{n}"), code).append(log, outcome);
        }
        log.append(EntryKind::Refused, &json!({"entries": [2]}), None);
    });
    let viewing = Viewing::start(&folder.path("log"), &[]);
    let state = viewing.read();
    assert_eq!((&state["records"], &state["progress"]["origin"]), (&json!(40 + 29), &json!(log::ORIGIN)), "{state}");
    let counts = |query: &str| {
        let summary = viewing.json(&format!("/api/summary?{query}"));
        (
            summary["matches"].as_u64().unwrap(),
            summary["allowed"].as_u64().unwrap(),
            summary["denied"].as_u64().unwrap(),
        )
    };
    assert_eq!(counts(""), (40, 30, 10));
    assert_eq!(counts("kind=all"), (69, 59, 10));
    assert_eq!(counts("kind=outcome"), (29, 29, 0));
    assert_eq!(counts("verdict=deny"), (10, 0, 10));
    assert_eq!(counts("reason=token_expired"), (5, 0, 5));
    assert_eq!(counts("reason=nothing_of_that_name"), (0, 0, 0));
    assert_eq!(counts("agent=spiffe%3A%2F%2Fcourt.example%2Fagent%2Forchestrator"), (40, 30, 10));
    assert_eq!(counts("principal=https%3A%2F%2Fsts.example%23alice&action=motions%3Afile"), (40, 30, 10));
    assert_eq!(counts("principal=alice"), (0, 0, 0));
    assert_eq!(counts("text=EXPIRED"), (5, 0, 5));
    assert_eq!(counts("text=e7"), (1, 1, 0));
    let (start, minute) = (crate::support::NOW * 1_000_000, 60_000_000);
    assert_eq!(counts(&format!("since={}&until={}", start + 5 * minute, start + 8 * minute)).0, 3);

    let summary = viewing.json("/api/summary");
    assert_eq!(summary["reasons"]["list"], json!([["policy_forbidden", 5], ["token_expired", 5]]));
    let bars =
        |kind: &str| summary["timeline"][kind].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((bars("allowed"), bars("denied")), (30, 10));
    assert_eq!(summary["timeline"]["width"], 30_000_000);

    let list = viewing.json("/api/records?limit=3&offset=1&verdict=allow");
    let numbers: Vec<u64> =
        list["records"].as_array().unwrap().iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert_eq!((list["matches"].as_u64(), numbers.len()), (Some(30), 3));
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    let before = numbers[0] - 1;
    assert_eq!(
        viewing.json(&format!("/api/records?limit=1&verdict=allow&upto={before}"))["records"][0]["number"],
        numbers[1]
    );
    assert_eq!(viewing.json("/api/records?limit=99999")["records"].as_array().unwrap().len(), 40);
    assert_eq!(viewing.json("/api/records?kind=decision&text=e1")["records"][0]["outcome"], "completed");
    assert_eq!(viewing.json("/api/records?kind=decision&text=e2")["records"][0]["outcome"], "");

    let graph = viewing.json("/api/graph");
    let node = |n: usize| {
        (graph["nodes"][n]["column"].as_u64().unwrap(), graph["nodes"][n]["name"].as_str().unwrap().to_owned())
    };
    assert_eq!(node(0), (0, "https://sts.example#alice".into()));
    assert_eq!(node(1), (1, "spiffe://court.example/agent/orchestrator".into()));
    assert_eq!(node(2), (2, "spiffe://court.example/agent/lawyer".into()));
    assert_eq!(graph["edges"][1], json!({"from": 1, "to": 2, "allowed": 30, "denied": 10}));

    let opened = viewing.json("/api/evaluation/e1");
    assert_eq!(opened, viewing.json(&format!("/api/record/{}", opened["number"])));
    let record: Value = serde_json::from_str(opened["record"].as_str().unwrap()).unwrap();
    assert_eq!(record["personal"]["shown"], json!({"fee": 120}));
    assert_eq!(opened["is_late"], true, "{opened}");
    let outcome: Value = serde_json::from_str(opened["related"][0]["record"].as_str().unwrap()).unwrap();
    assert_eq!((&outcome["kind"], &outcome["code"]), (&json!("outcome"), &json!("completed")));
}

#[test]
fn what_comes_is_followed_and_what_is_erased_is_gone() {
    let folder = Folder::new();
    let path = folder.path("log");
    std::fs::create_dir(&path).unwrap();
    let mut log = Log::new(&path);
    let first = decision("e0", None).append(&mut log, None);
    log.flush();
    let viewing = Viewing::start(&path, &[]);
    assert_eq!(viewing.read()["records"], 1);
    decision("e1", Some("token_expired")).append(&mut log, None);
    log.append(EntryKind::Erased, &json!({"entries": [first], "reason": "request 7"}), None);
    log.flush();
    assert_eq!(viewing.read()["records"], 2);
    assert_eq!(
        viewing.json("/api/summary")["principals"]["list"],
        json!([["(erased)", 1], ["https://sts.example#alice", 1]])
    );
    assert_eq!(viewing.read()["events"][0]["payload"]["reason"], "request 7");
}

#[test]
fn damage_is_said_and_what_is_behind_it_is_shown() {
    let folder = Folder::new();
    let path = folder.path("log");
    std::fs::create_dir(&path).unwrap();
    busy(&path, 400, 500, None);
    let mut segments: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let at = bytes.len() - 40;
    bytes[at] ^= 1;
    std::fs::write(&segments[0], bytes).unwrap();
    let viewing = Viewing::start(&path, &[]);
    let state = viewing.read();
    assert_eq!(state["progress"]["damage"]["code"], "frame_side_checksum", "{state}");
    assert_eq!(state["progress"]["damage"]["is_at_the_end"], false);
    assert_eq!(viewing.json(&format!("/api/evaluation/{}", "f".repeat(32)))["is_erased"], false);
    let integrity = loop {
        let integrity = viewing.json("/api/integrity");
        if integrity["is_running"] == false {
            break integrity;
        }
    };
    assert_eq!(integrity["report"]["verdict"], "damaged", "{integrity}");
    assert_eq!(integrity["report"]["faults"][0]["code"], "frame_side_checksum", "{integrity}");
}

/// What was allowed, and refused after all since its record could not be kept everywhere, was not allowed.
#[test]
fn an_answer_that_was_put_right_is_shown_as_it_was_given() {
    let folder = logged(|log| {
        decision("e0", None).append(log, None);
        decision("e0", Some("audit_unavailable")).append(log, None);
        decision("e1", None).append(log, None);
    });
    let viewing = Viewing::start(&folder.path("log"), &[]);
    viewing.read();
    let list = viewing.json("/api/records");
    let shown = |n: usize| (list["records"][n]["effect"].as_str().unwrap(), list["records"][n]["is_late"] == true);
    assert_eq!([shown(0), shown(1), shown(2)], [("allow", false), ("deny", false), ("allow", true)]);
}

/// A file that a crash, or somebody else, has left without a beginning: what stands in the others is shown.
#[test]
fn a_segment_without_a_header_hides_no_other() {
    for place in 0..3 {
        let folder = Folder::new();
        let path = folder.path("log");
        std::fs::create_dir(&path).unwrap();
        busy(&path, 400, 300, None);
        let whole = Viewing::start(&path, &[]).read()["entries"].as_u64().unwrap();
        let mut segments: Vec<_> = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        segments.sort();
        assert_eq!(segments.len(), 3);
        std::fs::write(&segments[place], "").unwrap();
        let state = Viewing::start(&path, &[]).read();
        let lost = if place == 2 { whole - 600 } else { 300 };
        assert_eq!(state["entries"], whole - lost, "{place}: {state}");
        assert_eq!(state["progress"]["damage"]["offset"], 0, "{place}: {state}");
        assert_eq!(state["progress"]["damage"]["is_at_the_end"], place == 2, "{place}: {state}");
    }
}

/// Whoever else is on this host may connect, and say nothing.
#[test]
fn connections_that_say_nothing_keep_nobody_out() {
    let folder = logged(|log| _ = decision("e0", None).append(log, None));
    let viewing = Viewing::start(&folder.path("log"), &[]);
    let silent: Vec<_> = (0..200)
        .map(|n| {
            let mut stream = TcpStream::connect(&viewing.address).unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            }
            stream
        })
        .collect();
    assert_eq!(viewing.read()["records"], 1);
    drop(silent);
}

#[test]
fn what_others_have_written_is_told_as_it_is() {
    let folder = logged(probe);
    let viewing = Viewing::start(&folder.path("log"), &[]);
    viewing.read();
    let answer = viewing.get("/api/records");
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert_eq!(answer.json()["records"][0]["action"], PROBE);
}
