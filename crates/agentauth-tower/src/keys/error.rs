use std::path::PathBuf;

use agentauth_core::Excerpt;
use agentauth_core::jose::KeyError;
use http::Uri;

use crate::client::FetchError;

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveKeysError {
    /// The issuer's identifier is not one that metadata can be found by: a URL without query and fragment (RFC 8414 §2).
    #[error("`{0}` cannot be discovered: an issuer is an https URL without query, fragment or user information")]
    Issuer(String),
    /// Called outside of a tokio runtime, which the keys need to be kept up to date.
    #[error("there is no tokio runtime to keep the keys up to date: call this from async code")]
    NoRuntime,
    /// A document could not be fetched, or must not be.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The issuer's metadata cannot be used.
    #[error("the metadata at `{uri}` cannot be used: {source}")]
    Metadata {
        /// Where it was found.
        uri: Uri,
        /// What is wrong with it.
        source: MetadataError,
    },
    /// The key file could not be read.
    #[error("the key file {} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The key document cannot be used.
    #[error("the keys cannot be used: {0}")]
    Keys(#[from] KeyError),
    /// It took longer than 15 s in all.
    #[error("the keys could not be had within 15 s")]
    Timeout,
}

/// Why an issuer's metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not one JSON object, or one with a member that stands twice or has the wrong type.
    #[error("it is not one JSON object with text members `issuer` and `jwks_uri`, none of which stands twice")]
    Malformed,
    /// `issuer` is missing, or another than the one that was asked for (RFC 8414 §3.3).
    #[error("it is the metadata of the issuer `{0}`, byte for byte another one")]
    IssuerMismatch(Excerpt),
    /// `jwks_uri` is missing, or no URL.
    #[error("it has no `jwks_uri` that is a URL")]
    NoKeys,
}

impl LiveKeysError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Issuer(_) => "keys_issuer_malformed",
            Self::NoRuntime => "keys_no_runtime",
            Self::Fetch(error) => error.code(),
            Self::Metadata { source, .. } => source.code(),
            Self::File { .. } => "keys_file_unreadable",
            Self::Keys(error) => error.code(),
            Self::Timeout => "keys_timed_out",
        }
    }
}

impl MetadataError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "metadata_malformed",
            Self::IssuerMismatch(_) => "metadata_issuer_mismatch",
            Self::NoKeys => "metadata_no_jwks_uri",
        }
    }
}
