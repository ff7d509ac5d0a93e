//! The built-in rules beyond what they allow and deny: files, rehearsal, what callers are told, looking ahead.

mod files;
mod preview;
mod terms;

use agentauth_core::policy::{Agents, Principals, Resources, Rule, Scenario};
use agentauth_core::{IssuerId, PrincipalId, ResourceId, SpiffeId};

use crate::support::court::{LAWYER, STS};

fn alice() -> PrincipalId {
    PrincipalId::new(IssuerId::new(STS).unwrap(), "alice")
}

/// The lawyer does `action` for alice.
fn lawyer(action: &str) -> Scenario {
    let server = ResourceId::new("https://court.example").unwrap();
    Scenario::new(server, LAWYER.parse::<SpiffeId>().unwrap(), alice(), action)
}

/// For everyone, on everything.
fn filled(rule: Rule) -> Rule {
    rule.agents(Agents::any()).principals(Principals::any()).action("motions:file").resources(Resources::any())
}
