//! What a link must be narrower than: the rules that its maker keeps, and that every server checks.

use std::borrow::Cow;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{SHA256, digest};
use serde::de::MapAccess;
use smallvec::SmallVec;

use super::{ChainRule, LinkClaims, LinkError};
use crate::jose::JwkThumbprint;
use crate::jose::json::{self, JsonError, Members, Texts, Value};
use crate::scope::{Authority, DetailTypes, ScopeSet};
use crate::text::Excerpt;
use crate::time::Timestamp;
use crate::token::{TokenError, required};

/// The last token of a chain that is known to be good, as the next link sees it.
pub(super) struct Parent<'c> {
    /// The key that it confirms.
    pub(super) key: [u8; 32],
    /// What its signature covers.
    pub(super) signing_input: &'c str,
    pub(super) subject: Cow<'c, str>,
    pub(super) audiences: Vec<Cow<'c, str>>,
    pub(super) not_before: Option<u64>,
    pub(super) expires: u64,
    pub(super) depth: u64,
    pub(super) max_depth: u64,
    pub(super) authority: Authority,
    /// The keys of the chain up to here.
    pub(super) keys: SmallVec<[[u8; 32]; 8]>,
    /// The agents of the chain up to here.
    pub(super) agents: Vec<Cow<'c, str>>,
}

/// By which clock, and with what tolerance, a link is looked at, and which details are known.
pub(super) struct Terms<'v> {
    pub(super) now: Timestamp,
    /// Seconds.
    pub(super) leeway: u64,
    pub(super) details: &'v DetailTypes,
}

impl<'c> Parent<'c> {
    /// Checks a link whose signature is good, in the order of [`ChainRule::OF_LINK`], and goes on to it: the next
    /// parent. `reached` is told each rule before it is checked.
    pub(super) fn narrowed(
        self,
        link: LinkClaims<'c>,
        signing_input: &'c str,
        terms: &Terms<'_>,
        mut reached: impl FnMut(ChainRule),
    ) -> Result<Self, LinkError> {
        reached(ChainRule::Issuer);
        let issuer = text(link.issuer.as_deref(), "iss")?;
        if JwkThumbprint::from_uri(issuer) != Ok(JwkThumbprint::from(self.key)) {
            return Err(LinkError::IssuerWrong);
        }
        reached(ChainRule::Parent);
        self.check_hash(&link)?;
        reached(ChainRule::Depth);
        let (depth, max_depth) = self.check_depth(&link)?;
        reached(ChainRule::Principal);
        let subject = text(link.subject.as_deref(), "sub")?;
        if subject != self.subject {
            return Err(LinkError::PrincipalChanged);
        }
        reached(ChainRule::Lifetime);
        let expires = self.check_times(&link, terms)?;
        text(link.id.as_deref(), "jti")?;
        reached(ChainRule::Audience);
        self.check_audiences(&link)?;
        reached(ChainRule::Authority);
        let authority = authority_of(link.scopes, link.details.as_ref(), terms.details)?;
        let passed_on = self.authority.into_passed_on();
        if !authority.is_within(&passed_on) {
            return Err(LinkError::AuthorityWidened);
        }
        reached(ChainRule::Agents);
        text(link.delegate.as_deref(), "client_id")?;
        let delegate = link.delegate.ok_or(LinkError::ClaimMissing("client_id"))?;
        let key = link.key.ok_or(LinkError::ClaimMissing("cnf"))?;
        let (mut keys, mut agents) = (self.keys, self.agents);
        if agents.contains(&delegate) {
            return Err(LinkError::ActorLoop(Excerpt::of(&delegate)));
        }
        if keys.contains(key.as_bytes()) {
            return Err(LinkError::KeyReused);
        }
        keys.push(*key.as_bytes());
        agents.push(delegate);
        Ok(Self {
            key: *key.as_bytes(),
            signing_input,
            subject: self.subject,
            audiences: link.audiences,
            not_before: link.not_before,
            expires,
            depth,
            max_depth,
            // Though the one is within the other: what is in force is what every token of the chain holds.
            authority: passed_on.meet(&authority),
            keys,
            agents,
        })
    }

    fn check_hash(&self, link: &LinkClaims<'_>) -> Result<(), LinkError> {
        let claimed = link.parent_hash.ok_or(LinkError::ClaimMissing("par_hash"))?;
        constant_time::verify_slices_are_equal(&claimed, &hash_of(self.signing_input))
            .map_err(|_| LinkError::ParentMismatch)
    }

