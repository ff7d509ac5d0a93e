//! Chains of every kind, the bad ones with good signatures: agents whose keys are the same in every run.

use agentauth_core::delegation::chain::{ChainSettings, ChainVerifier};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::token::TokenVerifier;
use agentauth_core::{ResourceId, Timestamp, TrustedIssuer};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, LAWYER, RESOURCE, STS, encode};

pub(super) const SHARED: &str = "https://shared.example";

/// Someone with a key: an agent, or an issuer.
pub(super) struct Holder {
    pub(super) name: String,
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
    /// The members that make the public key.
    pub(super) jwk: Value,
    pub(super) jkt: String,
}

impl Holder {
    /// The holder of the key whose 32 bytes are all `seed`.
    pub(super) fn new(name: &str, seed: u8) -> Self {
        const PKCS8_OF_ED25519: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let pkcs8 = [&PKCS8_OF_ED25519[..], &[seed; 32]].concat();
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap();
        let mut jwk: Value = serde_json::from_str(key.public_jwk()).unwrap();
        jwk.as_object_mut().unwrap().retain(|name, _| ["kty", "crv", "x"].contains(&name.as_str()));
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap();
        Self { name: name.into(), pair, jwk, jkt: key.key_id().into(), pkcs8 }
    }

    pub(super) fn key(&self) -> SigningKey {
        SigningKey::from_pkcs8(Algorithm::EdDsa, &self.pkcs8).unwrap()
    }

    /// Signs whatever it is given.
    pub(super) fn sign(&self, header: &Value, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode(header.to_string()), encode(payload));
        let signature = encode(self.pair.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    pub(super) fn header(&self) -> Value {
        json!({"typ": "agent-delegation+jwt", "alg": "EdDSA", "jwk": self.jwk})
    }

    /// A link with these claims, in good form.
    pub(super) fn link(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims.to_string())
    }

    pub(super) fn uri(&self) -> String {
        format!("urn:ietf:params:oauth:jwk-thumbprint:sha-256:{}", self.jkt)
    }

    /// A proof over `token` for `GET /x` at the resource.
    pub(super) fn proof(&self, token: &str, jti: &str) -> String {
        let ath = encode(digest(&SHA256, token.as_bytes()));
        let claims = json!({"jti": jti, "htm": "GET", "htu": format!("{RESOURCE}/x"), "iat": NOW, "ath": ath});
        self.sign(&json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.jwk}), claims.to_string())
    }
}

/// The issuer, the agents in the order in which authority passes through them, and one who has no business here.
pub(super) struct Cast {
    pub(super) issuer: Holder,
    pub(super) agents: Vec<Holder>,
    pub(super) mallory: Holder,
}

impl Cast {
    pub(super) fn new() -> Self {
        let names = [LAWYER, "clerk", "archivist", "copyist", "courier", "scribe"];
        Self {
            issuer: Holder::new(STS, 1),
            agents: (10..).zip(names).map(|(seed, name)| Holder::new(name, seed)).collect(),
            mallory: Holder::new("mallory", 99),
        }
    }

    /// The claims of a good root: the lawyer acts for alice.
    pub(super) fn root_claims(&self) -> Value {
        json!({
            "iss": STS, "sub": "alice", "aud": RESOURCE, "client_id": LAWYER, "jti": "root-1",
            "iat": NOW, "exp": NOW + 300, "scope": "motions:file records:list records:read", "act": {"sub": LAWYER},
            "cnf": {"jkt": self.agents[0].jkt},
        })
    }

    pub(super) fn root_of(&self, claims: &Value) -> String {
        self.issuer.key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap()
    }

    pub(super) fn root(&self) -> String {
        self.root_of(&self.root_claims())
    }

    /// The claims of a good link at `depth` below `parent`: of agent `depth - 1` for agent `depth`.
    pub(super) fn link_claims(&self, parent: &str, depth: usize) -> Value {
        let scope = if depth == 1 { "records:list records:read" } else { "records:read" };
        json!({
            "iss": self.agents[depth - 1].uri(), "sub": "alice", "client_id": self.agents[depth].name, "aud": RESOURCE,
            "iat": NOW, "exp": NOW + 300 - 10 * depth as u64, "jti": format!("link-{depth}"), "del_depth": depth,
            "del_max_depth": 4, "par_hash": hash_of(parent), "cnf": {"jkt": self.agents[depth].jkt}, "scope": scope,
        })
    }

    /// A good link at `depth` below `parent`, but for what `change` does to its claims.
    pub(super) fn link_but(&self, parent: &str, depth: usize, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.link_claims(parent, depth);
        change(&mut claims);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.agents[depth - 1].link(&claims)
    }

    /// A good chain of `links` links below `root`, the root first.
    pub(super) fn chain_below(&self, root: String, links: usize) -> Vec<String> {
        let mut tokens = vec![root];
        for depth in 1..=links {
            tokens.push(self.link_but(&tokens[depth - 1], depth, |_| {}));
        }
        tokens
    }

    pub(super) fn chain(&self, links: usize) -> Vec<String> {
        self.chain_below(self.root(), links)
    }

    pub(super) fn tokens(&self) -> TokenVerifier {
        let keys = || self.issuer.key().public_key_set().unwrap();
        let issuers = vec![
            TrustedIssuer::rfc8693(STS, keys()),
            TrustedIssuer::rfc8693(SHARED, keys()).dangerous().allow_shared_audience(),
        ];
        TokenVerifier::new(ResourceId::new(RESOURCE).unwrap(), issuers).unwrap()
    }
}

/// `par_hash` of the children of `token`.
pub(super) fn hash_of(token: &str) -> String {
    encode(digest(&SHA256, token.rsplit_once('.').unwrap().0.as_bytes()))
}

pub(super) fn verifier() -> ChainVerifier {
    ChainVerifier::new(ChainSettings::new()).unwrap()
}

/// The header and the leaf of a chain.
pub(super) fn presented(tokens: &[String]) -> (String, String) {
    let (leaf, ancestors) = tokens.split_last().unwrap();
    (ancestors.join("~"), leaf.clone())
}

/// What is said to a chain, at the time `now`.
pub(super) fn code_at(cast: &Cast, ancestors: &str, leaf: &str, now: u64) -> &'static str {
    let verified = verifier().verify(&cast.tokens(), ancestors, leaf, Timestamp::from_secs(now));
    verified.map_or_else(|error| error.code(), |_| ACCEPTED)
}

pub(super) fn code(cast: &Cast, tokens: &[String]) -> &'static str {
    let (ancestors, leaf) = presented(tokens);
    code_at(cast, &ancestors, &leaf, NOW)
}
