use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::{KnownLists, StatusListError};
use crate::identity::IssuerId;

/// How long a list is believed at most, unless set otherwise.
const DEFAULT_LONGEST: Duration = Duration::from_secs(3600);

/// Longer, and a revoked token would count for longer than access tokens last.
const MAX_LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The wait for a list: the JWT (`application/statuslist+jwt`), not yet believed.
pub type FetchingStatus = Pin<Box<dyn Future<Output = Result<String, StatusListError>> + Send>>;

/// Fetches status lists.
pub trait StatusListSource: Send + Sync + fmt::Debug {
    /// Fetches the list at `uri`, which lies at an origin that the issuer's lists may come from. The wait, the size of the
    /// answer ([`MAX_STATUS_LIST_BYTES`](super::MAX_STATUS_LIST_BYTES)) and the number of fetches at a time are bounded
    /// here; what goes wrong is [`StatusListError::Unavailable`]. Redirects lead nowhere else.
    fn fetch(&self, uri: &str) -> FetchingStatus;
}

impl<S: StatusListSource + ?Sized> StatusListSource for Arc<S> {
    fn fetch(&self, uri: &str) -> FetchingStatus {
        (**self).fetch(uri)
    }
}

/// Where the status lists of one issuer come from, and how long they are believed.
#[derive(Debug, Clone)]
pub struct StatusLists {
    pub(super) source: Arc<dyn StatusListSource>,
    pub(super) longest: Duration,
    origins: Vec<Box<str>>,
}

impl StatusLists {
    /// Lists that `source` fetches from the issuer's own origin.
    #[must_use]
    pub fn new(source: impl StatusListSource + 'static) -> Self {
        Self { source: Arc::new(source), longest: DEFAULT_LONGEST, origins: Vec::new() }
    }

    /// And from this origin: a scheme, a host and a port, such as `https://status.example.com`.
    #[must_use]
    pub fn at_origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// For how long a list is believed at most, and a revocation goes unseen: 1 h unless set, at most a day. A list that
    /// has a shorter `ttl` is believed for as long as that says; one without is believed for 5 minutes.
    #[must_use]
    pub fn believe_for(mut self, longest: Duration) -> Self {
        self.longest = longest.min(MAX_LONGEST);
        self
    }

    /// The offending value, if an origin is none.
    pub(in crate::token) fn check(self, issuer: &IssuerId) -> Result<StatusCheck, Box<str>> {
        let mut origins: Vec<Origin> = Origin::of(issuer.as_str()).into_iter().collect();
        for origin in &self.origins {
            match Origin::of(origin) {
                Some(parsed) if parsed.is_all_of(origin) => origins.push(parsed),
                _ => return Err(origin.clone()),
            }
        }
        Ok(StatusCheck::Lists { origins, known: KnownLists::new(self) })
    }
}

/// What is made of a token that says where its status is found.
#[derive(Debug)]
pub(in crate::token) enum StatusCheck {
    /// It is refused: nobody has said where lists may come from.
    Refused,
    /// Its status is not looked at.
    Ignored,
    Lists {
        origins: Vec<Origin>,
        known: KnownLists,
    },
}

/// A scheme, a host and a port (RFC 6454 §4).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::token) struct Origin {
    is_tls: bool,
    host: Box<str>,
    port: u16,
}

impl Origin {
    pub(in crate::token) fn of(uri: &str) -> Option<Self> {
        let uri: Uri = uri.parse().ok()?;
        let is_tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" if is_tls => 443,
            "" => 80,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        Some(Self { is_tls, host: authority.host().to_ascii_lowercase().into(), port })
    }

    /// Whether there is nothing else in `text`, but for a slash.
    fn is_all_of(&self, text: &str) -> bool {
        text.parse().is_ok_and(|uri: Uri| uri.path() == "/" && uri.query().is_none()) && !text.contains('#')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |text| Origin::of(text);
        assert_eq!(of("https://A.example/x?y"), of("https://a.example:443"));
        assert_ne!(of("https://a.example"), of("http://a.example"));
        assert_ne!(of("https://a.example"), of("https://a.example:444"));
        assert_ne!(of("https://a.example"), of("https://a.example.evil"));
        for bad in ["", "a.example", "/x", "ftp://a", "https://u@a", "https://a:", "https://a:99999", "https://"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        for (text, is_one) in
            [("https://a", true), ("https://a/", true), ("https://a/x", false), ("https://a?x", false)]
        {
            assert_eq!(of(text).unwrap().is_all_of(text), is_one, "{text}");
        }
    }
}
