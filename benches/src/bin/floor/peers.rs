//! Other verifiers of the same token, each told to check what it can of what this project's verifier checks.

#[cfg(feature = "peers")]
mod biscuit;
#[cfg(feature = "peers")]
mod huskarl;
mod jsonwebtoken;
#[cfg(feature = "peers")]
mod jwt_authorizer;
#[cfg(feature = "peers")]
mod jwt_simple;

use std::error::Error;

#[cfg(feature = "peers")]
pub(crate) use biscuit::Biscuits;

use ::jsonwebtoken::jwk::Jwk;
use agentauth_core::jose::SigningKey;
use serde::Deserialize;

use agentauth_benches::case::{Case, Verdict};
use agentauth_benches::specimen::{SUBJECT, Token};

/// The same clock tolerance for all: that of this project's verifier.
const LEEWAY_SECS: u64 = 30;

/// What is not measured, and why.
pub(crate) const SKIPPED: Option<&str> = if cfg!(feature = "peers") {
    None
} else {
    Some(
        "peer/jwt-simple, peer/jwt-authorizer, peer/huskarl-resource-server, peer/biscuit: built without --features peers",
    )
};

/// Built without peers, there are no biscuits.
#[cfg(not(feature = "peers"))]
pub(crate) struct Biscuits {
    pub(crate) genuine: Vec<u8>,
    pub(crate) forged: Vec<u8>,
}

#[cfg(not(feature = "peers"))]
impl Biscuits {
    #[allow(clippy::unnecessary_wraps, reason = "as with peers")]
    pub(crate) fn new(_: usize) -> Result<Self, Box<dyn Error>> {
        Ok(Self { genuine: Vec::new(), forged: Vec::new() })
    }

    #[allow(clippy::unused_self, reason = "as with peers")]
    pub(crate) fn cases(&self, _: usize, _: &str) -> Vec<Case<'static, crate::chain::Presented>> {
        Vec::new()
    }
}

/// The peers that take the algorithm of `key`; `jwk` is its public half.
pub(crate) fn cases(key: &SigningKey, jwk: &Jwk, raw: &str) -> Result<Vec<Case<'static, Token>>, Box<dyn Error>> {
    let algorithm = key.algorithm();
    let name = |peer: &str| format!("peer/{peer}/{algorithm}");

    let peer = jsonwebtoken::Peer::new(algorithm, jwk)?;
    #[cfg_attr(not(feature = "peers"), allow(unused_mut, reason = "there is nothing to add"))]
    let mut cases = vec![Case::new(name("jsonwebtoken"), Some(raw), move |t: &Token| peer.verify(&t.text))];
    #[cfg(feature = "peers")]
    {
        let peer = jwt_simple::Peer::new(algorithm, key.public_jwk())?;
        cases.push(Case::new(name("jwt-simple"), Some(raw), move |t: &Token| peer.verify(&t.text)));
        let peer = jwt_authorizer::Peer::new(key.public_jwk())?;
        cases.push(Case::new(name("jwt-authorizer"), Some(raw), move |t: &Token| peer.verify(&t.text)));
        let peer = huskarl::Peer::new(algorithm, key.public_jwk())?;
        cases.push(Case::new(name("huskarl-resource-server"), Some(raw), move |t: &Token| peer.verify(&t.text)));
    }
    Ok(cases)
}

/// The peers only ask that `sub` is there: whose it must be is known once it has been read.
fn is_the_subject(sub: &str) -> Verdict {
    if sub == SUBJECT { Ok(()) } else { Err("another subject".into()) }
}

/// All claims, for the peers that read them into one type.
#[derive(Clone, Deserialize)]
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

#[derive(Clone, Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct Actor {
    sub: String,
    act: Option<Box<Self>>,
}

#[derive(Clone, Deserialize)]
#[allow(dead_code, reason = "what a resource server would read")]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    x5t_s256: String,
}

#[cfg(test)]
mod tests {
    use agentauth_core::jose::Algorithm;
    use serde_json::json;

    use super::*;
    use crate::ALGORITHMS;
    use agentauth_benches::specimen::{Specimen, claims};

    #[test]
    fn a_peer_refuses_a_signed_token_that_is_not_for_here_or_not_for_now() {
        for algorithm in ALGORITHMS {
            let specimen = Specimen::new(algorithm).unwrap();
            let changed = [
                ("iss", json!("https://other.example.com")),
                ("aud", json!("https://other.example.com/mcp")),
                ("sub", json!("0d6f1c8e-0000-4b7e-9d55-2b1d3a90c7e4")),
                ("exp", json!(1_700_000_000)),
                ("nbf", json!(9_000_000_000_u64)),
            ];
            for case in peer_cases(&specimen) {
                case.judge(&specimen.genuine).unwrap_or_else(|error| panic!("{}: {error}", case.name));
                for (claim, value) in &changed {
                    let mut claims = claims();
                    claims[*claim] = value.clone();
                    let token = Token::signed(&specimen.key, &claims).unwrap();
                    assert!(case.judge(&token).is_err(), "{} takes another {claim}", case.name);
                }
            }
        }
    }

    #[test]
    #[cfg(feature = "peers")]
    fn a_peer_that_has_a_key_set_refuses_a_key_id_it_does_not_know() {
        let (mine, other) = (Specimen::new(Algorithm::EdDsa).unwrap(), Specimen::new(Algorithm::EdDsa).unwrap());
        let with_a_key_set = |case: &Case<'_, Token>| !case.name.starts_with("peer/jsonwebtoken/");
        for case in peer_cases(&mine).into_iter().filter(with_a_key_set) {
            let error = case.judge(&other.genuine).unwrap_err().to_string().to_lowercase();
            assert!(error.contains("key") || error.contains("kid"), "{}: {error}", case.name);
        }
    }

    #[test]
    fn what_is_skipped_is_said() {
        let cases = peer_cases(&Specimen::new(Algorithm::EdDsa).unwrap());
        let skipped = SKIPPED.map_or(0, |said| said.matches("peer/").count());
        // Four for tokens, and biscuits for chains, which are among no cases of tokens.
        let for_chains = usize::from(cfg!(feature = "peers"));
        assert_eq!(cases.len() + skipped + for_chains, 5);
    }

    fn peer_cases(specimen: &Specimen) -> Vec<Case<'static, Token>> {
        let jwk = serde_json::from_str(specimen.key.public_jwk()).unwrap();
        cases(&specimen.key, &jwk, "raw").unwrap()
    }
}
