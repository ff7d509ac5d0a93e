//! The cases of one algorithm: the bare signature check, this project's verifier, and the best known peer's.

use std::error::Error;

use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{Clock as _, ResourceId, SystemClock, TrustedIssuer};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;

use crate::case::{Case, Verdict};
use crate::specimen::{AUDIENCE, ISSUER, SUBJECT, Specimen, Token};

/// The same clock tolerance for all that look at times.
const LEEWAY_SECS: u64 = 30;

pub(crate) fn cases(specimen: &Specimen) -> Result<Vec<Case<'static, Token>>, Box<dyn Error>> {
    let algorithm = specimen.key.algorithm();
    let jwk: Jwk = serde_json::from_str(specimen.key.public_jwk())?;
    let bare = bare_key(algorithm, &jwk)?;
    let verifier = verifier(&specimen.key)?;
    let peer = Peer::new(algorithm, &jwk)?;

    let raw = format!("raw/{algorithm}");
    Ok(vec![
        Case::new(raw.clone(), Some(&raw), move |t: &Token| Ok(bare.verify_sig(t.signing_input(), &t.signature)?)),
        Case::new(format!("verify/{algorithm}"), Some(&raw), move |t: &Token| {
            Ok(verifier.verify(&t.text, SystemClock.now()).map(drop)?)
        }),
        Case::new(format!("peer/jsonwebtoken/{algorithm}"), Some(&raw), move |t: &Token| peer.verify(&t.text)),
    ])
}

fn verifier(key: &SigningKey) -> Result<TokenVerifier, Box<dyn Error>> {
    let issuer = TrustedIssuer::rfc8693(ISSUER, key.public_key_set()?);
    Ok(TokenVerifier::new(ResourceId::new(AUDIENCE)?, vec![issuer])?)
}

/// The public key as aws-lc-rs parses it fastest: a raw or uncompressed point, or an RSA SPKI.
fn bare_key(algorithm: Algorithm, jwk: &Jwk) -> Result<ParsedPublicKey, Box<dyn Error>> {
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

/// jsonwebtoken, set up once to check what it can of what [`TokenVerifier`] checks.
struct Peer {
    key: DecodingKey,
    validation: Validation,
}

impl Peer {
    fn new(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, Box<dyn Error>> {
        let mut validation = Validation::new(algorithm.name().parse()?);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECS;
        Ok(Self { key: DecodingKey::from_jwk(jwk)?, validation })
    }

    /// The peer only asks that `sub` is there: whose it must be is known once it has been read.
    fn verify(&self, token: &str) -> Verdict {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)?.claims;
        if claims.sub == SUBJECT { Ok(()) } else { Err("another subject".into()) }
    }
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    client_id: String,
    scope: String,
    act: Actor,
    cnf: Confirmation,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct Actor {
    sub: String,
    act: Option<Box<Self>>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    x5t_s256: String,
}
