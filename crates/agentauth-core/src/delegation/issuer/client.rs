//! Who comes to the issuer, how that was proven, and which key the tokens it is given are bound to.

use super::MAX_LIFETIME;
use super::authentication::Registration;
use crate::audit::ClientRecord;
use crate::delegation::ExchangeError;
use crate::identity::AgentId;
use crate::identity::svid::X509Svid;
use crate::time::Timestamp;
use crate::token::Confirmation;

/// A client of the issuer that has proven who it is: by the SVID of its TLS connection, or by what
/// [`Issuer::authenticate`](super::Issuer::authenticate) has verified.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) agent: AgentId,
    /// What it is called in requests: its SPIFFE ID, or the id that it is registered under.
    pub(super) client_id: Box<str>,
    pub(super) method: ClientMethod,
    /// None if it has shown no key.
    pub(super) holder: Option<Holder>,
    /// Whether it is given tokens that are bound to no key.
    pub(super) allows_bearer: bool,
    /// The SVID by which it has proven itself, which is looked at again when it is used.
    pub(super) svid: Option<Box<X509Svid>>,
    /// When what it has proven itself with ends.
    pub(super) proven_until: Timestamp,
}

/// How a client has proven itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientMethod {
    X509Svid,
    JwtSvid,
    PrivateKeyJwt,
    SecretBasic,
    SecretPost,
}

impl ClientMethod {
    /// Its name in the metadata of a server (RFC 7591 §2, RFC 8414 §2, OAuth SPIFFE client authentication).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::X509Svid => "spiffe_x509",
            Self::JwtSvid => "spiffe_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
        }
    }
}

/// Which key the client has shown to hold: what it is given will count in that key's hands only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// That of a TLS certificate with this SHA-256 (RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// One with this RFC 7638 thumbprint, by a DPoP proof (RFC 9449 §5).
    Key([u8; 32]),
}

impl Client {
    /// Which agent it is.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    pub(super) fn registered(client_id: &str, known: &Registration, method: ClientMethod, now: Timestamp) -> Self {
        Self {
            agent: known.agent.clone(),
            client_id: client_id.into(),
            method,
            holder: None,
            allows_bearer: known.allows_bearer,
            svid: None,
            // What it has shown has no end of its own; no token lasts longer than this.
            proven_until: now.plus(MAX_LIFETIME),
        }
    }

    /// The key that what is issued to this client is bound to; none only where the client may have bearer tokens.
    pub(super) const fn key(&self) -> Result<Option<Holder>, ExchangeError> {
        match self.holder {
            None if !self.allows_bearer => Err(ExchangeError::BindingRequired),
            holder => Ok(holder),
        }
    }

    /// Whether it has shown the key that a token is bound to, if it is to any.
    pub(super) fn holds(&self, confirmation: Confirmation) -> bool {
        confirmation == Confirmation::Bearer || self.is_holder_of(confirmation)
    }

    /// Whether it has shown the key that a token is bound to.
    pub(super) fn is_holder_of(&self, confirmation: Confirmation) -> bool {
        match confirmation {
            Confirmation::Bearer => false,
            Confirmation::Key(named) => self.holder == Some(Holder::Key(named)),
            Confirmation::Certificate(named) => {
                // Also where it asks for a token that is bound to another key.
                self.holder == Some(Holder::Certificate(named))
                    || self.svid.as_ref().is_some_and(|svid| *svid.thumbprint() == named)
            }
        }
    }

    pub(crate) fn svid(&self) -> Option<&X509Svid> {
        self.svid.as_deref()
    }

    pub(crate) fn record(&self) -> ClientRecord {
        ClientRecord { id: self.client_id.clone(), method: self.method.name() }
    }
}

impl From<&X509Svid> for Client {
    /// The peer of a mutual-TLS connection. The issuer checks again whether it trusts the roots of the SVID.
    fn from(svid: &X509Svid) -> Self {
        Self {
            agent: svid.id().clone().into(),
            client_id: svid.id().as_str().into(),
            method: ClientMethod::X509Svid,
            holder: Some(Holder::Certificate(*svid.thumbprint())),
            allows_bearer: false,
            proven_until: svid.not_after(),
            svid: Some(Box::new(svid.clone())),
        }
    }
}
