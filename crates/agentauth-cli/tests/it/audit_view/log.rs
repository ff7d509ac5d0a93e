//! Logs, written entry by entry.

use std::fs;
use std::path::Path;

use agentauth_audit::checkpoint::{CheckpointKey, Head};
use agentauth_audit::format::{Body, EntryKind, SALT_BYTES, SegmentHeader, append_frame, commitment, segment_name};
use agentauth_audit::tree::{Frontier, Hash, leaf_hash};
use serde_json::{Value, json};

use crate::support::NOW;

pub(crate) const ORIGIN: &str = "tools.example/audit";

/// What a browser must show, and not do.
pub(crate) const PROBE: &str =
    "<img src=x onerror=\"window.probed=1\"><script>window.probed=1</script>\"'`${window.probed=1}\u{202e}\u{0}";

/// The one writer of a log.
pub(crate) struct Log<'d> {
    directory: &'d Path,
    tree: Frontier,
    previous: Hash,
    micros: u64,
    name: String,
    /// So many entries to a segment.
    pub(crate) per_segment: u64,
    /// Signs checkpoints.
    pub(crate) key: Option<CheckpointKey>,
    /// What is not written yet.
    bytes: Vec<u8>,
}

impl<'d> Log<'d> {
    pub(crate) fn new(directory: &'d Path) -> Self {
        let mut log = Self {
            directory,
            tree: Frontier::default(),
            previous: Hash::default(),
            micros: NOW * 1_000_000,
            name: String::new(),
            per_segment: u64::MAX,
            key: None,
            bytes: Vec::new(),
        };
        log.rotate();
        log.append(EntryKind::Opened, &json!({"sdk": "0.1.0", "process": 7}), None);
        log
    }

    fn rotate(&mut self) {
        self.flush();
        self.name = segment_name(self.tree.size());
        let header = SegmentHeader::new("0123456789abcdef0123456789abcdef", ORIGIN, self.previous, &self.tree);
        self.bytes = header.to_bytes();
    }

    /// Writes what is not written yet.
    pub(crate) fn flush(&mut self) {
        use std::io::Write as _;
        if !self.bytes.is_empty() {
            let file = fs::OpenOptions::new().append(true).create(true).open(self.directory.join(&self.name));
            file.unwrap().write_all(&self.bytes).unwrap();
            self.bytes.clear();
        }
    }

    pub(crate) fn wait(&mut self, micros: u64) {
        self.micros += micros;
    }

    /// Appends an entry, and says its number.
    pub(crate) fn append(&mut self, kind: EntryKind, payload: &Value, personal: Option<&Value>) -> u64 {
        let number = self.tree.size();
        if number > 0 && number.is_multiple_of(self.per_segment) {
            self.rotate();
        }
        let salt = || [0x5a; SALT_BYTES].to_vec();
        let side = personal.map(|personal| [salt(), personal.to_string().into_bytes()].concat()).unwrap_or_default();
        let payload = payload.to_string();
        let body = Body {
            kind,
            number,
            micros: self.micros,
            previous: self.previous,
            commitment: commitment(&side),
            payload: payload.as_bytes(),
        };
        let mut written = Vec::new();
        body.write(&mut written);
        append_frame(&mut self.bytes, &written, &side);
        self.previous = leaf_hash(&written);
        self.tree.push(self.previous);
        number
    }

    /// Appends the head of the tree so far.
    pub(crate) fn checkpoint(&mut self) {
        let head = Head::new(ORIGIN, &self.tree);
        let note = self.key.as_ref().map_or_else(|| head.text(), |key| key.sign(&head).unwrap());
        self.append(EntryKind::Checkpoint, &json!({"note": note}), None);
    }
}

/// One decision: who may do what, for whom.
pub(crate) struct Decision<'a> {
    pub(crate) id: String,
    pub(crate) principal: &'a str,
    /// The current actor first.
    pub(crate) agents: Vec<&'a str>,
    pub(crate) action: &'a str,
    pub(crate) resource: (&'a str, &'a str),
    /// Of a denial.
    pub(crate) code: Option<&'a str>,
    pub(crate) policy: &'a str,
    pub(crate) text: &'a str,
    pub(crate) shown: Value,
}

