//! One refusal, one reason: every rule of a chain, broken alone. The vectors are these cases, written down.

use serde_json::{Value, json};

use super::forge::{Cast, SHARED, hash_of, presented};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, LAWYER, RESOURCE, encode};

pub(super) struct Case {
    pub(super) name: String,
    pub(super) ancestors: String,
    pub(super) leaf: String,
    pub(super) now: u64,
    pub(super) expected: &'static str,
}

pub(super) struct Cases<'c> {
    cast: &'c Cast,
    pub(super) all: Vec<Case>,
}

impl<'c> Cases<'c> {
    pub(super) fn of(cast: &'c Cast) -> Self {
        let mut cases = Self { cast, all: Vec::new() };
        cases.good();
        cases.roots();
        cases.forms();
        cases.claims();
        cases.keys_and_parents();
        cases.depths();
        cases.times();
        cases.audiences();
        cases.authority();
        cases.agents();
        cases.splices();
        cases
    }

    fn add(&mut self, name: &str, tokens: &[String], expected: &'static str) {
        self.add_at(name, tokens, NOW, expected);
    }

    fn add_at(&mut self, name: &str, tokens: &[String], now: u64, expected: &'static str) {
        let (ancestors, leaf) = presented(tokens);
        self.all.push(Case { name: name.into(), ancestors, leaf, now, expected });
    }

    /// A chain of one link, in which `claim` is `value`, or missing if that is null.
    fn first(&mut self, name: &str, claim: &str, value: impl Into<Value>, expected: &'static str) {
        let root = self.cast.root();
        let link = self.cast.link_but(&root, 1, |claims| claims[claim] = value.into());
        self.add(name, &[root, link], expected);
    }

    /// A chain of two links, in the second of which `claim` is `value`.
    fn second(&mut self, name: &str, claim: &str, value: impl Into<Value>, expected: &'static str) {
        let mut tokens = self.cast.chain(1);
        tokens.push(self.cast.link_but(&tokens[1], 2, |claims| claims[claim] = value.into()));
        self.add(name, &tokens, expected);
    }

    /// A good link below a root in which `claim` is `value`.
    fn below(&mut self, name: &str, claim: &str, value: impl Into<Value>, expected: &'static str) {
        let mut claims = self.cast.root_claims();
        claims[claim] = value.into();
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let tokens = self.cast.chain_below(self.cast.root_of(&claims), 1);
        self.add(name, &tokens, expected);
    }

    fn good(&mut self) {
        for links in 1..=4 {
            self.add(&format!("{links} links, each narrower"), &self.cast.chain(links), ACCEPTED);
        }
        self.first("a link that begins later", "nbf", NOW - 1, ACCEPTED);
        self.first("a link as long as its parent", "exp", NOW + 300, ACCEPTED);
        self.first("a link that holds all of its parent", "scope", "motions:file records:list records:read", ACCEPTED);
        self.first("a link that holds nothing", "scope", Value::Null, ACCEPTED);
        self.first("details that grant nothing", "authorization_details", json!([]), ACCEPTED);
        self.first("an audience in a list", "aud", json!([RESOURCE]), ACCEPTED);
        self.below("a root that says how deep", "del_max_depth", 4, ACCEPTED);
    }

    fn roots(&mut self) {
        let tokens = self.cast.chain(1);
        self.add_at("a root that has expired", &tokens, NOW + 330, "token_expired");
        let (input, _) = tokens[0].rsplit_once('.').unwrap();
        self.add(
            "a root with a wrong signature",
            &[format!("{input}.{}", "A".repeat(86)), tokens[1].clone()],
            "signature_invalid",
        );
        self.below("a root of another issuer", "iss", "https://evil.example", "issuer_untrusted");
        self.below("a root for another server", "aud", "https://records.example", "audience_wrong");
        let links = self.cast.chain(2);
        self.add("a link as root", &links[1..], "typ_wrong");
        self.below("a root that is bound to nothing", "cnf", Value::Null, "chain_root_not_bound");
        let certificate = json!({"x5t#S256": encode([7; 32])});
        self.below("a root that is bound to a certificate", "cnf", certificate, "chain_root_not_bound");
        self.below("a root that says how deep, and not by a number", "del_max_depth", "4", "json_wrong_type");
    }

