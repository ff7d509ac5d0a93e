//! Keys that sign JWT-SVIDs, and whatever else a test wants signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::wire::JwtSvid;

/// A key, and the algorithm that it is for.
pub(crate) struct JwtKey {
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    pair: Pair,
}

pub(crate) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
}

impl JwtKey {
    /// A new key for `alg`.
    pub(crate) fn new(kid: &str, alg: &'static str) -> Self {
        let ecdsa = |curve| Pair::Ecdsa(EcdsaKeyPair::generate(curve).unwrap());
        let rsa = |encoding| Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), encoding);
        let pair = match alg {
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "ES512" => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            "PS512" => rsa(&RSA_PSS_SHA512),
            "EdDSA" => Pair::Ed25519(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key for {other}"),
        };
        Self { kid: kid.into(), alg, pair }
    }

    pub(crate) const fn pair(&self) -> &Pair {
        &self.pair
    }

    /// The public key as SPIRE publishes it: without `use`.
    pub(crate) fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let (x, y) = {
                    let point = &pair.public_key().as_ref()[1..];
                    point.split_at(point.len() / 2)
                };
                let curve = [("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521")];
                let curve = curve.into_iter().find(|(alg, _)| *alg == self.alg).unwrap().1;
                json!({ "kty": "EC", "kid": self.kid, "crv": curve, "x": base64(x), "y": base64(y) })
            }
            Pair::Rsa(pair, _) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA",
                    "kid": self.kid,
                    "n": base64(n.big_endian_without_leading_zero()),
                    "e": base64(e.big_endian_without_leading_zero()),
                })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "kid": self.kid, "crv": "Ed25519", "x": base64(pair.public_key().as_ref()) })
            }
        }
    }

    /// The public key with the member `use`.
    pub(crate) fn jwk_for(&self, usage: &str) -> Value {
        let mut jwk = self.jwk();
        jwk["use"] = usage.into();
        jwk
    }

    /// A valid token for `sub`, of five minutes.
    pub(crate) fn token(&self, sub: &str, audience: &[&str]) -> String {
        self.sign(&self.header(), &claims(sub, audience))
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.alg, "kid": self.kid, "typ": "JWT" })
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&signing_input(header, claims))
    }

    /// `input`, a dot, and a signature of it.
    pub(crate) fn sign_text(&self, input: &str) -> String {
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
                signature
            }
            Pair::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        format!("{input}.{}", base64(&signature))
    }

    /// As the Workload API gives it out.
    pub(crate) fn svid(&self, sub: &str, audience: &[&str], hint: &str) -> JwtSvid {
        JwtSvid { spiffe_id: sub.into(), svid: self.token(sub, audience), hint: hint.into() }
    }
}

/// A JWKS document.
pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({ "keys": keys })).unwrap()
}

pub(crate) fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64(&serde_json::to_vec(value).unwrap());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn claims(sub: &str, audience: &[&str]) -> Value {
    json!({ "sub": sub, "aud": audience, "iat": seconds(0), "exp": seconds(300) })
}

/// The time, so many seconds from now.
pub(crate) fn seconds(from_now: i64) -> i64 {
    let now: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + from_now
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
