//! Whose transaction tokens count here.

use std::time::Duration;

use super::verify::{Kind, TransactionVerifier};
use super::{TransactionConfigError, TransactionTokenError};
use crate::identity::MAX_NAME_BYTES;
use crate::text::Excerpt;
use crate::token::attempt::WaitingRoom;
use crate::token::{Keys, TrustedIssuer};

/// Transaction tokens live for minutes or less; one that lives longer is not for one transaction.
const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(600);

/// Which transaction tokens are taken: those of the one token service of one trust domain.
///
/// ```
/// use agentauth_core::jose::{Algorithm, SigningKey};
/// use agentauth_core::token::TransactionTokens;
///
/// let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
/// let verifier = TransactionTokens::new("trust-domain.example", keys).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct TransactionTokens {
    trust_domain: String,
    keys: Keys,
    issuer: Option<String>,
    is_optional: bool,
    leeway: Option<Duration>,
    max_lifetime: Duration,
}

impl TransactionTokens {
    /// Tokens for `trust_domain`, as their `aud` has it, byte for byte, whose token service signs with `keys`. Every
    /// request must carry one.
    pub fn new(trust_domain: &str, keys: impl Into<Keys>) -> Self {
        Self {
            trust_domain: trust_domain.to_owned(),
            keys: keys.into(),
            issuer: None,
            is_optional: false,
            leeway: None,
            max_lifetime: DEFAULT_MAX_LIFETIME,
        }
    }

    /// What the token service calls itself in `iss`. Tokens need not say it; one that says anything else is refused, and
    /// so is one that says it at all where this is not set.
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.to_owned());
        self
    }

    /// Takes requests without a transaction token too. Nothing then narrows what their access tokens grant: whoever may
    /// leave it out does.
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// How far this server's clock and the token service's may differ: 30 s unless set, at most 60 s.
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = Some(leeway);
        self
    }

    /// How long a token may last, from `iat` to `exp`: 10 minutes unless set. A longer one is refused.
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`TransactionConfigError`].
    pub fn build(self) -> Result<TransactionVerifier, TransactionConfigError> {
        let domain = &self.trust_domain;
        if !(1..=MAX_NAME_BYTES).contains(&domain.len()) || !domain.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TransactionConfigError::TrustDomain(Excerpt::of(domain)));
        }
        // The service is known by its keys; where it has no name, the domain's stands in errors for it.
        let name = self.issuer.as_deref().unwrap_or(domain);
        let service = TrustedIssuer::new(name, self.keys, Kind).max_lifetime(self.max_lifetime);
        let service = match self.leeway {
            Some(leeway) => service.leeway(leeway),
            None => service,
        };
        Ok(TransactionVerifier {
            service: service.check()?,
            is_named: self.issuer.is_some(),
            trust_domain: self.trust_domain.into(),
            is_optional: self.is_optional,
            waiting: WaitingRoom::default(),
        })
    }
}

impl TransactionVerifier {
    /// What a request without a transaction token gets.
    pub(super) fn without_token<T>(&self) -> Result<Option<T>, TransactionTokenError> {
        if self.is_optional { Ok(None) } else { Err(TransactionTokenError::Missing) }
    }
}
