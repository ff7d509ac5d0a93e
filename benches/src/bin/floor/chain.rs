//! Chains: a token, and the links by which its holders have narrowed it. The floor is one signature check for the root, with
//! a parsed key, and one for each link and for the proof, with keys that must be parsed first, since they come along.

use std::error::Error;

use agentauth_core::binding::dpop::ProofContext;
use agentauth_core::delegation::chain::{Chain, ChainSettings, ChainVerifier};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{AgentId, Clock as _, ResourceId, SystemClock, SystemRandom, Timestamp, TrustedIssuer};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use http::{Method, Uri};
use serde_json::{Value, json};

use crate::dpop::{self, Prover};
use crate::peers::Biscuits;
use agentauth_benches::case::Case;
use agentauth_benches::specimen::{ISSUER, SUBJECT, SUMMARISER, Token};

/// How many links the chains have.
pub(crate) const LINKS: [usize; 4] = [1, 2, 4, 8];

/// What each agent holds, and the next one does not.
const SCOPES: [&str; 9] = ["a:0", "a:1", "a:2", "a:3", "a:4", "a:5", "a:6", "a:7", "records:read"];

/// A chain as a server gets it, with its proof; and a token of another kind with as many blocks.
pub(crate) struct Presented {
    ancestors: String,
    leaf: String,
    proof: Token,
    /// The root, the links and the proof, each with the bytes of the key that has signed it.
    signed: Vec<(Token, Vec<u8>)>,
    pub(crate) biscuit: Vec<u8>,
}

/// Those who verify a chain, and a chain for them.
pub(crate) struct Specimen {
    issuer: SigningKey,
    links: usize,
    biscuits: Biscuits,
    pub(crate) genuine: Presented,
    pub(crate) forged: Presented,
}

impl Specimen {
    pub(crate) fn new(links: usize) -> Result<Self, Box<dyn Error>> {
        let issuer = SigningKey::generate(Algorithm::EdDsa)?;
        let keys = (0..=links).map(|_| SigningKey::generate(Algorithm::EdDsa)).collect::<Result<Vec<_>, _>>()?;
        let now = SystemClock.now();
        let first = keys.first().ok_or("a root is bound to a key")?;
        let root = issuer.sign(TokenType::AccessToken, root_claims(first, now).to_string().as_bytes())?;
        let mut chain = Chain::read(&root)?;
        for (at, pair) in keys.windows(2).enumerate() {
            let [from, to] = pair else { continue };
            let agent: AgentId = AgentId::Spiffe(format!("spiffe://agents.example.com/worker-{at}").parse()?);
            let scopes = SCOPES.get(at + 1..).unwrap_or_default().join(" ");
            let link = chain.attenuate(from, &agent, to.key_id().parse()?).scopes(scopes.parse()?);
            let hops = (links - at - 1) as u64;
            let link = link.expires(Timestamp::from_secs(now.secs() + 3000)).may_be_passed_on(hops);
            chain = link.sign(now, &SystemRandom)?;
        }
        let ancestors = chain.ancestors().ok_or("a chain has ancestors")?;
        let leaf = chain.leaf().to_owned();
        let holder = keys.last().ok_or("a leaf is bound to a key")?;
        let proof = Prover::of(holder)?.prove_over(&leaf, now, 1)?;

        let tokens = ancestors.split('~').chain([leaf.as_str(), proof.text.as_str()]);
        let signers = [&issuer].into_iter().chain(&keys);
        let signed = tokens.zip(signers).map(|(token, key)| Ok((token_of(token)?, public_key(key)?)));
        let signed = signed.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        let biscuits = Biscuits::new(links)?;
        let (genuine_biscuit, forged_biscuit) = (biscuits.genuine.clone(), biscuits.forged.clone());
        let genuine = Presented { ancestors: ancestors.clone(), leaf, proof, signed, biscuit: genuine_biscuit };
        let forged = genuine.with_one_bit_flipped(forged_biscuit)?;
        Ok(Self { issuer, links, biscuits, genuine, forged })
    }
}

impl Presented {
    /// The same, with one bit of the leaf's signature flipped.
    fn with_one_bit_flipped(&self, biscuit: Vec<u8>) -> Result<Self, Box<dyn Error>> {
        let leaf = token_of(&self.leaf)?.with_one_bit_flipped()?;
        let mut signed = Vec::new();
        for (token, key) in &self.signed {
            let token = if token.text == self.leaf { &leaf.text } else { &token.text };
            signed.push((token_of(token)?, key.clone()));
        }
        let proof = token_of(&self.proof.text)?;
        Ok(Self { ancestors: self.ancestors.clone(), leaf: leaf.text, proof, signed, biscuit })
    }
}

pub(crate) fn cases(specimen: &Specimen) -> Result<Vec<Case<'_, Presented>>, Box<dyn Error>> {
    let links = specimen.links;
    let raw = format!("chain/raw/{links}");
    let root_key = ParsedPublicKey::new(&ED25519, public_key(&specimen.issuer)?)?;
    let issuer = TrustedIssuer::rfc8693(ISSUER, specimen.issuer.public_key_set()?);
    let tokens = TokenVerifier::new(ResourceId::new(dpop::ORIGIN)?, vec![issuer])?;
    let chains = ChainVerifier::new(ChainSettings::new().max_links(links))?;
    let proofs = dpop::verifier()?;
    let uri = Uri::from_static(dpop::PATH);
    let mut cases = vec![
        Case::new(raw.clone(), Some(&raw), move |shown: &Presented| {
            let (root, others) = shown.signed.split_first().ok_or("there is no root")?;
            root_key.verify_sig(root.0.signing_input(), &root.0.signature)?;
            for (token, key) in others {
                UnparsedPublicKey::new(&ED25519, key).verify(token.signing_input(), &token.signature)?;
            }
            Ok(())
        }),
        Case::new(format!("chain/{links}"), Some(&raw), move |shown: &Presented| {
            let now = SystemClock.now();
            let chain = chains.verify(&tokens, &shown.ancestors, &shown.leaf, now)?;
            let request = ProofContext::new(&Method::POST, &uri, &shown.leaf, Some(chain.dpop_key()));
            Ok(proofs.verify(&shown.proof.text, &request, now).map(drop)?)
        }),
    ];
    cases.extend(specimen.biscuits.cases(links, &raw));
    Ok(cases)
}

/// The claims of the root: the summariser acts for the subject.
fn root_claims(holder: &SigningKey, now: Timestamp) -> Value {
    let now = now.secs();
    json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": dpop::ORIGIN, "exp": now + 3600, "iat": now,
        "jti": "Zm9yLW9uZS11c2Utb25seQ", "client_id": SUMMARISER, "scope": SCOPES.join(" "),
        "act": {"sub": SUMMARISER}, "cnf": {"jkt": holder.key_id()},
    })
}

fn token_of(text: &str) -> Result<Token, Box<dyn Error>> {
    let (signing_input, signature) = text.rsplit_once('.').ok_or("a compact JWS has dots")?;
    Ok(Token::new(signing_input, BASE64URL.decode(signature)?))
}

fn public_key(key: &SigningKey) -> Result<Vec<u8>, Box<dyn Error>> {
    let jwk: Value = serde_json::from_str(key.public_jwk())?;
    Ok(BASE64URL.decode(jwk.get("x").and_then(Value::as_str).unwrap_or_default())?)
}
