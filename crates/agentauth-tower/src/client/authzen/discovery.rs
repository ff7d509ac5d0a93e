//! Where a policy decision point is asked (§9).

use agentauth_core::Excerpt;
use agentauth_core::policy::authzen::{AuthzenError, PdpMetadata};
use http::Uri;

use super::AuthzenEngine;
use crate::client::{FetchError, HttpsClient, expect_json, without_user};

/// Longer identifiers are no decision point's.
const MAX_IDENTIFIER_BYTES: usize = 2048;

/// Why a policy decision point cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthzenEngineError {
    /// Not an identifier of a decision point (§9.1.1).
    #[error("`{0}` is no policy decision point: an https URL without query, fragment or user information is needed")]
    Identifier(Excerpt),
    /// Its metadata could not be fetched, or must not be.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its metadata cannot be used.
    #[error("the metadata at `{uri}` cannot be used: {source}")]
    Metadata {
        /// Where it was found.
        uri: Uri,
        /// What is wrong with it.
        source: AuthzenError,
    },
    /// An endpoint of its metadata is no URL.
    #[error("the metadata at `{uri}` cannot be used: the endpoint `{endpoint}` is no URL")]
    Endpoint {
        /// Where it was found.
        uri: Uri,
        /// What stands there.
        endpoint: Excerpt,
    },
}

impl AuthzenEngineError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Identifier(_) => "authzen_identifier_malformed",
            Self::Fetch(error) => error.code(),
            Self::Metadata { source, .. } => source.code(),
            Self::Endpoint { .. } => "authzen_endpoint_malformed",
        }
    }
}

impl AuthzenEngine<HttpsClient> {
    /// Asks the decision point with this identifier, where its metadata says (`/.well-known/authzen-configuration`). It is fetched
    /// once: a decision point that moves is discovered anew.
    ///
    /// # Errors
    /// [`AuthzenEngineError`]; also if the metadata names another decision point, or nothing may be sent to where it leads.
    pub async fn discover(client: HttpsClient, pdp: &str) -> Result<Self, AuthzenEngineError> {
        let uri = metadata_of(pdp)?;
        let document = client.get(&uri, None).await?;
        expect_json(&uri, &document)?;
        let metadata = PdpMetadata::read(document.body(), pdp);
        let metadata = metadata.map_err(|source| AuthzenEngineError::Metadata { uri: uri.clone(), source })?;
        let endpoint = |text: &str| -> Result<Uri, AuthzenEngineError> {
            let malformed =
                |_| AuthzenEngineError::Endpoint { uri: uri.clone(), endpoint: Excerpt::of(&without_user(text)) };
            let endpoint: Uri = text.parse().map_err(malformed)?;
            client.check(&endpoint)?;
            Ok(endpoint)
        };
        let evaluation = endpoint(&metadata.evaluation)?;
        let evaluations = metadata.evaluations.as_deref().map(endpoint).transpose()?;
        Ok(Self::at(client, pdp, evaluation, evaluations))
    }
}

/// An identifier in its three parts: scheme, authority and path without a slash at its end.
fn parts(pdp: &str) -> Result<(String, String, String), AuthzenEngineError> {
    let refused = || AuthzenEngineError::Identifier(Excerpt::of(&without_user(pdp)));
    if pdp.len() > MAX_IDENTIFIER_BYTES || pdp.contains(['#', '?', '@']) {
        return Err(refused());
    }
    let uri: Uri = pdp.parse().map_err(|_| refused())?;
    // Whether plain `http` will do is for the client to say: to loopback addresses, where they are allowed.
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("https" | "http")), Some(authority)) => {
            let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
            Ok((scheme.to_owned(), authority.to_string(), path.to_owned()))
        }
        _ => Err(refused()),
    }
}

fn made_of(pdp: &str, text: &str) -> Result<Uri, AuthzenEngineError> {
    text.parse().map_err(|_| AuthzenEngineError::Identifier(Excerpt::of(pdp)))
}

/// Before the path of the identifier (§9.2).
fn metadata_of(pdp: &str) -> Result<Uri, AuthzenEngineError> {
    let (scheme, authority, path) = parts(pdp)?;
    made_of(pdp, &format!("{scheme}://{authority}/.well-known/authzen-configuration{path}"))
}

/// After the path of the identifier (§10.1).
pub(super) fn default_endpoints(pdp: &str) -> Result<(Uri, Uri), AuthzenEngineError> {
    let (scheme, authority, path) = parts(pdp)?;
    let endpoint = |name| made_of(pdp, &format!("{scheme}://{authority}{path}/access/v1/{name}"));
    Ok((endpoint("evaluation")?, endpoint("evaluations")?))
}
