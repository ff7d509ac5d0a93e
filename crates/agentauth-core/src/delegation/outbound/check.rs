//! Whether a token that was asked for may travel. The token service is not trusted to have answered what was asked
//! (Keycloak grants more, for one): what comes back is compared with it.

use super::glance::Glance;
use super::hop::NextHop;
use super::{AnswerError, Holder};
use crate::binding::Binding;
use crate::delegation::IssuedToken;
use crate::scope::{Authority, DetailTypes, ScopeImplications, ScopeSet};
use crate::text::{Excerpt, Secret};
use crate::time::Timestamp;

/// What a new token is compared with.
pub(super) struct Limits<'a> {
    pub(super) subject: &'a Secret,
    pub(super) hop: &'a NextHop,
    /// What the token service calls the audience.
    pub(super) audience: &'a str,
    /// What was delegated to the caller, as far as it may be passed on. None where the agent delegates what it was given itself.
    pub(super) held: Option<&'a Authority>,
    pub(super) implications: &'a ScopeImplications,
    pub(super) types: &'a DetailTypes,
    pub(super) holder: &'a Holder,
    pub(super) requires_binding: bool,
}

/// What a token that may travel is worth.
pub(super) struct Checked {
    pub(super) authority: Authority,
    pub(super) binding: Binding,
    pub(super) expires: Timestamp,
}

impl Limits<'_> {
    /// Checks a token in this order: another token than before; an access token; for this audience alone; still good; bound
    /// to this agent's key; no wider than asked; no wider than what the caller holds.
    pub(super) fn check(&self, issued: &IssuedToken, now: Timestamp) -> Result<Checked, AnswerError> {
        // Padding makes no other token.
        if issued.token().trim_end_matches('=') == self.subject.reveal().trim_end_matches('=') {
            return Err(AnswerError::NotExchanged);
        }
        let glance = Glance::of(issued.token())?;
        let mut expires = issued.expires();
        let mut authority = issued.authority().clone();
        let mut binding = match self.holder {
            Holder::Dpop(_) => Binding::Dpop,
            _ => Binding::Bearer,
        };
        if let Some(glance) = &glance {
            if !glance.may_be_access_token() {
                return Err(AnswerError::WrongKind);
            }
            self.check_audience(&glance.audiences)?;
            binding = glance.binding(self.holder)?;
            if let Some(ends) = glance.expires {
                if now.secs() >= ends.secs() {
                    return Err(AnswerError::Expired);
                }
                // Where the answer does not say how long, the token does.
                expires = if issued.expires_in() == 0 { ends } else { expires.min(ends) };
            }
            let details = glance.details.as_ref().map(|details| self.types.read_strictly(details));
            let details = details.transpose().map_err(|_| AnswerError::DetailsWidened)?;
            if glance.scopes.is_some() || details.is_some() {
                let said = Authority::of_scopes(glance.scopes.clone().unwrap_or_default());
                let said = details.iter().fold(said, Authority::and);
                self.check_authority(&said)?;
                authority = authority.meet(&said);
            }
        }
        if self.requires_binding && binding == Binding::Bearer {
            return Err(AnswerError::WrongBinding);
        }
        self.check_authority(issued.authority())?;
        Ok(Checked { authority, binding, expires })
    }

    fn check_audience(&self, found: &[Box<str>]) -> Result<(), AnswerError> {
        match found {
            [only] if **only == *self.audience => Ok(()),
            _ => Err(AnswerError::WrongAudience {
                asked: Excerpt::of(self.audience),
                found: Excerpt::of(&format!("{found:?}")),
            }),
        }
    }

    fn check_authority(&self, granted: &Authority) -> Result<(), AnswerError> {
        let asked = self.hop.authority();
        if !granted.scopes().is_subset_of(asked.scopes()) {
            let (asked, granted) = (asked.scopes().clone(), granted.scopes().clone());
            return Err(AnswerError::Widened { asked, granted });
        }
        if !granted.is_within(asked) {
            return Err(AnswerError::DetailsWidened);
        }
        let Some(held) = self.held else { return Ok(()) };
        let is_implied = self.implications.covers(held.scopes(), granted.scopes());
        let implied = if is_implied { granted.scopes().clone() } else { ScopeSet::none() };
        if granted.is_within(&Authority::of_scopes(implied).and(held)) {
            return Ok(());
        }
        Err(AnswerError::BeyondCaller { held: held.scopes().clone(), granted: granted.scopes().clone() })
    }
}
