#![doc = include_str!("lib.md")]

mod baggage;
#[cfg(test)]
mod court;
mod known;
pub mod metrics;
pub mod names;
#[cfg(feature = "otlp")]
pub mod otlp;
mod remote;
mod spans;

pub use baggage::strip_identity_baggage;
pub use metrics::{Metrics, MetricsBuilder};
pub use remote::{continue_remote, inject, link_remote};
pub use spans::SpanAttributes;
