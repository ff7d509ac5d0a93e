//! Who holds it? A token that names a key is good only in the hands of that key's holder.

use aws_lc_rs::constant_time;
use serde::Serialize;

use crate::identity::svid::X509Svid;
use crate::token::Confirmation;

/// How the presenter of a token was tied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Binding {
    /// Not at all: whoever holds the token may use it.
    Bearer,
    /// The token names the certificate of the TLS connection it came over (RFC 8705 §3).
    MutualTls,
}

/// Why a token may not be used on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The token is bound to a certificate and none was presented, or not over TLS.
    #[error("the token is bound to a client certificate, and the connection presented none")]
    CertificateMissing,
    /// The token is bound to another certificate: it was stolen, or its holder's certificate has been renewed.
    #[error("the token is bound to another client certificate than this connection's")]
    CertificateMismatch,
    /// The token is bound by a method that is not supported, or by several at once (RFC 7800 §3.1).
    #[error("the token is bound by a confirmation method that is not supported here")]
    MethodUnsupported,
}

impl BindingError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CertificateMissing => "binding_certificate_missing",
            Self::CertificateMismatch => "binding_certificate_mismatch",
            Self::MethodUnsupported => "binding_method_unsupported",
        }
    }
}

/// Checks that the connection's peer holds the key that the token confirms (RFC 8705 §3).
pub(crate) fn check(confirmation: Confirmation, peer: Option<&X509Svid>) -> Result<Binding, BindingError> {
    match (confirmation, peer) {
        (Confirmation::Bearer, _) => Ok(Binding::Bearer),
        (Confirmation::Unsupported, _) => Err(BindingError::MethodUnsupported),
        (Confirmation::Certificate(_), None) => Err(BindingError::CertificateMissing),
        (Confirmation::Certificate(expected), Some(peer)) => {
            constant_time::verify_slices_are_equal(&expected, peer.thumbprint())
                .map(|()| Binding::MutualTls)
                .map_err(|_| BindingError::CertificateMismatch)
        }
    }
}
