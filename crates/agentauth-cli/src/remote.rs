//! What is fetched over the network.

use agentauth_core::jose::KeySet;
use agentauth_tower::client::{FetchError, HttpsClient};

use crate::CliError;

/// Whether `place` is a URL, and no file.
pub(crate) fn is_url(place: &str) -> bool {
    place.starts_with("https://") || place.starts_with("http://")
}

/// Fetches the JWKS at `url`.
pub(crate) fn fetch_keys(url: &str) -> Result<KeySet, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    Ok(runtime.block_on(fetch(url))?)
}

async fn fetch(url: &str) -> Result<KeySet, FetchError> {
    HttpsClient::builder().allow_loopback_if_named(url).build()?.fetch_keys(url).await
}
