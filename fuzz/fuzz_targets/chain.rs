//! Good chains, changed: links swapped, dropped and repeated, claims edited without their makers, links signed anew with
//! keys that are at hand, characters flipped. Whatever comes of it, an accepted chain holds no more than the tokens that
//! were signed by those who could, and is for the same principal and agents.

#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use agentauth_core::delegation::chain::{ChainSettings, ChainVerifier};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{ResourceId, Timestamp, TrustedIssuer};
use agentauth_core::jose::KeySet;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://tools.example.com";
const NOW: u64 = 1_800_000_000;
const LINKS: usize = 3;

/// The issuer, the agents in their order, and last the attacker: all it can sign with is its own key.
static KEYS: LazyLock<Vec<Ed25519KeyPair>> =
    LazyLock::new(|| (1..=6).map(|seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()).collect());

const ATTACKER: usize = 5;

static TOKENS: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let mut jwk = jwk(0);
    jwk["kid"] = json!("issuer");
    let keys = KeySet::from_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    TokenVerifier::new(ResourceId::new(AUDIENCE).unwrap(), vec![TrustedIssuer::rfc8693(ISSUER, keys)]).unwrap()
});

static CHAINS: LazyLock<ChainVerifier> = LazyLock::new(|| ChainVerifier::new(ChainSettings::new()).unwrap());

/// Alice's chain, a second one of bob's with the same agents, and the attacker's own for mallory.
static GOOD: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    vec![chain("alice", "a b c", 1, "1"), chain("bob", "a b c d", 1, "2"), chain("mallory", "a b c d e", ATTACKER, "3")]
});

fn jwk(of: usize) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(KEYS[of].public_key().as_ref())})
}

fn jkt(of: usize) -> String {
    let jwk = jwk(of);
    let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":{}}}"#, jwk["x"]);
    BASE64URL.encode(digest(&SHA256, text.as_bytes()))
}

fn sign(by: usize, header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()));
    format!("{input}.{}", BASE64URL.encode(KEYS[by].sign(input.as_bytes()).as_ref()))
}

fn header_of_link(of: usize) -> Value {
    json!({"typ": "agent-delegation+jwt", "alg": "EdDSA", "jwk": jwk(of)})
}

fn hash_of(token: &str) -> String {
    BASE64URL.encode(digest(&SHA256, token.rsplit_once('.').unwrap_or_default().0.as_bytes()))
}

/// A root for `subject` that `holder` holds, and links below it: the first holder's, then the agents'.
fn chain(subject: &str, scope: &str, holder: usize, id: &str) -> Vec<String> {
    let claims = json!({
        "iss": ISSUER, "sub": subject, "aud": AUDIENCE, "client_id": format!("agent {holder}"), "jti": id, "iat": NOW,
        "exp": NOW + 300, "scope": scope, "cnf": {"jkt": jkt(holder)},
    });
    let mut tokens = vec![sign(0, &json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "issuer"}), &claims)];
    let mut from = holder;
    for depth in 1..=LINKS {
        let to = depth + 1;
        let narrower: Vec<&str> = scope.split(' ').skip(depth).collect();
        let claims = link_claims(&tokens[depth - 1], subject, depth, from, to, &narrower.join(" "));
        tokens.push(sign(from, &header_of_link(from), &claims));
        from = to;
    }
    tokens
}

fn link_claims(parent: &str, subject: &str, depth: usize, from: usize, to: usize, scope: &str) -> Value {
    json!({
        "iss": format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", jkt(from)), "sub": subject,
        "client_id": format!("agent {to}"), "aud": AUDIENCE, "iat": NOW, "exp": NOW + 200 - depth as u64,
        "jti": format!("{subject} {depth}"), "del_depth": depth, "del_max_depth": 4, "par_hash": hash_of(parent),
        "cnf": {"jkt": jkt(to)}, "scope": scope,
    })
}

/// Whoever signed a token for these keys and agents: what an accepted chain may be, by principal.
struct Bytes<'d>(&'d [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut tokens = GOOD[bytes.next() % GOOD.len()].clone();
    tokens.truncate(2 + bytes.next() % LINKS);
    for _ in 0..bytes.next() % 4 {
        change(&mut tokens, &mut bytes);
    }
    let Some((leaf, ancestors)) = tokens.split_last() else { return };
    check(&ancestors.join("~"), leaf);
    // And whatever it is, as the header.
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify(text, leaf).is_none_or(|_| text == ancestors.join("~")), "a forgery: {text}");
    }
});

