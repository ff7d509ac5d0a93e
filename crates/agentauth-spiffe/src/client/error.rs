use agentauth_tower::client::FetchError;

use crate::tls::{TlsConfigError, TlsRefusal};

/// Why a workload was not called, or its answer not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SvidClientError {
    /// This side has ended the handshake, or not begun it.
    #[error(transparent)]
    Refused(#[from] TlsRefusal),
    /// The URL is not an `https` URL.
    #[error("only https URLs are called by this client: nothing else proves who answers")]
    NotHttps,
    /// As of any other HTTPS client; the other side may have ended the handshake.
    #[error(transparent)]
    Fetch(FetchError),
    /// TLS cannot be done.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
}

impl SvidClientError {
    /// The stable machine code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NotHttps => "svid_client_not_https",
            Self::Fetch(error) => error.code(),
            Self::Tls(_) => "svid_client_no_tls",
        }
    }

    pub(super) fn of_fetch(error: FetchError) -> Self {
        match TlsRefusal::find(&error) {
            Some(refusal) => Self::Refused(refusal.clone()),
            None => Self::Fetch(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_there_is_no_client() {
        let unusable = rustls::Error::General("no versions".into());
        assert_eq!(SvidClientError::from(TlsConfigError::from(unusable)).code(), "svid_client_no_tls");
    }
}
