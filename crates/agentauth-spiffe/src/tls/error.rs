use std::error::Error;
use std::sync::Arc;
use std::{io, iter};

use agentauth_core::SpiffeId;
use agentauth_core::identity::svid::{IdentityUnavailable, SvidError};
use rustls::{CertificateError, OtherError};

/// Why TLS cannot be done with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The chain is not a sequence of PEM certificates.
    #[error("the certificate chain is not a sequence of PEM certificates")]
    Chain,
    /// The key is not a PEM private key.
    #[error("the private key is not a PEM private key (PKCS#8, PKCS#1 or SEC1)")]
    Key,
    /// The chain and the key do not go together, or cannot be used.
    #[error("the certificate and the private key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Why this side ended a handshake. [`TlsRefusal::find`] finds it among the causes of an I/O error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsRefusal {
    /// The certificate of the other side proves no workload.
    #[error("the certificate of the other side was refused: {0}")]
    Peer(#[from] SvidError),
    /// The server is a workload, but not one that the client expects there.
    #[error("the server is `{0}`, which is not one that this client expects to reach")]
    ServerNotExpected(SpiffeId),
    /// This side has no identity to show.
    #[error("this side has nothing to show: {0}")]
    Identity(#[from] IdentityUnavailable),
    /// This side has an identity, but TLS cannot sign with its key in a way that the other side takes.
    #[error("the key of this side's identity can make no signature that the other side takes; use ECDSA P-256")]
    KeyUnsuitable,
}

impl TlsRefusal {
    /// The stable machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Peer(error) => error.code(),
            Self::ServerNotExpected(_) => "server_not_expected",
            Self::Identity(error) => error.code(),
            Self::KeyUnsuitable => "identity_key_unsuitable",
        }
    }

    /// The refusal among the causes of `error`, if this side ended the handshake for one.
    #[must_use]
    pub fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        iter::successors(Some(error), |error| cause(*error)).find_map(|error| error.downcast_ref())
    }

    /// As the verdict on a certificate.
    pub(super) fn of_certificate(self) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(self))).into()
    }

    /// As any other failure.
    pub(super) fn of_this_side(self) -> rustls::Error {
        OtherError(Arc::new(self)).into()
    }
}

/// The next cause down: `io::Error` and `rustls::Error` do not show what they hold as their source.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    }
    match error.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(inner)) | rustls::Error::Other(inner)) => {
            Some(&*inner.0)
        }
        _ => error.source(),
    }
}