fn change(tokens: &mut Vec<String>, bytes: &mut Bytes<'_>) {
    let at = bytes.next() % tokens.len().max(1);
    match bytes.next() % 8 {
        0 if tokens.len() > 1 => drop(tokens.remove(at)),
        1 => tokens.insert(at, tokens.get(at).cloned().unwrap_or_default()),
        2 => {
            let other = bytes.next() % tokens.len().max(1);
            if at < tokens.len() {
                tokens.swap(at, other);
            }
        }
        // A token of another chain in its place.
        3 => {
            let other = &GOOD[bytes.next() % GOOD.len()];
            if let Some(token) = tokens.get_mut(at) {
                token.clone_from(&other[bytes.next() % other.len()]);
            }
        }
        4 => flip(tokens, at, bytes),
        // An edit that nobody has signed.
        5 => edit(tokens, at, bytes, None),
        // An edit that the attacker has signed, with its own key or with the right one in the header.
        6 => edit(tokens, at, bytes, Some(ATTACKER)),
        // A link of the attacker's at the end, to a key of its own.
        _ => {
            let parent = tokens.last().cloned().unwrap_or_default();
            let depth = tokens.len();
            let claims = link_claims(&parent, "alice", depth, ATTACKER, 1 + bytes.next() % 5, "a b c d e");
            tokens.push(sign(ATTACKER, &header_of_link(ATTACKER), &claims));
        }
    }
}

fn flip(tokens: &mut [String], at: usize, bytes: &mut Bytes<'_>) {
    let Some(token) = tokens.get_mut(at) else { return };
    let place = (bytes.next() << 8 | bytes.next()) % token.len().max(1);
    let with = char::from(b"ABab01-_.~"[bytes.next() % 10]);
    if token.is_char_boundary(place) && place < token.len() {
        token.replace_range(place..=place, with.encode_utf8(&mut [0; 4]));
    }
}

fn edit(tokens: &mut [String], at: usize, bytes: &mut Bytes<'_>, signer: Option<usize>) {
    let parent = at.checked_sub(1).and_then(|above| tokens.get(above)).map(|parent| hash_of(parent));
    let Some(token) = tokens.get_mut(at) else { return };
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { return };
    let read = |part: &str| BASE64URL.decode(part).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let (Some(mut header), Some(mut claims)) = (read(header), read(payload)) else { return };
    for _ in 0..1 + bytes.next() % 3 {
        let (name, value) = match bytes.next() % 14 {
            0 => ("scope", json!("a b c d e")),
            1 => ("sub", json!(["alice", "bob", "mallory"][bytes.next() % 3])),
            2 => ("exp", json!(NOW + 100_000)),
            3 => ("aud", json!([AUDIENCE, "https://x.example.com"])),
            4 => ("del_depth", json!(bytes.next() % 5)),
            5 => ("del_max_depth", json!(bytes.next())),
            6 => ("par_hash", json!(parent)),
            7 => ("cnf", json!({"jkt": jkt(1 + bytes.next() % 5)})),
            8 => ("client_id", json!(format!("agent {}", bytes.next() % 9))),
            9 => ("iss", json!(format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", jkt(1 + bytes.next() % 5)))),
            10 => ("nbf", json!(NOW - 1000)),
            11 => ("authorization_details", json!([{"type": "x"}])),
            12 => ("jti", json!("another")),
            _ => ("other", json!(1)),
        };
        claims[name] = value;
    }
    *token = match signer {
        Some(signer) => {
            if bytes.next() % 2 == 0 {
                header["jwk"] = jwk(signer);
            }
            sign(signer, &header, &claims)
        }
        None => format!("{}.{}.{signature}", parts[0], BASE64URL.encode(claims.to_string())),
    };
}

fn verify(ancestors: &str, leaf: &str) -> Option<agentauth_core::delegation::chain::VerifiedChain> {
    let now = Timestamp::from_secs(NOW);
    let explained = CHAINS.explain(&TOKENS, ancestors, leaf, now);
    match CHAINS.verify(&TOKENS, ancestors, leaf, now) {
        Ok(chain) => {
            assert!(explained.is_valid());
            Some(chain)
        }
        Err(error) => {
            assert_eq!(explained.refusal(), Some(&error));
            assert!(!error.code().is_empty() && is_loggable(&error.to_string()));
            None
        }
    }
}

/// An accepted chain is a beginning of a good one, or one that the attacker has made of its own authority.
fn check(ancestors: &str, leaf: &str) {
    let Some(chain) = verify(ancestors, leaf) else { return };
    let tokens: Vec<&str> = ancestors.split('~').chain([leaf]).collect();
    let principal = chain.principal().subject();
    let good = GOOD.iter().find(|good| good[0] == tokens[0]).expect("a root that its issuer has signed");
    let claims = |token: &str| -> Value {
        serde_json::from_slice(&BASE64URL.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(claims(&good[0])["sub"], principal);
    let same = tokens.iter().zip(good).take_while(|(token, good)| **token == good.as_str()).count();
    assert!(same == tokens.len() || principal == "mallory", "a link that nobody with its parent's key has signed");
    // No more than what every token of it says.
    for token in &tokens {
        let scope = claims(token)["scope"].as_str().unwrap().to_owned();
        let held: BTreeSet<&str> = scope.split(' ').collect();
        assert!(chain.authority().scopes().iter().all(|scope| held.contains(scope)));
    }
    let root = claims(tokens[0]);
    assert!(chain.expires().secs() <= root["exp"].as_u64().unwrap());
    assert_eq!(chain.links(), tokens.len() - 1);
    assert_eq!(chain.agent().name(), claims(leaf)["client_id"].as_str().unwrap());
}

/// A refusal can be logged as it is: short, printable, on one line.
fn is_loggable(message: &str) -> bool {
    message.len() <= 400 && message.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}
