//! Earlier actors lend nothing: a policy is not told about them (RFC 8693 §4.1).

use agentauth_core::{AgentId, AuthzRequest};

pub fn was_the_judge(request: &AuthzRequest<'_>, judge: &AgentId) -> bool {
    request.earlier_actors.contains(judge)
}
