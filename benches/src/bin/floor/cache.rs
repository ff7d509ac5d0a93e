//! A token that was verified before: what is left is its SHA-256, and a look-up.

use std::error::Error;
use std::sync::Arc;

use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{Clock as _, ResourceId, SystemClock, TrustedIssuer};
use aws_lc_rs::digest::{SHA256, digest};

use agentauth_benches::case::{Case, Lap};
use agentauth_benches::specimen::{AUDIENCE, ISSUER, Token, bearer_claims};

/// As many as an engine keeps unless told otherwise.
const TOKENS: usize = 10_000;

/// The cache spreads its room over shards; with twice the room, no shard has too little.
const ROOM: usize = 2 * TOKENS;

/// A prime, far from a neighbour in memory and in the cache.
const STRIDE: usize = 3571;

/// Tokens of one issuer, each with its SHA-256. A forged one has the SHA-256 of the genuine one.
pub(crate) struct Tokens(Vec<(String, [u8; 32])>);

impl Tokens {
    pub(crate) fn new(key: &SigningKey) -> Result<(Self, Self), Box<dyn Error>> {
        let (mut genuine, mut forged) = (Vec::new(), Vec::new());
        for number in 0..TOKENS {
            let token = Token::signed(key, &bearer_claims(number))?;
            let digest = sha256(&token.text)?;
            forged.push((token.with_one_bit_flipped()?.text, digest));
            genuine.push((token.text, digest));
        }
        Ok((Self(genuine), Self(forged)))
    }
}

pub(crate) fn key() -> Result<SigningKey, Box<dyn Error>> {
    Ok(SigningKey::generate(Algorithm::EdDsa)?)
}

/// The cases, with all of `tokens` in the cache.
pub(crate) fn cases(key: &SigningKey, tokens: &Tokens) -> Result<Vec<Case<'static, Tokens>>, Box<dyn Error>> {
    let issuer = TrustedIssuer::rfc8693(ISSUER, key.public_key_set()?);
    let verifier = Arc::new(TokenVerifier::new(ResourceId::new(AUDIENCE)?, vec![issuer])?.with_cache(ROOM));
    fill(&verifier, tokens)?;

    // Far apart, text and entry come from main memory; in a server the text has just come in, as when it stays the same.
    let pair = |raw: &str, hit: &str, stride| {
        let (lap, raw_lap, verifier) = (Lap::new(stride), Lap::new(stride), Arc::clone(&verifier));
        [
            Case::new(raw.into(), Some(raw), move |tokens: &Tokens| {
                let (_, (token, expected)) = raw_lap.next(&tokens.0)?;
                if sha256(token)? == *expected { Ok(()) } else { Err("another digest".into()) }
            }),
            Case::new(hit.into(), Some(raw), move |tokens: &Tokens| {
                let (_, (token, _)) = lap.next(&tokens.0)?;
                Ok(verifier.verify_cached(token, SystemClock.now()).map(drop)?)
            }),
        ]
    };
    let far_apart = pair("cache/sha256", "cache/hit", STRIDE);
    let the_same = pair("cache/sha256/same", "cache/hit/same", 0);
    Ok(far_apart.into_iter().chain(the_same).collect())
}

/// Verifies all, and makes sure that all are kept: a hit is the same token, not an equal one.
fn fill(verifier: &TokenVerifier, tokens: &Tokens) -> Result<(), Box<dyn Error>> {
    let verify = || tokens.0.iter().map(|(token, _)| verifier.verify_cached(token, SystemClock.now()));
    let first = verify().collect::<Result<Vec<_>, _>>()?;
    let again = verify().collect::<Result<Vec<_>, _>>()?;
    if first.iter().zip(&again).all(|(first, again)| Arc::ptr_eq(first, again)) {
        Ok(())
    } else {
        Err("the cache does not hold all tokens".into())
    }
}

fn sha256(token: &str) -> Result<[u8; 32], Box<dyn Error>> {
    Ok(digest(&SHA256, token.as_bytes()).as_ref().try_into()?)
}
