//! From a root and its links to a token that holds no more than each of them.

use std::borrow::Cow;

use aws_lc_rs::constant_time;
use smallvec::SmallVec;

use super::parent::{Parent, RootClaims, Terms};
use super::presented::Presented;
use super::{
    ChainConfigError, ChainError, ChainExplanation, ChainProfile, ChainRule, ChainSettings, LinkClaims, LinkError,
};
use crate::identity::{AgentId, IssuerId, PrincipalId};
use crate::jose::{JoseError, JwkThumbprint, SelfSignedJws, base64url};
use crate::scope::Authority;
use crate::text::Excerpt;
use crate::time::Timestamp;
use crate::token::{Confirmation, Mode, Naming, Narrowed, Reading, TokenError, TokenVerifier, VerifiedToken};

/// Verifies chains: a root that some issuer has signed, and links by which its holders have narrowed it.
#[derive(Debug, Clone)]
pub struct ChainVerifier {
    settings: ChainSettings,
}

/// A chain that has passed every check that needs no connection: its root, each link, and that each is narrower than
/// the one before.
///
/// That says what the presenter may do at most, if it is the one that the leaf is bound to. Whether it is, its proof of
/// possession says; whether what it wants is permitted, the engine.
#[derive(Debug)]
pub struct VerifiedChain {
    token: VerifiedToken,
    key: [u8; 32],
}

impl VerifiedChain {
    /// The principal, as the issuer of the root named it.
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        self.token.principal()
    }

    /// The agent that the leaf is for, as the holder before it named it.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        self.token.reading.agent()
    }

    /// The agents before it, the most recent first: for explanations, never a ground for a decision.
    #[must_use]
    pub fn earlier_agents(&self) -> &[AgentId] {
        &self.token.reading.earlier
    }

    /// What every token of the chain holds.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        self.token.authority()
    }

    /// When the leaf ends.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.token.expires()
    }

    /// How many links there are below the root.
    #[must_use]
    pub fn links(&self) -> usize {
        self.token.narrowing.as_ref().map_or(0, |narrowing| narrowing.links)
    }

    /// The RFC 7638 thumbprint of the key that the presenter must prove to hold.
    #[must_use]
    pub const fn dpop_key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(crate) fn into_token(self) -> VerifiedToken {
        self.token
    }
}

impl ChainVerifier {
    /// A verifier of chains.
    ///
    /// # Errors
    /// [`ChainConfigError`].
    pub fn new(settings: ChainSettings) -> Result<Self, ChainConfigError> {
        settings.check()?;
        Ok(Self { settings })
    }

    /// Verifies the chain of `ancestors`, as a header carries them, and `leaf`, at the time `now`: the root as `tokens`
    /// verify every token, then each link below it. A root that `tokens` know already is not verified again.
    ///
    /// # Errors
    /// Each rule has its own [`ChainError`]; the first that fails decides.
    pub fn verify(
        &self,
        tokens: &TokenVerifier,
        ancestors: &str,
        leaf: &str,
        now: Timestamp,
    ) -> Result<VerifiedChain, ChainError> {
        let presented = self.take_apart(ancestors, leaf)?;
        let root = tokens.verify_cached(presented.root, now).map_err(ChainError::Root)?;
        self.follow(tokens, &root, &presented, now)
    }

    /// Verifies as [`ChainVerifier::verify`] does, and says how far it got.
    #[must_use]
    pub fn explain(&self, tokens: &TokenVerifier, ancestors: &str, leaf: &str, now: Timestamp) -> ChainExplanation {
        let mut last = (0, ChainRule::Size);
        let mut links = 1;
        let verified = self.take_apart(ancestors, leaf).and_then(|presented| {
            links = presented.links.len();
            last.1 = ChainRule::Root;
            let root = tokens.verify_cached(presented.root, now).map_err(ChainError::Root)?;
            self.walk(tokens, &root, &presented, now, |at, rule| last = (at, rule))
        });
        ChainExplanation::of(links, last, verified.err().as_ref())
    }

    /// The settings.
    pub const fn settings(&self) -> &ChainSettings {
        &self.settings
    }

    /// The first step: is it of a size that is looked at?
    pub(crate) fn take_apart<'t>(&self, ancestors: &'t str, leaf: &'t str) -> Result<Presented<'t>, ChainError> {
        Presented::parse(ancestors, leaf, self.settings.max_links)
    }

