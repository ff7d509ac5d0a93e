//! Where a key document comes from. One fetch is one attempt, and keeps no state.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentauth_core::jose::{KeyError, MAX_JWKS_BYTES};
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ETAG, HeaderValue};
use http::{Response, StatusCode, Uri};

use super::error::LiveKeysError;
use super::metadata::Discovery;
use super::schedule::freshness;
use crate::client::{FetchError, HttpsClient, expect_json};

/// A longer tag is forgotten: it would be sent with every request.
const MAX_TAG_BYTES: usize = 1024;

/// Gets documents over HTTP. The client does, and tests do without sockets.
#[async_trait]
pub(super) trait Get: Send + Sync + fmt::Debug {
    /// Gets the document at `uri`, of at most 256 KiB, unless it is still the one with the tag `known`.
    async fn get(&self, uri: &Uri, known: Option<&HeaderValue>) -> Result<Response<Bytes>, FetchError>;
}

#[async_trait]
impl Get for HttpsClient {
    async fn get(&self, uri: &Uri, known: Option<&HeaderValue>) -> Result<Response<Bytes>, FetchError> {
        Self::get(self, uri, known).await
    }
}

/// Where the document is.
#[derive(Debug)]
pub(super) enum Origin {
    Issuer { issuer: Discovery, http: Box<dyn Get> },
    Url { uri: Uri, http: Box<dyn Get> },
    File(PathBuf),
}

/// What a fetch has found.
#[derive(Debug)]
pub(super) struct Fetched {
    /// `None`: what is known has not changed.
    pub(super) document: Option<Document>,
    /// For how long that is so, if the answer says.
    pub(super) fresh: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Document {
    pub(super) bytes: Bytes,
    pub(super) tag: Option<Tag>,
}

/// By what a server knows a document again (RFC 9110 §8.8.3). It means something at one address only.
#[derive(Debug)]
pub(super) struct Tag {
    uri: Uri,
    value: HeaderValue,
}

impl Origin {
    /// Fetches the document, or learns that it is still the one with the tag `known`.
    pub(super) async fn fetch(&self, known: Option<&Tag>) -> Result<Fetched, LiveKeysError> {
        match self {
            Self::Issuer { issuer, http } => {
                let uri = find_keys(issuer, &**http).await?;
                fetch_keys(&uri, &**http, known).await
            }
            Self::Url { uri, http } => fetch_keys(uri, &**http, known).await,
            Self::File(path) => {
                let (from, path) = (path.clone(), path.clone());
                // Reading cannot be cancelled; the task waits no longer than for any other fetch.
                let read = tokio::task::spawn_blocking(move || read_file(&from)).await;
                let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
                let bytes = read.map_err(|source| LiveKeysError::File { path, source })?;
                if bytes.len() > MAX_JWKS_BYTES {
                    return Err(KeyError::Oversize.into());
                }
                Ok(Fetched { document: Some(Document { bytes: bytes.into(), tag: None }), fresh: None })
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer { issuer, .. } => f.write_str(issuer.name()),
            Self::Url { uri, .. } => uri.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

async fn find_keys(issuer: &Discovery, http: &dyn Get) -> Result<Uri, LiveKeysError> {
    let mut uri = &issuer.oauth;
    let mut response = http.get(uri, None).await?;
    if response.status() == StatusCode::NOT_FOUND {
        uri = &issuer.openid;
        response = http.get(uri, None).await?;
    }
    expect_json(uri, &response)?;
    issuer.keys_in(response.body()).map_err(|source| LiveKeysError::Metadata { uri: uri.clone(), source })
}

async fn fetch_keys(uri: &Uri, http: &dyn Get, known: Option<&Tag>) -> Result<Fetched, LiveKeysError> {
    let known = known.filter(|tag| tag.uri == *uri).map(|tag| &tag.value);
    let response = http.get(uri, known).await?;
    let fresh = freshness(response.headers());
    // RFC 9110 §15.4.5: only what was asked about can be unchanged.
    if response.status() == StatusCode::NOT_MODIFIED && known.is_some() {
        return Ok(Fetched { document: None, fresh });
    }
    expect_json(uri, &response)?;
    let tag = response.headers().get(ETAG).filter(|value| value.len() <= MAX_TAG_BYTES);
    let tag = tag.map(|value| Tag { uri: uri.clone(), value: value.clone() });
    Ok(Fetched { document: Some(Document { bytes: response.into_body(), tag }), fresh })
}

/// At most one byte more than a document may have.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe waits for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_JWKS_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
