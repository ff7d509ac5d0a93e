//! Transaction tokens (draft-ietf-oauth-transaction-tokens): what a call within a trust domain is about, from its first
//! workload to its last.
//!
//! One comes beside an access token and says for which transaction that is used. It proves nobody's identity and grants
//! nothing: it can only narrow what the access token grants ([`AgentAuthBuilder::transaction_tokens`](crate::AgentAuthBuilder::transaction_tokens)), and
//! it goes on, as it came, to the servers that are called for the same transaction ([`TransactionToken::forward`]).

mod error;
mod settings;
mod verify;

use std::fmt;
use std::sync::Arc;

pub use error::{TransactionConfigError, TransactionTokenError};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
pub use settings::TransactionTokens;
pub use verify::TransactionVerifier;
pub(crate) use verify::{TransactionHeld, TransactionPending};

use super::TokenError;
use super::verified::Lifetime;
use crate::scope::ScopeSet;
use crate::text::{Excerpt, Secret};
use crate::time::Timestamp;

/// The header that carries a transaction token.
pub const TXN_TOKEN: HeaderName = HeaderName::from_static("txn-token");

/// A transaction token that has been verified. Only a [`TransactionVerifier`] makes one. Clones share it.
///
/// It is no credential: it has no `Display`, its `Debug` shows neither the token nor what it is about, and the one way
/// out is [`TransactionToken::forward`]:
///
/// ```compile_fail
/// # fn as_bearer(transaction: &agentauth_core::token::TransactionToken) -> String {
/// format!("Bearer {transaction}")
/// # }
/// ```
#[derive(Clone)]
pub struct TransactionToken {
    inner: Arc<Inner>,
}

struct Inner {
    text: Secret,
    trust_domain: Box<str>,
    txn: Arc<str>,
    subject: Box<str>,
    scopes: ScopeSet,
    requesting_workload: Box<str>,
    context: Option<Map<String, Value>>,
    request_context: Option<Map<String, Value>>,
    issued: Timestamp,
    lifetime: Lifetime,
}

impl TransactionToken {
    /// The transaction (`txn`): the same in the records of every workload that takes part.
    #[must_use]
    pub fn txn(&self) -> &str {
        &self.inner.txn
    }

    /// The principal of the transaction, by its name in the trust domain (`sub`): not in that of any issuer.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.inner.subject
    }

    /// The trust domain in which it counts (`aud`).
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.inner.trust_domain
    }

    /// What the transaction is for (`scope`).
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.inner.scopes
    }

    /// The workload that asked for the token (`req_wl`): not the one that sent it here, and not an actor.
    #[must_use]
    pub fn requesting_workload(&self) -> &str {
        &self.inner.requesting_workload
    }

    /// What was authorised (`tctx`): the same along the whole call chain. At most 16 levels deep, with at most 256
    /// members an object.
    #[must_use]
    pub fn context(&self) -> Option<&Map<String, Value>> {
        self.inner.context.as_ref()
    }

    /// In what surroundings it was asked for (`rctx`), within the same limits. It may hold personal data.
    #[must_use]
    pub fn request_context(&self) -> Option<&Map<String, Value>> {
        self.inner.request_context.as_ref()
    }

    /// When it ends (`exp`).
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.inner.lifetime.expires
    }

    /// Puts the token, as it came, on a request to a server in `trust_domain`, in place of whatever the request has
    /// there.
    ///
    /// # Errors
    /// [`TransactionTokenError::OtherDomain`]: it counts in one trust domain, and is shown to no other. The headers are
    /// then as they were.
    pub fn forward(&self, trust_domain: &str, headers: &mut HeaderMap) -> Result<(), TransactionTokenError> {
        if *self.inner.trust_domain != *trust_domain {
            let (own, other) = (Excerpt::of(&self.inner.trust_domain), Excerpt::of(trust_domain));
            return Err(TransactionTokenError::OtherDomain { own, other });
        }
        let mut value =
            HeaderValue::from_str(self.inner.text.reveal()).map_err(|_| TransactionTokenError::Malformed)?;
        value.set_sensitive(true);
        headers.insert(TXN_TOKEN, value);
        Ok(())
    }

    /// Whether `replacement`, which a token service gave for this token, is one: the same transaction, principal and
    /// trust domain, no broader, and issued before this one ended.
    ///
    /// # Errors
    /// [`TransactionTokenError::ReplacementAltered`], [`TransactionTokenError::ReplacementWidened`],
    /// [`TransactionTokenError::ReplacementLate`].
    pub fn check_replacement(&self, replacement: &Self) -> Result<(), TransactionTokenError> {
        let identity = |token: &Self| [token.txn(), token.subject(), token.trust_domain()].map(str::to_owned);
        if identity(self) != identity(replacement) {
            Err(TransactionTokenError::ReplacementAltered)
        } else if !replacement.scopes().is_subset_of(self.scopes()) {
            Err(TransactionTokenError::ReplacementWidened)
        } else if replacement.inner.issued.secs() >= self.expires().secs() {
            Err(TransactionTokenError::ReplacementLate)
        } else {
            Ok(())
        }
    }

    pub(crate) fn shared_txn(&self) -> Arc<str> {
        Arc::clone(&self.inner.txn)
    }

    /// A caller may be kept for longer than its transaction lasts.
    pub(crate) fn check_lifetime(&self, now: Timestamp) -> Result<(), TransactionTokenError> {
        if self.inner.lifetime.holds(now) {
            Ok(())
        } else {
            Err(TokenError::Expired(now.secs().saturating_sub(self.expires().secs())).into())
        }
    }
}

impl fmt::Debug for TransactionToken {
    /// Shows which transaction it is, and nothing of what it is about: that may be personal, and the token would count
    /// wherever it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionToken")
            .field("txn", &Excerpt::of(self.txn()))
            .field("trust_domain", &Excerpt::of(self.trust_domain()))
            .finish_non_exhaustive()
    }
}
