//! What agents, principals and resources are called in policies.

use std::borrow::Cow;
use std::str::FromStr as _;

use agentauth_core::{AgentId, Mode, PrincipalId, PrincipalKind};
use cedar_policy::{EntityId, EntityTypeName, EntityUid};

/// The types of the shipped schema.
#[derive(Debug)]
pub(crate) struct Types {
    pub(crate) user: EntityTypeName,
    pub(crate) client: EntityTypeName,
    pub(crate) account: EntityTypeName,
    pub(crate) subject: EntityTypeName,
    pub(crate) agent: EntityTypeName,
    pub(crate) spiffe_path: EntityTypeName,
    pub(crate) trust_domain: EntityTypeName,
    pub(crate) issuer: EntityTypeName,
    pub(crate) server: EntityTypeName,
    pub(crate) mode: EntityTypeName,
}

impl Types {
    pub(crate) fn new() -> Option<Self> {
        let named = |name| EntityTypeName::from_str(name).ok();
        Some(Self {
            user: named("User")?,
            client: named("Client")?,
            account: named("Account")?,
            subject: named("Subject")?,
            agent: named("Agent")?,
            spiffe_path: named("SpiffePath")?,
            trust_domain: named("TrustDomain")?,
            issuer: named("Issuer")?,
            server: named("Server")?,
            mode: named("Mode")?,
        })
    }

    pub(crate) fn principal(&self, principal: &PrincipalId) -> Option<EntityUid> {
        let kind = match principal.kind() {
            PrincipalKind::Subject => &self.user,
            PrincipalKind::Client => &self.client,
            PrincipalKind::AgentAccount => &self.account,
            _ => return None,
        };
        Some(uid(kind, &principal_name(principal)))
    }

    /// What a principal is in, whatever kind it is, and whatever its tenant.
    pub(crate) fn subject(&self, principal: &PrincipalId) -> EntityUid {
        uid(&self.subject, &joined(&[principal.issuer().as_str(), principal.subject()]))
    }

    pub(crate) fn agent(&self, agent: &AgentId) -> EntityUid {
        uid(&self.agent, &agent_name(agent))
    }

    pub(crate) fn mode(&self, mode: Mode) -> Option<EntityUid> {
        Some(uid(&self.mode, mode_name(mode)?))
    }
}

pub(crate) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The mode as policies and the record write it.
pub(crate) const fn mode_name(mode: Mode) -> Option<&'static str> {
    Some(match mode {
        Mode::Autonomous => "autonomous",
        Mode::OnBehalfOf => "on_behalf_of",
        Mode::Impersonation => "impersonation",
        Mode::AgentAccount => "agent_account",
        Mode::ClientOnly => "client_only",
        _ => return None,
    })
}

pub(crate) fn principal_name(principal: &PrincipalId) -> String {
    let (issuer, subject) = (principal.issuer().as_str(), principal.subject());
    match principal.tenant() {
        Some(tenant) => joined(&[issuer, tenant, subject]),
        None => joined(&[issuer, subject]),
    }
}

pub(crate) fn agent_name(agent: &AgentId) -> Cow<'_, str> {
    match agent {
        AgentId::Spiffe(id) => Cow::Borrowed(id.as_str()),
        AgentId::Named { issuer, name } => Cow::Owned(joined(&[issuer.as_str(), name])),
        // A kind of name that this version does not know can be permitted nothing by name.
        _ => Cow::Borrowed(""),
    }
}

/// The parts with `#` between them, and in them `%23` for it: no part reaches into the next.
fn joined(parts: &[&str]) -> String {
    let mut name = String::with_capacity(parts.iter().map(|part| part.len().saturating_add(1)).sum());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            name.push('#');
        }
        if part.contains(['#', '%']) {
            name.push_str(&part.replace('%', "%25").replace('#', "%23"));
        } else {
            name.push_str(part);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use agentauth_core::IssuerId;

    use super::*;

    #[test]
    fn no_principal_has_the_name_of_another() {
        let issuer = IssuerId::new("https://a").unwrap();
        let names = [
            principal_name(&PrincipalId::new(issuer.clone(), "t#bob")),
            principal_name(&PrincipalId::new(issuer.clone(), "bob").in_tenant("t")),
            principal_name(&PrincipalId::new(issuer.clone(), "t%23bob")),
            principal_name(&PrincipalId::new(issuer, "bob")),
        ];
        assert_eq!(names, ["https://a#t%23bob", "https://a#t#bob", "https://a#t%2523bob", "https://a#bob"]);
    }
}
