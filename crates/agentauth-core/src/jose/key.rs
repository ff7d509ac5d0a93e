//! One public key, bound to one algorithm when it is loaded (RFC 8725bis §3.1).

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use serde::de::MapAccess;

use super::json::{self, Members, Scalar, Value};
use super::{Algorithm, KeyError, base64url, compact};
use crate::text::Excerpt;

/// A public key that verifies signatures of exactly one algorithm.
pub struct VerificationKey {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    key: ParsedPublicKey,
}

impl VerificationKey {
    /// Reads one JWK (RFC 7517 §4).
    ///
    /// A JWK without `alg` is bound to the one algorithm of its curve; an RSA key to `rsa_default`.
    ///
    /// # Errors
    /// Each rule has its own [`KeyError`].
    pub fn from_jwk(jwk: &[u8], rsa_default: Algorithm) -> Result<Self, KeyError> {
        json::read::<Jwk<'_>>(jwk).map_err(KeyError::Json)?.into_key(rsa_default)
    }

    /// The algorithm this key is bound to.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The name under which the key was published.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn new(algorithm: Algorithm, key_id: Option<Box<str>>, bytes: &[u8]) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(algorithm.verification(), bytes).map_err(|_| KeyError::Malformed)?;
        Ok(Self { algorithm, key_id, key })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// The members of a JWK that decide whether, and as what, a key is used.
#[derive(Debug, Default)]
pub(super) struct Jwk<'de> {
    kty: Option<Cow<'de, str>>,
    alg: Option<Cow<'de, str>>,
    crv: Option<Cow<'de, str>>,
    usage: Option<Cow<'de, str>>,
    key_id: Option<Cow<'de, str>>,
    x: Option<Cow<'de, str>>,
    y: Option<Cow<'de, str>>,
    n: Option<Cow<'de, str>>,
    e: Option<Cow<'de, str>>,
    is_private: bool,
    lacks_verify: bool,
    wrong_type: bool,
}

impl<'de> Members<'de> for Jwk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        let slot = match name {
            "kty" => &mut self.kty,
            "alg" => &mut self.alg,
            "crv" => &mut self.crv,
            "use" => &mut self.usage,
            "kid" => &mut self.key_id,
            "x" => &mut self.x,
            "y" => &mut self.y,
            "n" => &mut self.n,
            "e" => &mut self.e,
            "key_ops" => {
                self.lacks_verify = !value.texts()?.iter().any(|op| op == "verify");
                return Ok(());
            }
            "d" | "p" | "q" | "dp" | "dq" | "qi" | "oth" => {
                self.is_private = true;
                return value.skip();
            }
            _ => return value.skip(),
        };
        // A wrong type spoils this key only: its siblings in the set are still read.
        match value.scalar()? {
            Scalar::Text(text) => *slot = Some(text),
            _ => self.wrong_type = true,
        }
        Ok(())
    }
}

