use agentauth_core::jose::{Algorithm, KeyError, SigningKey, VerificationKey};
use serde::{Deserialize, Serialize};

/// The public members of a JWK (RFC 7517 §4, RFC 7518 §6), and no others: whatever else a JWK holds is not read, and so
/// cannot be written.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct PublicJwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
}

/// Why a JWK is not published.
#[derive(Debug)]
pub(super) enum Unpublished {
    /// An RSA key that does not say what it is for.
    NoAlgorithm,
    /// A key that verifies nothing.
    Unusable(KeyError),
}

impl PublicJwk {
    /// The public half of `key`.
    pub(super) fn of(key: &SigningKey) -> Option<Self> {
        serde_json::from_str(key.public_jwk()).ok()
    }

    /// The JWK as a verifier will read it, with its algorithm and use written out.
    pub(super) fn checked(mut self, rsa_algorithm: Option<Algorithm>) -> Result<Self, Unpublished> {
        if self.kty == "RSA" && self.alg.is_none() && rsa_algorithm.is_none() {
            return Err(Unpublished::NoAlgorithm);
        }
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let key = VerificationKey::from_jwk(&json, rsa_algorithm.unwrap_or(Algorithm::Rs256))
            .map_err(Unpublished::Unusable)?;
        self.alg = Some(key.algorithm().name().into());
        self.usage = Some("sig".into());
        Ok(self)
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether both are the same key, whatever they are called and used for.
    pub(super) fn is_key_of(&self, other: &Self) -> bool {
        let parameters = |jwk: &Self| [&jwk.crv, &jwk.x, &jwk.y, &jwk.n, &jwk.e].map(Clone::clone);
        self.kty == other.kty && parameters(self) == parameters(other)
    }
}
