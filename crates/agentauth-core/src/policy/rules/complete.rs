//! A rule with all its parts, and whether they match.

use std::collections::BTreeMap;
use std::fmt;

use crate::delegation::Mode;
use crate::policy::{
    Agents, Arguments, CallerFacts, Decision, Effect, Limit, Obligation, Principals, Reason, ReasonKind, Resource,
    Resources,
};
use crate::text::Excerpt;

#[derive(Debug)]
pub(super) struct CompleteRule {
    pub(super) id: Box<str>,
    pub(super) effect: Effect,
    pub(super) agents: Agents,
    pub(super) principals: Principals,
    /// At least one.
    pub(super) actions: Vec<Box<str>>,
    pub(super) resources: Resources,
    pub(super) arguments: BTreeMap<Box<str>, Limit>,
    pub(super) any_arguments: bool,
    pub(super) also_in: Vec<Mode>,
    pub(super) conditions: Vec<Obligation>,
    pub(super) telling: Option<Box<str>>,
    pub(super) shadow: bool,
}

/// Why a rule does not allow an action with such arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused<'r> {
    Outside(&'r str, &'r Limit),
    Unforeseen(&'r str),
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(name, limit) => write!(f, "argument `{name}` is not {limit}"),
            Self::Unforeseen(name) => write!(f, "argument `{}` is not foreseen", Excerpt::of(name)),
        }
    }
}

impl CompleteRule {
    pub(super) fn allows(&self) -> Decision {
        self.on_its_terms(Decision::allow(self.reason()))
    }

    /// Beside another rule, which has conditions.
    pub(super) fn also_allows(&self, decision: Decision) -> Decision {
        self.on_its_terms(decision.because(self.reason()))
    }

    fn on_its_terms(&self, decision: Decision) -> Decision {
        self.conditions.iter().cloned().fold(decision, Decision::on_condition_of)
    }

    fn reason(&self) -> Reason {
        let approval = |condition: &Obligation| matches!(condition, Obligation::Approval(_));
        let text = match self.conditions.as_slice() {
            [] => "a rule allows it",
            [only] if approval(only) => "a rule allows it with a human's approval",
            _ => "a rule allows it on conditions",
        };
        Reason::new(ReasonKind::Permitted, text).of_policy(&self.id)
    }

    pub(super) fn denies(&self) -> Decision {
        let reason = Reason::new(ReasonKind::Forbidden, "a rule denies it").of_policy(&self.id);
        Decision::deny(self.told(reason))
    }

    /// With what the caller is to be told, if anything.
    pub(super) fn told(&self, reason: Reason) -> Reason {
        match &self.telling {
            Some(public) => reason.telling(public),
            None => reason,
        }
    }

    /// Whether this rule is about this agent acting for this principal, in this capacity.
    pub(super) fn is_about(&self, caller: &CallerFacts<'_>) -> bool {
        match self.effect {
            Effect::Deny => {
                // A holder could call a key of its own by any name: what is denied to it is denied to its delegates.
                let mut agents = std::iter::once(caller.agent).chain(caller.holders);
                self.principals.covers(caller.principal) && agents.any(|agent| self.agents.covers(agent))
            }
            Effect::Allow => {
                self.principals.contains(caller.principal)
                    && self.agents.contains(caller.agent)
                    && self.is_for(caller.mode)
            }
        }
    }

    /// Every rule that allows is for agents that act for themselves, or because someone delegated to them; what shows
    /// no delegation must be named.
    fn is_for(&self, mode: Mode) -> bool {
        matches!(mode, Mode::Autonomous | Mode::OnBehalfOf) || self.also_in.contains(&mode)
    }

    pub(super) fn has_action(&self, name: &str) -> bool {
        self.actions.iter().any(|action| **action == *name)
    }

    pub(super) fn has_target(&self, action: &str, resource: Option<&Resource>) -> bool {
        self.has_action(action) && self.resources.contains(resource)
    }

    /// The first argument that keeps this rule from applying: outside its limit, missing, or not foreseen.
    pub(super) fn refused<'a>(&'a self, arguments: &'a Arguments) -> Option<Refused<'a>> {
        let outside =
            self.arguments.iter().find(|(name, limit)| !arguments.get(name).is_some_and(|value| limit.contains(value)));
        if let Some((name, limit)) = outside {
            return Some(Refused::Outside(name, limit));
        }
        if self.any_arguments {
            return None;
        }
        arguments.names().find(|name| !self.arguments.contains_key(*name)).map(Refused::Unforeseen)
    }

    /// Whether it allows the action with whatever arguments, and without conditions.
    pub(super) fn allows_whatever_is_given(&self) -> bool {
        self.any_arguments && self.arguments.is_empty() && self.conditions.is_empty()
    }

    /// Whether there are arguments with which it allows the action.
    pub(super) fn can_allow(&self) -> bool {
        self.arguments.values().all(Limit::can_hold)
    }
}
