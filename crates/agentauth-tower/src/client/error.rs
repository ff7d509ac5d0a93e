use std::error::Error;
use std::net::IpAddr;
use std::{io, iter};

use agentauth_core::Excerpt;
use agentauth_core::jose::KeyError;
use http::{StatusCode, Uri};
use rustls::AlertDescription;

use super::guard::Refused;
use crate::network::NetworkError;

/// Of a cause, so much is shown: some of them quote what the other side says.
const MAX_CAUSE_CHARS: usize = 200;

/// Why a document or an answer could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Not an absolute `https` URL without user information, nor an `http` URL where loopback is allowed.
    #[error(
        "`{0}` is refused: an https URL is needed (http only for loopback addresses, and only if they are allowed)"
    )]
    Url(String),
    /// The host of the URL is neither a DNS name nor an IP address in its usual form, or it is the name of a cloud's
    /// metadata service.
    #[error("`{0}` is refused: its host must be a DNS name, or an IP address in its usual form that is allowed")]
    Host(Uri),
    /// The host is, or its name leads to, an address that is not public and that was not allowed. Nothing was sent.
    #[error("`{url}` is refused: the address {address} is {kind}; if it is meant, allow its network")]
    Address {
        /// What was to be fetched.
        url: Box<str>,
        /// The first address that did not pass.
        address: IpAddr,
        /// What it is, for people.
        kind: &'static str,
    },
    /// A network to be allowed is not one.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The server's certificates could not be loaded from the platform.
    #[error("the platform's root certificates cannot be loaded: {0}")]
    Roots(#[source] std::io::Error),
    /// The name could not be resolved, or the connection or the transfer failed.
    #[error("`{uri}` could not be fetched: {source}{cause}", cause = cause(&**source))]
    Transfer {
        /// What was fetched.
        uri: Uri,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took longer than 10 s.
    #[error("`{0}` did not answer within 10 s")]
    Timeout(Uri),
    /// The answer is longer than the limit.
    #[error("`{uri}` answered with more than {limit} bytes")]
    Oversize {
        /// What was fetched.
        uri: Uri,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Another status than 200. Redirects are not followed: they could lead anywhere.
    #[error("`{uri}` answered with status {status}")]
    Status {
        /// What was fetched.
        uri: Uri,
        /// The answer.
        status: StatusCode,
    },
    /// The document is not served as JSON: `application/json`, or `application/` and anything that ends in `+json`.
    #[error("`{uri}` is of type `{found}`; a document of type application/json is needed")]
    ContentType {
        /// What was fetched.
        uri: Uri,
        /// What its `Content-Type` says.
        found: Excerpt,
    },
    /// The key document cannot be used.
    #[error("the keys at `{uri}` cannot be used: {source}")]
    Keys {
        /// What was fetched.
        uri: Uri,
        /// What is wrong with it.
        source: KeyError,
    },
}

impl FetchError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "fetch_url_refused",
            Self::Host(_) => "fetch_host_refused",
            Self::Address { .. } => "fetch_address_refused",
            Self::Network(_) => "fetch_network_malformed",
            Self::Roots(_) => "fetch_roots_unavailable",
            Self::Transfer { .. } => "fetch_failed",
            Self::Timeout(_) => "fetch_timed_out",
            Self::Oversize { .. } => "fetch_oversize",
            Self::Status { .. } => "fetch_status_unexpected",
            Self::ContentType { .. } => "fetch_content_type_wrong",
            Self::Keys { source, .. } => source.code(),
        }
    }

    pub(super) fn refused(uri: &Uri, refused: &Refused) -> Self {
        match *refused {
            Refused::Url => Self::Url(without_user(&uri.to_string())),
            Refused::Host => Self::Host(uri.clone()),
            Refused::Address { address, kind } => Self::Address { url: uri.to_string().into(), address, kind },
        }
    }
}

/// What is behind an error that only says which step has failed.
fn cause(error: &(dyn Error + 'static)) -> String {
    let causes = || iter::successors(error.source(), |error| (*error).source());
    // `io::Error` does not show what it holds as its source.
    let alert = causes().find_map(|error| match error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    });
    match (alert.and_then(meaning), causes().last()) {
        (Some(meaning), _) => format!(" ({meaning})"),
        (None, Some(innermost)) => {
            let printable = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
            format!(" ({})", innermost.to_string().chars().take(MAX_CAUSE_CHARS).map(printable).collect::<String>())
        }
        (None, None) => String::new(),
    }
}

/// What the other side means by an alert that is about the certificate of this side.
const fn meaning(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateUnknown
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnknownCA => Some("the other side refused this workload's certificate; its log says why"),
        AlertDescription::CertificateRequired => Some("the other side wants a certificate, and none was shown"),
        _ => None,
    }
}

/// A URL as it may be shown: user information can hold a password.
pub(crate) fn without_user(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, rest)) => format!("...@{rest}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_is_no_password() {
        assert_eq!(without_user("https://alice:p@ss@a.example/x"), "...@a.example/x");
        assert_eq!(without_user("https://a.example/x"), "https://a.example/x");
    }

    /// An error, and what is behind it.
    #[derive(Debug, thiserror::Error)]
    #[error("a step failed")]
    struct Step(#[source] io::Error);

    #[test]
    fn a_transfer_that_failed_says_why() {
        let alert = |alert| io::Error::other(rustls::Error::AlertReceived(alert));
        let refused = "the other side refused this workload's certificate; its log says why";
        for (behind, expected) in [
            (io::Error::other("no\nway"), "no?way"),
            (io::Error::other("x".repeat(999)), &*"x".repeat(200)),
            (alert(AlertDescription::CertificateUnknown), refused),
            (alert(AlertDescription::UnknownCA), refused),
            (alert(AlertDescription::CertificateRequired), "the other side wants a certificate, and none was shown"),
            (alert(AlertDescription::DecodeError), "received fatal alert: DecodeError"),
        ] {
            let error = FetchError::Transfer { uri: Uri::from_static("/"), source: Step(behind).into() };
            assert_eq!(error.to_string(), format!("`/` could not be fetched: a step failed ({expected})"));
        }
        let bare = FetchError::Transfer { uri: Uri::from_static("/"), source: "it failed".into() };
        assert_eq!(bare.to_string(), "`/` could not be fetched: it failed");
    }

    #[test]
    fn without_roots_there_is_no_client() {
        assert_eq!(FetchError::Roots(std::io::ErrorKind::NotFound.into()).code(), "fetch_roots_unavailable");
    }
}
