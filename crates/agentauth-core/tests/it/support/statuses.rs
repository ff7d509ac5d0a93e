//! Where an issuer's status lists are fetched from, played by the test.

use std::sync::{Arc, Mutex};

use agentauth_core::token::{FetchingStatus, StatusListError, StatusListSource};
use futures_channel::oneshot;
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::{Value, json};

use super::certs::NOW;
use super::court::{Key, STS, encode};

/// The one list of the tests.
pub(crate) const LIST: &str = "https://sts.court.example/statuslists/1";

/// Gives the answer that was put into it, and counts what it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Host(Arc<Mutex<Hosted>>);

#[derive(Debug)]
struct Hosted {
    answer: Result<String, StatusListError>,
    gate: Option<oneshot::Receiver<()>>,
    asked: Vec<String>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let answer = Err(StatusListError::Unavailable("nothing is hosted".into()));
        Self(Arc::new(Mutex::new(Hosted { answer, gate: None, asked: Vec::new() })))
    }

    pub(crate) fn says(&self, jwt: String) {
        self.0.lock().unwrap().answer = Ok(jwt);
    }

    pub(crate) fn fails(&self) {
        self.0.lock().unwrap().answer = Err(StatusListError::Unavailable("it is away".into()));
    }

    /// The next answer waits until the sender that this returns is used, or dropped.
    pub(crate) fn hold(&self) -> oneshot::Sender<()> {
        let (release, gate) = oneshot::channel();
        self.0.lock().unwrap().gate = Some(gate);
        release
    }

    /// What was asked for so far; afterwards there is nothing.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

impl StatusListSource for Host {
    fn fetch(&self, uri: &str) -> FetchingStatus {
        let mut hosted = self.0.lock().unwrap();
        hosted.asked.push(uri.to_owned());
        let (host, gate) = (self.clone(), hosted.gate.take());
        Box::pin(async move {
            if let Some(gate) = gate {
                let _ = gate.await;
            }
            host.0.lock().unwrap().answer.clone()
        })
    }
}

/// `lst`: these bytes, compressed.
pub(crate) fn lst(bytes: &[u8]) -> String {
    encode(compress_to_vec_zlib(bytes, 6))
}

/// The claims of a good list: one bit each.
pub(crate) fn list_claims(bytes: &[u8]) -> Value {
    json!({
        "iss": STS, "sub": LIST, "iat": NOW, "exp": NOW + 86_400, "ttl": 60,
        "status_list": {"bits": 1, "lst": lst(bytes)},
    })
}

/// A list with these claims, in good form.
pub(crate) fn signed_list(key: &Key, claims: &Value) -> String {
    key.sign(&json!({"alg": "EdDSA", "typ": "statuslist+jwt", "kid": key.id}).to_string(), claims.to_string())
}
