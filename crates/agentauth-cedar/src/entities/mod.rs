//! The entities of a request: who acts, for whom, and what they are in.

mod cache;

use std::collections::{HashMap, HashSet};

use agentauth_core::{AgentId, PrincipalId};
use cedar_policy::{Entities, Entity, RestrictedExpression};

pub(crate) use cache::Callers;

use crate::names::{Types, agent_name, uid};

/// Levels of a SPIFFE ID's path that policies can name. An agent with more is refused, since what forbids one of them could not
/// reach it.
pub(crate) const MAX_PATH_LEVELS: usize = 16;

/// Why the entities of a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmade(pub(crate) String);

/// The entities of `agent` acting for `principal`.
fn of_caller(types: &Types, agent: &AgentId, principal: &PrincipalId) -> Result<Entities, Unmade> {
    let unmade = |error: &dyn std::fmt::Display| Unmade(error.to_string());
    let text = |text: &str| RestrictedExpression::new_string(text.into());
    let mut attributes = HashMap::from([
        ("issuer".to_owned(), text(principal.issuer().as_str())),
        ("subject".to_owned(), text(principal.subject())),
    ]);
    if let Some(tenant) = principal.tenant() {
        attributes.insert("tenant".to_owned(), text(tenant));
    }
    let named = types.principal(principal).ok_or_else(|| unmade(&"a kind of principal that is not known here"))?;
    let parents = HashSet::from([types.subject(principal)]);
    let principal = Entity::new(named, attributes, parents).map_err(|error| unmade(&error))?;

    let mut parents = HashSet::new();
    match agent {
        AgentId::Spiffe(id) => {
            parents.insert(uid(&types.trust_domain, id.trust_domain().as_str()));
            let mut path = id.as_str();
            let domain = "spiffe://".len().saturating_add(id.trust_domain().as_str().len());
            while path.len() > domain {
                if parents.len() > MAX_PATH_LEVELS {
                    return Err(unmade(&"the agent's SPIFFE ID has more than 16 path segments"));
                }
                parents.insert(uid(&types.spiffe_path, path));
                path = path.rsplit_once('/').map_or("", |(above, _)| above);
            }
        }
        AgentId::Named { issuer, .. } => {
            parents.insert(uid(&types.issuer, issuer.as_str()));
        }
        _ => return Err(unmade(&"a kind of agent that is not known here")),
    }
    let attributes = HashMap::from([("name".to_owned(), text(&agent_name(agent)))]);
    let agent = Entity::new(types.agent(agent), attributes, parents).map_err(|error| unmade(&error))?;
    Entities::from_entities([principal, agent], None).map_err(|error| unmade(&error))
}
