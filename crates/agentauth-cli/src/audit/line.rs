//! One entry on one line: for people, and as JSON.

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{LogRecord, View};
use agentauth_core::policy::Effect;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::look::{Look, Mark};
use crate::text::{escape, json, shown};

/// Of what the log itself has to say, so much is shown.
const MAX_OWN_CHARS: usize = 160;

/// An entry, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Envelope {
    log: String,
    entry: u64,
    written: agentauth_core::Timestamp,
    kind: EntryKind,
    #[serde(skip_serializing_if = "is_false")]
    erased: bool,
    #[serde(skip_serializing_if = "is_false")]
    refused_late: bool,
    /// What it says; null if that is no JSON.
    content: Option<Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Envelope {
    pub(super) fn of(record: &LogRecord) -> Self {
        Self {
            log: record.log().to_owned(),
            entry: record.number(),
            written: record.time(),
            kind: record.kind(),
            erased: record.is_erased(),
            refused_late: record.is_refused_late(),
            content: record.value(),
        }
    }
}

/// The envelope of `record` on one line.
pub(super) fn envelope(record: &LogRecord) -> String {
    json(&Envelope::of(record))
}

/// The JSON of `record` itself on one line, as it was written. None if it is no JSON.
pub(super) fn raw(record: &LogRecord) -> Option<String> {
    let line = String::from_utf8(record.line()).ok()?;
    serde_json::from_str::<IgnoredAny>(&line).ok()?;
    // White space between values would end the line.
    if line.contains('\n') { record.value().map(|value| json(&value)) } else { Some(escape(&line)) }
}

/// What happened, on one line. The log is named where there are several.
pub(super) fn told(record: &LogRecord, look: Look, is_one_of_several: bool) -> String {
    let log = if is_one_of_several { format!("{}  ", shown(record.log())) } else { String::new() };
    let time = format!("{:<27}", record.time().to_string());
    let text = match record.view() {
        Some(view) => event(record, &view, look),
        None if record.kind() == EntryKind::Record => {
            format!("{} record that cannot be read here, entry {}", look.mark(Mark::Failed), record.number())
        }
        None => look.dim(&own(record, look)).into_owned(),
    };
    format!("{}  {log}{text}", look.dim(&time))
}

fn event(record: &LogRecord, view: &View<'_>, look: Look) -> String {
    let is_allowed = view.effect() == Effect::Allow && !record.is_refused_late();
    let mark = look.mark(if is_allowed { Mark::Passed } else { Mark::Failed });
    let mut text = format!("{mark} {:<14}", shown(view.kind()));
    if let Some(action) = view.action() {
        text.push_str(&format!("  {}", shown(action)));
    }
    if let Some((kind, id)) = view.resource() {
        text.push_str(&format!(" on {}/{}", shown(kind), shown(id)));
    }
    text.push_str(&format!("  {}", shown(view.code())));
    if record.is_refused_late() {
        text.push_str(", refused: recorded too late");
    }
    match (view.agent(), who(view)) {
        (Some(agent), Some(principal)) => text.push_str(&format!("  {} for {principal}", shown(&agent))),
        (Some(agent), None) => text.push_str(&format!("  {}", shown(&agent))),
        (None, Some(principal)) => text.push_str(&format!("  for {principal}")),
        (None, None) => {}
    }
    text.push_str(&format!("  {}", look.dim(&shown(view.evaluation_id()))));
    text
}

/// The principal, or what is left of it.
pub(super) fn who(view: &View<'_>) -> Option<String> {
    let hash = || view.principal_hash().map(|hash| format!("[{}]", shown(hash)));
    view.principal().map(|principal| shown(&principal)).or_else(hash)
}

fn own(record: &LogRecord, look: Look) -> String {
    let content = record.value().unwrap_or_default();
    let text = match record.kind() {
        EntryKind::Checkpoint => {
            let size = content.get("note").and_then(Value::as_str).and_then(|note| note.lines().nth(1)).unwrap_or("?");
            format!("of {} entries", shown(size))
        }
        EntryKind::Retired => String::new(),
        _ => {
            let text = json(&content);
            let cut: String = text.chars().take(MAX_OWN_CHARS).collect();
            if cut.len() < text.len() { format!("{cut}...") } else { cut }
        }
    };
    format!("{} {:<14}  {text}", look.mark(Mark::NotReached), record.kind().name())
}