impl Jwk<'_> {
    pub(super) fn into_key(self, rsa_default: Algorithm) -> Result<VerificationKey, KeyError> {
        if self.kty.as_deref() == Some("oct") {
            return Err(KeyError::Symmetric);
        }
        if self.is_private {
            return Err(KeyError::Private);
        }
        if self.wrong_type {
            return Err(KeyError::Malformed);
        }
        if self.lacks_verify || self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(KeyError::NotForVerifying);
        }
        let key_id: Option<Box<str>> = self.key_id.as_deref().map(Into::into);
        if key_id.as_ref().is_some_and(|kid| kid.len() > compact::MAX_KID_BYTES) {
            return Err(KeyError::KeyIdOversize);
        }
        let algorithm = self.algorithm(rsa_default)?;
        VerificationKey::new(algorithm, key_id, &self.key_bytes(algorithm)?)
    }

    fn algorithm(&self, rsa_default: Algorithm) -> Result<Algorithm, KeyError> {
        let by_type = match (self.kty.as_deref(), self.crv.as_deref()) {
            (Some("RSA"), _) => rsa_default,
            (Some("EC"), Some("P-256")) => Algorithm::Es256,
            (Some("EC"), Some("P-384")) => Algorithm::Es384,
            (Some("EC"), Some("P-521")) => Algorithm::Es512,
            (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
            (Some("EC" | "OKP"), Some(curve)) => return Err(KeyError::Unsupported(Excerpt::of(curve))),
            (Some("EC" | "OKP") | None, _) => return Err(KeyError::Malformed),
            (Some(other), _) => return Err(KeyError::Unsupported(Excerpt::of(other))),
        };
        let Some(alg) = self.alg.as_deref() else { return Ok(by_type) };
        Algorithm::from_name(alg)
            .filter(|named| *named == by_type || (named.is_rsa() && by_type.is_rsa()))
            .ok_or_else(|| KeyError::AlgorithmMismatch(Excerpt::of(alg)))
    }

    /// The public key in the form aws-lc parses: a raw Ed25519 point, an uncompressed EC point, an RSA SPKI.
    fn key_bytes(&self, algorithm: Algorithm) -> Result<Vec<u8>, KeyError> {
        match algorithm {
            Algorithm::EdDsa => fixed(self.x.as_deref(), 32),
            Algorithm::Es256 => self.uncompressed_point(32),
            Algorithm::Es384 => self.uncompressed_point(48),
            Algorithm::Es512 => self.uncompressed_point(66),
            _ => self.rsa_spki(),
        }
    }

    fn uncompressed_point(&self, coordinate_bytes: usize) -> Result<Vec<u8>, KeyError> {
        const UNCOMPRESSED: u8 = 4;
        let mut point = vec![UNCOMPRESSED];
        point.extend(fixed(self.x.as_deref(), coordinate_bytes)?);
        point.extend(fixed(self.y.as_deref(), coordinate_bytes)?);
        Ok(point)
    }

    fn rsa_spki(&self) -> Result<Vec<u8>, KeyError> {
        let number =
            |text: Option<&str>| base64url::decode(text.ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed);
        let (n, e) = (number(self.n.as_deref())?, number(self.e.as_deref())?);
        let strong = matches!(n.len(), 256..=1024)
            && matches!(e.len(), 1..=5)
            && e.last().is_some_and(|low| low % 2 == 1)
            && e != [1];
        if !strong {
            return Err(KeyError::Weak);
        }
        let spki = RsaPublicKeyComponents { n, e }.as_der().map_err(|_| KeyError::Malformed)?;
        Ok(spki.as_ref().to_vec())
    }
}

fn fixed(text: Option<&str>, length: usize) -> Result<Vec<u8>, KeyError> {
    let bytes = base64url::decode(text.ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed)?;
    if bytes.len() == length { Ok(bytes) } else { Err(KeyError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SigningKey;

    fn code(jwk: &str) -> &'static str {
        VerificationKey::from_jwk(jwk.as_bytes(), Algorithm::Rs256).map_or_else(|e| e.code(), |_| "accepted")
    }

    #[test]
    fn each_rule_for_a_key_has_its_code() {
        let ec = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk().to_string();
        let weak = base64url::encode(&[0xff; 128]);
        let strong = base64url::encode(&[0xff; 256]);
        for (jwk, expected) in [
            (ec.clone(), "accepted"),
            (ec.replace(r#""use":"sig""#, r#""use":"enc""#), "jwk_not_for_verifying"),
            (ec.replace(r#""use":"sig""#, r#""key_ops":["encrypt"]"#), "jwk_not_for_verifying"),
            (ec.replace("ES256", "ES384"), "jwk_alg_mismatch"),
            (ec.replace("ES256", "RS256"), "jwk_alg_mismatch"),
            (ec.replace("ES256", "HS256"), "jwk_alg_mismatch"),
            (ec.replace("P-256", "secp256k1"), "jwk_unsupported"),
            (ec.replace(r#""kty":"EC""#, r#""kty":"PQ""#), "jwk_unsupported"),
            (ec.replace(r#""x":""#, r#""x":"AA"#), "jwk_malformed"),
            (ec.replace(r#""x":"#, r#""d":"AA","x":"#), "jwk_private"),
            (ec.replace(r#""use":"sig""#, r#""use":1"#), "jwk_malformed"),
            (ec.replace(r#""use":"sig""#, r#""kty":"EC""#), "json_duplicate_member"),
            (format!(r#"{{"kty":"EC","kid":"{}"}}"#, "k".repeat(300)), "jwk_kid_oversize"),
            (r#"{"kty":"oct","k":"AAAA"}"#.into(), "jwk_symmetric"),
            (r#"{"kty":"EC"}"#.into(), "jwk_malformed"),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.into(), "jwk_malformed"),
            (r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.into(), "jwk_unsupported"),
            (format!(r#"{{"kty":"RSA","n":"{weak}","e":"AQAB"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}","e":"AQ"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}","e":"AQAA"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}"}}"#), "jwk_malformed"),
            ("[]".into(), "json_malformed"),
        ] {
            assert_eq!(code(&jwk), expected, "{jwk}");
        }
    }
}
