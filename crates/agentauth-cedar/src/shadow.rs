//! What policies in shadow mode would change: each by itself, as if it were in force beside those that are.

use std::collections::BTreeSet;

use agentauth_core::Decision;
use agentauth_core::policy::{Effect, WouldFlip};
use cedar_policy::{Effect as CedarEffect, Entities, EntityUid, Request, Schema};

use crate::index::{Index, Loaded};

/// The policies in shadow mode: those that permit and those that forbid apart, since Cedar does not say what permits where
/// something forbids.
#[derive(Debug)]
pub(crate) struct Shadow {
    permits: Index,
    forbids: Index,
}

/// Whose identity a request is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Agents,
    /// Of whom only counts what denies.
    Others,
}

/// What they say of one request.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal<'p> {
    permits: BTreeSet<&'p str>,
    /// Those that forbid, or could not be evaluated, whoever the caller is taken to be.
    denies: BTreeSet<&'p str>,
}

impl Shadow {
    pub(crate) fn new(loaded: impl IntoIterator<Item = Loaded>, schema: &Schema) -> Self {
        let permits = |one: &Loaded| one.policy.effect() == CedarEffect::Permit;
        let (permits, forbids): (Vec<_>, Vec<_>) = loaded.into_iter().partition(permits);
        Self { permits: Index::new(permits, schema), forbids: Index::new(forbids, schema) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.permits.is_empty() && self.forbids.is_empty()
    }

    /// Asks them too. What permits counts only of the agent itself.
    pub(crate) fn rehearse<'p>(
        &'p self,
        asked: &Request,
        agent: &EntityUid,
        entities: &Entities,
        whose: Whose,
        rehearsal: &mut Rehearsal<'p>,
    ) {
        for index in [&self.permits, &self.forbids] {
            if index.is_empty() {
                continue;
            }
            let verdict = index.evaluate(asked, agent, entities);
            if whose == Whose::Agents {
                rehearsal.permits.extend(verdict.permits.iter().map(|one| one.name()));
            }
            rehearsal.denies.extend(verdict.forbids.iter().map(|one| one.name()));
            rehearsal.denies.extend(verdict.errors.iter().map(|(one, _)| one.name()));
        }
    }
}

impl Rehearsal<'_> {
    /// Says which of them would have made `decision` another. One that permits can do so only where nothing forbids:
    /// `for_want_of_a_permit`.
    pub(crate) fn tell(self, decision: Decision, for_want_of_a_permit: bool) -> Decision {
        let flips: Vec<WouldFlip> = match decision.effect() {
            Effect::Allow => self.denies.iter().map(|id| WouldFlip::new(*id, Effect::Deny)).collect(),
            Effect::Deny if for_want_of_a_permit => {
                self.permits.difference(&self.denies).map(|id| WouldFlip::new(*id, Effect::Allow)).collect()
            }
            Effect::Deny => Vec::new(),
        };
        flips.into_iter().fold(decision, Decision::with_flip)
    }
}
