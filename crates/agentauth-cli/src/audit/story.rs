//! One evaluation, told to people.

use std::fmt::Write as _;

use agentauth_audit::read::{LogRecord, View};
use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use serde_json::Value;

use super::explain::Explained;
use super::line::who;
use crate::look::{Look, Mark};
use crate::text::{json, relative, shown};

pub(super) fn of(explained: &Explained, look: Look, now: Timestamp, is_one_of_several: bool) -> String {
    let record = &explained.record;
    let (Some(view), Some(value)) = (record.view(), record.value()) else { return String::new() };
    let mut story = Story { out: String::new(), look };
    story.answer(explained, &view, now);
    story.chain(&view, &value);
    story.action(&view, &value);
    story.policy(&view, &value);
    story.outcome(explained, &view);
    if let Some(id) = view.authentication_id() {
        story.title("Authentication");
        story.authentication(id, explained.authentication.as_ref());
    }
    if !explained.approvals.is_empty() {
        story.title("Approval");
        explained.approvals.iter().for_each(|approval| story.approval(approval));
    }
    story.place(explained, is_one_of_several);
    story.out
}

struct Story {
    out: String,
    look: Look,
}

impl Story {
    fn title(&mut self, title: &str) {
        let _ = writeln!(self.out, "\n{}", self.look.title(title));
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "  {line}");
    }

    /// `name: value`, if there is one.
    fn told(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.line(&format!("{name} {}", shown(value)));
        }
    }

    fn verdict(&self, view: &View<'_>, is_refused_late: bool) -> String {
        if is_refused_late {
            return format!("{} {}", self.look.mark(Mark::Failed), self.look.failure("refused: recorded too late"));
        }
        let (mark, word) = match view.effect() {
            Effect::Allow => (Mark::Passed, "allowed"),
            Effect::Deny => (Mark::Failed, "denied"),
        };
        format!("{} {word}: {}", self.look.mark(mark), shown(view.code()))
    }

    fn answer(&mut self, explained: &Explained, view: &View<'_>, now: Timestamp) {
        let record = &explained.record;
        let correction = explained.correction.as_ref().and_then(LogRecord::view);
        let what = format!("{} {}", capital(view.kind()), shown(view.evaluation_id()));
        let _ = writeln!(self.out, "{}", self.look.title(&what));
        let verdict = match &correction {
            Some(correction) => {
                let refused = format!("refused: {}", shown(correction.code()));
                format!("{} {}", self.look.mark(Mark::Failed), self.look.failure(&refused))
            }
            None => self.verdict(view, record.is_refused_late()),
        };
        let _ = writeln!(self.out, "{verdict}");
        let replica = view.replica().map(|name| format!(", replica {}", shown(name))).unwrap_or_default();
        let ago = Timestamp::from_rfc3339(view.time()).map(|time| relative(time.secs(), now.secs()));
        let ago = ago.map(|ago| format!(" ({ago})")).unwrap_or_default();
        let _ = writeln!(self.out, "at {}{ago}, by {}{replica}", shown(view.time()), shown(view.server()));
        if record.is_refused_late() {
            let _ = writeln!(
                self.out,
                "The policy allowed it, and the caller was refused all the same: the record was not on the disk in time."
            );
        } else if let Some(correction) = correction {
            let why =
                correction.reasons().last().map(|reason| format!(": {}", shown(&reason.text))).unwrap_or_default();
            let _ = writeln!(self.out, "It was {} at first, and that did not count{why}", shown(view.code()));
        }
    }

    /// Who acts for whom, as a tree: the authority comes from the top.
    fn chain(&mut self, view: &View<'_>, value: &Value) {
        let (agent, principal) = (view.agent(), who(view));
        if agent.is_none() && principal.is_none() {
            return;
        }
        self.title("Who");
        let mut depth = 0_usize;
        if let Some(principal) = principal {
            let mode = view.mode().map(|mode| format!("  ({})", shown(&mode.replace('_', " ")))).unwrap_or_default();
            self.line(&format!("{principal}{mode}"));
            depth = 1;
        }
        let mut hops: Vec<_> = view.chain().collect();
        hops.reverse();
        // Of a question, the chain is of the server that asks.
        if hops.is_empty() || value.get("question").is_some() {
            let branch = if depth > 0 { self.look.branch(depth.saturating_sub(1)) } else { String::new() };
            let agent = shown(agent.as_deref().unwrap_or("nobody who was verified"));
            self.line(&format!("{branch}{agent}"));
        } else {
            for hop in hops {
                let branch = if depth > 0 { self.look.branch(depth.saturating_sub(1)) } else { String::new() };
                let proof = hop.proof.as_deref().map(|proof| format!("  {}", proven(proof))).unwrap_or_default();
                let key = hop.key.as_deref().map(|key| format!(", key {}", shown(key))).unwrap_or_default();
                let held = hop.authority.as_deref().map(|held| format!(", held {}", shown(held))).unwrap_or_default();
                self.line(&format!("{branch}{}{}", shown(&hop.agent), self.look.dim(&format!("{proof}{key}{held}"))));
                depth = depth.saturating_add(1);
            }
        }
        let delegation = &value["delegation"];
        self.told("vouched for by", view.issuer());
        self.told("authority", delegation["scopes"].as_str().filter(|scopes| !scopes.is_empty()));
        if let Some(details) = delegation.get("authorization_details") {
            self.line(&format!("within {}", json(details)));
        }
        let token = view.token().map(|token| {
            let binding = delegation["binding"].as_str().unwrap_or("?");
            let until = delegation["expires"].as_str().unwrap_or("?");
            format!("token {} (keyed hash), bound by {}, until {}", shown(token), shown(binding), shown(until))
        });
        if let Some(token) = token {
            self.line(&token);
        }
        if let Some(peer) = view.peer() {
            let proof = json(&value["peer_proof"]);
            self.line(&format!("connection from {}, proven by {}", shown(peer), proof.trim_matches('"')));
        }
        self.told("transaction", view.transaction());
        self.told("trace", view.trace());
    }

    fn action(&mut self, view: &View<'_>, value: &Value) {
        let Some(action) = view.action() else { return };
        self.title("What");
        let on = view.resource().map(|(kind, id)| format!(" on {}/{}", shown(kind), shown(id))).unwrap_or_default();
        self.line(&format!("{}{on}", shown(action)));
        if let Some(digest) = view.arguments() {
            self.line(&format!("arguments with the SHA-256 {}", shown(digest)));
            match value["personal"].get("shown") {
                Some(shown_arguments) => self.line(&format!("of which are shown: {}", json(shown_arguments))),
                None => self.line("none of them are shown"),
            }
        }
    }

    fn policy(&mut self, view: &View<'_>, value: &Value) {
        self.title("Why");
        if view.reasons().is_empty() {
            self.line("no reason is on record");
        }
        for reason in view.reasons() {
            let by = reason.policy.as_deref().map(|policy| format!(" by {}", shown(policy))).unwrap_or_default();
            self.line(&format!("{}{by}: {}", shown(&reason.kind.replace('_', " ")), shown(&reason.text)));
        }
        self.told("policies of version", view.policy_version());
        for obligation in list(value, "obligations") {
            self.line(&format!("on condition of {}", json(obligation)));
        }
        for fault in list(value, "policy_errors") {
            let fault = json(fault);
            self.line(&self.look.warning(&format!("could not be evaluated: {fault}")));
        }
        for flip in list(value, "would_flip") {
            let text = |name: &str| shown(flip.get(name).and_then(Value::as_str).unwrap_or("?"));
            self.line(&format!("rehearsing, not in force: {} would {}", text("policy"), text("to")));
        }
    }

    fn outcome(&mut self, explained: &Explained, view: &View<'_>) {
        if view.kind() != "decision" {
            return;
        }
        self.title("Outcome");
        match explained.outcome.as_ref().and_then(|outcome| Some((outcome, outcome.view()?))) {
            Some((_, outcome)) => {
                let took = outcome.took_micros().map(took).unwrap_or_default();
                let is_good = outcome.code() == "succeeded";
                let mark = self.look.mark(if is_good { Mark::Passed } else { Mark::Failed });
                self.line(&format!("{mark} {}{took}, at {}", shown(outcome.code()), shown(outcome.time())));
            }
            None if view.effect() == Effect::Deny || explained.is_refused_after_all() => {
                self.line("none: it was not allowed");
            }
            None => self.line(&self.look.warning("unknown: no outcome is on record")),
        }
    }

    fn authentication(&mut self, id: &str, record: Option<&LogRecord>) {
        match record.and_then(|record| Some((record, record.view()?))) {
            Some((record, view)) => {
                let verdict = self.verdict(&view, record.is_refused_late());
                self.line(&format!("{verdict}, at {}, evaluation {}", shown(view.time()), shown(id)));
            }
            None => self.line(&format!("evaluation {}, which is not in this log", shown(id))),
        }
    }

    fn approval(&mut self, record: &LogRecord) {
        let Some(view) = record.view() else { return };
        let verdict = self.verdict(&view, record.is_refused_late());
        let approver = record.value().and_then(|value| value.pointer("/personal/approver").map(json));
        let by = approver.map(|approver| format!(", by {approver}")).unwrap_or_default();
        let (kind, time) = (shown(view.kind()), shown(view.time()));
        self.line(&format!("{verdict}{by}, at {time} ({kind} {})", shown(view.evaluation_id())));
    }

    /// Where it stands, and who says so.
    fn place(&mut self, explained: &Explained, is_one_of_several: bool) {
        self.title("Record");
        let record = &explained.record;
        let log = if is_one_of_several { format!(" of {}", shown(record.log())) } else { String::new() };
        self.line(&format!("entry {}{log}, written at {}", record.number(), record.time()));
        if record.is_erased() {
            self.line("what was personal in it has been erased");
        }
        match &explained.checkpoint {
            Some(seen) if seen.is_signed => self.line(&format!(
                "covered by the signed checkpoint in entry {} ({}); `agentauth audit verify` tells whether it holds",
                seen.number, seen.time
            )),
            Some(seen) => self.line(&format!("covered by the tree head in entry {}, which is not signed", seen.number)),
            None => self.line("not covered by a checkpoint yet"),
        }
        if explained.others > 0 {
            let text = format!("{} more records have this evaluation id, which no server writes", explained.others);
            self.line(&self.look.warning(&text));
        }
    }
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn took(micros: u64) -> String {
    match micros {
        0..1000 => format!(" after {micros} us"),
        1000..1_000_000 => format!(" after {} ms", micros / 1000),
        _ => format!(" after {} s", micros / 1_000_000),
    }
}

/// How the name of an actor is known.
fn proven(proof: &str) -> String {
    match proof {
        "token" => "by the issuer's word".into(),
        "offline_link" => "by a link that the holder before it has signed".into(),
        "mutual_tls" => "by mutual TLS".into(),
        "forwarded" => "by the word of a trusted proxy".into(),
        "forwarded_certificate" => "by the certificate that a trusted proxy passed on".into(),
        other => format!("by {}", shown(other)),
    }
}

fn capital(text: &str) -> String {
    let text = shown(&text.replace('_', " "));
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
