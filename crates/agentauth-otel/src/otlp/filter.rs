//! What of a program's spans and events is sent.

use tracing::{Level, Metadata};

use crate::names::event;

/// Of whoever sends: what they say about sending would be sent, and that about sending it.
const SENDERS: [&str; 5] = ["h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// Spans up to `DEBUG`, as those of requests often are, and events up to `INFO`. Not the copy of the record, which has a place of its own.
pub(super) fn is_sent(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let top = target.split("::").next().unwrap_or_default();
    let least = if metadata.is_span() { Level::DEBUG } else { Level::INFO };
    *metadata.level() <= least
        && target != event::TARGET
        && !SENDERS.contains(&top)
        && !top.starts_with("opentelemetry")
}
