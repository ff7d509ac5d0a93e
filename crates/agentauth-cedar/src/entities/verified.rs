//! What is known of agents and principals by their names, which were verified.

use std::collections::HashMap;

use agentauth_core::{AgentId, Excerpt, PrincipalId};
use cedar_policy::{EntityTypeName, EntityUid, RestrictedExpression};

use super::Unmade;
use crate::names::{Types, agent_name, agent_named, principal_named, uid};

/// Levels of a SPIFFE ID's path that policies can name. An agent with more is refused, since what forbids one of them could not
/// reach it.
pub(crate) const MAX_PATH_LEVELS: usize = 16;

/// The attributes and parents that no one else can give.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) attributes: HashMap<String, RestrictedExpression>,
    pub(super) parents: Vec<EntityUid>,
}

impl Verified {
    /// What the name of `entity` says, if it is an agent or a principal.
    pub(super) fn of(types: &Types, entity: &EntityUid) -> Result<Option<Self>, Unmade> {
        let (kind, id): (_, &str) = (entity.type_name(), entity.id().as_ref());
        if *kind == types.agent {
            let agent = agent_named(id).ok_or_else(|| unnamed(entity, "a SPIFFE ID, or issuer#name"))?;
            return Self::of_agent(types, &agent).map(Some);
        }
        if !types.is_principal(kind) {
            return Ok(None);
        }
        let principal = principal_named(&kind.to_string(), id);
        principal
            .map(|principal| Some(Self::of_principal(types, &principal)))
            .ok_or_else(|| unnamed(entity, "issuer#subject, or issuer#tenant#subject"))
    }

    fn of_principal(types: &Types, principal: &PrincipalId) -> Self {
        let text = |text: &str| RestrictedExpression::new_string(text.into());
        let mut attributes = HashMap::from([
            ("issuer".to_owned(), text(principal.issuer().as_str())),
            ("subject".to_owned(), text(principal.subject())),
        ]);
        if let Some(tenant) = principal.tenant() {
            attributes.insert("tenant".to_owned(), text(tenant));
        }
        Self { attributes, parents: vec![types.subject(principal)] }
    }

    fn of_agent(types: &Types, agent: &AgentId) -> Result<Self, Unmade> {
        let mut parents = Vec::new();
        match agent {
            AgentId::Spiffe(id) => {
                parents.push(uid(&types.trust_domain, id.trust_domain().as_str()));
                let mut path = id.as_str();
                let domain = "spiffe://".len().saturating_add(id.trust_domain().as_str().len());
                while path.len() > domain {
                    if parents.len() > MAX_PATH_LEVELS {
                        return Err(Unmade::outside("the agent's SPIFFE ID has more than 16 path segments"));
                    }
                    parents.push(uid(&types.spiffe_path, path));
                    path = path.rsplit_once('/').map_or("", |(above, _)| above);
                }
            }
            AgentId::Named { issuer, .. } => parents.push(uid(&types.issuer, issuer.as_str())),
            _ => return Err(Unmade::outside("a kind of agent that is not known here")),
        }
        let name = RestrictedExpression::new_string(agent_name(agent).into());
        Ok(Self { attributes: HashMap::from([("name".to_owned(), name)]), parents })
    }

    /// Whether this attribute of an entity of type `kind` is nobody else's to tell.
    pub(super) fn has_attribute(types: &Types, kind: &EntityTypeName, name: &str) -> bool {
        (types.is_principal(kind) && matches!(name, "issuer" | "subject" | "tenant"))
            || (*kind == types.agent && name == "name")
    }

    /// Whether that an entity of type `kind` is in one of type `parent` is nobody else's to tell.
    pub(super) fn has_parent(types: &Types, kind: &EntityTypeName, parent: &EntityTypeName) -> bool {
        (types.is_principal(kind) && *parent == types.subject)
            || (*kind == types.agent && [&types.spiffe_path, &types.trust_domain, &types.issuer].contains(&parent))
    }
}

fn unnamed(entity: &EntityUid, form: &str) -> Unmade {
    let (kind, id) = (entity.type_name(), Excerpt::of(entity.id().as_ref()));
    Unmade::refused(format!("`{id}` is not what an entity of type {kind} is called: that is {form}"))
}
