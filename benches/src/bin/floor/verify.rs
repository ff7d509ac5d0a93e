//! The cases of one algorithm: the bare signature check, this project's verifier, and its peers.

use std::error::Error;

use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{Clock as _, ResourceId, SystemClock, TrustedIssuer};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};

use crate::peers;
use agentauth_benches::case::Case;
use agentauth_benches::specimen::{AUDIENCE, ISSUER, Token};

pub(crate) fn cases(key: &SigningKey) -> Result<Vec<Case<'static, Token>>, Box<dyn Error>> {
    let algorithm = key.algorithm();
    let jwk: Jwk = serde_json::from_str(key.public_jwk())?;
    let bare = bare_key(algorithm, &jwk)?;
    let verifier = verifier(key)?;

    let raw = format!("raw/{algorithm}");
    let mut cases = vec![
        Case::new(raw.clone(), Some(&raw), move |t: &Token| Ok(bare.verify_sig(t.signing_input(), &t.signature)?)),
        Case::new(format!("verify/{algorithm}"), Some(&raw), move |t: &Token| {
            Ok(verifier.verify(&t.text, SystemClock.now()).map(drop)?)
        }),
    ];
    cases.extend(peers::cases(key, &jwk, &raw)?);
    Ok(cases)
}

fn verifier(key: &SigningKey) -> Result<TokenVerifier, Box<dyn Error>> {
    let issuer = TrustedIssuer::rfc8693(ISSUER, key.public_key_set()?);
    Ok(TokenVerifier::new(ResourceId::new(AUDIENCE)?, vec![issuer])?)
}

/// The public key as aws-lc-rs parses it fastest: a raw or uncompressed point, or an RSA SPKI.
pub(crate) fn bare_key(algorithm: Algorithm, jwk: &Jwk) -> Result<ParsedPublicKey, Box<dyn Error>> {
    let bytes = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) => BASE64URL.decode(&key.x)?,
        AlgorithmParameters::EllipticCurve(key) => {
            [vec![4], BASE64URL.decode(&key.x)?, BASE64URL.decode(&key.y)?].concat()
        }
        AlgorithmParameters::RSA(key) => {
            let (n, e) = (BASE64URL.decode(&key.n)?, BASE64URL.decode(&key.e)?);
            RsaPublicKeyComponents { n, e }.as_der()?.as_ref().to_vec()
        }
        _ => return Err(format!("no floor is known for the key of {algorithm}").into()),
    };
    let verification: &'static dyn VerificationAlgorithm = match algorithm {
        Algorithm::EdDsa => &signature::ED25519,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        other => return Err(format!("no floor is known for {other}").into()),
    };
    Ok(ParsedPublicKey::new(verification, bytes)?)
}
