//! The holder's side: what a server would refuse is refused before it is signed.

use std::borrow::Cow;

use agentauth_core::delegation::chain::{
    Attenuation, AttenuationError, Chain, ChainProfile, ChainSettings, ChainVerifier, HouseProfile, LinkClaims,
    LinkError,
};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::scope::{Constraint, Grant};
use agentauth_core::{AgentId, Authority, ResourceId, ScopeSet, SystemRandom, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::forge::{Cast, Holder, code, presented, verifier};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Counter, LAWYER, claims_of};

fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

fn agent(holder: &Holder) -> AgentId {
    AgentId::Named { issuer: agentauth_core::IssuerId::new("urn:any").unwrap(), name: holder.name.as_str().into() }
}

/// What comes of a link from the first agent to the second.
fn made(
    cast: &Cast,
    chain: &Chain,
    settings: impl FnOnce(Attenuation<'_>) -> Attenuation<'_>,
) -> Result<Chain, AttenuationError> {
    let at = chain.links();
    let (from, to) = (&cast.agents[at], &cast.agents[at + 1]);
    let (key, to_agent) = (from.key(), agent(to));
    let link = chain.attenuate(&key, &to_agent, to.jkt.parse().unwrap()).scopes("records:read".parse().unwrap());
    settings(link).sign(now(), &SystemRandom)
}

fn tokens_of(chain: &Chain) -> Vec<String> {
    chain.reveal().split('~').map(str::to_owned).collect()
}

#[test]
fn what_a_holder_makes_a_server_accepts() {
    let cast = Cast::new();
    let root = Chain::read(&cast.root()).unwrap();
    assert_eq!((root.links(), root.ancestors(), root.to_header()), (0, None, None));
    let first = made(&cast, &root, |link| link.may_be_passed_on(1)).unwrap();
    // The second agent is given the text, and nothing else.
    let second =
        made(&cast, &Chain::read(first.reveal()).unwrap(), |link| link.expires(Timestamp::from_secs(NOW + 60)))
            .unwrap();
    assert_eq!(code(&cast, &tokens_of(&first)), ACCEPTED);
    assert_eq!(code(&cast, &tokens_of(&second)), ACCEPTED);
    assert_eq!(second.links(), 2);

    let (ancestors, leaf) = presented(&tokens_of(&second));
    assert_eq!((second.ancestors().as_deref(), second.leaf()), (Some(ancestors.as_str()), leaf.as_str()));
    let header = second.to_header().unwrap();
    assert!(header.is_sensitive() && header.to_str().unwrap() == ancestors);
    let verified = verifier().verify(&cast.tokens(), &ancestors, &leaf, now()).unwrap();
    assert_eq!(verified.principal().subject(), "alice");
    assert_eq!(verified.agent().name(), "archivist");
    assert_eq!(verified.earlier_agents().iter().map(AgentId::name).collect::<Vec<_>>(), ["clerk", LAWYER]);
    assert_eq!(verified.authority().scopes().to_string(), "records:read");
    assert_eq!((verified.links(), verified.expires().secs()), (2, NOW + 60));
    assert_eq!(
        verified.dpop_key(),
        cast.agents[2].jkt.parse::<agentauth_core::jose::JwkThumbprint>().unwrap().as_bytes()
    );
}

#[test]
fn a_link_is_short_and_is_not_passed_on_unless_it_is_said() {
    let cast = Cast::new();
    let chain = made(&cast, &Chain::read(&cast.root()).unwrap(), |link| link).unwrap();
    let claims = claims_of(chain.leaf());
    assert_eq!(
        (&claims["exp"], &claims["del_depth"], &claims["del_max_depth"]),
        (&json!(NOW + 300), &json!(1), &json!(1))
    );
    assert_eq!(claims.get("authorization_details"), None);
    let refused = made(&cast, &chain, |link| link).unwrap_err();
    assert_eq!(refused.code(), "chain_too_deep");
    let mut long = cast.root_claims();
    long["exp"] = json!(NOW + 3000);
    long["nbf"] = json!(NOW - 10);
    let chain = made(&cast, &Chain::read(&cast.root_of(&long)).unwrap(), |link| link).unwrap();
    assert_eq!(claims_of(chain.leaf())["exp"], NOW + 300);
    assert_eq!(claims_of(chain.leaf())["nbf"], NOW - 10);
}

#[test]
fn a_holder_passes_on_part_of_a_detail() {
    let cast = Cast::new();
    let mut claims = cast.root_claims();
    let fees = json!({"type": "agent_action", "actions": ["fees:pay"], "arguments": {"fee": {"integer": {"min": 0, "max": 500}}}});
    claims["authorization_details"] = json!([fees, {"type": "unknown"}]);
    let root = Chain::read(&cast.root_of(&claims)).unwrap();
    let up_to = |fee: i64| {
        let grant = Grant::new("fees:pay").unwrap().argument("fee", Constraint::integers(0..=fee).unwrap()).unwrap();
        Authority::new(ScopeSet::none(), [grant]).unwrap()
    };
    let chain = made(&cast, &root, |link| link.authority(up_to(100))).unwrap();
    let (ancestors, leaf) = presented(&tokens_of(&chain));
    let verified = verifier().verify(&cast.tokens(), &ancestors, &leaf, now()).unwrap();
    assert_eq!(verified.authority(), &up_to(100));
    assert_eq!(made(&cast, &root, |link| link.authority(up_to(501))).unwrap_err().code(), "chain_authority_widened");
}

#[test]
fn a_holder_is_refused_what_a_server_would_refuse() {
    let cast = Cast::new();
    let root = Chain::read(&cast.root()).unwrap();
    let scopes = |scopes: &str| Authority::of_scopes(scopes.parse().unwrap());
    let refused =
        |settings: &dyn Fn(Attenuation<'_>) -> Attenuation<'_>| made(&cast, &root, settings).unwrap_err().code();
    assert_eq!(refused(&|link| link.authority(scopes(""))), "attenuation_empty");
    assert_eq!(refused(&|link| link.authority(scopes("records:write"))), "chain_authority_widened");
    assert_eq!(refused(&|link| link.audience(ResourceId::new("https://x.example").unwrap())), "chain_audience_widened");
    assert_eq!(refused(&|link| link.expires(at_secs(NOW + 301))), "chain_outlives_parent");
    assert_eq!(refused(&|link| link.expires(at_secs(NOW))), "chain_expired");

    let (lawyer, clerk) = (&cast.agents[0], &cast.agents[1]);
    let key = lawyer.key();
    let sign = |chain: &Chain, key: &SigningKey, to: &AgentId, jkt: &str| {
        let link = chain.attenuate(key, to, jkt.parse().unwrap()).scopes("records:read".parse().unwrap());
        link.sign(now(), &SystemRandom).map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    assert_eq!(sign(&root, &cast.mallory.key(), &agent(clerk), &clerk.jkt), "attenuation_key_not_held");
    assert_eq!(sign(&root, &key, &agent(lawyer), &clerk.jkt), "chain_actor_loop");
    assert_eq!(sign(&root, &key, &agent(clerk), &lawyer.jkt), "chain_key_reused");
    assert_eq!(sign(&root, &key, &agent(clerk), &clerk.jkt), ACCEPTED);

    let with = |name: &str, value: serde_json::Value| {
        let mut claims = cast.root_claims();
        claims[name] = value;
        Chain::read(&cast.root_of(&claims)).unwrap()
    };
    let several = with("aud", json!(["https://tools.example", "https://x.example"]));
    assert_eq!(sign(&several, &key, &agent(clerk), &clerk.jkt), "attenuation_audience_unsaid");
    assert_eq!(sign(&with("cnf", json!({})), &key, &agent(clerk), &clerk.jkt), "chain_root_not_bound");
    assert_eq!(sign(&with("del_max_depth", json!(0)), &key, &agent(clerk), &clerk.jkt), "chain_too_deep");
    // What is held may have been refused to it already.
    let forged = cast.chain(1)[0].clone() + "~" + &cast.mallory.link(&cast.link_claims(&cast.root(), 1));
    assert_eq!(sign(&Chain::read(&forged).unwrap(), &clerk.key(), &agent(lawyer), &lawyer.jkt), "chain_key_borrowed");
    let link_alone = Chain::read(&cast.chain(1)[1]).unwrap();
    assert_eq!(sign(&link_alone, &clerk.key(), &agent(lawyer), &lawyer.jkt), "typ_wrong");
    assert_eq!(Chain::read("a~b").unwrap_err().code(), "chain_header_malformed");
    assert_eq!(Chain::read("opaque").unwrap_err().code(), "token_not_compact");

    let (to, failing) = (agent(clerk), Counter::up_to(0));
    let link = root.attenuate(&key, &to, clerk.jkt.parse().unwrap()).scopes("records:read".parse().unwrap());
    assert_eq!(link.sign(now(), &*failing).unwrap_err().code(), "attenuation_unavailable");
}

fn at_secs(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn keys_of_every_kind_that_signs_can_narrow() {
    let cast = Cast::new();
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256] {
        let (first, second) = (SigningKey::generate(algorithm).unwrap(), SigningKey::generate(algorithm).unwrap());
        let mut claims = cast.root_claims();
        claims["cnf"] = json!({"jkt": first.key_id()});
        let root = cast.issuer.key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
        let to = agent(&cast.agents[1]);
        let chain = Chain::read(&root).unwrap();
        let link =
            chain.attenuate(&first, &to, second.key_id().parse().unwrap()).scopes("records:read".parse().unwrap());
        assert_eq!(code(&cast, &tokens_of(&link.sign(now(), &SystemRandom).unwrap())), ACCEPTED, "{algorithm}");
    }
}

#[test]
fn a_chain_does_not_show_itself() {
    let cast = Cast::new();
    let chain = made(&cast, &Chain::read(&cast.root()).unwrap(), |link| link).unwrap();
    let (key, to) = (cast.agents[1].key(), agent(&cast.agents[2]));
    let link = chain.attenuate(&key, &to, cast.agents[2].jkt.parse().unwrap());
    let (ancestors, leaf) = presented(&tokens_of(&chain));
    let verified = verifier().verify(&cast.tokens(), &ancestors, &leaf, now()).unwrap();
    let shown = format!("{chain:?} {link:?} {verified:?} {:?}", ChainVerifier::new(ChainSettings::new()));
    for token in tokens_of(&chain) {
        assert!(!token.split('.').any(|part| shown.contains(part)), "{shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Signed links with any scopes: what is accepted holds no more than any token above it.
    #[test]
    fn no_link_adds_to_what_is_above_it(
        scopes in proptest::collection::vec(proptest::sample::subsequence(vec!["a", "b", "c", "motions:file", "records:list", "records:read"], 0..=6), 1..4),
    ) {
        let cast = Cast::new();
        let mut tokens = vec![cast.root()];
        let mut left: Vec<&str> = vec!["motions:file", "records:list", "records:read"];
        let mut is_narrower = true;
        for (depth, scopes) in (1..).zip(&scopes) {
            let scope = scopes.join(" ");
            tokens.push(cast.link_but(&tokens[depth - 1], depth, |claims| claims["scope"] = json!(scope)));
            is_narrower &= scopes.iter().all(|scope| left.contains(scope));
            left.retain(|scope| scopes.contains(scope));
        }
        let (ancestors, leaf) = presented(&tokens);
        let verified = verifier().verify(&cast.tokens(), &ancestors, &leaf, now());
        prop_assert_eq!(verified.is_ok(), is_narrower);
        if let Ok(verified) = verified {
            prop_assert_eq!(verified.authority().scopes().to_string(), left.join(" "));
        }
    }
}

/// Links of another kind, whose claims have other names.
#[derive(Debug)]
struct Renamed;

const RENAMED: [(&str, &str); 2] = [("par_hash", "parent"), ("del_depth", "level")];

impl ChainProfile for Renamed {
    fn name(&self) -> &'static str {
        "renamed"
    }

    fn token_type(&self) -> TokenType {
        TokenType::DelegateKeyBinding
    }

    fn write(&self, claims: &LinkClaims<'_>) -> Vec<u8> {
        let mut text = String::from_utf8(HouseProfile::default().write(claims)).unwrap();
        for (usual, here) in RENAMED {
            text = text.replace(&format!("\"{usual}\""), &format!("\"{here}\""));
        }
        text.into_bytes()
    }

    fn read<'p>(&self, payload: &'p [u8]) -> Result<LinkClaims<'p>, LinkError> {
        let mut text = std::str::from_utf8(payload).unwrap_or_default().to_owned();
        for (usual, here) in RENAMED {
            text = text.replace(&format!("\"{here}\""), &format!("\"{usual}\""));
        }
        let house = HouseProfile::default();
        let read = house.read(text.as_bytes())?;
        // The claims of this profile borrow from its own payload.
        let owned = |claim: Option<Cow<'_, str>>| claim.map(|claim| Cow::Owned(claim.into_owned()));
        let mut claims = LinkClaims::default();
        (claims.issuer, claims.subject) = (owned(read.issuer), owned(read.subject));
        (claims.delegate, claims.id) = (owned(read.delegate), owned(read.id));
        claims.audiences = read.audiences.into_iter().map(|audience| Cow::Owned(audience.into_owned())).collect();
        (claims.issued, claims.not_before, claims.expires) = (read.issued, read.not_before, read.expires);
        (claims.depth, claims.max_depth, claims.parent_hash) = (read.depth, read.max_depth, read.parent_hash);
        (claims.key, claims.scopes, claims.details) = (read.key, read.scopes, read.details);
        Ok(claims)
    }
}

#[test]
fn another_wire_form_keeps_the_same_rules() {
    let cast = Cast::new();
    let settings = || ChainSettings::new().profile(Renamed);
    let chain = made(&cast, &Chain::read_with(&cast.root(), settings()).unwrap(), |link| link).unwrap();
    assert_eq!((&claims_of(chain.leaf())["level"], claims_of(chain.leaf()).get("del_depth")), (&json!(1), None));
    let (ancestors, leaf) = presented(&tokens_of(&chain));
    let renamed = ChainVerifier::new(settings()).unwrap();
    let code = |verifier: &ChainVerifier, leaf: &str| {
        let verified = verifier.verify(&cast.tokens(), &ancestors, leaf, now());
        verified.map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    assert_eq!((code(&renamed, &leaf), code(&verifier(), &leaf)), (ACCEPTED, "chain_typ_wrong"));
    let usual = cast.chain(1).remove(1);
    assert_eq!((code(&renamed, &usual), code(&verifier(), &usual)), ("chain_typ_wrong", ACCEPTED));
    let refused = made(&cast, &Chain::read_with(&cast.root(), settings()).unwrap(), |link| {
        link.scopes("records:write".parse().unwrap())
    });
    assert_eq!(refused.unwrap_err().code(), "chain_authority_widened");
}

/// A kind that stands for something else would make links of those, or those of links.
#[test]
fn links_are_of_a_kind_of_their_own() {
    #[derive(Debug)]
    struct Typed(TokenType);
    impl ChainProfile for Typed {
        fn name(&self) -> &'static str {
            "typed"
        }
        fn token_type(&self) -> TokenType {
            self.0
        }
        fn write(&self, claims: &LinkClaims<'_>) -> Vec<u8> {
            HouseProfile::default().write(claims)
        }
        fn read<'p>(&self, payload: &'p [u8]) -> Result<LinkClaims<'p>, LinkError> {
            HouseProfile::default().read(payload)
        }
    }
    for (kind, is_good) in [
        (TokenType::AgentDelegation, true),
        (TokenType::AccessToken, false),
        (TokenType::DpopProof, false),
        (TokenType::Jwt, false),
        (TokenType::Absent, false),
    ] {
        let verifier = ChainVerifier::new(ChainSettings::new().profile(Typed(kind)));
        assert_eq!(verifier.is_ok(), is_good, "{kind}");
    }
}
