use std::fmt;

use super::cache::Keepsake;
use super::claims::Confirmation;
use super::issuer::{MAX_LEEWAY, Naming};
use super::profile::Reading;
use super::revocable::Revocable;
use super::status::{Known, StatusPlace};
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId};
use crate::scope::{Authority, ScopeSet};
use crate::state::Revocation;
use crate::time::Timestamp;

/// An access token that has passed every check that needs no connection. Only a
/// [`TokenVerifier`](super::TokenVerifier) makes one.
///
/// It says what its issuer said. Who may do what with it is decided further on.
pub struct VerifiedToken {
    pub(crate) issuer: IssuerId,
    pub(crate) audience: ResourceId,
    pub(crate) reading: Reading,
    /// What its scopes and its `authorization_details` amount to.
    pub(crate) authority: Authority,
    /// Which agents the issuer may name; or, where the token was narrowed, the holder before the last link.
    pub(crate) naming: Naming,
    /// How it was narrowed by its holders, if it was.
    pub(crate) narrowing: Option<Narrowing>,
    pub(crate) confirmation: Confirmation,
    pub(crate) id: Box<str>,
    pub(crate) lifetime: Lifetime,
    /// The grant that it descends from, as its issuer calls it.
    pub(crate) grant: Option<Box<str>>,
    /// `iat`.
    pub(super) issued: Option<Timestamp>,
    pub(super) revocable: Revocable,
    /// Where its status is found, and what is known of it.
    pub(super) status: Option<(StatusPlace, Option<Known>)>,
    /// What is made of the token once, and kept with it.
    pub(crate) keepsake: Keepsake,
    /// The place of its issuer among the trusted ones.
    pub(super) place: usize,
    pub(super) basis: Basis,
}

/// How a token was narrowed since its issuer signed it.
#[derive(Debug)]
pub(crate) struct Narrowing {
    /// In whose name space the agent's name is.
    pub(crate) namer: IssuerId,
    /// By how many links: as many of the earlier actors, the latest first, passed it on.
    pub(crate) links: usize,
    /// The key and the scopes that each of these held.
    pub(crate) held: Vec<([u8; 32], ScopeSet)>,
    /// The identifier of the token that the issuer signed, and the first second at which that one is refused.
    pub(crate) root: (Box<str>, Timestamp),
}

/// What the last link of a chain has made of a token.
#[cfg(feature = "unstable-chain")]
pub(crate) struct Narrowed {
    pub(crate) reading: Reading,
    pub(crate) authority: Authority,
    pub(crate) naming: Naming,
    pub(crate) namer: IssuerId,
    pub(crate) links: usize,
    pub(crate) held: Vec<([u8; 32], ScopeSet)>,
    pub(crate) confirmation: Confirmation,
    pub(crate) id: Box<str>,
    pub(crate) taken_from: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) refused_from: Timestamp,
}

/// On what ground a token was found good, and so for how long that can be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// Its signature is good under the issuer's keys of this generation.
    Keys(u64),
    /// The issuer said so at the one moment, and is believed until the other.
    Answer { since: Timestamp, until: Timestamp },
}

impl VerifiedToken {
    /// In whose name space the agent's name is: the issuer's, unless a holder has passed the token on.
    pub(crate) fn namer(&self) -> &IssuerId {
        self.narrowing.as_ref().map_or(&self.issuer, |narrowing| &narrowing.namer)
    }

    /// This token as its holders have narrowed it. It is good for no longer than this one.
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn narrowed(&self, by: Narrowed) -> Self {
        let Narrowed { namer, links, held, .. } = by;
        Self {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            reading: by.reading,
            authority: by.authority,
            naming: by.naming,
            narrowing: Some(Narrowing { namer, links, held, root: (self.id.clone(), self.lifetime.refused_from) }),
            confirmation: by.confirmation,
            id: by.id,
            lifetime: Lifetime {
                taken_from: self.lifetime.taken_from.max(by.taken_from),
                expires: self.lifetime.expires.min(by.expires),
                refused_from: self.lifetime.refused_from.min(by.refused_from),
            },
            // What its holders make of a token descends from it.
            grant: self.grant.clone().or_else(|| Some(self.id.clone())),
            issued: self.issued,
            revocable: Revocable::default(),
            status: self.status.clone(),
            keepsake: Keepsake::default(),
            place: self.place,
            basis: self.basis,
        }
    }

    /// Who issued it.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerId {
        &self.issuer
    }

    /// The server it is for.
    #[must_use]
    pub const fn audience(&self) -> &ResourceId {
        &self.audience
    }

    /// Whose authority it carries. Who may act with it depends on who presents it: see
    /// [`AgentAuth::authenticate`](crate::AgentAuth::authenticate).
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        &self.reading.principal
    }

    /// What its scopes and its `authorization_details` amount to.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The agent that its issuer says acts with it.
    pub(crate) const fn actor(&self) -> &AgentId {
        &self.reading.actor
    }

    /// The grant that it descends from (`grant_id`), as its issuer calls it.
    #[must_use]
    pub fn grant_id(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    /// What revokes it, until no server takes it any more, whatever leeway it allows for.
    #[must_use]
    pub fn revocation(&self) -> Revocation {
        Revocation::token(self.issuer.clone(), &self.id, self.lifetime.expires.plus(MAX_LEEWAY))
    }

    /// When it ends (`exp`).
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.lifetime.expires
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("reading", &self.reading)
            .finish_non_exhaustive()
    }
}

/// When a token begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The first second at which it is taken here: the later of `nbf` and `iat`, less the issuer's leeway.
    pub(super) taken_from: Timestamp,
    /// `exp`.
    pub(crate) expires: Timestamp,
    /// The first second at which it is refused here: `exp` and the issuer's leeway.
    pub(crate) refused_from: Timestamp,
}

impl Lifetime {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        now.secs() >= self.taken_from.secs() && now.secs() < self.refused_from.secs()
    }
}
