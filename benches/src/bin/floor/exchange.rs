//! A token exchange: an agent passes its authority on to another, whose own token it shows. The floor is the two signatures
//! that must be checked, and the one that must be made, with keys that are ready.

use std::error::Error;
use std::sync::Arc;

use agentauth_core::delegation::{Client, ExchangeRequest};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{AgentTrust, Clock as _, Issuer, ResourceId, SubjectToken, SystemClock};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::Jwk;
use serde_json::json;

use crate::svid;
use crate::verify::bare_key;
use agentauth_benches::case::{Case, at_once};
use agentauth_benches::specimen::{AUDIENCE, ISSUER, SUBJECT, SUMMARISER, Token};

pub(crate) const ALGORITHMS: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

const FILER: &str = "spiffe://agents.example.com/filer";

/// The two tokens of a request, and the request.
pub(crate) struct Inputs {
    subject: Token,
    actor: Token,
    request: ExchangeRequest,
}

/// An issuer, its client, and what that sends.
pub(crate) struct Specimen {
    key: SigningKey,
    issuer: Issuer,
    client: Client,
    pub(crate) genuine: Inputs,
    pub(crate) forged: Inputs,
}

impl Inputs {
    fn new(subject: Token, actor: Token) -> Result<Self, Box<dyn Error>> {
        let request = ExchangeRequest::new(SubjectToken::new(&subject.text), ResourceId::new(AUDIENCE)?)
            .for_actor(SubjectToken::new(&actor.text))
            .scopes("records:read".parse()?);
        Ok(Self { subject, actor, request })
    }
}

impl Specimen {
    pub(crate) fn new(algorithm: Algorithm, chain: &svid::Specimen) -> Result<Self, Box<dyn Error>> {
        let key = SigningKey::generate(algorithm)?;
        let (peer, trust) = chain.peer()?;
        let subject = Token::signed(&key, &subject_claims(&peer))?;
        let actor = Token::signed(&key, &actor_claims())?;
        let forged = Inputs::new(subject.with_one_bit_flipped()?, Token::signed(&key, &actor_claims())?)?;
        Ok(Self {
            issuer: issuer(&key, trust)?,
            client: Client::from(&*peer),
            genuine: Inputs::new(subject, actor)?,
            forged,
            key,
        })
    }
}

pub(crate) fn cases(specimen: &Specimen) -> Result<Vec<Case<'_, Inputs>>, Box<dyn Error>> {
    let algorithm = specimen.key.algorithm();
    let raw = format!("exchange/raw/{algorithm}");
    let suffix = if algorithm == Algorithm::Es256 { String::new() } else { format!("/{algorithm}") };
    let jwk: Jwk = serde_json::from_str(specimen.key.public_jwk())?;
    let (public, private) = (bare_key(algorithm, &jwk)?, BareSigner::of(&specimen.key)?);
    let issued = at_once(specimen.issuer.exchange(&specimen.client, &specimen.genuine.request))??;
    let (message, _) = issued.token().rsplit_once('.').ok_or("a compact JWS has dots")?;
    let message = message.as_bytes().to_vec();
    Ok(vec![
        Case::new(raw.clone(), Some(&raw), move |inputs: &Inputs| {
            for token in [&inputs.subject, &inputs.actor] {
                public.verify_sig(token.signing_input(), &token.signature)?;
            }
            private.sign(&message)
        }),
        Case::new(format!("exchange{suffix}"), Some(&raw), |inputs: &Inputs| {
            Ok(at_once(specimen.issuer.exchange(&specimen.client, &inputs.request))?.map(drop)?)
        }),
    ])
}

fn issuer(key: &SigningKey, trust: AgentTrust) -> Result<Issuer, Box<dyn Error>> {
    let key = SigningKey::from_pkcs8(key.algorithm(), &key.to_pkcs8()?)?;
    Ok(Issuer::builder(ISSUER, key)
        .agents(trust)
        .resource(AUDIENCE, "records:read records:list motions:file")
        .build()?)
}

/// The summariser acts for the subject, and may pass that on.
fn subject_claims(peer: &Arc<X509Svid>) -> serde_json::Value {
    let now = SystemClock.now().secs();
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": ISSUER, "client_id": SUMMARISER, "jti": "Zm9yLW9uZS11c2Utb25seQ",
        "iat": now, "exp": now + 3600, "scope": "records:read records:list motions:file",
        "act": {"iss": ISSUER, "sub": SUMMARISER}, "grant_id": "c8b0f6a2b54f4c0f9d0f6a2b54f4c0f9",
        "cnf": {"x5t#S256": BASE64URL.encode(peer.thumbprint())},
    })
}

/// The filer's own token.
fn actor_claims() -> serde_json::Value {
    let now = SystemClock.now().secs();
    json!({
        "iss": ISSUER, "sub": FILER, "aud": ISSUER, "client_id": FILER, "jti": "b25seS1vbmUtdXNlLWZvcg", "iat": now,
        "exp": now + 3600, "cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0"},
    })
}

/// The private key, as aws-lc-rs has it.
enum BareSigner {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair, SystemRandom),
}

impl BareSigner {
    fn of(key: &SigningKey) -> Result<Self, Box<dyn Error>> {
        let der = key.to_pkcs8()?;
        match key.algorithm() {
            Algorithm::EdDsa => Ok(Self::Ed25519(Ed25519KeyPair::from_pkcs8(&der)?)),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)?;
                Ok(Self::Ecdsa(pair, SystemRandom::new()))
            }
            other => Err(format!("no floor is known for {other}").into()),
        }
    }

    fn sign(&self, message: &[u8]) -> agentauth_benches::case::Verdict {
        match self {
            Self::Ed25519(key) => _ = std::hint::black_box(key.sign(message)),
            Self::Ecdsa(key, random) => _ = std::hint::black_box(key.sign(random, message)?),
        }
        Ok(())
    }
}
