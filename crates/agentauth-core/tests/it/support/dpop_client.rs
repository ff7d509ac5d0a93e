//! A client that holds a DPoP key, and makes proofs with it.

use std::sync::atomic::{AtomicU64, Ordering};

use agentauth_core::jose::{Algorithm, SigningKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) struct DpopClient {
    pair: Pair,
    jwk: Value,
    thumbprint: String,
    next: AtomicU64,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl DpopClient {
    /// A client with a new key for EdDSA or ES256.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm).unwrap();
        let pkcs8 = key.to_pkcs8().unwrap();
        let pair = match algorithm {
            Algorithm::EdDsa => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap()),
            _ => Pair::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap()),
        };
        let jwk = serde_json::from_str(key.public_jwk()).unwrap();
        Self { pair, jwk, thumbprint: key.key_id().into(), next: AtomicU64::new(1) }
    }

    /// What binds a token to this client's key.
    pub(crate) fn cnf(&self) -> Value {
        json!({"jkt": self.thumbprint})
    }

    /// What a good proof says of a `method` request for `uri`, made at `iat` beside `token`: a new one each time.
    pub(crate) fn claims(&self, method: &str, uri: &str, token: &str, iat: u64) -> Value {
        let jti = format!("proof-{}", self.next.fetch_add(1, Ordering::SeqCst));
        let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        json!({"jti": jti, "htm": method, "htu": uri, "iat": iat, "ath": ath})
    }

    /// A proof with these claims, in good form.
    pub(crate) fn prove(&self, claims: &Value) -> String {
        let algorithm = match self.pair {
            Pair::Ed25519(_) => "EdDSA",
            Pair::P256(_) => "ES256",
        };
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": self.jwk}).to_string();
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = match &self.pair {
            Pair::Ed25519(pair) => URL_SAFE_NO_PAD.encode(pair.sign(input.as_bytes())),
            Pair::P256(pair) => URL_SAFE_NO_PAD.encode(pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap()),
        };
        format!("{input}.{signature}")
    }

    /// A new, good proof.
    pub(crate) fn proof(&self, method: &str, uri: &str, token: &str, iat: u64) -> String {
        self.prove(&self.claims(method, uri, token, iat))
    }
}
