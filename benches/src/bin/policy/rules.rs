//! A decision by the built-in rules.

use std::error::Error;

use agentauth_benches::specimen::ISSUER;
use agentauth_core::policy::{Agents, Limit, Principals, Resources, Rule, Rules};

use crate::court::{action, agent, subject};

pub(crate) const RULES: usize = 1_000;

/// As many rules, of which one is for each caller.
pub(crate) fn engine(count: usize) -> Result<Rules, Box<dyn Error>> {
    let rule = |number: usize| {
        let rule = Rule::allow(&format!("rule-{number}"))
            .agents(Agents::below(&agent(number))?)
            .principals(Principals::exactly(ISSUER, &subject(number))?)
            .action(action(number))
            .resources(Resources::exactly("case", &number.to_string()))
            .argument("title", Limit::max_length(200))
            .argument("fee", Limit::between(0, 500));
        Ok(rule)
    };
    let rules = (0..count).map(rule).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok(Rules::new(rules)?)
}
