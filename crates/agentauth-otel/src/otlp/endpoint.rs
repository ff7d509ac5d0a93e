//! Where the collector is.

use std::net::IpAddr;

use http::Uri;

use super::OtlpError;

/// The base URL of a collector, without a slash at its end.
#[derive(Debug)]
pub(super) struct Endpoint {
    base: String,
    is_tls: bool,
}

impl Endpoint {
    pub(super) fn read(text: &str, is_plaintext_allowed: bool) -> Result<Self, OtlpError> {
        // Who puts a password there shall not read it in an error; nor a key, which stands in a query.
        let refused = || OtlpError::Endpoint(text.split(['?', '#']).next().unwrap_or_default().into());
        if text.contains('@') {
            return Err(OtlpError::Endpoint("<an URL with a name or a password>".into()));
        }
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return Err(refused()) };
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(refused()),
        };
        if host.is_empty() || uri.query().is_some() {
            return Err(refused());
        }
        if !is_tls && !is_plaintext_allowed && !is_here(host) {
            return Err(OtlpError::Plaintext(host.into()));
        }
        Ok(Self { base: text.trim_end_matches('/').to_owned(), is_tls })
    }

    pub(super) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn of(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
