//! What agents, principals and resources are called in policies.

use std::borrow::Cow;
use std::str::FromStr as _;

use agentauth_core::{AgentId, IssuerId, Mode, PrincipalId, PrincipalKind};
use cedar_policy::{EntityId, EntityTypeName, EntityUid};

/// The types of the shipped schema.
#[derive(Debug)]
pub(crate) struct Types {
    pub(crate) user: EntityTypeName,
    pub(crate) client: EntityTypeName,
    pub(crate) account: EntityTypeName,
    pub(crate) subject: EntityTypeName,
    pub(crate) group: EntityTypeName,
    pub(crate) agent: EntityTypeName,
    pub(crate) agent_group: EntityTypeName,
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
            group: named("Group")?,
            agent: named("Agent")?,
            agent_group: named("AgentGroup")?,
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

    /// Whether entities of this type are principals.
    pub(crate) fn is_principal(&self, kind: &EntityTypeName) -> bool {
        [&self.user, &self.client, &self.account].contains(&kind)
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

/// The principal that is called `name` in policies, as an entity of the type `kind`.
pub(crate) fn principal_named(kind: &str, name: &str) -> Option<PrincipalId> {
    let parts = parts_of(name)?;
    let (issuer, tenant, subject) = match parts.as_slice() {
        [issuer, subject] => (issuer, None, subject),
        [issuer, tenant, subject] => (issuer, Some(tenant), subject),
        _ => return None,
    };
    let issuer = IssuerId::new(issuer).ok()?;
    let principal = match kind {
        "User" => PrincipalId::new(issuer, subject),
        "Client" => PrincipalId::client(issuer, subject),
        "Account" => PrincipalId::agent_account(issuer, subject),
        _ => return None,
    };
    Some(match tenant {
        Some(tenant) => principal.in_tenant(tenant),
        None => principal,
    })
}

/// The agent that is called `name` in policies.
pub(crate) fn agent_named(name: &str) -> Option<AgentId> {
    if let Ok(id) = name.parse() {
        return Some(AgentId::Spiffe(id));
    }
    match parts_of(name)?.as_slice() {
        [issuer, name] => Some(AgentId::Named { issuer: IssuerId::new(issuer).ok()?, name: (&**name).into() }),
        _ => None,
    }
}

/// The parts of a name that was [`joined`].
fn parts_of(name: &str) -> Option<Vec<Cow<'_, str>>> {
    let part = |part| {
        let plain = replaced(replaced(Cow::Borrowed(part), "%23", "#"), "%25", "%");
        (joined(&[&plain]) == part).then_some(plain)
    };
    name.split('#').map(part).collect()
}

fn replaced<'t>(text: Cow<'t, str>, what: &str, with: &str) -> Cow<'t, str> {
    if text.contains(what) { Cow::Owned(text.replace(what, with)) } else { text }
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_says_whose_it_is(subject in "[a#%23 5]{1,8}", tenant in proptest::option::of("[t#%235]{1,6}")) {
            let issuer = IssuerId::new("https://a").unwrap();
            for principal in [
                PrincipalId::new(issuer.clone(), &subject),
                PrincipalId::client(issuer.clone(), &subject),
                PrincipalId::agent_account(issuer.clone(), &subject),
            ] {
                let principal = match &tenant {
                    Some(tenant) => principal.in_tenant(tenant),
                    None => principal,
                };
                let uid = Types::new().unwrap().principal(&principal).unwrap();
                let found = principal_named(&uid.type_name().to_string(), &principal_name(&principal));
                prop_assert_eq!(found, Some(principal));
            }
            let agent = AgentId::Named { issuer, name: subject.into() };
            prop_assert_eq!(agent_named(&agent_name(&agent)), Some(agent));
        }
    }

    #[test]
    fn what_is_no_ones_name_names_no_one() {
        for name in ["bob", "https://a#b#c#d", "https://a#%24", "https://a#%2523%", ""] {
            assert_eq!((name, principal_named("User", name), agent_named(name)), (name, None, None));
        }
    }

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
