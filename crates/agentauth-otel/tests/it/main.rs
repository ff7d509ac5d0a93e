//! What arrives at a collector, and what dashboards and guides call it.

#[cfg(feature = "otlp")]
mod collector;
#[cfg(feature = "otlp")]
#[path = "../../src/court.rs"]
mod court;
mod names;
#[cfg(feature = "otlp")]
mod otlp;