    /// Verifies the links below a root that `tokens` have verified.
    pub(crate) fn follow(
        &self,
        tokens: &TokenVerifier,
        root: &VerifiedToken,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<VerifiedChain, ChainError> {
        self.walk(tokens, root, presented, now, |_, _| {})
    }

    fn walk(
        &self,
        tokens: &TokenVerifier,
        root: &VerifiedToken,
        presented: &Presented<'_>,
        now: Timestamp,
        mut reached: impl FnMut(usize, ChainRule),
    ) -> Result<VerifiedChain, ChainError> {
        reached(0, ChainRule::Binding);
        let root_agent = agent_of_root(root)?;
        // Its form has been checked with its signature.
        let (signing_input, _) = presented.root.rsplit_once('.').ok_or(ChainError::HeaderMalformed)?;
        let (_, root_payload) = signing_input.split_once('.').ok_or(ChainError::HeaderMalformed)?;
        let root_payload = base64url::decode(root_payload).map_err(|_| ChainError::HeaderMalformed)?;
        let mut payloads = room_for(&presented.links);
        let mut parent = self.parent_of_links(root, signing_input, &root_payload, presented.links.len())?;
        let (audience, leeway) = tokens.terms_of(root);
        let terms = Terms { now, leeway, details: &self.settings.details };
        let mut taken_from = 0;
        let mut held = Vec::with_capacity(presented.links.len());
        let mut id = String::new();

        let mut room = payloads.as_mut_slice();
        for (at, link) in (1..).zip(&presented.links) {
            let fault = |fault| ChainError::Link { at, fault };
            let opened = open(&*self.settings.profile, link, &mut room, &parent.key, |rule| reached(at, rule));
            let (jws, claims) = opened.map_err(fault)?;
            if at == presented.links.len() {
                // Unique to the key that made it: holders choose their identifiers.
                id = format!("{}.{}", jws.thumbprint(), claims.id.as_deref().unwrap_or_default());
            }
            held.push((parent.key, parent.authority.scopes().clone()));
            taken_from = taken_from.max(claims.issued.max(claims.not_before).unwrap_or_default());
            let narrower = parent.narrowed(claims, jws.signing_input(), &terms, |rule| reached(at, rule));
            parent = narrower.map_err(fault)?;
        }
        reached(presented.links.len(), ChainRule::Leaf);
        check_leaf(&parent, audience)?;

        let (agent, namer, mut earlier) = self.agents_below(root, &parent)?;
        earlier.push(root_agent);
        earlier.extend(root.reading.earlier.iter().cloned());
        held.reverse();
        let key = parent.key;
        let token = root.narrowed(Narrowed {
            reading: reading_below(root, agent, earlier),
            authority: parent.authority,
            naming: self.settings.naming.clone(),
            namer,
            links: presented.links.len(),
            held,
            confirmation: Confirmation::Key(key),
            id: id.into(),
            taken_from: Timestamp::from_secs(taken_from.saturating_sub(leeway)),
            expires: Timestamp::from_secs(parent.expires),
            refused_from: Timestamp::from_secs(parent.expires.saturating_add(leeway)),
        });
        Ok(VerifiedChain { token, key })
    }

    /// What the first link must be narrower than. The bytes of the root are those that its issuer has signed.
    fn parent_of_links<'c>(
        &self,
        root: &'c VerifiedToken,
        signing_input: &'c str,
        payload: &'c [u8],
        links: usize,
    ) -> Result<Parent<'c>, ChainError> {
        let Confirmation::Key(key) = root.confirmation else { return Err(ChainError::RootNotBound) };
        let claims = RootClaims::read(payload).map_err(|error| of_root(JoseError::Claims(error)))?;
        let subject = claims.subject.ok_or(ChainError::Root(TokenError::ClaimMissing("sub")))?;
        // How many links there are at most has been checked already.
        let unsaid = if self.settings.roots_must_allow { 0 } else { u64::MAX };
        let of_root = std::iter::once(&root.reading.actor).chain(&root.reading.earlier);
        let mut agents = Vec::with_capacity(1 + root.reading.earlier.len() + links);
        agents.extend(of_root.map(|agent| Cow::Borrowed(agent.name())));
        Ok(Parent {
            key,
            signing_input,
            subject,
            audiences: claims.audiences,
            not_before: claims.not_before,
            expires: root.lifetime.expires.secs(),
            depth: 0,
            max_depth: claims.max_depth.unwrap_or(unsaid),
            authority: root.authority.clone(),
            keys: SmallVec::from_slice(&[key]),
            agents,
        })
    }

    /// The agent of the leaf, in whose name space its name is, and the agents of the links before it, the latest first.
    fn agents_below(
        &self,
        root: &VerifiedToken,
        leaf: &Parent<'_>,
    ) -> Result<(AgentId, IssuerId, Vec<AgentId>), ChainError> {
        let of_root = root.reading.earlier.len().saturating_add(1);
        // The holder of the key before a link has named its delegate.
        let named = leaf.agents.iter().skip(of_root).zip(&leaf.keys).rev();
        let mut named = named.map(|(name, key)| (name, IssuerId::of_key(&JwkThumbprint::from(*key))));
        let (name, namer) = named.next().ok_or(ChainError::HeaderMalformed)?;
        let believes = !matches!(self.settings.naming, Naming::Nobody);
        let earlier = named.map(|(name, namer)| match believes.then(|| AgentId::named_by(&namer, name)) {
            Some(agent) if self.settings.naming.allows(&agent, &namer) => agent,
            _ => AgentId::Named { issuer: namer, name: (&**name).into() },
        });
        // What the leaf's agent may be called depends on the connection, too.
        Ok((AgentId::named_by(&namer, name), namer.clone(), earlier.collect()))
    }
}

