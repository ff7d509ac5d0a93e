//! Sending, until it is dropped.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::filter::is_sent;
use crate::names;

/// How long what is left may take to be sent at the end.
pub const MAX_FLUSH: Duration = Duration::from_secs(5);

/// Metrics and spans are sent while this lives. Dropping it sends what is left, for [`MAX_FLUSH`] at most.
#[must_use = "nothing is sent once this is dropped"]
pub struct Telemetry {
    meters: SdkMeterProvider,
    tracers: SdkTracerProvider,
}

impl Telemetry {
    pub(super) const fn new(meters: SdkMeterProvider, tracers: SdkTracerProvider) -> Self {
        Self { meters, tracers }
    }

    /// The layer that sends spans, to be added to the program's subscriber, which stands on a
    /// [`Registry`](tracing_subscriber::Registry).
    ///
    /// Spans are sent down to `DEBUG`, and the events in them down to `INFO`, but for those of
    /// [`TracingSink`](agentauth_core::audit::TracingSink), which are a copy of the record.
    #[must_use]
    pub fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.tracers.tracer(names::SCOPE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            // An event at level ERROR is about something in the request, and no judgement of it.
            .with_error_events_to_status(false);
        layer.with_filter(filter_fn(is_sent).with_max_level_hint(LevelFilter::DEBUG)).boxed()
    }

    /// Sends what is left now, and waits for it as long as dropping this does. Says whether all of it was taken.
    pub fn flush(&self) -> bool {
        let (meters, tracers) = (self.meters.clone(), self.tracers.clone());
        both(move || meters.force_flush().is_ok(), move || tracers.force_flush().is_ok())
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let (meters, tracers) = (self.meters.clone(), self.tracers.clone());
        // What was not taken is lost, and is in the log.
        let _taken = both(move || meters.shutdown().is_ok(), move || tracers.shutdown().is_ok());
    }
}

/// Runs both side by side, and waits for [`MAX_FLUSH`] at most.
fn both(one: impl FnOnce() -> bool + Send + 'static, other: impl FnOnce() -> bool + Send + 'static) -> bool {
    let (done, ended) = mpsc::channel();
    let (also_done, also_ended) = mpsc::channel();
    let begin = |work: Box<dyn FnOnce() -> bool + Send>, done: mpsc::Sender<bool>| {
        // Nobody may be waiting any more.
        thread::Builder::new().name("agentauth-otlp".into()).spawn(move || _ = done.send(work()))
    };
    // A machine that starts no threads sends nothing; then the channel is closed.
    let _threads = (begin(Box::new(one), done), begin(Box::new(other), also_done));
    let begun = std::time::Instant::now();
    let first = ended.recv_timeout(MAX_FLUSH).unwrap_or(false);
    let second = also_ended.recv_timeout(MAX_FLUSH.saturating_sub(begun.elapsed())).unwrap_or(false);
    first && second
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}
