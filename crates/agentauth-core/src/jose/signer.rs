//! Making compact JWS: what an issuer signs with.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom as AwsRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use super::signing::{complete, header_of, signing_input};
use super::{Algorithm, KeyError, KeySet, TokenType, VerificationKey, base64url};

/// Signing failed inside the cryptographic library; nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: the random source or the key is unusable")]
pub struct SigningFailed;

/// A private key that signs with exactly one algorithm: EdDSA, ES256, ES384, RS256 or PS256.
///
/// Its key id is its RFC 7638 thumbprint, so that a new key never takes an old key's name.
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: Box<str>,
    public_jwk: Box<str>,
    /// The members that make the public key, and no others.
    bare_jwk: Box<str>,
    key: Private,
}

enum Private {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Makes a new key (RSA keys have 2048 bits).
    ///
    /// # Errors
    /// [`KeyError::CannotSign`] for an algorithm that is only verified, [`KeyError::Malformed`] if generation fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Malformed;
        let key = match algorithm {
            Algorithm::EdDsa => Private::Ed25519(Ed25519KeyPair::generate().map_err(failed)?),
            Algorithm::Es256 | Algorithm::Es384 => {
                Private::Ecdsa(EcdsaKeyPair::generate(ecdsa_of(algorithm)).map_err(failed)?)
            }
            Algorithm::Rs256 | Algorithm::Ps256 => {
                Private::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?))
            }
            other => return Err(KeyError::CannotSign(other)),
        };
        Self::new(algorithm, key)
    }

    /// Reads a private key in PKCS#8 DER form.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if the bytes are no such key for `algorithm`; [`KeyError::CannotSign`].
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Malformed;
        let key = match algorithm {
            Algorithm::EdDsa => Private::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(failed)?),
            Algorithm::Es256 | Algorithm::Es384 => {
                Private::Ecdsa(EcdsaKeyPair::from_pkcs8(ecdsa_of(algorithm), der).map_err(failed)?)
            }
            Algorithm::Rs256 | Algorithm::Ps256 => Private::Rsa(Box::new(RsaKeyPair::from_pkcs8(der).map_err(failed)?)),
            other => return Err(KeyError::CannotSign(other)),
        };
        Self::new(algorithm, key)
    }

    /// Reads the one private key of a PEM file, in PKCS#8 form (`BEGIN PRIVATE KEY`): what `agentauth keys generate`,
    /// `openssl genpkey` and most platforms write.
    ///
    /// # Errors
    /// [`KeyError::PemNotOneKey`], [`KeyError::PemNotPkcs8`]; [`KeyError::Malformed`] if it is no such key for
    /// `algorithm`; [`KeyError::CannotSign`].
    pub fn from_pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        let mut keys = PrivateKeyDer::pem_slice_iter(pem);
        match (keys.next(), keys.next()) {
            (Some(Ok(PrivateKeyDer::Pkcs8(key))), None) => Self::from_pkcs8(algorithm, key.secret_pkcs8_der()),
            (Some(Ok(_)), None) => Err(KeyError::PemNotPkcs8),
            _ => Err(KeyError::PemNotOneKey),
        }
    }

    /// The algorithm this key signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The RFC 7638 thumbprint of the public key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public half as a JWK: what a JWKS document lists.
    #[must_use]
    pub fn public_jwk(&self) -> &str {
        &self.public_jwk
    }

    /// The public half as a key set of one.
    ///
    /// # Errors
    /// None for a key that was made here; the signature is that of loading any key.
    pub fn public_key_set(&self) -> Result<KeySet, KeyError> {
        VerificationKey::from_jwk(self.public_jwk.as_bytes(), self.algorithm).map(KeySet::from)
    }

    /// The private key in PKCS#8 DER form, to be written where only its owner reads.
    ///
    /// # Errors
    /// [`SigningFailed`] if the key cannot be encoded.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, SigningFailed> {
        let encoded = match &self.key {
            Private::Ed25519(key) => key.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Private::Ecdsa(key) => key.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Private::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(&**key).map(|der| der.as_ref().to_vec()),
        };
        encoded.map_err(|_| SigningFailed)
    }

    /// Signs `payload` as a compact JWS (RFC 7515 §7.1) of the kind `token_type`.
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub fn sign(&self, token_type: TokenType, payload: &[u8]) -> Result<String, SigningFailed> {
        let header = header_of(self.algorithm, &self.key_id, token_type)?;
        self.sign_under(&header, payload)
    }

    /// As [`SigningKey::sign`], with the public key itself in the header (RFC 7515 §4.1.3).
    pub(crate) fn sign_showing_key(&self, typ: &str, payload: &[u8]) -> Result<String, SigningFailed> {
        let (alg, jwk) = (self.algorithm.name(), &self.bare_jwk);
        self.sign_under(format!(r#"{{"typ":"{typ}","alg":"{alg}","jwk":{jwk}}}"#).as_bytes(), payload)
    }

    fn sign_under(&self, header: &[u8], payload: &[u8]) -> Result<String, SigningFailed> {
        let input = signing_input(header, payload);
        let signature = self.sign_bytes(input.as_bytes())?;
        Ok(complete(input, &signature))
    }

    pub(super) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = AwsRandom::new();
        match &self.key {
            Private::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Private::Ecdsa(key) => {
                key.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
            Private::Rsa(key) => {
                let padding = if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut made = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut made).map_err(|_| SigningFailed)?;
                Ok(made)
            }
        }
    }

    fn new(algorithm: Algorithm, key: Private) -> Result<Self, KeyError> {
        // RFC 7638 §3.2: the required members, in lexicographic order, without white space.
        let required = match &key {
            Private::Ed25519(key) => {
                json!({"crv": "Ed25519", "kty": "OKP", "x": base64url::encode(key.public_key().as_ref())})
            }
            Private::Ecdsa(key) => {
                let curve = if algorithm == Algorithm::Es256 { "P-256" } else { "P-384" };
                let coordinates = key.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at_checked(coordinates.len() / 2).unwrap_or_default();
                json!({"crv": curve, "kty": "EC", "x": base64url::encode(x), "y": base64url::encode(y)})
            }
            Private::Rsa(key) => {
                let public = key.public_key();
                let n = base64url::encode(public.modulus().big_endian_without_leading_zero());
                let e = base64url::encode(public.exponent().big_endian_without_leading_zero());
                json!({"e": e, "kty": "RSA", "n": n})
            }
        };
        let bare_jwk = required.to_string();
        let thumbprint = digest(&SHA256, bare_jwk.as_bytes());
        let key_id: Box<str> = base64url::encode(thumbprint.as_ref()).into();
        let mut jwk = required;
        if let Some(members) = jwk.as_object_mut() {
            members.insert("alg".into(), json!(algorithm.name()));
            members.insert("kid".into(), json!(key_id));
            members.insert("use".into(), json!("sig"));
        }
        Ok(Self { algorithm, key_id, public_jwk: jwk.to_string().into(), bare_jwk: bare_jwk.into(), key })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn ecdsa_of(algorithm: Algorithm) -> &'static aws_lc_rs::signature::EcdsaSigningAlgorithm {
    if algorithm == Algorithm::Es384 { &ECDSA_P384_SHA384_FIXED_SIGNING } else { &ECDSA_P256_SHA256_FIXED_SIGNING }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::CompactJws;

    const SIGNING: [Algorithm; 5] =
        [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256];

    #[test]
    fn what_is_signed_verifies_and_one_changed_bit_does_not() {
        for algorithm in SIGNING {
            let key = SigningKey::generate(algorithm).unwrap();
            let keys = key.public_key_set().unwrap();
            let token = key.sign(TokenType::AccessToken, br#"{"sub":"alice"}"#).unwrap();
            let jws = CompactJws::parse(&token).unwrap();
            assert_eq!(jws.token_type(), TokenType::AccessToken);
            assert_eq!(jws.unverified_payload().unwrap(), br#"{"sub":"alice"}"#);
            assert_eq!(jws.verify(keys.key_for(&jws).unwrap()), Ok(()), "{algorithm}");

            let forged =
                token.replace(&base64url::encode(br#"{"sub":"alice"}"#), &base64url::encode(br#"{"sub":"Alice"}"#));
            let jws = CompactJws::parse(&forged).unwrap();
            assert_eq!(jws.verify(keys.key_for(&jws).unwrap()).unwrap_err().code(), "signature_invalid", "{algorithm}");
        }
    }

    #[test]
    fn a_key_signs_and_verifies_for_its_own_algorithm_only() {
        let rsa = SigningKey::generate(Algorithm::Rs256).unwrap();
        let token = rsa.sign(TokenType::AccessToken, b"{}").unwrap();
        let as_pss =
            VerificationKey::from_jwk(rsa.public_jwk().replace("RS256", "PS256").as_bytes(), Algorithm::Ps256).unwrap();
        assert_eq!(CompactJws::parse(&token).unwrap().verify(&as_pss).unwrap_err().code(), "alg_not_of_key");
        assert_eq!(SigningKey::generate(Algorithm::Es512).unwrap_err().code(), "key_cannot_sign");
    }

    #[test]
    fn a_stored_key_keeps_its_name() {
        for algorithm in SIGNING {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(again.key_id(), key.key_id());
            assert_eq!(SigningKey::from_pkcs8(algorithm, b"x").unwrap_err().code(), "jwk_malformed");
        }
    }

    #[test]
    fn a_key_is_read_from_pem() {
        let pem = |label: &str, der: &[u8]| {
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        for algorithm in SIGNING {
            let key = SigningKey::generate(algorithm).unwrap();
            let good = pem("PRIVATE KEY", &key.to_pkcs8().unwrap());
            let code = |text: &str| match SigningKey::from_pem(algorithm, text.as_bytes()) {
                Ok(read) if read.key_id() == key.key_id() => "accepted",
                Ok(_) => "another key",
                Err(error) => error.code(),
            };
            for (text, expected) in [
                (good.clone(), "accepted"),
                (format!("a note\n{good}"), "accepted"),
                (String::new(), "key_pem_not_one_key"),
                (format!("{good}{good}"), "key_pem_not_one_key"),
                (good.replace("PRIVATE", "ENCRYPTED PRIVATE"), "key_pem_not_one_key"),
                (good.replace("PRIVATE", "PUBLIC"), "key_pem_not_one_key"),
                (good.replace("-----END PRIVATE KEY-----", ""), "key_pem_not_one_key"),
                (good.replace("PRIVATE", "EC PRIVATE"), "key_pem_not_pkcs8"),
                (good.replace("PRIVATE", "RSA PRIVATE"), "key_pem_not_pkcs8"),
                (pem("PRIVATE KEY", b"x"), "jwk_malformed"),
            ] {
                assert_eq!(code(&text), expected, "{algorithm} {text}");
            }
        }
        let p384 = SigningKey::generate(Algorithm::Es384).unwrap().to_pkcs8().unwrap();
        let wrong = SigningKey::from_pem(Algorithm::Es256, pem("PRIVATE KEY", &p384).as_bytes());
        assert_eq!(wrong.unwrap_err().code(), "jwk_malformed");
    }

    #[test]
    fn debug_shows_no_private_key() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let expected = format!("SigningKey {{ algorithm: EdDsa, key_id: {:?}, .. }}", key.key_id());
        assert_eq!(format!("{key:?}"), expected);
    }
}
