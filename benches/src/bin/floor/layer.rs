//! A request through the inbound layer, with a token that was verified before, and without the layer.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_benches::case::{Case, Verdict, at_once};
use agentauth_benches::engine::builder;
use agentauth_benches::specimen::{Token, bearer_claims};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::state::{MemoryRevocations, Revocation, RevocationStore as _};
use agentauth_core::{AgentAuth, Caller, IssuerId, Timestamp};
use agentauth_tower::{AgentAuthLayer, ConnectionPeer};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode, Uri};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::svid;

/// The head of a request, as a server has parsed it.
pub(crate) struct Head {
    uri: Uri,
    headers: HeaderMap,
    /// The agent that the connection has proved.
    peer: ConnectionPeer,
}

impl Head {
    fn new(token: &Token, peer: &Arc<X509Svid>) -> Result<Self, Box<dyn Error>> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("tools.example.com"));
        headers.insert(USER_AGENT, HeaderValue::from_static("agent/1.0"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, format!("Bearer {}", token.text).parse()?);
        Ok(Self { uri: Uri::from_static("/mcp"), headers, peer: ConnectionPeer(peer.clone()) })
    }

    fn request(&self) -> Request<String> {
        let mut request = Request::new(String::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// An engine that knows of no connections, and one that trusts the agents at their other end.
pub(crate) struct Engines {
    plain: AgentAuth,
    /// With a store that has something revoked, so that it must be asked.
    revocable: AgentAuth,
    mutual: AgentAuth,
}

/// Engines, and what they are shown.
pub(crate) struct Specimen {
    pub(crate) engines: Engines,
    pub(crate) genuine: Head,
    pub(crate) forged: Head,
}

impl Specimen {
    pub(crate) fn new(chain: &svid::Specimen) -> Result<Self, Box<dyn Error>> {
        let (peer, trust) = chain.peer()?;
        let key = SigningKey::generate(Algorithm::EdDsa)?;
        let token = Token::signed(&key, &bearer_claims(0))?;
        Ok(Self {
            engines: Engines {
                plain: engine(&key)?,
                revocable: revocable(&key)?,
                mutual: builder(&key)?.agents(trust).build()?,
            },
            genuine: Head::new(&token, &peer)?,
            forged: Head::new(&token.with_one_bit_flipped()?, &peer)?,
        })
    }
}

/// An engine that trusts `key`, and keeps its records nowhere.
pub(crate) fn engine(key: &SigningKey) -> Result<AgentAuth, Box<dyn Error>> {
    Ok(builder(key)?.build()?)
}

fn revocable(key: &SigningKey) -> Result<AgentAuth, Box<dyn Error>> {
    let store = MemoryRevocations::new();
    let other = Revocation::issuer(IssuerId::new("https://other.example")?);
    at_once(store.revoke(&other, Timestamp::from_secs(0)))??;
    Ok(builder(key)?.revocations(store).build()?)
}

pub(crate) fn cases(engines: &Engines) -> Vec<Case<'static, Head>> {
    const RAW: &str = "tower/bare";
    let bare = RefCell::new(Tool);
    let [guarded, revocable, mutual] = [&engines.plain, &engines.revocable, &engines.mutual]
        .map(|auth| RefCell::new(AgentAuthLayer::new(auth.clone()).layer(Tool)));
    vec![
        Case::new(RAW.into(), Some(RAW), move |head: &Head| {
            answer(&mut *bare.borrow_mut(), head.request(), StatusCode::NO_CONTENT)
        })
        .taking_all(),
        Case::new("tower/cached".into(), Some(RAW), move |head: &Head| {
            answer(&mut *guarded.borrow_mut(), head.request(), StatusCode::OK)
        }),
        Case::new("tower/revocable".into(), Some(RAW), move |head: &Head| {
            answer(&mut *revocable.borrow_mut(), head.request(), StatusCode::OK)
        }),
        Case::new("tower/mtls".into(), Some(RAW), move |head: &Head| {
            let mut request = head.request();
            request.extensions_mut().insert(head.peer.clone());
            answer(&mut *mutual.borrow_mut(), request, StatusCode::OK)
        }),
    ]
}

/// Sends the request, and wants this answer.
fn answer<S>(service: &mut S, request: Request<String>, expected: StatusCode) -> Verdict
where
    S: Service<Request<String>, Response = Response<String>, Error = Infallible>,
{
    let Poll::Ready(Ok(())) = service.poll_ready(&mut Context::from_waker(std::task::Waker::noop())) else {
        return Err("the service is not ready".into());
    };
    let answer = at_once(service.call(request))??;
    if answer.status() == expected { Ok(()) } else { Err(answer.status().to_string().into()) }
}

/// What is guarded. Its answer says whether it knows the caller.
#[derive(Clone)]
struct Tool;

impl Service<Request<String>> for Tool {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let known = request.extensions().get::<Caller>().is_some();
        let mut response = Response::new(String::new());
        *response.status_mut() = if known { StatusCode::OK } else { StatusCode::NO_CONTENT };
        ready(Ok(response))
    }
}
