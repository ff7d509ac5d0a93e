//! Why no rule allows it: what comes nearest to one that does.

use super::{AuthzRequest, Decision, Reason, ReasonKind, Resource};
use crate::delegation::Mode;
use crate::text::Excerpt;

/// How close a request came to being allowed: what its denial is explained by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nearest {
    /// No rule is about this agent acting for this principal.
    NoPair,
    /// Rules are, but for other actions or resources.
    Pair,
    /// A rule allows the action, with other arguments.
    Argument(Box<str>, Box<str>),
}

impl Nearest {
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
                let text = format!("no rule lets {} act for {}{hint}", request.agent(), request.principal());
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
            Self::Argument(rule, text) => Reason::new(ReasonKind::ArgumentOutsideLimit, text).of_policy(&rule),
        })
    }
}
