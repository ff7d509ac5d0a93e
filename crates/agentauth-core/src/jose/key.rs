//! One public key, bound to one algorithm when it is loaded (RFC 8725bis §3.1).

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use serde::de::MapAccess;
use smallvec::SmallVec;

use super::json::{self, Members, Scalar, Value};
use super::{Algorithm, JwkThumbprint, KeyError, base64url, compact};
use crate::text::Excerpt;

/// A public key that verifies signatures of exactly one algorithm.
pub struct VerificationKey {
    algorithm: Algorithm,
    key_id: Option<Box<str>>,
    thumbprint: JwkThumbprint,
    key: PublicKey,
}

enum PublicKey {
    Parsed(ParsedPublicKey),
    /// An RSA key that verifies once: building the form that verifies often costs more than it saves.
    Rsa(RsaPublicKeyComponents<Vec<u8>>, &'static RsaParameters),
}

impl VerificationKey {
    /// Reads one JWK (RFC 7517 §4).
    ///
    /// A JWK without `alg` is bound to the one algorithm of its curve; an RSA key to `rsa_default`.
    ///
    /// # Errors
    /// Each rule has its own [`KeyError`].
    pub fn from_jwk(jwk: &[u8], rsa_default: Algorithm) -> Result<Self, KeyError> {
        json::read::<Jwk<'_>>(jwk).map_err(KeyError::Json)?.key(rsa_default)
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

    /// What the key is known by, whatever name it was published under (RFC 7638).
    #[must_use]
    pub const fn thumbprint(&self) -> &JwkThumbprint {
        &self.thumbprint
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            PublicKey::Parsed(key) => key.verify_sig(message, signature).is_ok(),
            PublicKey::Rsa(key, parameters) => key.verify(parameters, message, signature).is_ok(),
        }
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
pub(crate) struct Jwk<'de> {
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
    #[inline]
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
                self.lacks_verify = !value.texts()?.as_slice().iter().any(|op| op == "verify");
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

impl<'de> Jwk<'de> {
    /// The key type.
    pub(crate) fn key_type(&self) -> Option<&str> {
        self.kty.as_deref()
    }

    /// Takes `use` out, for those who know other uses than `sig` and have decided.
    pub(crate) fn take_usage(&mut self) -> Option<Cow<'de, str>> {
        self.usage.take()
    }

    /// The key, as one key for each algorithm that it was published for: for the one that `alg` names or its curve
    /// has, and an RSA key without `alg` for all six.
    pub(crate) fn keys(&self) -> Result<Vec<VerificationKey>, KeyError> {
        if self.kty.as_deref() == Some("RSA") && self.alg.is_none() {
            return Algorithm::RSA.iter().map(|algorithm| self.key(*algorithm)).collect();
        }
        // Nothing is left for a default to decide.
        self.key(Algorithm::Rs256).map(|key| vec![key])
    }

    pub(super) fn key(&self, rsa_default: Algorithm) -> Result<VerificationKey, KeyError> {
        let mut key = self.key_for_one_use(rsa_default)?;
        if let PublicKey::Rsa(components, parameters) = &key.key {
            let parsed = components.to_parsed_public_key(parameters).map_err(|_| KeyError::Malformed)?;
            key.key = PublicKey::Parsed(parsed);
        }
        Ok(key)
    }

    pub(super) fn key_for_one_use(&self, rsa_default: Algorithm) -> Result<VerificationKey, KeyError> {
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
        let key = self.public_key(algorithm)?;
        // Every parameter has decoded, so there is no other spelling of this key.
        Ok(VerificationKey { algorithm, key_id, thumbprint: self.thumbprint(algorithm)?, key })
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

    fn public_key(&self, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
        let coordinate_bytes = match algorithm {
            Algorithm::EdDsa | Algorithm::Es256 => 32,
            Algorithm::Es384 => 48,
            Algorithm::Es512 => 66,
            _ => return self.rsa_key(algorithm),
        };
        let mut point = Point::new();
        if algorithm == Algorithm::EdDsa {
            append_coordinate(&mut point, self.x.as_deref(), coordinate_bytes)?;
        } else {
            const UNCOMPRESSED: u8 = 4;
            point.push(UNCOMPRESSED);
            append_coordinate(&mut point, self.x.as_deref(), coordinate_bytes)?;
            append_coordinate(&mut point, self.y.as_deref(), coordinate_bytes)?;
        }
        ParsedPublicKey::new(algorithm.verification(), &point).map(PublicKey::Parsed).map_err(|_| KeyError::Malformed)
    }

    fn rsa_key(&self, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
        let number =
            |text: Option<&str>| base64url::decode(text.ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed);
        let (n, e) = (number(self.n.as_deref())?, number(self.e.as_deref())?);
        // RFC 7518 §6.3.1.1: no leading zeros. They would be a second spelling, with a second thumbprint.
        if n.first() == Some(&0) || e.first() == Some(&0) {
            return Err(KeyError::Malformed);
        }
        let is_long = n.len() > 256 || (n.len() == 256 && n.first().is_some_and(|high| *high >= 0x80));
        let strong = is_long
            && n.len() <= 1024
            && matches!(e.len(), 1..=5)
            && e.last().is_some_and(|low| low % 2 == 1)
            && e != [1];
        if !strong {
            return Err(KeyError::Weak);
        }
        let parameters = algorithm.rsa_parameters().ok_or(KeyError::Malformed)?;
        Ok(PublicKey::Rsa(RsaPublicKeyComponents { n, e }, parameters))
    }

    /// RFC 7638 §3.2 and RFC 8037 §2: the members that make the key, in lexicographic order, without white space.
    fn thumbprint(&self, algorithm: Algorithm) -> Result<JwkThumbprint, KeyError> {
        let (x, y) = (self.x.as_deref(), self.y.as_deref());
        let point = x.zip(y).ok_or(KeyError::Malformed);
        Ok(match algorithm {
            Algorithm::EdDsa => JwkThumbprint::of_okp("Ed25519", x.ok_or(KeyError::Malformed)?),
            Algorithm::Es256 => JwkThumbprint::of_ec("P-256", point?),
            Algorithm::Es384 => JwkThumbprint::of_ec("P-384", point?),
            Algorithm::Es512 => JwkThumbprint::of_ec("P-521", point?),
            _ => JwkThumbprint::of_rsa(self.n.as_deref().zip(self.e.as_deref()).ok_or(KeyError::Malformed)?),
        })
    }
}

/// A raw Ed25519 point, or an uncompressed EC point. Of the supported curves, only P-521 needs more room.
type Point = SmallVec<[u8; 128]>;

fn append_coordinate(point: &mut Point, text: Option<&str>, length: usize) -> Result<(), KeyError> {
    let mut buffer = [0; 68];
    let bytes =
        base64url::decode_into(text.ok_or(KeyError::Malformed)?, &mut buffer).map_err(|_| KeyError::Malformed)?;
    if bytes.len() != length {
        return Err(KeyError::Malformed);
    }
    point.extend_from_slice(bytes);
    Ok(())
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
        let one_bit_short = base64url::encode(&[0x7f; 256]);
        let spelled_longer = base64url::encode(&[&[0], [0xff; 256].as_slice()].concat());
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
            (format!(r#"{{"kty":"RSA","n":"{one_bit_short}","e":"AQAB"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}","e":"AQ"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}","e":"AQAA"}}"#), "jwk_weak"),
            (format!(r#"{{"kty":"RSA","n":"{strong}"}}"#), "jwk_malformed"),
            (format!(r#"{{"kty":"RSA","n":"{spelled_longer}","e":"AQAB"}}"#), "jwk_malformed"),
            (format!(r#"{{"kty":"RSA","n":"{strong}","e":"AAEAAQ"}}"#), "jwk_malformed"),
            ("[]".into(), "json_malformed"),
        ] {
            assert_eq!(code(&jwk), expected, "{jwk}");
        }
    }
}
