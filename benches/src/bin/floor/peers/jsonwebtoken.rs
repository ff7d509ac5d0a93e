//! jsonwebtoken: one key, no key id, and no look at `typ`.

use std::error::Error;

use agentauth_core::jose::Algorithm;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, Validation};

use super::{Claims, LEEWAY_SECS, is_the_subject};
use agentauth_benches::case::Verdict;
use agentauth_benches::specimen::{AUDIENCE, ISSUER};

pub(super) struct Peer {
    key: DecodingKey,
    validation: Validation,
}

impl Peer {
    pub(super) fn new(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, Box<dyn Error>> {
        let mut validation = Validation::new(algorithm.name().parse()?);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECS;
        Ok(Self { key: DecodingKey::from_jwk(jwk)?, validation })
    }

    pub(super) fn verify(&self, token: &str) -> Verdict {
        is_the_subject(&jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)?.claims.sub)
    }
}
