//! Metrics and spans, sent to a collector by OTLP over HTTP (feature `otlp`).
//!
//! **The durable log is the record; what is sent is a copy.** It is sent by threads of its own. While no collector takes it, spans are kept
//! up to [`MAX_SPANS`] and then dropped, metrics wait for the next turn, and no request notices.
//!
//! ```no_run
//! use agentauth_otel::Metrics;
//! use agentauth_otel::otlp::Otlp;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let telemetry = Otlp::to("http://127.0.0.1:4318").service("tool-server").install()?;
//! tracing::subscriber::set_global_default(tracing_subscriber::registry().with(telemetry.layer()))?;
//! let metrics = Metrics::builder().actions(["tickets.read"]).build();
//! // ... and at the end, what is left is sent:
//! drop(telemetry);
//! # Ok(())
//! # }
//! ```

mod endpoint;
mod filter;
mod guard;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};

use endpoint::Endpoint;
pub use guard::{MAX_FLUSH, Telemetry};

/// Spans that wait to be sent. More are dropped.
pub const MAX_SPANS: usize = 2048;

/// How long one export may take, tries again included. The next one waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How often metrics are sent, unless set.
const METRICS_EVERY: Duration = Duration::from_secs(30);

/// More often is of no use to anybody, and each export asks every observed log.
const MIN_METRICS_EVERY: Duration = Duration::from_secs(1);

/// Links of a span: one request comes from one place.
const MAX_LINKS: u32 = 8;

/// Where metrics and spans go, and as whose.
#[derive(Clone)]
#[must_use]
pub struct Otlp {
    endpoint: String,
    service: String,
    instance: Option<String>,
    headers: Vec<(String, String)>,
    metrics_every: Duration,
    is_plaintext_allowed: bool,
}

/// Nothing can be sent so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// The endpoint is no URL of a collector.
    #[error("`{0}` is no endpoint: give the scheme, the host and the port, as in https://collector.example:4318")]
    Endpoint(Box<str>),
    /// The endpoint is elsewhere, and not over TLS.
    #[error(
        "telemetry for `{0}` would travel in the clear: use https, a collector on this host, or dangerously_in_the_clear()"
    )]
    Plaintext(Box<str>),
    /// A header cannot be sent.
    #[error("the header `{0}` has a character that headers cannot have")]
    Header(Box<str>),
    /// The client or an exporter cannot be made.
    #[error("the export cannot be started: {0}")]
    Start(Box<str>),
}

impl OtlpError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Endpoint(_) => "otlp_endpoint",
            Self::Plaintext(_) => "otlp_plaintext",
            Self::Header(_) => "otlp_header",
            Self::Start(_) => "otlp_start",
        }
    }
}

impl Otlp {
    /// To the collector at `endpoint`: its base URL, to which `/v1/metrics` and `/v1/traces` are added.
    pub fn to(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            service: "agentauth".to_owned(),
            instance: None,
            headers: Vec::new(),
            metrics_every: METRICS_EVERY,
            is_plaintext_allowed: false,
        }
    }

    /// The name of this server, `service.name`: `agentauth` unless set.
    pub fn service(mut self, name: &str) -> Self {
        name.clone_into(&mut self.service);
        self
    }

    /// Which of several replicas this is, `service.instance.id`.
    pub fn instance(mut self, id: &str) -> Self {
        self.instance = Some(id.to_owned());
        self
    }

    /// Sends this header with each request: a token for the collector, for instance. It is not shown anywhere.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How often metrics are sent: every 30 s unless set, and every second at most.
    pub const fn metrics_every(mut self, interval: Duration) -> Self {
        self.metrics_every =
            if interval.as_millis() < MIN_METRICS_EVERY.as_millis() { MIN_METRICS_EVERY } else { interval };
        self
    }

    /// Sends without TLS to a collector on another host. Whoever is between reads which agents do what, and can change it.
    pub const fn dangerously_in_the_clear(mut self) -> Self {
        self.is_plaintext_allowed = true;
        self
    }

    /// Sends from now on: makes these the global meter and tracer providers of the process, until the answer is dropped.
    ///
    /// The certificate of a collector is verified by the platform's roots. Redirects are not followed, and proxies that the environment
    /// names are not used.
    ///
    /// # Errors
    /// [`OtlpError`]. That the collector answers is not required, now or later.
    pub fn install(self) -> Result<Telemetry, OtlpError> {
        let endpoint = Endpoint::read(&self.endpoint, self.is_plaintext_allowed)?;
        let headers = self.checked_headers()?;
        let client = client(&endpoint)?;
        let start = |error: &dyn fmt::Display| OtlpError::Start(error.to_string().into());
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(endpoint.of("v1/metrics"))
            .with_headers(headers.clone())
            .with_timeout(TIMEOUT)
            .with_retry_policy(RetryPolicy::recommended())
            .build()
            .map_err(|error| start(&error))?;
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint.of("v1/traces"))
            .with_headers(headers)
            .with_timeout(TIMEOUT)
            .with_retry_policy(RetryPolicy::recommended())
            .build()
            .map_err(|error| start(&error))?;

        let instance = self.instance.map(|id| KeyValue::new("service.instance.id", id));
        let resource = Resource::builder().with_service_name(self.service).with_attributes(instance).build();
        let reader = PeriodicReader::builder(metrics).with_interval(self.metrics_every).build();
        let meters = SdkMeterProvider::builder().with_reader(reader).with_resource(resource.clone()).build();
        let batch = BatchConfigBuilder::default().with_max_queue_size(MAX_SPANS).build();
        let tracers = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(spans).with_batch_config(batch).build())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_max_links_per_span(MAX_LINKS)
            .with_resource(resource)
            .build();
        opentelemetry::global::set_meter_provider(meters.clone());
        opentelemetry::global::set_tracer_provider(tracers.clone());
        Ok(Telemetry::new(meters, tracers))
    }

    fn checked_headers(&self) -> Result<HashMap<String, String>, OtlpError> {
        let checked = |(name, value): &(String, String)| {
            let is_good = name.parse::<HeaderName>().is_ok() && HeaderValue::from_str(value).is_ok();
            if is_good { Ok((name.clone(), value.clone())) } else { Err(OtlpError::Header(name.as_str().into())) }
        };
        self.headers.iter().map(checked).collect()
    }
}

/// Made on a thread of its own, since it may not be made inside of an asynchronous runtime.
fn client(endpoint: &Endpoint) -> Result<reqwest::blocking::Client, OtlpError> {
    let is_tls = endpoint.is_tls();
    let make = move || {
        let client = reqwest::blocking::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // Without TLS no roots are needed, and a machine that has none will do.
        if is_tls { client.https_only(true).build() } else { client.tls_certs_only([]).build() }
    };
    let start = |why: String| OtlpError::Start(why.into());
    let thread = std::thread::Builder::new().name("agentauth-otlp".into()).spawn(make);
    let made = thread.map_err(|error| start(error.to_string()))?.join();
    made.map_err(|_| start("the client's thread has panicked".to_owned()))?.map_err(|error| start(error.to_string()))
}

impl fmt::Debug for Otlp {
    /// Shows no header's value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Otlp")
            .field("service", &self.service)
            .field("headers", &headers)
            .field("metrics_every", &self.metrics_every)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
