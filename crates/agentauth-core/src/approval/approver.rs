//! Who may not approve, whatever the application says.

use super::{Act, ApprovalError};
use crate::identity::{Approver, MAX_NAME_BYTES, PrincipalId, PrincipalKind};

/// An agent does not approve what it asks for, under whatever name; nor do those who have passed it on to the agent, and any
/// other that can be told to be one.
pub(crate) fn check(approver: &Approver, act: &Act) -> Result<(), ApprovalError> {
    let name = approver.name();
    if name.trim().is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(ApprovalError::ApproverMalformed);
    }
    // Whoever compares names elsewhere may not mind their case, or the spaces around them.
    let is = |other: &str| name.trim().eq_ignore_ascii_case(other);
    let is_workload = name.trim().get(..9).is_some_and(|start| start.eq_ignore_ascii_case("spiffe://"));
    let has_no_human = |principal: &PrincipalId| principal.kind() != PrincipalKind::Subject;
    let is_no_human = matches!(approver, Approver::Principal(principal) if has_no_human(principal));
    let is_agents_account = has_no_human(&act.principal) && is(act.principal.subject());
    let is_agent = act.agents().any(|agent| is(agent.name()) || is(&agent.to_string()));
    if is_workload || is_no_human || is_agents_account || is_agent {
        return Err(ApprovalError::ApproverIsAgent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::Mode;
    use crate::identity::{AgentId, IssuerId, ResourceId};

    /// The account that an issuer keeps for an agent has another name than the agent.
    #[test]
    fn an_agents_account_does_not_approve_for_the_agent() {
        let issuer = IssuerId::new("https://id.example").unwrap();
        let by = |principal| {
            let act = Act {
                server: ResourceId::new("https://tools.example").unwrap(),
                agent: AgentId::named_by(&issuer, "agent-1"),
                holders: Vec::new(),
                principal,
                mode: Mode::AgentAccount,
                issuer: issuer.clone(),
                action: "a".into(),
                resource: None,
                arguments: "{}".into(),
            };
            check(&"account-1".into(), &act).map_err(|error| error.code())
        };
        assert_eq!(by(PrincipalId::agent_account(issuer.clone(), "account-1")), Err("approver_is_agent"));
        assert_eq!(by(PrincipalId::client(issuer.clone(), "account-1")), Err("approver_is_agent"));
        assert_eq!(by(PrincipalId::agent_account(issuer.clone(), "account-2")), Ok(()));
        assert_eq!(by(PrincipalId::new(issuer.clone(), "account-1")), Ok(()));
    }
}
