//! Keys that rotate: fetched from an issuer or a file, kept up to date, and handed to the engine.
//!
//! ```no_run
//! use agentauth_core::audit::TracingSink;
//! use agentauth_core::{AgentAuth, TrustedIssuer};
//! use agentauth_tower::client::HttpsClient;
//! use agentauth_tower::keys::LiveKeys;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = HttpsClient::with_platform_roots()?;
//! let keys = LiveKeys::discover(client, "https://sts.example.com")?;
//! let auth = AgentAuth::builder("https://tools.example.com")
//!     .issuer(TrustedIssuer::rfc8693("https://sts.example.com", keys))
//!     .audit(TracingSink)
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! One task does all the fetching, so no two fetches of one source ever run at once. It fetches
//!
//! - when the last answer is no longer fresh: its `Cache-Control` says when, within bounds;
//! - when a token could not be verified, because a new key may have come: at most once in an interval, whoever asks;
//! - again and again, ever more slowly, while it fails.
//!
//! Until a newer set has been read whole, the last good one counts; after 24 h without any success none does, and tokens
//! are refused. What goes wrong is reported through `tracing`.

mod builder;
mod error;
mod fetch;
mod metadata;
mod schedule;
mod shared;
mod task;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use agentauth_core::token::{KeyRefresh, KeySnapshot, KeySource, Keys};
use tokio::task::AbortHandle;

pub use builder::LiveKeysBuilder;
pub use error::{LiveKeysError, MetadataError};

use crate::client::HttpsClient;
pub use shared::Refreshes;
use shared::Shared;

/// The keys of one issuer, kept up to date by a task. Clones share it, and it ends with the last of them.
///
/// Construction does not wait, and succeeds while the issuer is down: until its keys have been fetched, its tokens are
/// refused with `keys_unavailable`. All constructors need a tokio runtime to run the task.
#[derive(Clone)]
pub struct LiveKeys(Arc<Running>);

struct Running {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LiveKeys {
    /// The keys of `issuer`, found by its metadata: RFC 8414 §3, and OpenID Connect Discovery §4 if there is none. The
    /// metadata must name `issuer` byte for byte.
    ///
    /// # Errors
    /// [`LiveKeysError::Issuer`], [`LiveKeysError::Fetch`] if `client` would not fetch from there,
    /// [`LiveKeysError::NoRuntime`].
    pub fn discover(client: HttpsClient, issuer: &str) -> Result<Self, LiveKeysError> {
        Self::builder().discover(client, issuer)
    }

    /// The keys of the JWKS document at `url`.
    ///
    /// # Errors
    /// [`LiveKeysError::Fetch`] if `client` would not fetch from there, [`LiveKeysError::NoRuntime`].
    pub fn from_url(client: HttpsClient, url: &str) -> Result<Self, LiveKeysError> {
        Self::builder().from_url(client, url)
    }

    /// The keys of the JWKS document in the file at `path`, which is read again every 10 s.
    ///
    /// # Errors
    /// [`LiveKeysError::NoRuntime`].
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, LiveKeysError> {
        Self::builder().from_file(path)
    }

    /// How fetching has gone so far: for a metric `agentauth.jwks.refresh{result}`.
    #[must_use]
    pub fn refreshes(&self) -> Refreshes {
        self.0.shared.refreshes()
    }

    /// Begins keys with settings other than the usual ones.
    pub fn builder() -> LiveKeysBuilder {
        LiveKeysBuilder::new()
    }
}

impl KeySource for LiveKeys {
    fn current(&self) -> Option<KeySnapshot> {
        self.0.shared.current()
    }

    fn generation(&self) -> Option<u64> {
        self.0.shared.generation()
    }

    fn refresh(&self, tried: Option<u64>) -> Option<KeyRefresh> {
        self.0.shared.refresh(tried)
    }
}

impl From<LiveKeys> for Keys {
    fn from(keys: LiveKeys) -> Self {
        Self::from_source(keys)
    }
}

impl fmt::Debug for LiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveKeys").field("source", &self.0.shared.name()).finish_non_exhaustive()
    }
}
