//! DPoP: a proof brings its own key, so the floor is a signature check under a key that must be parsed first.

use std::cell::RefCell;
use std::error::Error;

use agentauth_core::binding::dpop::{Dpop, DpopVerifier, ProofContext};
use agentauth_core::jose::{Algorithm, JwkThumbprint, SigningKey};
use agentauth_core::{Clock as _, SystemClock, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use http::{Method, Uri};
use serde_json::{Value, json};

use agentauth_benches::case::{Case, Lap, Verdict, at_once};
use agentauth_benches::specimen::{Specimen, Token};

pub(crate) const ORIGIN: &str = "https://tools.example.com";
pub(crate) const PATH: &str = "/cases/7/motions";

/// Proofs are used once, and signing with RSA takes its time: after so many, a case that remembers starts anew.
const PROOFS: usize = 512;

/// Proofs of one key, each with its own `jti`, for one request.
pub(crate) struct Proofs {
    proofs: Vec<Token>,
    request: Request,
}

/// The request that the proofs are for, at the time they are made.
#[derive(Clone)]
struct Request {
    uri: Uri,
    access_token: String,
    key: JwkThumbprint,
    now: Timestamp,
}

impl Proofs {
    /// Genuine ones, and the same with one bit of the signature flipped.
    pub(crate) fn new(algorithm: Algorithm) -> Result<(Self, Self), Box<dyn Error>> {
        let prover = Prover::of(&SigningKey::generate(algorithm)?)?;
        let request = Request {
            uri: Uri::from_static(PATH),
            access_token: Specimen::new(Algorithm::EdDsa)?.genuine.text,
            key: prover.thumbprint,
            now: SystemClock.now(),
        };
        let proofs = (0..PROOFS).map(|number| prover.prove(&request, number)).collect::<Result<Vec<_>, _>>()?;
        let forged = proofs.iter().map(Token::with_one_bit_flipped).collect::<Result<_, _>>()?;
        Ok((Self { proofs, request: request.clone() }, Self { proofs: forged, request }))
    }
}

impl Request {
    fn context(&self) -> ProofContext<'_> {
        ProofContext::new(&Method::POST, &self.uri, &self.access_token, Some(self.key.as_bytes()))
    }
}

pub(crate) fn cases(algorithm: Algorithm, proofs: &Proofs) -> Result<Vec<Case<'static, Proofs>>, Box<dyn Error>> {
    let raw = format!("dpop/raw/{algorithm}");
    let suffix = if algorithm == Algorithm::Es256 { String::new() } else { format!("/{algorithm}") };
    let key = BareKey::of(algorithm, proofs)?;
    let (verifier, remembering) = (verifier()?, RefCell::new(verifier()?));
    let [lap, raw_lap, once_lap] = [(); 3].map(|()| Lap::new(1));
    Ok(vec![
        Case::new(raw.clone(), Some(&raw), move |proofs: &Proofs| key.verify(raw_lap.next(&proofs.proofs)?.1)),
        Case::new(format!("dpop/verify{suffix}"), Some(&raw), move |proofs: &Proofs| {
            let (_, proof) = lap.next(&proofs.proofs)?;
            Ok(verifier.verify(&proof.text, &proofs.request.context(), proofs.request.now).map(drop)?)
        }),
        Case::new(format!("dpop/verify+once/{algorithm}"), Some(&raw), move |proofs: &Proofs| {
            let (index, proof) = once_lap.next(&proofs.proofs)?;
            if index == 0 {
                *remembering.borrow_mut() = self::verifier()?;
            }
            let (verifier, request) = (remembering.borrow(), &proofs.request);
            let proof = verifier.verify(&proof.text, &request.context(), request.now)?;
            Ok(at_once(verifier.use_once(&proof, request.now))??)
        }),
    ])
}

pub(crate) fn verifier() -> Result<DpopVerifier, Box<dyn Error>> {
    Ok(Dpop::new(ORIGIN).build()?)
}

/// A client's key, which it shows in the header of each proof.
pub(crate) struct Prover {
    key: PrivateKey,
    header: String,
    thumbprint: JwkThumbprint,
}

enum PrivateKey {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn signature::RsaEncoding),
}

