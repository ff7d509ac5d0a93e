//! huskarl-resource-server, below its request: the rules and the claims of its RFC 9068 validator.
//!
//! `Rfc9068Validator` takes a request: it first takes the token out of a header, and at the end it wants the client
//! certificate that `cnf` names. Between the two stands the validator that is measured, as that is what the others do.

use std::error::Error;
use std::time::Duration;

use agentauth_core::jose::Algorithm;
use huskarl_resource_server::DefaultJwsVerifierPlatform;
use huskarl_resource_server::core::crypto::verifier::{JwsVerifierPlatform, MultiKeyVerifier};
use huskarl_resource_server::core::jwk::PublicJwks;
use huskarl_resource_server::core::jwt::validator::{ClaimCheck, JwtValidator};
use huskarl_resource_server::validator::rfc9068::Rfc9068AccessTokenClaims;
use serde::Deserialize;

use super::{Actor, LEEWAY_SECS, is_the_subject};
use agentauth_benches::case::{Verdict, at_once};
use agentauth_benches::specimen::{AUDIENCE, ISSUER};

pub(super) struct Peer(JwtValidator);

impl Peer {
    pub(super) fn new(algorithm: Algorithm, jwk: &str) -> Result<Self, Box<dyn Error>> {
        let platform: std::sync::Arc<dyn JwsVerifierPlatform> = DefaultJwsVerifierPlatform::default().into();
        let keys = PublicJwks::new(vec![serde_json::from_str(jwk)?]);
        let verifier = at_once(MultiKeyVerifier::from_jwks(&keys, platform.as_ref()))??;
        let validator = JwtValidator::builder()
            .verifier(verifier)
            .allowed_algorithms([algorithm.name().to_owned()])
            .typ(ClaimCheck::required_value("at+jwt"))
            .iss(ClaimCheck::required_value(ISSUER))
            .aud(ClaimCheck::required_value(AUDIENCE))
            .sub(ClaimCheck::present())
            .require_exp(true)
            .require_iat(true)
            .require_jti(true)
            .clock_leeway(Duration::from_secs(LEEWAY_SECS))
            .build();
        Ok(Self(validator))
    }

    pub(super) fn verify(&self, token: &str) -> Verdict {
        let token = at_once(self.0.validate::<Rfc9068AccessTokenClaims<PrivateClaims>>(token))??;
        is_the_subject(token.sub.as_deref().unwrap_or_default())
    }
}

/// What is left when the crate has read the claims of RFC 9068, and `cnf`.
#[derive(Clone, Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct PrivateClaims {
    act: Actor,
}
