//! What an approval is bound to.

use aws_lc_rs::digest::{Context, SHA256};

use crate::delegation::Mode;
use crate::identity::{AgentId, IssuerId, PrincipalId, PrincipalKind, ResourceId};
use crate::policy::Resource;

/// Everything that a human approves: the same act has the same digest, and another has another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) server: ResourceId,
    pub(crate) agent: AgentId,
    /// Who has passed it on to the agent without its issuer, the latest first: the last is the one that the issuer named.
    pub(crate) holders: Vec<AgentId>,
    pub(crate) principal: PrincipalId,
    pub(crate) mode: Mode,
    /// Who vouches for the delegation.
    pub(crate) issuer: IssuerId,
    pub(crate) action: Box<str>,
    pub(crate) resource: Option<Resource>,
    /// In canonical form.
    pub(crate) arguments: Box<str>,
}

impl Act {
    /// The SHA-256 of all fields, in this order and each with its length.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut fields = Fields::of("agentauth approval: act, version 1");
        fields.text(self.server.as_str());
        fields.agent(&self.agent);
        fields.agents(&self.holders);
        fields.principal(&self.principal);
        fields.text(match self.mode {
            Mode::Autonomous => "autonomous",
            Mode::OnBehalfOf => "on_behalf_of",
            Mode::Impersonation => "impersonation",
            Mode::AgentAccount => "agent_account",
            Mode::ClientOnly => "client_only",
        });
        fields.text(self.issuer.as_str());
        fields.text(&self.action);
        fields.optional(self.resource.as_ref().map(Resource::kind));
        fields.optional(self.resource.as_ref().map(Resource::id));
        fields.text(&self.arguments);
        fields.end()
    }

    /// Whose room in a store it takes: that of the agent, or of the one whose delegate it only says it is. A holder makes
    /// as many of those as it likes.
    pub(crate) fn digest_of_agent(&self) -> [u8; 32] {
        let mut fields = Fields::of("agentauth approval: agent, version 1");
        fields.agent(self.holders.last().unwrap_or(&self.agent));
        fields.end()
    }

    /// The agent, and those who have passed it on to it.
    pub(super) fn agents(&self) -> impl Iterator<Item = &AgentId> {
        std::iter::once(&self.agent).chain(&self.holders)
    }
}

pub(crate) fn digest_of_server(server: &ResourceId) -> [u8; 32] {
    let mut fields = Fields::of("agentauth approval: server, version 1");
    fields.text(server.as_str());
    fields.end()
}

pub(crate) fn digest_of_policy(version: &str) -> [u8; 32] {
    let mut fields = Fields::of("agentauth approval: policy, version 1");
    fields.text(version);
    fields.end()
}

/// A digest over fields, of which none can reach into the next.
struct Fields(Context);

impl Fields {
    /// Begins with what the digest is for, so that it is never one for something else.
    fn of(domain: &str) -> Self {
        let mut fields = Self(Context::new(&SHA256));
        fields.text(domain);
        fields
    }

