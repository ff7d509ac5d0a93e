//! Who holds it? A token that names a key is good only in the hands of that key's holder.

pub mod dpop;

use aws_lc_rs::constant_time;
use http::{Method, Uri};
use serde::Serialize;

use crate::identity::forwarded::client_certificate::ClientCertificateError;
use crate::time::Timestamp;
use crate::token::Confirmation;
use dpop::{DpopError, DpopVerifier, ProofContext, Scheme, VerifiedProof, check_scheme};

/// How the presenter of a token was tied to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Binding {
    /// Not at all: whoever holds the token may use it.
    Bearer,
    /// The token names the certificate of the TLS connection it came over (RFC 8705 §3).
    MutualTls,
    /// The token names a key, and the request came with a fresh proof of that key (RFC 9449).
    Dpop,
}

/// Why a token may not be used on this connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The token is bound to a certificate and none was presented, or not over TLS.
    #[error("the token is bound to a client certificate, and the connection presented none")]
    CertificateMissing,
    /// The token is bound to another certificate: it was stolen, or its holder's certificate has been renewed.
    #[error("the token is bound to another client certificate than this connection's")]
    CertificateMismatch,
    /// The token is bound to a key by DPoP, which is not taken here.
    #[error("the token is bound to a key by DPoP, which this server does not take: configure it with dpop(..)")]
    MethodUnsupported,
    /// The server or the route takes only tokens that are bound to a key, and this one is not.
    #[error("a token that is bound to its holder's key is needed here, by DPoP or mutual TLS")]
    Required,
    /// The client certificate that a proxy passed on is not valid now.
    #[error("the client certificate that was passed on is refused: {0}")]
    ClientCertificate(ClientCertificateError),
    /// The proof of possession is refused.
    #[error(transparent)]
    Dpop(#[from] DpopError),
}

impl BindingError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CertificateMissing => "binding_certificate_missing",
            Self::CertificateMismatch => "binding_certificate_mismatch",
            Self::MethodUnsupported => "binding_method_unsupported",
            Self::Required => "binding_required",
            Self::ClientCertificate(error) => error.code(),
            Self::Dpop(error) => error.code(),
        }
    }
}

/// How a request was sent, as far as it matters to a proof of possession.
pub(crate) struct Presented<'r> {
    pub(crate) token: &'r str,
    pub(crate) scheme: Scheme,
    /// The proof, with the method and the URI of the request it came with.
    pub(crate) proof: Option<(&'r str, &'r Method, &'r Uri)>,
    /// The SHA-256 of the client's certificate.
    pub(crate) certificate: Option<&'r [u8; 32]>,
}

/// How the presenter is tied to the token, and the proof that must still be used up.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) binding: Binding,
    pub(crate) proof: Option<VerifiedProof>,
}

/// Checks that the presenter holds the key that the token confirms (RFC 8705 §3, RFC 9449 §7).
pub(crate) fn check(
    confirmation: Confirmation,
    presented: &Presented<'_>,
    dpop: Option<&DpopVerifier>,
    now: Timestamp,
) -> Result<Bound, BindingError> {
    let bound = |binding| Ok(Bound { binding, proof: None });
    if dpop.is_some() {
        let is_bound = matches!(confirmation, Confirmation::Key(_));
        check_scheme(presented.scheme, presented.proof.is_some(), is_bound)?;
    }
    match confirmation {
        Confirmation::Bearer => bound(Binding::Bearer),
        Confirmation::Certificate(expected) => {
            let found = presented.certificate.ok_or(BindingError::CertificateMissing)?;
            constant_time::verify_slices_are_equal(&expected, found)
                .map_err(|_| BindingError::CertificateMismatch)
                .and_then(|()| bound(Binding::MutualTls))
        }
        Confirmation::Key(key) => {
            let dpop = dpop.ok_or(BindingError::MethodUnsupported)?;
            let (proof, method, uri) = presented.proof.ok_or(DpopError::ProofMissing)?;
            let request = ProofContext::new(method, uri, presented.token, Some(&key));
            let proof = dpop.verify(proof, &request, now)?;
            Ok(Bound { binding: Binding::Dpop, proof: Some(proof) })
        }
    }
}
