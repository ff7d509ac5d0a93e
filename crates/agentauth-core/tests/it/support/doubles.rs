//! Whom the engine asks, played by the test: where an issuer's keys come from, the issuer that knows its opaque tokens,
//! and the store that remembers proofs. Each counts what it was asked, and can be made to answer later.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use agentauth_core::Timestamp;
use agentauth_core::jose::KeySet;
use agentauth_core::state::{Remember, ReplayAnswer, ReplayStore};
use agentauth_core::token::{
    Introspecting, IntrospectionAnswer, IntrospectionUnavailable, Introspector, KeyRefresh, KeySnapshot, KeySource,
    Keys,
};
use futures_channel::oneshot;
use serde_json::Value;

/// Something that is waited for, until the test lets it happen.
type Gate = oneshot::Receiver<()>;

/// Keys that can be swapped.
#[derive(Debug, Clone)]
pub(crate) struct KeyCabinet(Arc<Cabinet>);

#[derive(Debug)]
struct Cabinet {
    keys: Mutex<Option<KeySnapshot>>,
    /// What refreshes will bring, one after the other; afterwards, nothing new.
    coming: Mutex<VecDeque<KeySet>>,
    gate: Mutex<Option<Gate>>,
    can_refresh: bool,
    looked: AtomicUsize,
    tried: Mutex<Vec<Option<u64>>>,
}

impl KeyCabinet {
    /// Holds `keys` as generation 1, and cannot get newer ones.
    pub(crate) fn fixed(keys: Option<KeySet>) -> Self {
        Self::made(keys, false)
    }

    /// Holds `keys` as generation 1, and can be refreshed.
    pub(crate) fn fresh(keys: Option<KeySet>) -> Self {
        Self::made(keys, true)
    }

    fn made(keys: Option<KeySet>, can_refresh: bool) -> Self {
        let keys = Mutex::new(keys.map(|keys| KeySnapshot { keys: Arc::new(keys), generation: 1 }));
        let (coming, gate, looked, tried) = Default::default();
        Self(Arc::new(Cabinet { keys, coming, gate, can_refresh, looked, tried }))
    }

    /// The next refresh brings `keys`.
    pub(crate) fn bringing(self, keys: KeySet) -> Self {
        self.0.coming.lock().unwrap().push_back(keys);
        self
    }

    /// The next refresh waits until the sender that this returns is used, or dropped.
    pub(crate) fn hold(&self) -> oneshot::Sender<()> {
        let (release, gate) = oneshot::channel();
        *self.0.gate.lock().unwrap() = Some(gate);
        release
    }

    /// Other keys from now on, under the next generation.
    pub(crate) fn rotate(&self, keys: KeySet) {
        let mut held = self.0.keys.lock().unwrap();
        let generation = held.as_ref().map_or(1, |snapshot| snapshot.generation + 1);
        *held = Some(KeySnapshot { keys: Arc::new(keys), generation });
    }

    /// No keys from now on.
    pub(crate) fn lose(&self) {
        *self.0.keys.lock().unwrap() = None;
    }

    /// How often the keys themselves were looked at: once for each signature that was checked.
    pub(crate) fn looked(&self) -> usize {
        self.0.looked.load(Ordering::SeqCst)
    }

    /// The generations that refreshes were asked for so far; afterwards there are none.
    pub(crate) fn tried(&self) -> Vec<Option<u64>> {
        std::mem::take(&mut *self.0.tried.lock().unwrap())
    }
}

impl KeySource for KeyCabinet {
    fn current(&self) -> Option<KeySnapshot> {
        self.0.looked.fetch_add(1, Ordering::SeqCst);
        self.0.keys.lock().unwrap().clone()
    }

    fn generation(&self) -> Option<u64> {
        self.0.keys.lock().unwrap().as_ref().map(|snapshot| snapshot.generation)
    }

    fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        self.0.tried.lock().unwrap().push(tried);
        let (cabinet, gate) = (self.clone(), self.0.gate.lock().unwrap().take());
        let refresh: KeyRefresh = Box::pin(async move {
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            let next = cabinet.0.coming.lock().unwrap().pop_front();
            if let Some(keys) = next {
                cabinet.rotate(keys);
            }
        });
        self.0.can_refresh.then_some(refresh)
    }
}

impl From<&KeyCabinet> for Keys {
    fn from(cabinet: &KeyCabinet) -> Self {
        Self::from_source(cabinet.clone())
    }
}

/// The issuer's introspection endpoint. It has its answer before it is waited for, as one that is fetched in a task of
/// its own may have.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint(Arc<Mutex<Answering>>);

#[derive(Debug)]
struct Answering {
    answer: Result<IntrospectionAnswer, IntrospectionUnavailable>,
    gate: Option<Gate>,
    asked: Vec<String>,
}

impl Endpoint {
    pub(crate) fn new() -> Self {
        let answer = Err(IntrospectionUnavailable("no answer".into()));
        Self(Arc::new(Mutex::new(Answering { answer, gate: None, asked: Vec::new() })))
    }

    pub(crate) fn answers(&self, answer: Result<IntrospectionAnswer, &str>) {
        self.0.lock().unwrap().answer = answer.map_err(|text| IntrospectionUnavailable(text.into()));
    }

    /// Answers `application/json`.
    pub(crate) fn says(&self, json: &Value) {
        self.answers(Ok(IntrospectionAnswer::Json(json.to_string().into_bytes())));
    }

    /// Answers `application/token-introspection+jwt`.
    pub(crate) fn signs(&self, jwt: String) {
        self.answers(Ok(IntrospectionAnswer::Jwt(jwt)));
    }

    /// The next answer waits until the sender that this returns is used, or dropped.
    pub(crate) fn hold(&self) -> oneshot::Sender<()> {
        let (release, gate) = oneshot::channel();
        self.0.lock().unwrap().gate = Some(gate);
        release
    }

    /// The tokens that were asked about so far; afterwards there are none.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

impl Introspector for Endpoint {
    fn introspect(&self, token: &str) -> Introspecting {
        let mut state = self.0.lock().unwrap();
        state.asked.push(token.to_owned());
        let (answer, gate) = (state.answer.clone(), state.gate.take());
        Box::pin(async move {
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            answer
        })
    }
}

/// A replay store that gives one answer, at once or later.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) asked: AtomicUsize,
    gate: Mutex<Option<oneshot::Receiver<ReplayAnswer>>>,
}

impl Store {
    /// A store whose first answer is sent by the test, and that is not available afterwards.
    pub(crate) fn held() -> (Arc<Self>, oneshot::Sender<ReplayAnswer>) {
        let (answer, gate) = oneshot::channel();
        (Arc::new(Self { asked: AtomicUsize::new(0), gate: Mutex::new(Some(gate)) }), answer)
    }
}

impl ReplayStore for Store {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.gate.lock().unwrap().take() {
            Some(gate) => Remember::later(async move { gate.await.unwrap_or(ReplayAnswer::Unavailable) }),
            None => Remember::ready(ReplayAnswer::Unavailable),
        }
    }
}