    fn check_depth(&self, link: &LinkClaims<'_>) -> Result<(u64, u64), LinkError> {
        let found = link.depth.ok_or(LinkError::ClaimMissing("del_depth"))?;
        let max_depth = link.max_depth.ok_or(LinkError::ClaimMissing("del_max_depth"))?;
        let expected = self.depth.saturating_add(1);
        if found != expected {
            return Err(LinkError::DepthWrong { expected, found });
        }
        if found > self.max_depth {
            return Err(LinkError::TooDeep { depth: found, limit: self.max_depth });
        }
        if max_depth > self.max_depth {
            return Err(LinkError::MaxDepthWidened { found: max_depth, limit: self.max_depth });
        }
        Ok((found, max_depth))
    }

    /// In whole seconds. Parent and child are compared without tolerance: one clock wrote both claims down.
    fn check_times(&self, link: &LinkClaims<'_>, terms: &Terms<'_>) -> Result<u64, LinkError> {
        let (now, leeway) = (terms.now.secs(), terms.leeway);
        let issued = link.issued.ok_or(LinkError::ClaimMissing("iat"))?;
        let expires = link.expires.ok_or(LinkError::ClaimMissing("exp"))?;
        if self.not_before.is_some_and(|parent| link.not_before.is_none_or(|own| own < parent)) {
            return Err(LinkError::BeginsBeforeParent);
        }
        if expires > self.expires {
            return Err(LinkError::OutlivesParent(expires.saturating_sub(self.expires)));
        }
        if now >= expires.saturating_add(leeway) {
            return Err(LinkError::Expired(now.saturating_sub(expires)));
        }
        let start = link.not_before.unwrap_or_default();
        if now < start.saturating_sub(leeway) {
            return Err(LinkError::NotYetValid(start.saturating_sub(now)));
        }
        if now < issued.saturating_sub(leeway) {
            return Err(LinkError::IssuedInFuture(issued.saturating_sub(now)));
        }
        Ok(expires)
    }

    fn check_audiences(&self, link: &LinkClaims<'_>) -> Result<(), LinkError> {
        if link.audiences.is_empty() {
            return Err(LinkError::ClaimMissing("aud"));
        }
        match link.audiences.iter().find(|audience| !self.audiences.contains(audience)) {
            Some(foreign) => Err(LinkError::AudienceWidened(Excerpt::of(foreign))),
            None => Ok(()),
        }
    }
}

/// What scopes and details grant together. Without either there is nothing, never everything.
pub(super) fn authority_of(
    scopes: Option<ScopeSet>,
    details: Option<&serde_json::Value>,
    known: &DetailTypes,
) -> Result<Authority, LinkError> {
    let by_scope = Authority::of_scopes(scopes.unwrap_or_default());
    let Some(details) = details else { return Ok(by_scope) };
    Ok(by_scope.and(&known.read_strictly(details).map_err(LinkError::Detail)?))
}

/// A claim that must be there, and can be shown and stored.
pub(super) fn text<'c>(claim: Option<&'c str>, name: &'static str) -> Result<&'c str, LinkError> {
    required(claim, name).map_err(|error| match error {
        TokenError::ClaimMissing(name) => LinkError::ClaimMissing(name),
        _ => LinkError::ClaimMalformed(name),
    })
}

pub(super) fn hash_of(signing_input: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, signing_input.as_bytes()).as_ref());
    hash
}

/// What stands in a root, beyond what makes it a good access token.
#[derive(Default)]
pub(super) struct RootClaims<'c> {
    pub(super) subject: Option<Cow<'c, str>>,
    pub(super) audiences: Vec<Cow<'c, str>>,
    pub(super) not_before: Option<u64>,
    pub(super) max_depth: Option<u64>,
}

impl<'c> RootClaims<'c> {
    pub(super) fn read(payload: &'c [u8]) -> Result<Self, JsonError> {
        json::read(payload)
    }
}

