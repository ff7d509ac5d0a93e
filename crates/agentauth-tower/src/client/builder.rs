use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hyper_rustls::{ConfigBuilderExt as _, DefaultServerNameResolver, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

use super::connect::{Bounded, Dialer, DirectDialer, GuardedConnector, Resolver, SystemResolver};
use super::guard::Guard;
use super::{FetchError, HttpsClient};
use crate::network::NetworkError;

/// Idle connections that are kept for each server: enough for an agent, and no store of open sockets.
const MAX_IDLE_PER_HOST: usize = 16;

/// Settings of an [`HttpsClient`].
#[derive(Clone)]
#[must_use = "call build() to get the client"]
pub struct HttpsClientBuilder {
    tls: Option<ClientConfig>,
    guard: Guard,
    malformed: Option<NetworkError>,
    resolver: Arc<dyn Resolver>,
    dialer: Arc<dyn Dialer>,
}

impl HttpsClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            tls: None,
            guard: Guard::default(),
            malformed: None,
            resolver: Arc::new(SystemResolver),
            dialer: Arc::new(DirectDialer),
        }
    }

    /// The TLS configuration: its roots, and its own certificate if it has one. Unless set, the platform's roots. The
    /// client offers HTTP/1.1, whatever `tls` says of protocols.
    pub fn tls(mut self, tls: ClientConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets this client reach `127.0.0.0/8` and `::1`, and use plain `http` there: for development and tests, and for
    /// servers that share a host.
    pub fn allow_loopback(mut self) -> Self {
        self.guard.allows_loopback = true;
        self
    }

    /// Does what [`HttpsClientBuilder::allow_loopback`] does if `url`, which whoever runs this has configured, names this
    /// host itself: `localhost` or a loopback address. A name that merely leads here is not enough.
    pub fn allow_loopback_if_named(self, url: &str) -> Self {
        let named = url.parse::<http::Uri>().is_ok_and(|uri| names_loopback(uri.host().unwrap_or_default()));
        if named { self.allow_loopback() } else { self }
    }

    /// Lets this client reach the addresses of one more network, such as `10.0.0.0/8`, over TLS. The address of a cloud's
    /// metadata service is reached only if it is named alone (`169.254.169.254/32`).
    pub fn allow_network(mut self, network: &str) -> Self {
        match network.parse() {
            Ok(network) => self.guard.networks.push(network),
            Err(malformed) => self.malformed = Some(malformed),
        }
        self
    }

    /// What finds the addresses of names: the operating system unless set.
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// What opens connections: the operating system unless set.
    pub fn dialer(mut self, dialer: impl Dialer + 'static) -> Self {
        self.dialer = Arc::new(dialer);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`FetchError::Network`]; [`FetchError::Roots`] if no TLS configuration was set.
    pub fn build(mut self) -> Result<HttpsClient, FetchError> {
        if let Some(malformed) = self.malformed.take() {
            return Err(malformed.into());
        }
        let tls = self.tls.take().map_or_else(platform_tls, Ok).map_err(FetchError::Roots)?;
        Ok(self.with_tls(tls))
    }

    pub(super) fn with_tls(self, mut tls: ClientConfig) -> HttpsClient {
        tls.alpn_protocols.clear();
        let guard = Arc::new(self.guard);
        let connector = GuardedConnector { guard: guard.clone(), resolver: self.resolver, dialer: self.dialer };
        let names = Arc::new(DefaultServerNameResolver::default());
        let connector = Bounded(HttpsConnector::new(connector, tls, false, names));
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_max_idle_per_host(MAX_IDLE_PER_HOST);
        HttpsClient { client: client.build(connector), guard }
    }
}

impl fmt::Debug for HttpsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsClientBuilder").field("guard", &self.guard).finish_non_exhaustive()
    }
}

fn names_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn platform_tls() -> std::io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(std::io::Error::other)?.with_native_roots()?.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_meant_only_if_it_is_named() {
        for (url, named) in [
            ("http://localhost:8080/jwks", true),
            ("http://127.0.0.1/jwks", true),
            ("http://[::1]:8080/jwks", true),
            ("https://localhost.evil.example/jwks", false),
            ("https://127.0.0.1.evil.example/jwks", false),
            ("https://127.1/jwks", false),
            ("https://idp.example/jwks", false),
            ("/jwks", false),
        ] {
            assert_eq!(HttpsClientBuilder::new().allow_loopback_if_named(url).guard.allows_loopback, named, "{url}");
        }
    }
}
