//! A token service, as a router to merge into an application.

use std::sync::Arc;

use agentauth_core::delegation::{MAX_FORM_BYTES, TokenRequest};
use agentauth_core::{Peer, TokenService};
use agentauth_tower::{ConnectionPeer, TrustedProxy};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::Uri;

use crate::layer::sent_from;

/// The routes of a token service: `POST /token` (RFC 8693, RFC 6749 §4.4, RFC 7523 §2.1), `POST /introspect` (RFC 7662),
/// `POST /revoke` (RFC 7009) if the issuer has a store for that, `GET /jwks.json` (RFC 7517) and the authorization server
/// metadata (RFC 8414).
///
/// Clients prove themselves as [`Issuer::authenticate`](agentauth_core::Issuer::authenticate) says. Those that do so by the
/// SVID of their connection need an [`MtlsListener`](crate::MtlsListener), and connect to it themselves. A request with a
/// header in which proxies name their clients is refused: behind a proxy, use [`token_service_behind`].
///
/// The endpoints are those of the issuer's identifier, so it must be the URL that this router is served under.
pub fn token_service<S: Clone + Send + Sync + 'static>(service: TokenService) -> Router<S> {
    router(Counter { service, proxy: None })
}

/// As [`token_service`], behind `proxy`, which ends the connections of clients.
///
/// What the proxy has proven of itself is then nobody's proof, and what it says of its clients is not read: they prove
/// themselves by an assertion, a JWT-SVID or a secret, and bind their tokens by DPoP. Clients that come past it are known by
/// their SVID as before. A proxy that is not configured here, and whose connection proves an agent, is that agent to this
/// service.
pub fn token_service_behind<S: Clone + Send + Sync + 'static>(service: TokenService, proxy: TrustedProxy) -> Router<S> {
    router(Counter { service, proxy: Some(Arc::new(proxy)) })
}

#[derive(Clone)]
struct Counter {
    service: TokenService,
    proxy: Option<Arc<TrustedProxy>>,
}

fn router<S: Clone + Send + Sync + 'static>(counter: Counter) -> Router<S> {
    let endpoints = counter.service.issuer().endpoints().clone();
    let revocation = match counter.service.issuer().revocations() {
        Some(_) => Router::new().route(&path_of(endpoints.revocation()), post(revoke)),
        None => Router::new(),
    };
    revocation
        .route(&path_of(endpoints.token()), post(token))
        .route(&path_of(endpoints.introspection()), post(introspect))
        .route(&path_of(endpoints.jwks()), get(async |State(counter): State<Counter>| counter.service.jwks()))
        .route(&path_of(endpoints.metadata()), get(async |State(counter): State<Counter>| counter.service.metadata()))
        .with_state(counter)
}

fn path_of(url: &str) -> String {
    url.parse::<Uri>().map(|uri| uri.path().to_owned()).unwrap_or_default()
}

async fn token(State(counter): State<Counter>, request: Request) -> Response {
    let received = Received::of(request).await;
    counter.service.answer(&received.request(&counter)).await.map(Body::from)
}

async fn introspect(State(counter): State<Counter>, request: Request) -> Response {
    let received = Received::of(request).await;
    counter.service.answer_introspection(&received.request(&counter)).await.map(Body::from)
}

async fn revoke(State(counter): State<Counter>, request: Request) -> Response {
    let received = Received::of(request).await;
    counter.service.answer_revocation(&received.request(&counter)).await.map(Body::from)
}

/// A request that has arrived.
struct Received {
    head: http::request::Parts,
    /// None if it is too long, or did not arrive whole.
    form: Option<Vec<u8>>,
}

impl Received {
    async fn of(request: Request) -> Self {
        let (head, body) = request.into_parts();
        let form = to_bytes(body, MAX_FORM_BYTES).await.ok().map(Vec::from);
        Self { head, form }
    }

    fn request(&self, counter: &Counter) -> TokenRequest<'_> {
        let headers = &self.head.headers;
        let request =
            self.form.as_ref().map_or_else(|| TokenRequest::unread(headers), |form| TokenRequest::new(headers, form));
        let peer = self.head.extensions.get().map(|ConnectionPeer(peer)| peer);
        let issuer = counter.service.issuer();
        // The connection can outlive the proxy's own certificate, or its root.
        let is_good = |peer: &&Arc<_>| issuer.agents().recheck(&Peer::Tls(Arc::clone(peer)), issuer.now()).is_ok();
        let proven = peer.filter(is_good).map(|peer| &**peer);
        let address = sent_from(&self.head.extensions);
        if counter.proxy.as_ref().is_some_and(|proxy| proxy.is_at(proven, address)) {
            return request.through_proxy();
        }
        request.with_peer(peer.map(|peer| &**peer))
    }
}
