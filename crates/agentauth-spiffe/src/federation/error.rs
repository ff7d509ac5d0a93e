use std::path::PathBuf;

use agentauth_core::TrustDomain;
use agentauth_core::identity::svid::BundleError;
use agentauth_tower::client::FetchError;

use crate::tls::{TlsConfigError, TlsRefusal};

/// Why the bundle of another trust domain could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FederationError {
    /// Called outside of a tokio runtime, which the endpoints need to be asked.
    #[error("there is no tokio runtime to ask bundle endpoints: call this from async code")]
    NoRuntime,
    /// No endpoint is named.
    #[error("no bundle endpoint is named")]
    Nothing,
    /// Two endpoints are named for one trust domain.
    #[error("two bundle endpoints are named for trust domain `{0}`; its bundle comes from one")]
    Repeated(TrustDomain),
    /// The URL of an endpoint is none, or not `https`, or has user information (SPIFFE_Federation.md §5.1).
    #[error("the bundle endpoint of trust domain `{0}` is no https URL without user information")]
    Url(TrustDomain),
    /// The server's certificate proves no workload, or not the one that was configured (SPIFFE_Federation.md §5.2.2).
    #[error("the bundle endpoint is not the workload that it should be: {0}")]
    Server(TlsRefusal),
    /// TLS cannot be done for the endpoint.
    #[error(transparent)]
    Tls(#[from] TlsConfigError),
    /// The endpoint could not be asked, or its answer is no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The endpoint refers to another place, where it must not: after three redirects, or after none if they are
    /// switched off; to what is no https URL without user information.
    #[error("the bundle endpoint redirects to where this client does not follow")]
    Redirect,
    /// It took longer than 15 s.
    #[error("the bundle could not be had within 15 s")]
    Timeout,
    /// The bundle cannot be used.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle is older than the one that is held (Trust_Domain_and_Bundle.md §4.1.1).
    #[error("the bundle has the sequence number {found}, and the one that is held has {held}: it is an old one")]
    Older {
        /// The sequence number of the bundle that is held.
        held: u64,
        /// That of the one that came.
        found: u64,
    },
    /// A bundle could not be kept, or one that was kept cannot be read.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl FederationError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRuntime => "federation_no_runtime",
            Self::Nothing => "federation_none_named",
            Self::Repeated(_) => "federation_domain_repeated",
            Self::Url(_) => "federation_url_refused",
            Self::Server(refusal) => refusal.code(),
            Self::Tls(_) => "federation_tls_unusable",
            Self::Fetch(error) => error.code(),
            Self::Redirect => "federation_redirect_refused",
            Self::Timeout => "federation_timed_out",
            Self::Bundle(error) => error.code(),
            Self::Older { .. } => "federation_sequence_older",
            Self::Store { .. } => "federation_store_failed",
        }
    }
}