    fn forms(&mut self) {
        self.add("5 links, where 4 are allowed", &self.cast.chain(5), "chain_too_many_links");
        let tokens = self.cast.chain(1);
        let [root, link] = [&tokens[0], &tokens[1]];
        for (name, ancestors, expected) in [
            ("no root", String::new(), "chain_header_malformed"),
            ("an opaque root", "opaque".into(), "chain_header_malformed"),
            ("an empty ancestor", format!("{root}~"), "chain_header_malformed"),
            ("an ancestor that is no JWS", format!("{root}~e30.e30"), "token_not_compact"),
            ("white space between ancestors", format!("{root}~ {link}"), "token_not_compact"),
            ("padding in an ancestor", format!("{root}="), "token_not_compact"),
        ] {
            let leaf = link.clone();
            self.all.push(Case { name: name.into(), ancestors, leaf, now: NOW, expected });
        }
        self.add("a leaf that is no JWS", &[root.clone(), "opaque".into()], "token_not_compact");
        let (lawyer, claims) = (&self.cast.agents[0], self.cast.link_claims(root, 1).to_string());
        for (name, member, value, expected) in [
            ("a link that says it is an access token", "typ", json!("at+jwt"), "chain_typ_wrong"),
            ("a link that says it is a proof", "typ", json!("dpop+jwt"), "chain_typ_wrong"),
            ("a link that does not say what it is", "typ", Value::Null, "chain_typ_wrong"),
            ("a link without a key", "jwk", Value::Null, "chain_key_missing"),
            ("a link with a symmetric key", "jwk", json!({"kty": "oct", "k": "AAAA"}), "jwk_symmetric"),
            ("an unsigned link", "alg", json!("none"), "alg_none"),
            ("a link with a critical extension", "crit", json!(["exp"]), "crit_unsupported"),
        ] {
            let mut header = lawyer.header();
            header[member] = value;
            header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let link = lawyer.sign(&header, &claims);
            self.add(name, &[root.clone(), link], expected);
        }
        let mut private = lawyer.header();
        private["jwk"]["d"] = json!("AAAA");
        self.add("a link with a private key", &[root.clone(), lawyer.sign(&private, &claims)], "jwk_private");
        let twice = claims.replacen('{', r#"{"sub":"bob","#, 1);
        self.add(
            "a claim that stands twice",
            &[root.clone(), lawyer.sign(&lawyer.header(), twice)],
            "json_duplicate_member",
        );
    }

    fn claims(&mut self) {
        for claim in
            ["iss", "sub", "client_id", "aud", "iat", "exp", "jti", "del_depth", "del_max_depth", "par_hash", "cnf"]
        {
            self.first(&format!("a link without {claim}"), claim, Value::Null, "chain_claim_missing");
        }
        self.first("a link for nobody", "aud", json!([]), "chain_claim_missing");
        let jkt = self.cast.agents[1].jkt.clone();
        for (claim, value) in [
            ("jti", json!("")),
            ("client_id", json!("cle\u{7}rk")),
            ("sub", json!("")),
            ("par_hash", json!("AAAA")),
            ("cnf", json!({})),
            ("cnf", json!({"jkt": "AAAA"})),
            ("cnf", json!({"jkt": jkt, "x5t#S256": encode([7; 32])})),
        ] {
            self.first(&format!("a link with {claim} {value}"), claim, value, "chain_claim_malformed");
        }
        self.first("a claim that could be a restriction", "del_uses", 1, "chain_claim_unknown");
        self.first("an exp that is a text", "exp", "soon", "json_wrong_type");
        self.first("another principal", "sub", "bob", "chain_principal_changed");
        self.second("another principal at the second link", "sub", "Alice", "chain_principal_changed");
    }

    fn keys_and_parents(&mut self) {
        let cast = self.cast;
        let root = cast.root();
        let claims = cast.link_claims(&root, 1);
        self.add("a borrowed key", &[root.clone(), cast.mallory.link(&claims)], "chain_key_borrowed");
        let shown = cast.mallory.sign(&cast.agents[0].header(), claims.to_string());
        self.add("another's key in the header", &[root.clone(), shown], "chain_signature_invalid");
        self.first("a link in another's name", "iss", cast.mallory.uri(), "chain_issuer_wrong");
        self.first("a link in the root's issuer's name", "iss", cast.issuer.name.as_str(), "chain_issuer_wrong");
        let mut other = cast.root_claims();
        other["jti"] = json!("root-2");
        let other = cast.root_of(&other);
        let link = cast.link_but(&root, 1, |_| {});
        self.add("a link that was made below another root", &[other, link.clone()], "chain_parent_mismatch");
        let (input, _) = link.rsplit_once('.').unwrap();
        self.add("a wrong signature", &[root, format!("{input}.{}", "A".repeat(86))], "chain_signature_invalid");
    }

    fn depths(&mut self) {
        self.first("a link that leaves a level out", "del_depth", 2, "chain_depth_wrong");
        self.first("a link that is no deeper", "del_depth", 0, "chain_depth_wrong");
        self.second("a link at its parent's depth", "del_depth", 1, "chain_depth_wrong");
        self.second("a chain that may become deeper than it might", "del_max_depth", 5, "chain_max_depth_widened");
        self.below("a link below a root that may not be passed on", "del_max_depth", 0, "chain_too_deep");
        let cast = self.cast;
        let mut claims = cast.root_claims();
        claims["del_max_depth"] = json!(1);
        let root = cast.root_of(&claims);
        let link = cast.link_but(&root, 1, |claims| claims["del_max_depth"] = json!(1));
        let last = cast.link_but(&link, 2, |claims| claims["del_max_depth"] = json!(1));
        self.add("one link, where one is allowed", &[root.clone(), link.clone()], ACCEPTED);
        self.add("two links, where one is allowed", &[root.clone(), link, last], "chain_too_deep");
        let wide = cast.link_but(&root, 1, |_| {});
        self.add("deeper than the root allows", &[root, wide], "chain_max_depth_widened");
    }

    fn times(&mut self) {
        self.first("a link that outlives the root", "exp", NOW + 301, "chain_outlives_parent");
        self.second("a link that outlives the one before", "exp", NOW + 291, "chain_outlives_parent");
        let tokens = self.cast.chain(2);
        self.add_at("the last second of a leaf, and of the tolerance", &tokens, NOW + 280 + 29, ACCEPTED);
        self.add_at("a leaf that has expired", &tokens, NOW + 280 + 30, "chain_expired");
        let cast = self.cast;
        let mut expired = vec![cast.root()];
        expired.push(cast.link_but(&expired[0], 1, |claims| claims["exp"] = json!(NOW - 30)));
        expired.push(cast.link_but(&expired[1], 2, |claims| claims["exp"] = json!(NOW - 31)));
        self.add("a parent that has expired", &expired, "chain_expired");
        self.first("a link that is not good yet", "nbf", NOW + 31, "chain_not_yet_valid");
        self.first("a link from the future", "iat", NOW + 31, "chain_issued_in_future");
        self.below("a link that begins before the root", "nbf", NOW - 5, "chain_begins_before_parent");
        let mut later = cast.root_claims();
        later["nbf"] = json!(NOW - 5);
        let root = cast.root_of(&later);
        let early = cast.link_but(&root, 1, |claims| claims["nbf"] = json!(NOW - 6));
        self.add("an nbf before the root's", &[root.clone(), early], "chain_begins_before_parent");
        let link = cast.link_but(&root, 1, |claims| claims["nbf"] = json!(NOW - 5));
        self.add("the root's nbf", &[root, link], ACCEPTED);
    }

    fn audiences(&mut self) {
        self.first("a link for another server", "aud", "https://records.example", "chain_audience_widened");
        self.first(
            "a link for one server more",
            "aud",
            json!([RESOURCE, "https://x.example"]),
            "chain_audience_widened",
        );
        let cast = self.cast;
        let mut claims = cast.root_claims();
        claims["iss"] = json!(SHARED);
        claims["aud"] = json!([RESOURCE, "https://records.example"]);
        let root = cast.root_of(&claims);
        for (name, audience, expected) in [
            ("a leaf for one of two servers", json!(RESOURCE), ACCEPTED),
            ("a leaf for the other one", json!("https://records.example"), "chain_audience_wrong"),
            ("a leaf for both", json!([RESOURCE, "https://records.example"]), "chain_audience_shared"),
        ] {
            let link = cast.link_but(&root, 1, |claims| claims["aud"] = audience);
            self.add(name, &[root.clone(), link], expected);
        }
    }

    fn authority(&mut self) {
        self.first("a scope that the root has not", "scope", "records:read records:write", "chain_authority_widened");
        self.second(
            "a scope that was given up before",
            "scope",
            "motions:file records:read",
            "chain_authority_widened",
        );
        self.second("a scope that only begins alike", "scope", "records:rea", "chain_authority_widened");
        self.first("scopes that cannot be read", "scope", "records:read  records:list", "scope_malformed");
        let unknown = json!([{"type": "urn:example:unknown"}]);
        self.first("a detail of an unknown type", "authorization_details", unknown, "detail_type_unknown");
        self.details();
        self.first("details that are none", "authorization_details", json!({}), "detail_malformed");
    }

    /// Each limit of the root's detail must be there, and at least as tight.
    fn details(&mut self) {
        const WIDER: &str = "chain_authority_widened";
        let cast = self.cast;
        let held = json!({
            "type": "agent_action", "actions": ["fees:pay"], "resource": {"kind": "case", "below": "2026"},
            "arguments": {"fee": {"integer": {"min": 0, "max": 500}}}, "max_depth": 2,
        });
        let mut claims = cast.root_claims();
        claims["authorization_details"] = json!([held]);
        let root = cast.root_of(&claims);
        let passed = |path: &str, value: Value| {
            let mut detail = held.clone();
            detail["max_depth"] = json!(1);
            if !path.is_empty() {
                let (above, name) = path.rsplit_once('/').unwrap();
                let members = detail.pointer_mut(above).unwrap().as_object_mut().unwrap();
                members.insert(name.into(), value);
                members.retain(|_, value| !value.is_null());
            }
            json!([detail])
        };
        let below = |details: Value| cast.link_but(&root, 1, |claims| claims["authorization_details"] = details);
        for (name, path, value, expected) in [
            ("a detail that is passed on", "", Value::Null, ACCEPTED),
            ("a detail with a tighter range", "/arguments/fee/integer/max", json!(20), ACCEPTED),
            ("a detail with a longer prefix", "/resource/below", json!("2026/17"), ACCEPTED),
            ("a detail with one limit more", "/max_uses", json!(1), ACCEPTED),
            ("a detail without its resource", "/resource", Value::Null, WIDER),
            ("a detail without its arguments", "/arguments", Value::Null, WIDER),
            ("a detail with a wider range", "/arguments/fee/integer/max", json!(501), WIDER),
            ("a detail with a shorter prefix", "/resource/below", json!("20"), WIDER),
            ("a detail of another action", "/actions", json!(["fees:refund"]), WIDER),
            ("a detail that may go as deep as its parent's", "/max_depth", json!(2), WIDER),
            ("a detail that may go on for ever", "/max_depth", Value::Null, WIDER),
            ("a limit that is not understood", "/weekdays", json!(["monday"]), "detail_member_unknown"),
        ] {
            self.add(name, &[root.clone(), below(passed(path, value))], expected);
        }
        let scope = cast.link_but(&root, 1, |claims| claims["scope"] = json!("fees:pay"));
        self.add("a scope, where the root has a detail with limits", &[root.clone(), scope], WIDER);
        // A detail that was not passed on is not there any more.
        let first = cast.link_but(&root, 1, |_| {});
        let details = passed("/max_depth", json!(0));
        let second = cast.link_but(&first, 2, |claims| claims["authorization_details"] = details);
        self.add("a detail that was given up before", &[root, first, second], WIDER);
    }

    fn agents(&mut self) {
        let cast = self.cast;
        self.first("an agent that delegates to itself", "client_id", LAWYER, "chain_actor_loop");
        self.second("an agent that gets back what it gave", "client_id", LAWYER, "chain_actor_loop");
        self.second("an agent twice in a row", "client_id", "clerk", "chain_actor_loop");
        self.first("the holder's own key", "cnf", json!({"jkt": cast.agents[0].jkt}), "chain_key_reused");
        self.second("an earlier agent's key", "cnf", json!({"jkt": cast.agents[0].jkt}), "chain_key_reused");
        let act = json!({"sub": LAWYER, "act": {"sub": "clerk"}});
        self.below("an agent that acted before the root was issued", "act", act, "chain_actor_loop");
    }

    /// Good tokens, put together in a wrong way.
    fn splices(&mut self) {
        let cast = self.cast;
        let tokens = cast.chain(3);
        let pick = |places: &[usize]| places.iter().map(|at| tokens[*at].clone()).collect::<Vec<_>>();
        self.add("a link left out", &pick(&[0, 2]), "chain_key_borrowed");
        self.add("a link left out in the middle", &pick(&[0, 1, 3]), "chain_key_borrowed");
        self.add("a link twice", &pick(&[0, 1, 1]), "chain_key_borrowed");
        self.add("links in another order", &pick(&[0, 2, 1]), "chain_key_borrowed");
        self.add("the root as a link", &pick(&[0, 0]), "chain_key_missing");
        // Mallory's own root, with a link of the lawyer's below it.
        let mut own = cast.root_claims();
        own["sub"] = json!("mallory");
        own["cnf"] = json!({"jkt": cast.mallory.jkt});
        let own = cast.root_of(&own);
        self.add("another's link below one's own root", &[own.clone(), tokens[1].clone()], "chain_key_borrowed");
        let mut claims = cast.link_claims(&own, 1);
        claims["iss"] = json!(cast.mallory.uri());
        claims["par_hash"] = json!(hash_of(&own));
        let spliced = cast.mallory.link(&claims);
        self.add("one's own link for another's principal", &[own, spliced], "chain_principal_changed");
    }
}
