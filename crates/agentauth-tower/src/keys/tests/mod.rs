//! Live keys without sockets: the web is a table, and the clock is the runtime's, which jumps to the next timer.

mod documents;
mod refreshing;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::token::KeySource as _;
use agentauth_core::{Clock, Timestamp};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Response, Uri};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::field::{Field, Visit};

use super::fetch::{Get, Origin};
use super::metadata::Discovery;
use super::schedule::Schedule;
use super::{LiveKeys, LiveKeysBuilder};
use crate::client::FetchError;

const ISSUER: &str = "https://sts.example/tenant";
const JWKS: &str = "https://keys.example/jwks";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The runtime's time, put forward or back.
#[derive(Debug)]
struct Hands {
    start: Instant,
    offset: AtomicI64,
}

impl Hands {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), offset: AtomicI64::new(0) })
    }

    fn put(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let offset = 1_800_000_000_i64 + self.offset.load(Ordering::SeqCst);
        Timestamp::from_secs(offset.unsigned_abs()).plus(self.start.elapsed())
    }
}

#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    fn json(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }.with("content-type", "application/json")
    }

    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What is published where. Without an answer, a server is down.
#[derive(Debug, Clone)]
struct Web(Arc<Site>);

#[derive(Debug)]
struct Site {
    answers: Mutex<BTreeMap<String, Answer>>,
    requests: Mutex<Vec<String>>,
    /// While it is held, no request is answered.
    held: watch::Sender<bool>,
}

impl Web {
    fn new() -> Self {
        Log::install();
        Log::take();
        let held = watch::Sender::new(false);
        Self(Arc::new(Site { answers: Mutex::default(), requests: Mutex::default(), held }))
    }

    fn with_keys(key: &SigningKey) -> Self {
        let web = Self::new();
        web.put(JWKS, Answer::json(jwks(&[key.public_jwk()])));
        web
    }

    fn put(&self, url: &str, answer: Answer) {
        self.0.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    /// Takes the server down, and with it the answer it gave.
    fn take_down(&self, url: &str) -> Answer {
        self.0.answers.lock().unwrap().remove(url).unwrap()
    }

    /// The requests so far, with their tags; afterwards there are none.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.requests.lock().unwrap())
    }

    fn hold(&self, is_held: bool) {
        self.0.held.send_replace(is_held);
    }

    fn origin(&self) -> Origin {
        Origin::Url { uri: JWKS.parse().unwrap(), http: Box::new(self.clone()) }
    }

    fn issuer(&self) -> Origin {
        Origin::Issuer { issuer: Discovery::of(ISSUER).unwrap(), http: Box::new(self.clone()) }
    }

    fn keys(&self, clock: &Arc<Hands>) -> LiveKeys {
        self.keys_by(LiveKeys::builder().clock(clock.clone()))
    }

    fn keys_by(&self, builder: LiveKeysBuilder) -> LiveKeys {
        builder.start(self.origin(), Schedule::for_issuer()).unwrap()
    }

    /// Keys of which the first set has come.
    async fn ready_keys(&self, clock: &Arc<Hands>) -> LiveKeys {
        let keys = self.keys(clock);
        keys.refresh(None).unwrap().await;
        assert_eq!((keys.generation(), self.requests().len()), (Some(1), 1));
        keys
    }
}

#[async_trait]
impl Get for Web {
    async fn get(&self, uri: &Uri, known: Option<&HeaderValue>) -> Result<Response<Bytes>, FetchError> {
        let tag = known.map_or(String::new(), |tag| format!(" {}", tag.to_str().unwrap()));
        self.0.requests.lock().unwrap().push(format!("{uri}{tag}"));
        _ = self.0.held.subscribe().wait_for(|is_held| !is_held).await;
        let answer = self.0.answers.lock().unwrap().get(&uri.to_string()).cloned();
        let answer = answer.ok_or_else(|| FetchError::Timeout(uri.clone()))?;
        let response = Response::builder().status(answer.status);
        let response = answer.headers.iter().fold(response, |response, (name, value)| response.header(*name, value));
        Ok(response.body(answer.body.into()).unwrap())
    }
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa).unwrap()
}

fn jwks(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

/// Lets every task go on until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Lets `time` pass, and what is due at its end be done.
async fn pass(time: Duration) {
    tokio::time::sleep(time + Duration::from_millis(10)).await;
}

thread_local! {
    static REPORTED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What is reported through `tracing`: level and code, kept by thread, which is by test. It is installed once, before
/// anything can be reported, since `tracing` remembers whether anybody listens.
struct Log;

impl Log {
    fn install() {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        INSTALLED.get_or_init(|| tracing::subscriber::set_global_default(Self).unwrap());
    }

    /// The reports so far on this thread; afterwards there are none.
    fn take() -> Vec<String> {
        REPORTED.take()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("agentauth_tower::keys")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Code<'c>(&'c mut String);
        impl Visit for Code<'_> {
            fn record_str(&mut self, field: &Field, value: &str) {
                if field.name() == "code" {
                    self.0.push_str(value);
                }
            }
            fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
        }
        let mut line = format!("{} ", event.metadata().level());
        event.record(&mut Code(&mut line));
        REPORTED.with_borrow_mut(|reported| reported.push(line));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
