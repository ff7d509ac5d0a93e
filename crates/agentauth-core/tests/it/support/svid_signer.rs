//! A trust domain's key for JWT-SVIDs, which signs whatever header and claims it is given.

use agentauth_core::jose::Algorithm;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::{Value, json};

use super::court::encode;

/// The nine algorithms of JWT-SVID.md §2.1.
pub(crate) const NINE: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

pub(crate) struct SvidSigner {
    algorithm: Algorithm,
    kid: String,
    key: Key,
}

enum Key {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SvidSigner {
    /// A new key that is published under the name `kid`.
    pub(crate) fn new(algorithm: Algorithm, kid: &str) -> Self {
        let key = match algorithm {
            Algorithm::EdDsa => Key::Ed25519(Ed25519KeyPair::generate().unwrap()),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
                Key::Ecdsa(EcdsaKeyPair::generate(curve(algorithm).1).unwrap())
            }
            _ => Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { algorithm, kid: kid.into(), key }
    }

    /// The public key, without `alg` and `use`.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Ed25519(key) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key())}),
            Key::Ecdsa(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve(self.algorithm).0, "x": encode(x), "y": encode(y)})
            }
            Key::Rsa(key) => {
                let (n, e) = (key.public_key().modulus(), key.public_key().exponent());
                let [n, e] = [n, e].map(|number| encode(number.big_endian_without_leading_zero()));
                json!({"kty": "RSA", "n": n, "e": e})
            }
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid, "typ": "JWT"})
    }

    /// Signs `claims`. An RSA key does so with the algorithm that `header` names, if it can.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let named = header["alg"].as_str().and_then(Algorithm::from_name).unwrap_or(self.algorithm);
        let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        self.sign_input(&input, named)
    }

    /// Signs these very bytes.
    pub(crate) fn sign_bytes(&self, header: &[u8], claims: &[u8]) -> String {
        self.sign_input(&format!("{}.{}", encode(header), encode(claims)), self.algorithm)
    }

    pub(crate) fn sign_input(&self, input: &str, algorithm: Algorithm) -> String {
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Ed25519(key) => key.sign(input.as_bytes()).as_ref().to_vec(),
            Key::Ecdsa(key) => key.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding(algorithm), &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{input}.{}", encode(signature))
    }
}

fn curve(algorithm: Algorithm) -> (&'static str, &'static EcdsaSigningAlgorithm) {
    match algorithm {
        Algorithm::Es256 => ("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => ("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => ("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING),
    }
}

fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        _ => &RSA_PSS_SHA512,
    }
}
