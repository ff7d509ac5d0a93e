//! Why no rule allows it: what comes nearest to one that does.

use super::complete::{CompleteRule, Refused};
use crate::delegation::Mode;
use crate::policy::{AuthzRequest, Decision, Reason, ReasonKind, Resource};
use crate::text::Excerpt;

/// How close a request came to being allowed: what its denial is explained by.
#[derive(Debug)]
pub(super) enum Nearest<'r> {
    /// No rule is about this agent acting for this principal.
    NoPair,
    /// Rules are, but for other actions or resources.
    Pair,
    /// A rule allows the action, with other arguments. Of several, the one with the last id, so that their order says
    /// nothing.
    Argument(&'r CompleteRule, Refused<'r>),
}

impl<'r> Nearest<'r> {
    /// Or `rule`, which refuses an argument.
    pub(super) fn or_argument(self, rule: &'r CompleteRule, refused: Refused<'r>) -> Self {
        match self {
            Self::Argument(known, _) if known.id > rule.id => self,
            _ => Self::Argument(rule, refused),
        }
    }

    /// Or a rule about the pair, if there is one and nothing nearer.
    pub(super) fn or_pair(self, is_pair: impl FnOnce() -> bool) -> Self {
        match self {
            Self::NoPair if is_pair() => Self::Pair,
            nearest => nearest,
        }
    }

    pub(super) fn denies(self, request: &AuthzRequest<'_>) -> Decision {
        Decision::deny(match self {
            Self::NoPair => {
                // The usual reason, where a rule names both of them.
                let hint = match request.mode() {
                    Mode::ClientOnly => ": nobody delegated, and only a rule with even_client_only covers that",
                    Mode::Impersonation => " by impersonation, which only a rule with even_impersonation covers",
                    Mode::AgentAccount => " as its account, which only a rule with even_agent_account covers",
                    Mode::OnBehalfOf | Mode::Autonomous => "",
                };
                let text = format!("no rule lets {} act for this principal{hint}", request.agent());
                Reason::new(ReasonKind::ActorNotAuthorized, text)
            }
            Self::Pair => {
                let on = |resource: &Resource| {
                    format!(" on {} `{}`", Excerpt::of(&resource.kind), Excerpt::of(&resource.id))
                };
                let resource = request.resource.map_or_else(String::new, on);
                let text = format!("no rule allows `{}`{resource}", request.action);
                Reason::new(ReasonKind::NotPermitted, text)
            }
            Self::Argument(rule, refused) => {
                let reason = Reason::new(ReasonKind::ArgumentOutsideLimit, refused.to_string()).of_policy(&rule.id);
                rule.told(reason)
            }
        })
    }
}
