//! A chain in the hands of its holder.

use std::borrow::Cow;
use std::fmt;

use http::HeaderValue;
use serde::de::MapAccess;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::parent::{Parent, RootClaims, Terms};
use super::presented::{Presented, SEPARATOR};
use super::verify::{open, room_for};
use super::{Attenuation, AttenuationError, ChainError, ChainSettings, HARD_MAX_LINKS};
use crate::identity::AgentId;
use crate::jose::json::{self, MAX_DEPTH, Members, Texts, Value};
use crate::jose::{CompactJws, JoseError, JwkThumbprint, MAX_TOKEN_BYTES, SigningKey, TokenType};
use crate::scope::{Authority, DetailTypes, MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH, ScopeSet};
use crate::text::Secret;
use crate::time::Timestamp;
use crate::token::TokenError;

/// A token and the links by which it was narrowed, in the hands of the agent that the last one is for. Its `Debug` does
/// not show any of them.
///
/// The issuer of the root is not known here, and the root's signature is not checked: that is for the server.
#[derive(Clone)]
pub struct Chain {
    /// Root first, joined as in the header; the leaf is the last.
    text: Secret,
    settings: ChainSettings,
}

impl Chain {
    /// An access token, or a chain that a holder before has given to this agent with [`Chain::reveal`].
    ///
    /// # Errors
    /// [`ChainError`] for a text that has not the form of a chain of at most 16 links.
    pub fn read(text: &str) -> Result<Self, ChainError> {
        Self::read_with(text, ChainSettings::new().max_links(HARD_MAX_LINKS))
    }

    /// As [`Chain::read`], with links and details as `settings` have them.
    ///
    /// # Errors
    /// As [`Chain::read`].
    pub fn read_with(text: &str, settings: ChainSettings) -> Result<Self, ChainError> {
        let chain = Self { text: Secret::new(text), settings };
        match chain.parts() {
            (Some(ancestors), leaf) => drop(Presented::parse(ancestors, leaf, chain.settings.max_links)?),
            (None, root) => drop(CompactJws::parse(root).map_err(of_root)?),
        }
        Ok(chain)
    }

    /// The whole chain, to be given to the agent that its last link is for, and to nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.text.reveal()
    }

    /// The token to present: the last link, or the root where there is none.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.parts().1
    }

    /// The tokens above the leaf, for the header; none above a root.
    #[must_use]
    pub fn ancestors(&self) -> Option<String> {
        self.parts().0.map(str::to_owned)
    }

    /// The value of the header that carries the ancestors, marked as sensitive. The leaf goes into `Authorization`, with
    /// the `DPoP` scheme and a proof over it.
    #[must_use]
    pub fn to_header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.parts().0?).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// How many links there are below the root.
    #[must_use]
    pub fn links(&self) -> usize {
        self.reveal().split(SEPARATOR).count().saturating_sub(1)
    }

    /// Begins a link: the holder of `key`, which the leaf is bound to, passes part of what it may do on to `agent`, which
    /// holds the key with this thumbprint.
    pub fn attenuate<'a>(
        &'a self,
        key: &'a SigningKey,
        agent: &'a AgentId,
        agents_key: JwkThumbprint,
    ) -> Attenuation<'a> {
        Attenuation::new(self, key, agent, agents_key)
    }

    pub(super) const fn settings(&self) -> &ChainSettings {
        &self.settings
    }

    /// This chain, and one more link.
    pub(super) fn followed_by(&self, link: &str) -> Self {
        let text = Secret::new(format!("{}{SEPARATOR}{link}", self.reveal()));
        Self { text, settings: self.settings.clone() }
    }

    /// What the next link must be narrower than, given to `then`.
    pub(super) fn with_tip<T>(
        &self,
        now: Timestamp,
        then: impl FnOnce(Parent<'_>) -> Result<T, AttenuationError>,
    ) -> Result<T, AttenuationError> {
        let terms = Terms { now, leeway: 0, details: &self.settings.details };
        let mut parts = self.reveal().split(SEPARATOR);
        let jws = CompactJws::parse(parts.next().unwrap_or_default()).map_err(of_root)?;
        let payload = jws.unverified_payload().map_err(of_root)?;
        let links: SmallVec<[&str; 8]> = parts.collect();
        let mut payloads = room_for(&links);
        let mut tip = held_root(&jws, &payload, &self.settings.details)?;
        let mut room = payloads.as_mut_slice();
        for (at, link) in (1..).zip(&links) {
            let fault = |fault| ChainError::Link { at, fault };
            let (jws, claims) = open(&*self.settings.profile, link, &mut room, &tip.key, |_| {}).map_err(fault)?;
            tip = tip.narrowed(claims, jws.signing_input(), &terms, |_| {}).map_err(fault)?;
        }
        then(tip)
    }

    fn parts(&self) -> (Option<&str>, &str) {
        let text = self.reveal();
        text.rsplit_once(SEPARATOR).map_or((None, text), |(ancestors, leaf)| (Some(ancestors), leaf))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("links", &self.links()).finish_non_exhaustive()
    }
}