impl Prover {
    pub(crate) fn of(key: &SigningKey) -> Result<Self, Box<dyn Error>> {
        let algorithm = key.algorithm();
        let der = key.to_pkcs8()?;
        // A client shows the members that make its key, and no others.
        let mut jwk: Value = serde_json::from_str(key.public_jwk())?;
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| !["alg", "kid", "use"].contains(&name.as_str()));
        }
        let header = json!({"typ": "dpop+jwt", "alg": algorithm.name(), "jwk": jwk});
        Ok(Self {
            key: match algorithm {
                Algorithm::EdDsa => PrivateKey::Ed25519(Ed25519KeyPair::from_pkcs8(&der)?),
                Algorithm::Es256 => {
                    PrivateKey::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)?)
                }
                Algorithm::Rs256 => PrivateKey::Rsa(RsaKeyPair::from_pkcs8(&der)?, &RSA_PKCS1_SHA256),
                Algorithm::Ps256 => PrivateKey::Rsa(RsaKeyPair::from_pkcs8(&der)?, &RSA_PSS_SHA256),
                other => return Err(format!("no proofs are made with {other}").into()),
            },
            header: BASE64URL.encode(header.to_string()),
            thumbprint: key.key_id().parse()?,
        })
    }

    fn prove(&self, request: &Request, number: usize) -> Result<Token, Box<dyn Error>> {
        self.prove_over(&request.access_token, request.now, number)
    }

    /// A proof for a request with `token`.
    pub(crate) fn prove_over(&self, token: &str, now: Timestamp, number: usize) -> Result<Token, Box<dyn Error>> {
        let claims = json!({
            "jti": format!("8c1f7a52-6f0e-4b7e-9d55-{number:012x}"),
            "htm": "POST",
            "htu": format!("{ORIGIN}{PATH}"),
            "iat": now.secs(),
            "ath": BASE64URL.encode(digest(&SHA256, token.as_bytes())),
        });
        let signing_input = format!("{}.{}", self.header, BASE64URL.encode(claims.to_string()));
        let signature = self.sign(signing_input.as_bytes())?;
        Ok(Token::new(&signing_input, signature))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
        let random = SystemRandom::new();
        Ok(match &self.key {
            PrivateKey::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            PrivateKey::Ecdsa(key) => key.sign(&random, message)?.as_ref().to_vec(),
            PrivateKey::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &random, message, &mut signature)?;
                signature
            }
        })
    }
}

/// A public key as its bytes, parsed for each check.
enum BareKey {
    Point(UnparsedPublicKey<Vec<u8>>),
    Rsa(RsaPublicKeyComponents<Vec<u8>>, &'static RsaParameters),
}

impl BareKey {
    fn of(algorithm: Algorithm, proofs: &Proofs) -> Result<Self, Box<dyn Error>> {
        let header = proofs.proofs.first().and_then(|proof| proof.text.split('.').next()).ok_or("there is no proof")?;
        let header: Value = serde_json::from_slice(&BASE64URL.decode(header)?)?;
        let jwk = header.get("jwk").ok_or("the proof has no key")?;
        let member = |name: &str| BASE64URL.decode(jwk.get(name).and_then(Value::as_str).unwrap_or_default());
        let rsa = |parameters| Ok(Self::Rsa(RsaPublicKeyComponents { n: member("n")?, e: member("e")? }, parameters));
        match algorithm {
            Algorithm::EdDsa => Ok(Self::Point(UnparsedPublicKey::new(&signature::ED25519, member("x")?))),
            Algorithm::Es256 => Ok(Self::Point(UnparsedPublicKey::new(
                &signature::ECDSA_P256_SHA256_FIXED,
                [vec![4], member("x")?, member("y")?].concat(),
            ))),
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            other => Err(format!("no floor is known for {other}").into()),
        }
    }

    fn verify(&self, proof: &Token) -> Verdict {
        let (message, signature) = (proof.signing_input(), &proof.signature);
        match self {
            Self::Point(key) => Ok(key.verify(message, signature)?),
            Self::Rsa(key, parameters) => Ok(key.verify(parameters, message, signature)?),
        }
    }
}
