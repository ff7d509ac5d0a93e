//! Sets of policies as an application would have them, and callers that they permit something.

use std::error::Error;
use std::fmt::Write as _;

use agentauth_benches::specimen::{AUDIENCE, ISSUER, SUBJECT, SUMMARISER};
use agentauth_core::policy::{Arguments, Scenario};
use agentauth_core::{IssuerId, PrincipalId, ResourceId, SpiffeId};
use serde_json::json;

/// How many policies a set has.
pub(crate) const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// What the application adds to the schema.
pub(crate) const SCHEMA: &str = r#"
    @kind("case") entity Case;
    action "motions:file", "records:read" appliesTo {
        principal: [User, Client], resource: Case, context: { arguments: { title: String, fee: Long } }
    };
"#;

/// The whole schema, as plain Cedar is given it.
pub(crate) const PLAIN_SCHEMA: &str = r#"
    entity Subject; entity Group in [Group]; entity TrustDomain; entity Issuer; entity SpiffePath; entity Server;
    entity User in [Group, Subject] = { issuer: String, subject: String, tenant?: String };
    entity Client in [Group, Subject] = { issuer: String, subject: String, tenant?: String };
    entity AgentGroup in [AgentGroup];
    entity Agent in [AgentGroup, SpiffePath, TrustDomain, Issuer] = { name: String };
    entity Mode enum ["autonomous", "on_behalf_of", "impersonation", "agent_account", "client_only"];
    type Delegation = { mode: Mode, depth: Long, issuer: Issuer };
    entity Case;
    action "motions:file", "records:read" appliesTo {
        principal: [User, Client], resource: Case,
        context: { arguments: { title: String, fee: Long }, agent: Agent, delegation: Delegation, server: Server }
    };
"#;

/// What a policy is scoped by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Principal,
    Resource,
    Agent,
    /// It forbids, for one principal and one resource.
    Conflict,
}

const SCOPES: [Scope; 4] = [Scope::Principal, Scope::Resource, Scope::Agent, Scope::Conflict];

/// The callers that even the smallest set permits something: each what the policy of its number permits.
const CALLERS: [usize; 7] = [0, 1, 2, 4, 5, 6, 8];

fn scope(number: usize) -> Scope {
    SCOPES.get(number % SCOPES.len()).copied().unwrap_or(Scope::Principal)
}

/// The principal of a number; the first is that of the token.
pub(crate) fn subject(number: usize) -> String {
    if number == 0 { SUBJECT.into() } else { format!("user-{number}") }
}

/// The agent of a number; the first is that of the token.
pub(crate) fn agent(number: usize) -> String {
    if number == 0 { SUMMARISER.into() } else { format!("spiffe://agents.example.com/team/{number}") }
}

pub(crate) fn action(number: usize) -> &'static str {
    if scope(number) == Scope::Principal { "motions:file" } else { "records:read" }
}

/// As many policies, one of them for everyone.
pub(crate) fn policies(count: usize) -> String {
    let mut text = String::from("forbid (principal, action, resource) when { context.delegation.depth > 4 };\n");
    for number in 0..count.saturating_sub(1) {
        let (user, agent) = (format!("User::\"{ISSUER}#{}\"", subject(number)), agent(number));
        let action = format!("action == Action::\"{}\"", action(number));
        let policy = match scope(number) {
            Scope::Principal => format!(
                "permit (principal == {user}, {action}, resource is Case)\n\
                 when {{ context.agent in SpiffePath::\"{agent}\" && context.arguments.fee <= 500 }};"
            ),
            Scope::Resource => format!(
                "permit (principal, {action}, resource == Case::\"{number}\")\n\
                 when {{ context.agent == Agent::\"{agent}\" && context.arguments.fee <= 500 }};"
            ),
            Scope::Agent => format!(
                "permit (principal is User, {action}, resource is Case)\n\
                 when {{ context.agent in SpiffePath::\"{agent}\" && context.arguments.title like \"*motion*\" }};"
            ),
            Scope::Conflict => format!(
                "forbid (principal == {user}, action, resource == Case::\"{number}\")\n\
                 unless {{ context.arguments.fee == 0 }};"
            ),
        };
        _ = writeln!(text, "{policy}");
    }
    text
}

/// What the callers ask: through their own agents, or through one that nobody knows.
pub(crate) fn scenarios(genuine: bool) -> Result<Vec<Scenario>, Box<dyn Error>> {
    let scenario = |number: usize| {
        let agent = if genuine { agent(number) } else { "spiffe://agents.example.com/stranger".into() };
        let principal = PrincipalId::new(IssuerId::new(ISSUER)?, &subject(number));
        let arguments = Arguments::of(&json!({ "title": "A motion to dismiss", "fee": 120 }))?;
        let scenario = Scenario::new(ResourceId::new(AUDIENCE)?, agent.parse::<SpiffeId>()?, principal, action(number));
        Ok(scenario.on("case", &number.to_string()).with(arguments))
    };
    CALLERS.into_iter().map(scenario).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_as_many_policies_as_are_asked_for() {
        for count in SIZES.into_iter().take(3) {
            let set: cedar_policy::PolicySet = policies(count).parse().unwrap();
            assert_eq!(set.num_of_policies(), count);
        }
    }

    #[test]
    fn every_caller_is_permitted_something_by_the_smallest_set() {
        for number in CALLERS {
            assert!(number + 1 < SIZES[0] && scope(number) != Scope::Conflict);
        }
    }
}
