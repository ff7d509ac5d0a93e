use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use agentauth_core::identity::forwarded::Forwarded;
use agentauth_core::{AgentAuth, Caller};
use http::{Extensions, Request, Response, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::future::Gate;
use super::proxy::{Connection, Passing};
use super::{ConnectionAddress, ConnectionPeer, ResponseFuture, TrustedProxy};

/// Verifies the caller of every request. See the [module](crate::inbound).
///
/// A proof of possession is for the whole path that the client sent (RFC 9449 §4.3). Where something further out cuts
/// the path of requests, such as a router in which others are nested, say where the client's URI is kept:
/// [`AgentAuthLayer::sent_uri`]. Otherwise the proof for one path is taken for every path that ends like it.
#[derive(Debug, Clone)]
pub struct AgentAuthLayer {
    auth: AgentAuth,
    optional: bool,
    proxy: Option<Passing>,
    sent_uri: SentUri,
    sent_from: SentFrom,
}

/// Where the URI that the client sent is kept.
type SentUri = fn(&Extensions) -> Option<&Uri>;

/// Where the address is kept that a connection comes from.
type SentFrom = fn(&Extensions) -> Option<IpAddr>;

impl AgentAuthLayer {
    /// Refuses every request whose caller is not verified by `auth`.
    #[must_use]
    pub const fn new(auth: AgentAuth) -> Self {
        let sent_from = |extensions: &Extensions| extensions.get().map(|ConnectionAddress(address)| *address);
        Self { auth, optional: false, proxy: None, sent_uri: |_| None, sent_from }
    }

    /// Lets requests without any credentials pass, without a caller. Credentials that are shown must still be good.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Takes the client certificate from the `Client-Cert` header of requests that `proxy` sends (RFC 9440), and refuses
    /// requests of others that have such a header. Without this, the header means nothing.
    ///
    /// The certificate counts for tokens that are bound to it (RFC 8705 §3), and for nothing else: it is not checked
    /// against any root here. A proxy says one thing only: this takes the place of
    /// [`AgentAuthLayer::forwarded_identity_from`].
    #[must_use]
    pub fn client_certificate_from(mut self, proxy: TrustedProxy) -> Self {
        self.proxy = Some(Passing::Certificate(proxy));
        self
    }

    /// Takes the identity of the caller from what `proxy` says about its client, as `forwarded` reads it: an
    /// [`Xfcc`](agentauth_core::identity::forwarded::Xfcc), or [`Forwarded::ClientCert`]. Requests of others that have such
    /// a header are refused. Without this, the header means nothing.
    ///
    /// The connection is then the proxy's, and proves nothing about the caller; a request that the proxy sends without a
    /// word about its client comes from no known agent. Which of the trust domains that the proxy knows count here, the
    /// engine's [`AgentTrust`](agentauth_core::AgentTrust) says. A proxy says one thing only: this takes the place of
    /// [`AgentAuthLayer::client_certificate_from`].
    #[must_use]
    pub fn forwarded_identity_from(mut self, proxy: TrustedProxy, forwarded: impl Into<Forwarded>) -> Self {
        self.proxy = Some(Passing::Identity(proxy, Arc::new(forwarded.into())));
        self
    }

    /// Where among a request's extensions the address is kept that its connection comes from: in [`ConnectionAddress`],
    /// unless this is said. A proxy can be known by it.
    #[must_use]
    pub const fn sent_from(mut self, sent_from: fn(&Extensions) -> Option<IpAddr>) -> Self {
        self.sent_from = sent_from;
        self
    }

    /// Where among a request's extensions the URI is kept that the client sent. Where it is not there, the request's own
    /// is taken for it.
    #[must_use]
    pub const fn sent_uri(mut self, sent_uri: fn(&Extensions) -> Option<&Uri>) -> Self {
        self.sent_uri = sent_uri;
        self
    }
}

impl<S> Layer<S> for AgentAuthLayer {
    type Service = AgentAuthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { auth, optional, proxy, sent_uri, sent_from } = self.clone();
        AgentAuthService { inner, auth, optional, proxy, sent_uri, sent_from }
    }
}

/// The service that [`AgentAuthLayer`] makes.
#[derive(Debug, Clone)]
pub struct AgentAuthService<S> {
    inner: S,
    auth: AgentAuth,
    optional: bool,
    proxy: Option<Passing>,
    sent_uri: SentUri,
    sent_from: SentFrom,
}

impl<S, B, R> Service<Request<B>> for AgentAuthService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The clone has not been polled to readiness; the one that has been must serve this request.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);

        let peer = request.extensions().get::<ConnectionPeer>().map(|ConnectionPeer(svid)| svid.clone());
        let uri = (self.sent_uri)(request.extensions()).unwrap_or(request.uri());
        let evidence = self.auth.evidence(request.method(), uri, request.headers()).with_peer(peer);
        let evidence = match &self.proxy {
            Some(proxy) => {
                let connection = Connection::of(request.extensions(), (self.sent_from)(request.extensions()));
                let trace = evidence.trace().cloned();
                proxy.add_to(evidence, request.headers(), &connection, &self.auth).with_trace(trace)
            }
            None => evidence,
        };
        request.extensions_mut().insert(self.auth.clone());
        // A caller that another engine verified, further out, is no caller here.
        request.extensions_mut().remove::<Caller>();
        if self.optional && evidence.is_empty() {
            return ResponseFuture::serving(inner.call(request));
        }
        ResponseFuture::behind(Gate::Caller { verification: self.auth.authenticate(evidence) }, inner, request)
    }
}
