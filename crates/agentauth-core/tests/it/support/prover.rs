//! A client that proves, well or badly, that it holds a key; and the server that it proves it to.

use std::sync::Arc;

use agentauth_core::Timestamp;
use agentauth_core::binding::dpop::{Dpop, DpopError, DpopVerifier, ProofContext, VerifiedProof};
use agentauth_core::jose::{Algorithm, JwkThumbprint, SigningKey};
use agentauth_core::state::MemoryReplayStore;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use http::{Method, Uri};
use serde_json::{Value, json};

use super::certs::NOW;
use super::court::{ACCEPTED, encode};

pub(crate) const ORIGIN: &str = "https://tools.example";
pub(crate) const PATH: &str = "/cases/7/motions";
pub(crate) const TOKEN: &str = "the.access.token";

/// A key that signs whatever header and claims it is given: EdDSA, ES256 or RS256.
pub(crate) struct Prover {
    algorithm: Algorithm,
    pkcs8: Vec<u8>,
    /// The public key, with the members that make it and no others.
    pub(crate) jwk: Value,
    pub(crate) thumbprint: JwkThumbprint,
}

impl Prover {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm).unwrap();
        let mut jwk: Value = serde_json::from_str(key.public_jwk()).unwrap();
        jwk.as_object_mut().unwrap().retain(|name, _| !["alg", "kid", "use"].contains(&name.as_str()));
        let thumbprint = key.key_id().parse().unwrap();
        Self { algorithm, pkcs8: key.to_pkcs8().unwrap(), jwk, thumbprint }
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.algorithm.name(), "jwk": self.jwk})
    }

    /// The good header, with `name` set to `value`, or left out if that is null.
    pub(crate) fn header_with(&self, name: &str, value: impl Into<Value>) -> Value {
        set(self.header(), name, value)
    }

    /// The good header, with member `name` of its key set to `value`, or left out if that is null.
    pub(crate) fn key_with(&self, name: &str, value: impl Into<Value>) -> Value {
        self.header_with("jwk", set(self.jwk.clone(), name, value))
    }

    /// A proof with these claims, in good form.
    pub(crate) fn prove(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims.to_string())
    }

    /// A proof with this header and these bytes as payload, whatever they are; the signature is good.
    pub(crate) fn sign(&self, header: &Value, payload: impl AsRef<[u8]>) -> String {
        self.sign_text(&header.to_string(), payload)
    }

    pub(crate) fn sign_text(&self, header: &str, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = encode(self.signature(input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self.algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(&self.pkcs8).unwrap().sign(message).as_ref().to_vec(),
            Algorithm::Es256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Algorithm::Rs256 => {
                let key = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            other => panic!("no proofs are made with {other}"),
        }
    }
}

/// The claims of a good proof: a `POST` to [`PATH`] at [`NOW`], with [`TOKEN`].
pub(crate) fn proof_claims() -> Value {
    json!({"jti": "jti-1", "htm": "POST", "htu": format!("{ORIGIN}{PATH}"), "iat": NOW, "ath": ath(TOKEN)})
}

/// The good claims, with `name` set to `value`, or left out if that is null.
pub(crate) fn proof_claims_with(name: &str, value: impl Into<Value>) -> Value {
    set(proof_claims(), name, value)
}

/// The hash of `token`, as a proof has it.
pub(crate) fn ath(token: &str) -> String {
    encode(digest(&SHA256, token.as_bytes()))
}

fn set(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    object
}

pub(crate) fn settings() -> Dpop {
    Dpop::new(ORIGIN).replay_store(Arc::new(MemoryReplayStore::with_capacity(16)))
}

pub(crate) fn dpop() -> DpopVerifier {
    settings().build().unwrap()
}

pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub(crate) fn verify_at(
    dpop: &DpopVerifier,
    prover: &Prover,
    proof: &str,
    now: u64,
) -> Result<VerifiedProof, DpopError> {
    let uri = Uri::from_static(PATH);
    let request = ProofContext::new(&Method::POST, &uri, TOKEN, Some(prover.thumbprint.as_bytes()));
    dpop.verify(proof, &request, at(now))
}

pub(crate) fn code_of<T>(outcome: &Result<T, DpopError>) -> &'static str {
    outcome.as_ref().map_or_else(DpopError::code, |_| ACCEPTED)
}

/// What is said to `proof` with the good request.
pub(crate) fn code(prover: &Prover, proof: &str) -> &'static str {
    code_of(&verify_at(&dpop(), prover, proof, NOW))
}