impl Decision<'_> {
    /// Appends it, with its outcome unless there is `None`.
    pub(crate) fn append(&self, log: &mut Log<'_>, outcome: Option<&str>) -> u64 {
        let (effect, code) = self.code.map_or(("allow", "allowed"), |code| ("deny", code));
        let hop = |(at, agent): (usize, &&str)| {
            let mut hop = json!({"agent": {"spiffe": agent}, "proof": if at == 0 { "mutual_tls" } else { "token" }});
            if at == 0 {
                hop["key"] = "x5t#S256:4SLtXmvCJ9sVZ8kPzP1fGk2c3Zg0mYw1b7yQxq1o0aE".into();
            }
            hop
        };
        let mut reason = json!({"kind": if effect == "allow" { "permitted" } else { "forbidden" }, "text": self.text});
        if !self.policy.is_empty() {
            reason["policy"] = self.policy.into();
        }
        let body = json!({
            "version": 2, "kind": "decision", "evaluation_id": self.id, "time": "2027-01-15T08:00:00Z",
            "server": "https://tools.example", "replica": "tools-7f", "effect": effect, "code": code,
            "reasons": [reason],
            "authentication_id": format!("a{}", self.id),
            "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "took_micros": 184,
            "delegation": {
                "agent": {"spiffe": self.agents[0]}, "principal_hash": "5a1f0c77d2", "mode": "on_behalf_of",
                "chain": self.agents.iter().enumerate().map(hop).collect::<Vec<_>>(), "depth": self.agents.len(),
                "scopes": "motions:file records:read", "audience": "https://tools.example",
                "issuer": "https://sts.example", "binding": "mtls", "token": "8c79bef21c6a4bb855a6f8e86056ec53",
                "expires": "2027-01-15T08:05:00Z",
            },
            "action": {
                "name": self.action, "resource": {"kind": self.resource.0, "id": self.resource.1},
                "arguments": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            },
            "policy_version": "2027-01-12.3",
        });
        let personal = json!({
            "principal": {"issuer": "https://sts.example", "kind": "subject", "subject": self.principal},
            "shown": self.shown,
        });
        let number = log.append(EntryKind::Record, &body, Some(&personal));
        if let Some(outcome) = outcome {
            log.wait(2_300);
            let body = json!({
                "version": 2, "kind": "outcome", "evaluation_id": self.id, "time": "2027-01-15T08:00:00Z",
                "server": "https://tools.example", "effect": effect, "code": outcome, "reasons": [], "took_micros": 2300,
            });
            log.append(EntryKind::Record, &body, None);
        }
        number
    }
}

/// A log with `decisions` decisions over some time, most of them allowed, and entries of its own.
pub(crate) fn busy(directory: &Path, decisions: u64, per_segment: u64, key: Option<CheckpointKey>) {
    const PRINCIPALS: [&str; 6] = ["alice", "bob", "carol", "dana", "erin", "registry-batch"];
    const CHAINS: [&[&str]; 5] = [
        &["spiffe://court.example/agent/lawyer", "spiffe://court.example/agent/orchestrator"],
        &["spiffe://court.example/agent/clerk"],
        &[
            "spiffe://court.example/agent/researcher",
            "spiffe://court.example/agent/lawyer",
            "spiffe://court.example/agent/orchestrator",
        ],
        &["spiffe://court.example/agent/translator", "spiffe://court.example/agent/orchestrator"],
        &["spiffe://partner.example/agent/courier", "spiffe://court.example/agent/clerk"],
    ];
    const ACTIONS: [(&str, &str); 5] = [
        ("motions:file", "case"),
        ("records:read", "case"),
        ("exhibits:attach", "exhibit"),
        ("fees:pay", "account"),
        ("hearings:list", "court"),
    ];
    const DENIALS: [(&str, &str, &str); 6] = [
        ("policy_not_permitted", "", "no policy permits the action"),
        ("argument_outside_limit", "fee-limit", "the fee is more than 500"),
        ("policy_forbidden", "sealed", "the case is sealed"),
        ("scope_insufficient", "", "the token lacks the scope fees:pay"),
        ("token_expired", "", "the token expired 31 s ago"),
        ("approval_required", "large-fee", "a human must approve fees above 200"),
    ];
    let mut log = Log::new(directory);
    (log.per_segment, log.key) = (per_segment, key);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let pick = |n: u64| usize::try_from(n).unwrap();
    for n in 0..decisions {
        // Slow at its beginning, with a rush in the middle.
        let rush = n > decisions / 2 && n < decisions * 3 / 5;
        log.wait(1 + random(if rush { 40_000 } else { 220_000 }));
        let chain = CHAINS[pick(random(100)).pow(2) / 2_001 % 5];
        let (action, kind) = ACTIONS[pick(random(5))];
        let is_denied = random(100) < if rush { 22 } else { 5 };
        let denial = DENIALS[pick(random(36)).isqrt() % 6];
        let case = format!("{}", 1000 + random(4000));
        let decision = Decision {
            id: format!("{n:032x}"),
            principal: PRINCIPALS[pick(random(36)).isqrt() % 6],
            agents: chain.to_vec(),
            action,
            resource: (kind, &case),
            code: is_denied.then_some(denial.0),
            policy: if is_denied { denial.1 } else { "court-clerks" },
            text: if is_denied { denial.2 } else { "clerks and lawyers may act on open cases" },
            shown: json!({"fee": 20 + random(900), "title": "Motion to dismiss"}),
        };
        let outcome =
            (!is_denied && random(200) > 0).then_some(if random(60) == 0 { "handler_failed" } else { "completed" });
        decision.append(&mut log, outcome);
        if n % 5_000 == 4_999 {
            log.checkpoint();
        }
    }
    log.append(EntryKind::Gap, &json!({"dropped": 3, "first": "a1", "last": "a3", "why": "queue_full"}), None);
    log.append(EntryKind::Opened, &json!({"sdk": "0.1.0", "process": 9, "clean": false}), None);
    probe(&mut log);
    log.flush();
}

/// Records whose every text that others choose would like to be more than text.
pub(crate) fn probe(log: &mut Log<'_>) {
    let agent = format!("spiffe://evil.example/{PROBE}");
    let decision = Decision {
        id: "f".repeat(32),
        principal: PROBE,
        agents: vec![&agent, "spiffe://court.example/agent/orchestrator"],
        action: PROBE,
        resource: (PROBE, PROBE),
        code: Some(PROBE),
        policy: PROBE,
        text: PROBE,
        shown: json!({PROBE: PROBE}),
    };
    decision.append(log, None);
}
