//! What an issuer says of itself (RFC 8414), and where it is reached.

use serde::Serialize;

use super::authentication::Proof;
use super::{ClientMethod, Issuer};
use crate::identity::IssuerId;
use crate::jose::Algorithm;

/// The URLs at which an issuer is reached: they follow from its identifier, so it must be the URL that it is served
/// under.
#[derive(Debug, Clone)]
pub struct Endpoints {
    token: Box<str>,
    jwks: Box<str>,
    introspection: Box<str>,
    revocation: Box<str>,
    metadata: Box<str>,
}

impl Endpoints {
    pub(super) fn of(issuer: &IssuerId) -> Self {
        let base = issuer.as_str().trim_end_matches('/');
        // RFC 8414 §3: the well-known name goes between host and path.
        let path_at = base.find("://").map_or(0, |at| at.saturating_add(3));
        let path_at = base.get(path_at..).and_then(|rest| rest.find('/')).map(|at| at.saturating_add(path_at));
        let (origin, path) = path_at.and_then(|at| base.split_at_checked(at)).unwrap_or((base, ""));
        Self {
            token: format!("{base}/token").into(),
            jwks: format!("{base}/jwks.json").into(),
            introspection: format!("{base}/introspect").into(),
            revocation: format!("{base}/revoke").into(),
            metadata: format!("{origin}/.well-known/oauth-authorization-server{path}").into(),
        }
    }

    /// Where tokens are asked for: `/token` below the identifier.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where the public keys are: `/jwks.json`.
    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Where the state of a token is asked for (RFC 7662): `/introspect`.
    #[must_use]
    pub fn introspection(&self) -> &str {
        &self.introspection
    }

    /// Where a client takes a token back (RFC 7009): `/revoke`, if the issuer has a store for that.
    #[must_use]
    pub fn revocation(&self) -> &str {
        &self.revocation
    }

    /// Where the metadata is (RFC 8414 §3).
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }
}

#[derive(Serialize)]
struct Document<'a> {
    issuer: &'a str,
    token_endpoint: &'a str,
    jwks_uri: &'a str,
    introspection_endpoint: &'a str,
    response_types_supported: [&'a str; 0],
    grant_types_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    authorization_grant_profiles_supported: &'a [&'a str],
    token_endpoint_auth_methods_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_signing_alg_values_supported: Option<&'a [&'a str]>,
    introspection_endpoint_auth_methods_supported: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    introspection_endpoint_auth_signing_alg_values_supported: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint_auth_methods_supported: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint_auth_signing_alg_values_supported: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_signing_alg_values_supported: Option<Vec<&'a str>>,
    tls_client_certificate_bound_access_tokens: bool,
    /// RFC 9396 §10.
    authorization_details_types_supported: Vec<&'a str>,
}

impl Issuer {
    /// Where this issuer is reached.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// The authorization server metadata (RFC 8414 §2), as JSON: what this issuer is configured to do, and no more.
    #[must_use]
    pub fn metadata(&self) -> String {
        let methods = self.methods();
        let signs = methods.contains(&ClientMethod::PrivateKeyJwt.name());
        let other_name = |algorithm| (algorithm == Algorithm::EdDsa).then_some("Ed25519");
        let names = |algorithm: Algorithm| std::iter::once(algorithm.name()).chain(other_name(algorithm));
        let algorithms: Vec<&str> = Algorithm::all().into_iter().flat_map(names).collect();
        let algorithms = signs.then_some(&*algorithms);
        let endpoints = self.endpoints();
        let revokes = self.revocations().is_some();
        let document = Document {
            issuer: self.inner.id.as_str(),
            token_endpoint: endpoints.token(),
            jwks_uri: endpoints.jwks(),
            introspection_endpoint: endpoints.introspection(),
            response_types_supported: [],
            grant_types_supported: self.grant_types(),
            authorization_grant_profiles_supported: self.grant_profiles(),
            token_endpoint_auth_methods_supported: &methods,
            token_endpoint_auth_signing_alg_values_supported: algorithms,
            introspection_endpoint_auth_methods_supported: &methods,
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            revocation_endpoint: revokes.then_some(endpoints.revocation()),
            revocation_endpoint_auth_methods_supported: revokes.then_some(&methods),
            revocation_endpoint_auth_signing_alg_values_supported: algorithms.filter(|_| revokes),
            dpop_signing_alg_values_supported: self
                .inner
                .dpop
                .as_ref()
                .map(|dpop| dpop.algorithms().split(' ').collect()),
            tls_client_certificate_bound_access_tokens: self.inner.takes_svids,
            authorization_details_types_supported: self.inner.detail_types.names().collect(),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// The ways in which a client can prove itself here, by their registered names.
    fn methods(&self) -> Vec<&'static str> {
        let has = |is: fn(&Proof) -> bool| self.inner.clients.values().any(|client| is(&client.proof));
        let mut methods = Vec::new();
        if self.inner.takes_svids {
            // To a client that knows nothing of SPIFFE, a certificate is one (RFC 8705 §2.1.1).
            methods.extend(["tls_client_auth", ClientMethod::X509Svid.name(), ClientMethod::JwtSvid.name()]);
        }
        if has(|proof| matches!(proof, Proof::Keys(_))) {
            methods.push(ClientMethod::PrivateKeyJwt.name());
        }
        if has(|proof| matches!(proof, Proof::Secret(_))) {
            methods.extend([ClientMethod::SecretBasic.name(), ClientMethod::SecretPost.name()]);
        }
        methods
    }
}
