use std::fmt;
use std::sync::Arc;

use agentauth_core::{Clock, SystemClock};
use agentauth_tower::client::{HttpsClient, HttpsClientBuilder};

use super::connections::Connections;
use super::{SvidClient, SvidClientError};
use crate::tls::ClientTls;

/// Settings of an [`SvidClient`].
#[must_use = "call build() to get the client"]
pub struct SvidClientBuilder {
    pub(super) tls: ClientTls,
    pub(super) https: HttpsClientBuilder,
    pub(super) clock: Arc<dyn Clock>,
}

impl SvidClientBuilder {
    pub(super) fn new(tls: ClientTls) -> Self {
        Self { tls, https: HttpsClient::builder(), clock: Arc::new(SystemClock) }
    }

    /// Lets this client reach the addresses of one more network, such as `10.0.0.0/8`: unless said, it reaches the public
    /// Internet only. As [`HttpsClientBuilder::allow_network`].
    pub fn allow_network(self, network: &str) -> Self {
        self.https(|https| https.allow_network(network))
    }

    /// Lets this client reach `127.0.0.0/8` and `::1`, over TLS. As [`HttpsClientBuilder::allow_loopback`].
    pub fn allow_loopback(self) -> Self {
        self.https(HttpsClientBuilder::allow_loopback)
    }

    /// Whatever else can be said of HTTP. What is said there of TLS does not count.
    pub fn https(mut self, settings: impl FnOnce(HttpsClientBuilder) -> HttpsClientBuilder) -> Self {
        self.https = settings(self.https);
        self
    }

    /// What time it is: by the system's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.tls = self.tls.clock(Arc::clone(&clock));
        self.clock = clock;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`SvidClientError::Fetch`] if a network is malformed; [`SvidClientError::Tls`].
    pub fn build(self) -> Result<SvidClient, SvidClientError> {
        Ok(SvidClient { connections: Arc::new(Connections::new(self)?) })
    }
}

impl fmt::Debug for SvidClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SvidClientBuilder").field("tls", &self.tls).field("https", &self.https).finish_non_exhaustive()
    }
}