    fn text(&mut self, text: &str) {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "some" } else { "none" });
        self.text(text.unwrap_or_default());
    }

    fn agent(&mut self, agent: &AgentId) {
        match agent {
            AgentId::Spiffe(id) => {
                self.text("spiffe");
                self.text("");
                self.text(id.as_str());
            }
            AgentId::Named { issuer, name } => {
                self.text("named");
                self.text(issuer.as_str());
                self.text(name);
            }
        }
    }

    fn agents(&mut self, agents: &[AgentId]) {
        self.0.update(&u64::try_from(agents.len()).unwrap_or(u64::MAX).to_be_bytes());
        agents.iter().for_each(|agent| self.agent(agent));
    }

    fn principal(&mut self, principal: &PrincipalId) {
        self.text(match principal.kind() {
            PrincipalKind::Subject => "subject",
            PrincipalKind::Client => "client",
            PrincipalKind::AgentAccount => "agent_account",
        });
        self.text(principal.issuer().as_str());
        self.optional(principal.tenant());
        self.text(principal.subject());
    }

    fn end(self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many choices an act is made of.
    const CHOICES: usize = 15;

    /// The act that these choices make: each has three outcomes, of which some are easily taken for others.
    fn act(choices: [usize; CHOICES]) -> Act {
        let [
            server,
            agent,
            agent_issuer,
            agent_name,
            kind,
            issuer,
            tenant,
            subject,
            mode,
            voucher,
            action,
            on,
            id,
            arguments,
            holders,
        ] = choices;
        let names = ["a", "b", "ab"];
        let issuers = ["https://a", "https://b", "https://ab"].map(|text| IssuerId::new(text).unwrap());
        let principal = [PrincipalId::new, PrincipalId::client, PrincipalId::agent_account][kind];
        let principal = principal(issuers[issuer].clone(), names[subject]);
        let on = [None, Some("a"), Some("ab")][on];
        Act {
            server: ResourceId::new(issuers[server].as_str()).unwrap(),
            agent: match agent {
                0 => AgentId::Spiffe(format!("spiffe://td/{}", names[agent_name]).parse().unwrap()),
                1 => AgentId::Named { issuer: issuers[agent_issuer].clone(), name: names[agent_name].into() },
                // A name that looks like a SPIFFE ID is none.
                _ => AgentId::Named {
                    issuer: issuers[agent_issuer].clone(),
                    name: format!("spiffe://td/{}", names[agent_name]).into(),
                },
            },
            holders: {
                let app = AgentId::Named { issuer: issuers[agent_issuer].clone(), name: "a".into() };
                let holder = AgentId::Spiffe("spiffe://td/a".parse().unwrap());
                [vec![], vec![app.clone()], vec![holder, app]][holders].clone()
            },
            principal: match tenant {
                0 => principal,
                _ => principal.in_tenant(["", "a"][tenant - 1]),
            },
            mode: [Mode::OnBehalfOf, Mode::Autonomous, Mode::ClientOnly][mode],
            issuer: issuers[voucher].clone(),
            action: names[action].into(),
            resource: on.map(|kind| Resource { kind: kind.into(), id: ["a", "b", "ba"][id].into() }),
            arguments: [r#"{"a":1}"#, r#"{"a":"1"}"#, "{}"][arguments].into(),
        }
    }

    fn choices() -> impl Strategy<Value = [usize; CHOICES]> {
        proptest::array::uniform(0usize..3)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_one_changed_field_changes_the_digest(one in choices(), which in 0..CHOICES, by in 1usize..3) {
            let mut other = one;
            other[which] = (other[which] + by) % 3;
            let (one, other) = (act(one), act(other));
            prop_assert_eq!(one == other, one.digest() == other.digest(), "{:?} {:?}", one, other);
            let asks = |act: &Act| act.agents().last().cloned();
            prop_assert_eq!(asks(&one) == asks(&other), one.digest_of_agent() == other.digest_of_agent());
            prop_assert_eq!(one.server == other.server, digest_of_server(&one.server) == digest_of_server(&other.server));
        }

        #[test]
        fn all_that_changes_together_changes_the_digest(one in choices(), other in choices()) {
            let (one, other) = (act(one), act(other));
            prop_assert_eq!(one == other, one.digest() == other.digest());
        }

        #[test]
        fn no_field_reaches_into_the_next(a in "[a-c]{0,3}", b in "[a-c]{0,3}", c in "[a-c]{0,3}", d in "[a-c]{0,3}") {
            let of = |one: &str, two: &str| {
                let mut fields = Fields::of("test");
                fields.text(one);
                fields.text(two);
                fields.end()
            };
            prop_assert_eq!((&a, &b) == (&c, &d), of(&a, &b) == of(&c, &d));
        }
    }

    #[test]
    fn a_digest_is_for_one_thing() {
        let server = ResourceId::new("https://a").unwrap();
        assert_ne!(digest_of_server(&server), digest_of_policy("https://a"));
        assert_ne!(digest_of_policy("1"), digest_of_policy("2"));
    }
}
