use std::fmt;

use super::cache::Keepsake;
use super::claims::Confirmation;
use super::issuer::Naming;
use super::profile::Reading;
use crate::identity::{IssuerId, PrincipalId, ResourceId};
use crate::scope::Authority;
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
    /// Which agents the issuer may name.
    pub(crate) naming: Naming,
    pub(crate) confirmation: Confirmation,
    pub(crate) id: Box<str>,
    pub(crate) lifetime: Lifetime,
    /// What is made of the token once, and kept with it.
    pub(crate) keepsake: Keepsake,
    /// The place of its issuer among the trusted ones.
    pub(super) place: usize,
    pub(super) basis: Basis,
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
