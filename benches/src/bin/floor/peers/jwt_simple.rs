//! jwt-simple, without BoringSSL: one key with its id, and `typ` is compared.

use std::collections::HashSet;
use std::error::Error;

use agentauth_core::jose::Algorithm;
use jwt_simple::prelude::{
    Duration, ES256PublicKey, Ed25519PublicKey, JWTClaims, PS256PublicKey, RS256PublicKey, VerificationOptions,
};
use jwt_simple::prelude::{ECDSAP256PublicKeyLike as _, EdDSAPublicKeyLike as _, RSAPublicKeyLike as _};
use serde::Deserialize;

use super::{Actor, Confirmation, LEEWAY_SECS, is_the_subject};
use agentauth_benches::case::Verdict;
use agentauth_benches::specimen::{AUDIENCE, ISSUER};

pub(super) struct Peer {
    key: Key,
    options: VerificationOptions,
}

/// The crate has a type of key for each algorithm.
enum Key {
    EdDsa(Ed25519PublicKey),
    Es256(ES256PublicKey),
    Rs256(RS256PublicKey),
    Ps256(PS256PublicKey),
}

impl Peer {
    pub(super) fn new(algorithm: Algorithm, jwk: &str) -> Result<Self, Box<dyn Error>> {
        let key = match algorithm {
            Algorithm::EdDsa => Key::EdDsa(Ed25519PublicKey::from_jwk(jwk)?),
            Algorithm::Es256 => Key::Es256(ES256PublicKey::from_jwk(jwk)?),
            Algorithm::Rs256 => Key::Rs256(RS256PublicKey::from_jwk(jwk)?),
            Algorithm::Ps256 => Key::Ps256(PS256PublicKey::from_jwk(jwk)?),
            other => return Err(format!("jwt-simple has no {other}").into()),
        };
        let options = VerificationOptions {
            required_key_id: key.id().clone(),
            required_signature_type: Some("at+jwt".to_owned()),
            allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
            allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
            time_tolerance: Some(Duration::from_secs(LEEWAY_SECS)),
            ..VerificationOptions::default()
        };
        Ok(Self { key, options })
    }

    /// The options are taken by value, so that every call clones them.
    pub(super) fn verify(&self, token: &str) -> Verdict {
        let options = Some(self.options.clone());
        let claims: JWTClaims<PrivateClaims> = match &self.key {
            Key::EdDsa(key) => key.verify_token(token, options)?,
            Key::Es256(key) => key.verify_token(token, options)?,
            Key::Rs256(key) => key.verify_token(token, options)?,
            Key::Ps256(key) => key.verify_token(token, options)?,
        };
        is_the_subject(claims.subject.as_deref().unwrap_or_default())
    }
}

impl Key {
    fn id(&self) -> &Option<String> {
        match self {
            Self::EdDsa(key) => key.key_id(),
            Self::Es256(key) => key.key_id(),
            Self::Rs256(key) => key.key_id(),
            Self::Ps256(key) => key.key_id(),
        }
    }
}

/// What is left when the crate has read the registered claims.
#[derive(Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct PrivateClaims {
    client_id: String,
    scope: String,
    act: Actor,
    cnf: Confirmation,
}
