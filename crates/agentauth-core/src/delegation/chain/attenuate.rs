use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use super::parent::{Parent, Terms, hash_of};
use super::{AttenuationError, Chain, ChainError, LinkClaims};
use crate::identity::{AgentId, ResourceId};
use crate::jose::{JwkThumbprint, SigningKey};
use crate::random::{Random, unique_id};
use crate::scope::{Authority, ScopeSet};
use crate::time::Timestamp;

/// A link should not outlive the task it is for: nobody can take it back.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// A link that is being made: see [`Chain::attenuate`].
///
/// Unless said otherwise it is for the server of its parent, lasts 5 minutes or as long as its parent if that is less, and
/// may not be passed on. What it holds must be said.
#[derive(Clone)]
#[must_use]
pub struct Attenuation<'a> {
    chain: &'a Chain,
    key: &'a SigningKey,
    agent: &'a AgentId,
    agents_key: JwkThumbprint,
    audience: Option<ResourceId>,
    authority: Authority,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
    hops: u64,
}

impl<'a> Attenuation<'a> {
    pub(super) fn new(chain: &'a Chain, key: &'a SigningKey, agent: &'a AgentId, agents_key: JwkThumbprint) -> Self {
        Self {
            chain,
            key,
            agent,
            agents_key,
            audience: None,
            authority: Authority::default(),
            not_before: None,
            expires: None,
            hops: 0,
        }
    }

    /// The one server that the link is for, which must be one that its parent is for.
    pub fn audience(mut self, audience: ResourceId) -> Self {
        self.audience = Some(audience);
        self
    }

    /// Passes these scopes on, and nothing else.
    pub fn scopes(self, scopes: ScopeSet) -> Self {
        self.authority(Authority::of_scopes(scopes))
    }

    /// Passes this authority on, and nothing else.
    pub fn authority(mut self, authority: Authority) -> Self {
        self.authority = authority;
        self
    }

    /// When the link begins: at once unless set.
    pub const fn not_before(mut self, moment: Timestamp) -> Self {
        self.not_before = Some(moment);
        self
    }

    /// When the link ends.
    pub const fn expires(mut self, moment: Timestamp) -> Self {
        self.expires = Some(moment);
        self
    }

    /// Lets the agent pass it on in turn, and `hops` links stand below this one.
    pub const fn may_be_passed_on(mut self, hops: u64) -> Self {
        self.hops = hops;
        self
    }

    /// Makes the link at the time `now`, and answers with the longer chain.
    ///
    /// # Errors
    /// [`AttenuationError`]; what a server would refuse of the link is refused here, by the same rules.
    pub fn sign(&self, now: Timestamp, random: &dyn Random) -> Result<Chain, AttenuationError> {
        if self.authority.is_empty() {
            return Err(AttenuationError::Empty);
        }
        let (found, limit) = (self.chain.links().saturating_add(1), self.chain.settings().max_links);
        if found > limit {
            return Err(ChainError::TooManyLinks { found, limit }.into());
        }
        let id = unique_id(random).map_err(|_| AttenuationError::Unavailable)?;
        self.chain.with_tip(now, |parent| {
            if self.key.key_id() != JwkThumbprint::from(parent.key).to_string() {
                return Err(AttenuationError::KeyNotHeld);
            }
            let claims = self.claims(&parent, &id, now)?;
            let profile = &*self.chain.settings().profile;
            let payload = profile.write(&claims);
            let terms = Terms { now, leeway: 0, details: &self.chain.settings().details };
            // As a server will read it.
            let read = profile.read(&payload).map_err(AttenuationError::Link)?;
            let signing_input = parent.signing_input;
            drop(parent.narrowed(read, signing_input, &terms, |_| {}).map_err(AttenuationError::Link)?);
            let typ = profile.token_type().name().ok_or(AttenuationError::Unavailable)?;
            let link = self.key.sign_showing_key(typ, &payload).map_err(|_| AttenuationError::Unavailable)?;
            Ok(self.chain.followed_by(&link))
        })
    }

    fn claims<'c>(
        &'c self,
        parent: &Parent<'c>,
        id: &'c str,
        now: Timestamp,
    ) -> Result<LinkClaims<'c>, AttenuationError> {
        let audience = match (&self.audience, parent.audiences.as_slice()) {
            (Some(audience), _) => Cow::Borrowed(audience.as_str()),
            (None, [one]) => one.clone(),
            (None, _) => return Err(AttenuationError::AudienceUnsaid),
        };
        let details = Some(self.authority.to_details()).filter(|details| *details != Json::Array(Vec::new()));
        let depth = parent.depth.saturating_add(1);
        Ok(LinkClaims {
            issuer: Some(JwkThumbprint::from(parent.key).uri().into()),
            subject: Some(parent.subject.clone()),
            delegate: Some(self.agent.name().into()),
            audiences: vec![audience],
            issued: Some(now.secs()),
            not_before: self.not_before.map(Timestamp::secs).max(parent.not_before),
            expires: Some(
                self.expires.map_or_else(|| now.plus(DEFAULT_LIFETIME).secs().min(parent.expires), Timestamp::secs),
            ),
            id: Some(id.into()),
            depth: Some(depth),
            max_depth: Some(depth.saturating_add(self.hops)),
            parent_hash: Some(hash_of(parent.signing_input)),
            key: Some(self.agents_key),
            scopes: Some(self.authority.scopes().clone()),
            details,
        })
    }
}

impl fmt::Debug for Attenuation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attenuation")
            .field("agent", &self.agent)
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
