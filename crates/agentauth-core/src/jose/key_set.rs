//! The keys that one issuer publishes (RFC 7517 §5).

use serde::de::MapAccess;

use super::json::{self, Members, Value};
use super::key::Jwk;
use super::{Algorithm, CompactJws, JoseError, KeyError, VerificationKey};
use crate::text::Excerpt;

/// No issuer publishes more than a handful; the bound keeps a hostile document from costing much to load.
const MAX_KEYS: usize = 128;

/// The largest JWKS document that is read, in bytes.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;

/// The usable keys of one issuer, each bound to one algorithm.
///
/// ```
/// use agentauth_core::jose::{Algorithm, KeySet, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::EdDsa)?;
/// let jwks = format!(r#"{{"keys":[{}]}}"#, key.public_jwk());
/// assert_eq!(KeySet::from_jwks(jwks.as_bytes())?.len(), 1);
/// # Ok::<(), agentauth_core::jose::KeyError>(())
/// ```
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    unusable: Vec<KeyError>,
}

impl KeySet {
    /// Reads a JWKS document. An RSA key without `alg` is bound to RS256, as OpenID Connect has it.
    ///
    /// Keys that cannot be used do not spoil the set; [`KeySet::unusable`] says what was wrong with them.
    ///
    /// # Errors
    /// [`KeyError::Oversize`], [`KeyError::Json`], and [`KeyError::NoUsableKey`] if nothing is left.
    pub fn from_jwks(jwks: &[u8]) -> Result<Self, KeyError> {
        Self::from_jwks_with(jwks, Algorithm::Rs256)
    }

    /// Like [`KeySet::from_jwks`], for an issuer whose RSA keys without `alg` are for `rsa_default`.
    ///
    /// # Errors
    /// As [`KeySet::from_jwks`].
    pub fn from_jwks_with(jwks: &[u8], rsa_default: Algorithm) -> Result<Self, KeyError> {
        if jwks.len() > MAX_JWKS_BYTES {
            return Err(KeyError::Oversize);
        }
        let document: Document<'_> = json::read(jwks).map_err(KeyError::Json)?;
        let mut set = Self { keys: Vec::new(), unusable: Vec::new() };
        for jwk in document.keys {
            match jwk.key(rsa_default) {
                Ok(key) => set.add(key),
                Err(error) => set.unusable.push(error),
            }
        }
        if set.keys.is_empty() { Err(set.unusable.pop().unwrap_or(KeyError::NoUsableKey)) } else { Ok(set) }
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used. Never true for a set that was loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Why each of the other keys of the document was left out.
    #[must_use]
    pub fn unusable(&self) -> &[KeyError] {
        &self.unusable
    }

    /// The key that `jws` names. Without a name, the only key of the set that is for the algorithm of `jws`.
    ///
    /// # Errors
    /// [`JoseError::KeyUnknown`], [`JoseError::KeyNotNamed`].
    pub fn key_for(&self, jws: &CompactJws<'_>) -> Result<&VerificationKey, JoseError> {
        if let Some(kid) = jws.key_id() {
            let named = self.keys.iter().find(|key| key.key_id() == Some(kid));
            return named.ok_or_else(|| JoseError::KeyUnknown(Excerpt::of(kid)));
        }
        let mut fitting = self.keys.iter().filter(|key| key.algorithm() == jws.algorithm());
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(JoseError::KeyNotNamed),
        }
    }

    /// Whether there is a key of this name for this algorithm.
    pub(crate) fn has_key(&self, key_id: &str, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|key| key.key_id() == Some(key_id) && key.algorithm() == algorithm)
    }

    fn add(&mut self, key: VerificationKey) {
        match key.key_id() {
            Some(kid) if self.keys.iter().any(|known| known.key_id() == Some(kid)) => {
                self.unusable.push(KeyError::DuplicateKeyId(Excerpt::of(kid)));
            }
            _ => self.keys.push(key),
        }
    }
}

impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        Self { keys: vec![key], unusable: Vec::new() }
    }
}

#[derive(Default)]
struct Document<'de> {
    keys: Vec<Jwk<'de>>,
}

impl<'de> Members<'de> for Document<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "keys" => self.keys = value.objects(MAX_KEYS)?,
            _ => value.skip()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{SigningKey, TokenType};

    fn jwks(keys: &[&str]) -> Vec<u8> {
        format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into_bytes()
    }

    fn load_code(jwks: &[u8]) -> &'static str {
        KeySet::from_jwks(jwks).map_or_else(|e| e.code(), |_| "accepted")
    }

    #[test]
    fn a_useless_document_is_refused_by_code() {
        assert_eq!(load_code(&vec![b' '; MAX_JWKS_BYTES + 1]), "jwks_oversize");
        assert_eq!(load_code(br#"{"keys":[]}"#), "jwks_no_usable_key");
        assert_eq!(load_code(br#"{}"#), "jwks_no_usable_key");
        assert_eq!(load_code(br#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#), "jwk_symmetric");
        assert_eq!(load_code(br#"{"keys":{}}"#), "json_wrong_type");
    }

    #[test]
    fn unusable_siblings_are_left_out_and_named() {
        let good = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk().to_string();
        let set = KeySet::from_jwks(&jwks(&[r#"{"kty":"oct"}"#, &good, &good, r#"{"kty":7}"#])).unwrap();
        assert_eq!(set.len(), 1);
        let codes: Vec<_> = set.unusable().iter().map(KeyError::code).collect();
        assert_eq!(codes, ["jwk_symmetric", "jwk_duplicate_kid", "jwk_malformed"]);
    }

    #[test]
    fn a_token_finds_its_key_by_name_or_not_at_all() {
        let keys = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::EdDsa].map(|alg| SigningKey::generate(alg).unwrap());
        let jwks = jwks(&keys.each_ref().map(|key| key.public_jwk().to_string()).each_ref().map(String::as_str));
        let set = KeySet::from_jwks(&jwks).unwrap();

        let find = |token: &str| {
            let jws = CompactJws::parse(token).unwrap();
            set.key_for(&jws).and_then(|key| jws.verify(key)).map_or_else(|e| e.code(), |()| "accepted")
        };
        for key in &keys {
            assert_eq!(find(&key.sign(TokenType::AccessToken, b"{}").unwrap()), "accepted");
        }
        let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
        assert_eq!(find(&stranger.sign(TokenType::AccessToken, b"{}").unwrap()), "key_unknown");

        let unnamed = |alg: &str| {
            format!("{}.e30.AAAA", super::super::base64url::encode(format!(r#"{{"alg":"{alg}"}}"#).as_bytes()))
        };
        assert_eq!(find(&unnamed("ES256")), "signature_invalid");
        assert_eq!(find(&unnamed("EdDSA")), "key_not_named");
        assert_eq!(find(&unnamed("RS256")), "key_not_named");
    }
}
