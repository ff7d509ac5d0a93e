//! What is passed on to the next server: what may come back for it, and how long it is kept.

mod answers;
mod cache;
mod calling;
mod client_auth;
mod profiles;
mod proving;
mod sharing;
mod transactions;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use agentauth_core::delegation::outbound::{DelegatorBuilder, Holder, StsProfile, TokenExchanger};
use agentauth_core::delegation::{ExchangeRequest, IssuedToken};
use agentauth_core::{
    Authority, Caller, Clock as _, Delegator, Evidence, ManualClock, NextHop, OutboundError, OutboundToken,
    SubjectToken,
};
use async_trait::async_trait;
use futures_channel::oneshot;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, LAWYER, STS, wait, with};
use crate::support::office::resource;

const RECORDS: &str = "https://records.example";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

type Answers = Arc<dyn Fn(usize) -> Result<String, OutboundError> + Send + Sync>;

/// A token service elsewhere: it answers what it is told to, and remembers the forms it was sent.
#[derive(Clone)]
struct Sts {
    clock: Arc<ManualClock>,
    answers: Answers,
    profile: StsProfile,
    holder: Arc<Mutex<Holder>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// If there are any, the next answer waits for the first of these.
    gates: Arc<Mutex<VecDeque<oneshot::Receiver<()>>>>,
}

impl Sts {
    /// Gives the n-th answer of `answers`, counted from 1.
    fn new(court: &Court, answers: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self::failing(court, move |number| Ok(answers(number)))
    }

    fn failing(
        court: &Court,
        answers: impl Fn(usize) -> Result<String, OutboundError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock: court.clock.clone(),
            answers: Arc::new(answers),
            profile: StsProfile::rfc8693(),
            holder: Arc::default(),
            asked: Arc::default(),
            gates: Arc::default(),
        }
    }

    /// Opaque tokens, each another one.
    fn opaque(court: &Court) -> Self {
        Self::new(court, |number| answer(&format!("token-{number}"), 300).to_string())
    }

    fn held_by(self, holder: Holder) -> Self {
        *self.holder.lock().unwrap() = holder;
        self
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn gate(&self) -> oneshot::Sender<()> {
        let (open, gate) = oneshot::channel();
        self.gates.lock().unwrap().push_back(gate);
        open
    }

    fn delegator(&self) -> DelegatorBuilder {
        Delegator::builder(self.clone()).clock(self.clock.clone())
    }
}

#[async_trait]
impl TokenExchanger for Sts {
    async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, OutboundError> {
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(self.profile.form(request));
            asked.len()
        };
        let (now, holder) = (self.clock.now(), self.holder()?);
        let gate = self.gates.lock().unwrap().pop_front();
        if let Some(gate) = gate {
            _ = gate.await;
        }
        Ok(self.profile.read_answer(request, &holder, (self.answers)(number)?.as_bytes(), now)?)
    }

    fn holder(&self) -> Result<Holder, OutboundError> {
        Ok(self.holder.lock().unwrap().clone())
    }

    fn audience_name<'a>(&'a self, audience: &'a agentauth_core::ResourceId) -> &'a str {
        self.profile.name_of(audience)
    }
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sts")
    }
}

fn answer(token: &str, expires_in: u64) -> Value {
    json!({"access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": expires_in})
}

/// The claims of a good token for the next server.
fn onward() -> Value {
    json!({
        "iss": STS, "sub": "alice", "aud": RECORDS, "client_id": LAWYER, "jti": "jti-2", "iat": NOW,
        "exp": NOW + 300, "scope": "records:read", "act": {"sub": LAWYER},
    })
}

fn hop(scopes: &str) -> NextHop {
    hop_to(RECORDS, scopes)
}

fn hop_to(audience: &str, scopes: &str) -> NextHop {
    NextHop::new(resource(audience), Authority::of_scopes(scopes.parse().unwrap())).unwrap()
}

/// A caller with `motions:file records:read`, whose token has this id.
fn caller(court: &Court, id: &str) -> Caller {
    crate::support::court::caller(&court.auth(), &court.key.mint(&with("jti", id)))
}

fn token_of(token: &Result<OutboundToken, OutboundError>) -> &str {
    match token {
        Ok(token) => token.token(),
        Err(error) => error.code(),
    }
}

fn code_of(token: &Result<OutboundToken, OutboundError>) -> &'static str {
    token.as_ref().map_or_else(OutboundError::code, |_| ACCEPTED)
}

fn delegated(caller: &Caller, delegator: &Delegator, hop: &NextHop) -> Result<OutboundToken, OutboundError> {
    wait(caller.delegate_through(delegator, hop))
}

/// The pair of a request's header `authorization` and the token it should have.
fn authorization(request: &http::Request<()>) -> &str {
    request.headers()["authorization"].to_str().unwrap()
}
