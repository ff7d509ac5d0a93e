//! Everything that is written anywhere: records, events and spans, errors, answers.

use std::fmt::{self, Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use agentauth_core::audit::{Append, AuditSink, Record};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// What is to be found nowhere, and what in the personal halves of records only.
pub(super) const SECRET: &str = "CANARY";
pub(super) const PERSONAL: &str = "PERSONAL";

/// A clerk who copies everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// The bodies of records.
    bodies: Arc<Mutex<Vec<String>>>,
    /// Their personal halves.
    personal: Arc<Mutex<Vec<String>>>,
    /// Events, the fields of spans, errors, answers.
    said: Arc<Mutex<Vec<String>>>,
    /// Texts that are secret, beside those with [`SECRET`] in them.
    secrets: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    /// From now on, no part of the compact `token` may be shown, but for its header, which is no secret.
    pub(super) fn guard(&self, token: &str) {
        let parts: Vec<&str> = token.split('.').collect();
        let parts = if parts.len() > 1 { &parts[1..] } else { &parts[..] };
        self.secrets.lock().unwrap().extend(parts.iter().map(|part| (*part).to_owned()));
    }

    /// What somebody was shown.
    pub(super) fn say(&self, what: &dyn Debug) {
        self.said.lock().unwrap().push(format!("{what:?} {what:#?}"));
    }

    pub(super) fn error(&self, error: &impl std::error::Error) {
        self.say(error);
        self.said.lock().unwrap().push(error.to_string());
    }

    /// How much was written: records, personal halves, and what was said.
    pub(super) fn amount(&self) -> [usize; 3] {
        [&self.bodies, &self.personal, &self.said].map(|lines| lines.lock().unwrap().len())
    }

    pub(super) fn personal(&self) -> String {
        self.personal.lock().unwrap().join("\n")
    }

    /// What stands where it must not.
    pub(super) fn leaks(&self) -> Vec<String> {
        let secrets = self.secrets.lock().unwrap();
        let is_secret = |line: &str| line.contains(SECRET) || secrets.iter().any(|secret| line.contains(&**secret));
        let mut found = Vec::new();
        for (lines, holds_names) in [(&self.bodies, false), (&self.personal, true), (&self.said, false)] {
            for line in lines.lock().unwrap().iter() {
                if is_secret(line) || !holds_names && line.contains(PERSONAL) {
                    found.push(line.clone());
                }
            }
        }
        found
    }
}

impl AuditSink for Watch {
    fn append(&self, record: Arc<Record>) -> Append {
        let (mut body, mut personal) = (Vec::new(), Vec::new());
        record.write(&mut body, &mut personal).unwrap();
        self.bodies.lock().unwrap().push(String::from_utf8(body).unwrap());
        self.personal.lock().unwrap().push(String::from_utf8(personal).unwrap());
        Append::done(Ok(()))
    }
}

/// Hears everything that is traced, at every level.
#[derive(Clone)]
pub(super) struct Ear(pub(super) Watch, Arc<AtomicU64>);

impl Ear {
    pub(super) fn new(watch: &Watch) -> Self {
        Self(watch.clone(), Arc::default())
    }

    fn heard(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{} {}", metadata.target(), metadata.name()));
        record(&mut line);
        self.0.said.lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.heard(span.metadata(), |line| span.record(line));
        span::Id::from_u64(self.1.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.said.lock().unwrap().push(line.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.heard(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
