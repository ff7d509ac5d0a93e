use std::fmt;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};

use super::reach::check_target;
use super::{AnswerError, Holder, OutboundError};
use crate::binding::Binding;
use crate::binding::dpop::DPOP;
use crate::delegation::AGENT_DELEGATION;
use crate::identity::ResourceId;
use crate::identity::forwarded::XFCC;
use crate::identity::forwarded::client_certificate::{CLIENT_CERT, CLIENT_CERT_CHAIN};
use crate::scope::Authority;
use crate::text::Secret;
use crate::time::Timestamp;
use crate::token::{TXN_TOKEN, TransactionToken};

/// A delegation that counts at exactly one next server. Only a [`Delegator`](super::Delegator) makes one, out of an answer
/// that it has checked. Clones are cheap and share one token.
#[derive(Clone)]
pub struct OutboundToken {
    inner: Arc<Inner>,
    /// What the caller's transaction is, where the next server is to be told.
    transaction: Option<TransactionToken>,
}

pub(super) struct Inner {
    pub(super) token: Secret,
    pub(super) audience: ResourceId,
    pub(super) authority: Authority,
    pub(super) binding: Binding,
    pub(super) holder: Holder,
    pub(super) expires: Timestamp,
}

impl OutboundToken {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), transaction: None }
    }

    /// The same, and the transaction that it is used for.
    pub(crate) fn with_transaction(mut self, transaction: Option<TransactionToken>) -> Self {
        self.transaction = transaction;
        self
    }

    /// The one server at which it counts.
    #[must_use]
    pub fn audience(&self) -> &ResourceId {
        &self.inner.audience
    }

    /// What it lets this agent do there, which may be less than was asked for.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.inner.authority
    }

    /// When it ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.inner.expires
    }

    /// How it is bound to this agent, as far as that can be seen.
    #[must_use]
    pub fn binding(&self) -> Binding {
        self.inner.binding
    }

    /// The token, for where there is no HTTP request to [authorize](Self::authorize): to be sent to its audience and to
    /// nobody else.
    #[must_use]
    pub fn token(&self) -> &str {
        self.inner.token.reveal()
    }

    /// Puts the delegation onto `request`, with a proof that this agent holds its key if it is bound by DPoP.
    ///
    /// Whatever the request had of credentials is taken off it: `Authorization`, a proof, a client certificate that someone
    /// passed on, a transaction token. So is `Host`, which a client sets from the URI: a copied one could name another server.
    ///
    /// # Errors
    /// [`OutboundError::WrongAudience`] if the request does not go to the audience; [`OutboundError::Proof`].
    pub fn authorize<B>(&self, request: &mut Request<B>) -> Result<(), OutboundError> {
        check_target(request.uri(), self.audience())?;
        // A copied proof is of no use to the next server, and it may believe us when we say whose certificate we have seen
        // (RFC 9440 §4).
        for name in [AUTHORIZATION, HOST, DPOP, AGENT_DELEGATION, CLIENT_CERT, CLIENT_CERT_CHAIN, XFCC, TXN_TOKEN] {
            request.headers_mut().remove(name);
        }
        let scheme = match &self.inner.holder {
            Holder::Dpop(key) => {
                let proof = key.prove(request.method(), request.uri(), Some(self.token()))?;
                request.headers_mut().insert(DPOP, proof);
                "DPoP"
            }
            _ => "Bearer",
        };
        let mut value = HeaderValue::try_from(format!("{scheme} {}", self.token()))
            .map_err(|_| OutboundError::Answer(AnswerError::WrongKind))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        match &self.transaction {
            Some(transaction) => transaction
                .forward(transaction.trust_domain(), request.headers_mut())
                .map_err(|_| OutboundError::Answer(AnswerError::WrongKind)),
            None => Ok(()),
        }
    }

    /// Takes note of the nonce in an answer of the server at `uri`, for the next proof. Whether the server refused the
    /// request only because its proof had not that nonce, so that it is worth sending it once more (RFC 9449 §9).
    pub fn heed_nonce(&self, uri: &Uri, status: StatusCode, headers: &HeaderMap) -> bool {
        let Holder::Dpop(key) = &self.inner.holder else { return false };
        let is_new = key.keep_nonce(uri, headers);
        is_new && status == StatusCode::UNAUTHORIZED && wants_nonce(headers)
    }
}

/// Whether a challenge asks for a nonce (RFC 9449 §9). It is asked of a server that the request was for: what it gains by a
/// false answer is one request more.
fn wants_nonce(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(http::header::WWW_AUTHENTICATE).iter();
    challenges.filter_map(|value| value.to_str().ok()).any(|value| value.contains("use_dpop_nonce"))
}

impl fmt::Debug for OutboundToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundToken")
            .field("audience", self.audience())
            .field("authority", self.authority())
            .field("binding", &self.binding())
            .field("expires", &self.inner.expires)
            .finish_non_exhaustive()
    }
}