/// Room for the payloads of `links`: three bytes for four characters, and what the decoder wants beyond.
pub(super) fn room_for(links: &[&str]) -> Vec<u8> {
    vec![0; links.iter().map(|link| link.len() / 4 * 3 + 3).sum()]
}

/// A link whose form and signature are good, and what it says: in the beginning of `room`, of which the rest is left.
pub(super) fn open<'t: 'c, 'c>(
    profile: &dyn ChainProfile,
    link: &'t str,
    room: &mut &'c mut [u8],
    parents_key: &[u8; 32],
    mut reached: impl FnMut(ChainRule),
) -> Result<(SelfSignedJws<'t>, LinkClaims<'c>), LinkError> {
    reached(ChainRule::Form);
    let jws = SelfSignedJws::parse(link)?;
    let (own, rest) = std::mem::take(room).split_at_mut_checked(jws.payload_room()).unwrap_or_default();
    *room = rest;
    let payload = jws.unverified_payload_in(own).map_err(LinkError::Form)?;
    reached(ChainRule::Type);
    let (expected, found) = (profile.token_type(), jws.token_type());
    if found != expected {
        return Err(LinkError::TypeWrong { expected, found });
    }
    reached(ChainRule::Claims);
    let claims = profile.read(payload)?;
    reached(ChainRule::Key);
    // A key in a header counts only if the parent names it.
    constant_time::verify_slices_are_equal(jws.thumbprint().as_bytes(), parents_key)
        .map_err(|_| LinkError::KeyBorrowed)?;
    reached(ChainRule::Signature);
    jws.verify().map_err(|_| LinkError::Signature)?;
    Ok((jws, claims))
}

/// Whom the root names. Here no connection could prove it.
fn agent_of_root(root: &VerifiedToken) -> Result<AgentId, ChainError> {
    let agent = &root.reading.actor;
    match agent {
        _ if root.naming.allows(agent, &root.issuer) => Ok(agent.clone()),
        AgentId::Spiffe(id) if root.reading.actor_is_client => {
            Ok(AgentId::Named { issuer: root.issuer.clone(), name: id.as_str().into() })
        }
        _ => Err(ChainError::RootAgentUntrusted(agent.clone())),
    }
}

/// A link makes nothing of a token that its issuer did not say: only what a client may do for itself, it can have
/// others do on its behalf.
fn reading_below(root: &VerifiedToken, agent: AgentId, earlier: Vec<AgentId>) -> Reading {
    let mode = if root.reading.mode == Mode::Autonomous { Mode::OnBehalfOf } else { root.reading.mode };
    Reading { earlier, ..Reading::client_only(root.reading.principal.clone(), agent).in_mode(mode) }
}

fn check_leaf(leaf: &Parent<'_>, this_server: &str) -> Result<(), ChainError> {
    match leaf.audiences.as_slice() {
        [one] if one == this_server => Ok(()),
        several if several.iter().any(|audience| audience == this_server) => {
            Err(ChainError::AudienceShared(several.len()))
        }
        others => Err(ChainError::AudienceWrong(Excerpt::of(others.first().map_or("", |audience| audience)))),
    }
}

fn of_root(error: JoseError) -> ChainError {
    ChainError::Root(TokenError::Jose(error))
}