/// A root as its holder reads it, by the claims of RFC 9068. An issuer that writes scopes elsewhere grants nothing here
/// that could be passed on.
fn held_root<'c>(jws: &CompactJws<'c>, payload: &'c [u8], details: &DetailTypes) -> Result<Parent<'c>, ChainError> {
    if jws.token_type() == TokenType::AgentDelegation {
        let (expected, found) = (TokenType::AccessToken, TokenType::AgentDelegation);
        return Err(of_root(JoseError::WrongType { expected, found }));
    }
    let missing = |name| ChainError::Root(TokenError::ClaimMissing(name));
    let mut claims = HeldClaims::default();
    json::read_into(payload, &mut claims).map_err(|error| of_root(JoseError::Claims(error)))?;
    let scopes = claims.scopes.as_slice().join(" ").parse::<ScopeSet>();
    let scopes = scopes.map_err(|error| ChainError::Root(TokenError::Scope(error)))?;
    // What is not understood of a root grants nothing, as at a server.
    let by_detail = claims.details.as_ref().map(|read| details.read(read)).unwrap_or_default();
    let key =
        claims.key.as_deref().and_then(|jkt| jkt.parse::<JwkThumbprint>().ok()).ok_or(ChainError::RootNotBound)?;
    let root = claims.root;
    Ok(Parent {
        key: *key.as_bytes(),
        signing_input: jws.signing_input(),
        subject: root.subject.ok_or(missing("sub"))?,
        audiences: root.audiences,
        not_before: root.not_before,
        expires: claims.expires.ok_or(missing("exp"))?,
        depth: 0,
        max_depth: root.max_depth.unwrap_or(u64::MAX),
        authority: Authority::of_scopes(scopes).and(&by_detail),
        keys: SmallVec::from_slice(&[*key.as_bytes()]),
        agents: claims.agents.into_iter().map(Cow::Owned).collect(),
    })
}

fn of_root(error: JoseError) -> ChainError {
    ChainError::Root(TokenError::Jose(error))
}

#[derive(Default)]
struct HeldClaims<'c> {
    root: RootClaims<'c>,
    expires: Option<u64>,
    scopes: Texts<'c>,
    details: Option<Json>,
    key: Option<String>,
    agents: Vec<String>,
}

impl<'c> Members<'c> for HeldClaims<'c> {
    fn member<A: MapAccess<'c>>(&mut self, name: &str, value: Value<'_, 'c, A>) -> Result<(), A::Error> {
        match name {
            "exp" => self.expires = Some(value.seconds()?),
            "scope" => self.scopes = value.texts()?,
            "authorization_details" => self.details = Some(value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?),
            "cnf" => {
                self.key = value.tree(MAX_TOKEN_BYTES, MAX_DEPTH)?.get("jkt").and_then(Json::as_str).map(str::to_owned);
            }
            "client_id" => self.agents.push(value.text()?.into_owned()),
            "act" => {
                let act = value.tree(MAX_TOKEN_BYTES, MAX_DEPTH)?;
                let mut actor = Some(&act);
                while let Some(object) = actor {
                    self.agents.extend(object.get("sub").and_then(Json::as_str).map(str::to_owned));
                    actor = object.get("act");
                }
            }
            _ => self.root.member(name, value)?,
        }
        Ok(())
    }
}