impl<'c> Members<'c> for RootClaims<'c> {
    fn member<A: MapAccess<'c>>(&mut self, name: &str, value: Value<'_, 'c, A>) -> Result<(), A::Error> {
        match name {
            "sub" => self.subject = Some(value.text()?),
            "aud" => {
                self.audiences = match value.texts()? {
                    Texts::One(text) => vec![text],
                    Texts::Many(texts) => texts,
                }
            }
            "nbf" => self.not_before = Some(value.seconds()?),
            "del_max_depth" => self.max_depth = Some(value.integer()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scope::{Constraint, Grant};

    const SCOPES: [&str; 5] = ["a", "ab", "b", "b:c", "c"];

    /// Scopes, and what may be paid up to some sum, passed on for ever or so many times.
    fn authorities() -> impl Strategy<Value = Authority> {
        let scopes = proptest::sample::subsequence(SCOPES.to_vec(), 0..=SCOPES.len());
        let grants = proptest::collection::vec((0..3_i64, proptest::option::of(0..4_u32)), 0..3);
        (scopes, grants).prop_map(|(scopes, grants)| {
            let grant = |(fee, depth): (i64, Option<u32>)| {
                let grant = Grant::new("pay").unwrap().argument("fee", Constraint::integers(0..=fee).unwrap()).unwrap();
                depth.map_or(grant.clone(), |depth| grant.depth(depth))
            };
            Authority::new(scopes.join(" ").parse().unwrap(), grants.into_iter().map(grant)).unwrap()
        })
    }

    fn key(number: u64) -> [u8; 32] {
        [u8::try_from(number).unwrap(); 32]
    }

    fn root(authority: Authority) -> Parent<'static> {
        Parent {
            key: key(0),
            signing_input: "root",
            subject: "alice".into(),
            audiences: vec!["https://a.example".into()],
            not_before: None,
            expires: 2000,
            depth: 0,
            max_depth: 8,
            authority,
            keys: SmallVec::from_slice(&[key(0)]),
            agents: vec!["agent 0".into()],
        }
    }

    /// A link below `parent` that is good, but perhaps for its authority.
    fn link(parent: &Parent<'_>, authority: &Authority) -> LinkClaims<'static> {
        let depth = parent.depth + 1;
        LinkClaims {
            issuer: Some(JwkThumbprint::from(parent.key).uri().into()),
            subject: Some("alice".into()),
            delegate: Some(format!("agent {depth}").into()),
            audiences: vec!["https://a.example".into()],
            issued: Some(1000),
            not_before: None,
            expires: Some(2000),
            id: Some("1".into()),
            depth: Some(depth),
            max_depth: Some(8),
            parent_hash: Some(hash_of(parent.signing_input)),
            key: Some(JwkThumbprint::from(key(depth))),
            scopes: Some(authority.scopes().clone()),
            details: Some(authority.to_details()),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        /// Whatever links say: what is in force after each is within all that is above it, and a link that says more is
        /// refused.
        #[test]
        fn authority_never_grows_along_a_chain(
            first in authorities(),
            links in proptest::collection::vec(authorities(), 1..8),
            keeps in proptest::collection::vec(any::<bool>(), 8),
        ) {
            let details = DetailTypes::new();
            let terms = Terms { now: Timestamp::from_secs(1000), leeway: 0, details: &details };
            let mut above = vec![first.clone()];
            let mut parent = root(first);
            for (said, keeps) in links.into_iter().zip(keeps) {
                // Any two have little in common: half of the links say less of what there is.
                let said = if keeps { parent.authority.passed_on().meet(&said) } else { said };
                let may_say = said.is_within(&parent.authority.passed_on());
                let claims = link(&parent, &said);
                match parent.narrowed(claims, "link", &terms, |_| {}) {
                    Ok(next) => {
                        prop_assert!(may_say);
                        prop_assert_eq!(&next.authority, &said);
                        prop_assert!(above.iter().all(|held| next.authority.is_within(held)));
                        above.push(said);
                        parent = next;
                    }
                    Err(error) => {
                        prop_assert_eq!(error.code(), "chain_authority_widened");
                        prop_assert!(!may_say);
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_link_that_says_nothing_of_what_its_parent_holds_holds_nothing() {
        let details = DetailTypes::new();
        let terms = Terms { now: Timestamp::from_secs(1000), leeway: 0, details: &details };
        let parent = root(Authority::of_scopes("a b".parse().unwrap()));
        let mut claims = link(&parent, &Authority::default());
        (claims.scopes, claims.details) = (None, None);
        assert!(parent.narrowed(claims, "link", &terms, |_| {}).unwrap().authority.is_empty());
    }
}
