//! A request as a store keeps it, and the way back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::act::{Act, digest_of_policy, digest_of_server};
use super::{ApprovalError, ApprovalRequest};
use crate::delegation::Mode;
use crate::identity::{AgentId, Approver, IssuerId, PrincipalId, ResourceId, WrittenAgent, WrittenPrincipal};
use crate::policy::Resource;
use crate::state::{ApprovalState, AskedApproval, MAX_APPROVAL_PAYLOAD_BYTES, StoredApproval};
use crate::time::Timestamp;

/// Longer arguments are not put before a human: some four pages.
pub const MAX_APPROVED_ARGUMENT_BYTES: usize = 16 * 1024;

/// What the engine asks for.
pub(crate) struct Asked<'a> {
    pub(crate) act: &'a Act,
    pub(crate) policies: Vec<&'a str>,
    pub(crate) policy_version: &'a str,
    pub(crate) evaluation_id: &'a str,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
}

#[derive(Serialize)]
struct Written<'a> {
    server: &'a ResourceId,
    agent: &'a AgentId,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    holders: &'a [AgentId],
    principal: &'a PrincipalId,
    mode: Mode,
    issuer: &'a IssuerId,
    action: &'a str,
    resource: Option<&'a Resource>,
    arguments: &'a str,
    policies: &'a [&'a str],
    policy_version: &'a str,
    evaluation_id: &'a str,
    created: u64,
}

/// A request with the name `id`, for a store; `None` if it is too large for one.
pub(crate) fn asked(id: Arc<str>, asked: &Asked<'_>) -> Option<AskedApproval> {
    let act = asked.act;
    let written = Written {
        server: &act.server,
        agent: &act.agent,
        holders: &act.holders,
        principal: &act.principal,
        mode: act.mode,
        issuer: &act.issuer,
        action: &act.action,
        resource: act.resource.as_ref(),
        arguments: &act.arguments,
        policies: &asked.policies,
        policy_version: asked.policy_version,
        evaluation_id: asked.evaluation_id,
        created: asked.created.micros(),
    };
    let payload = serde_json::to_vec(&written).ok()?;
    let is_bearable = act.arguments.len() <= MAX_APPROVED_ARGUMENT_BYTES && payload.len() <= MAX_APPROVAL_PAYLOAD_BYTES;
    is_bearable.then(|| AskedApproval {
        id,
        act: act.digest(),
        agent: act.digest_of_agent(),
        server: digest_of_server(&act.server),
        policy: digest_of_policy(asked.policy_version),
        expires: asked.expires,
        payload: payload.into(),
    })
}

#[derive(Deserialize)]
struct Read {
    server: Box<str>,
    agent: WrittenAgent,
    #[serde(default)]
    holders: Vec<WrittenAgent>,
    principal: WrittenPrincipal,
    mode: WrittenMode,
    issuer: Box<str>,
    action: Box<str>,
    resource: Option<WrittenResource>,
    arguments: Box<str>,
    policies: Vec<Box<str>>,
    policy_version: Box<str>,
    evaluation_id: Box<str>,
    created: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenMode {
    Autonomous,
    OnBehalfOf,
    Impersonation,
    AgentAccount,
    ClientOnly,
}

#[derive(Deserialize)]
struct WrittenResource {
    kind: Box<str>,
    id: Box<str>,
}

impl Read {
    fn read(self, stored: &StoredApproval) -> Option<ApprovalRequest> {
        let act = Act {
            server: ResourceId::new(&self.server).ok()?,
            agent: self.agent.read()?,
            holders: self.holders.into_iter().map(WrittenAgent::read).collect::<Option<_>>()?,
            principal: self.principal.read()?,
            mode: match self.mode {
                WrittenMode::Autonomous => Mode::Autonomous,
                WrittenMode::OnBehalfOf => Mode::OnBehalfOf,
                WrittenMode::Impersonation => Mode::Impersonation,
                WrittenMode::AgentAccount => Mode::AgentAccount,
                WrittenMode::ClientOnly => Mode::ClientOnly,
            },
            issuer: IssuerId::new(&self.issuer).ok()?,
            action: self.action,
            resource: self.resource.map(|WrittenResource { kind, id }| Resource { kind, id }),
            arguments: self.arguments,
        };
        let approver = match &stored.state {
            ApprovalState::Pending => None,
            ApprovalState::Approved { by } | ApprovalState::Denied { by } | ApprovalState::Used { by } => {
                Some(Approver::from_text(by)?)
            }
        };
        Some(ApprovalRequest {
            id: Arc::clone(&stored.asked.id),
            act,
            policies: self.policies,
            policy_version: self.policy_version,
            evaluation_id: self.evaluation_id,
            created: Timestamp::from_secs(0).plus(Duration::from_micros(self.created)),
            expires: stored.asked.expires,
            state: stored.state.clone(),
            approver,
        })
    }
}

impl ApprovalRequest {
    /// What `stored` was made of, if that is what its digests say: what is approved is what is shown.
    pub(crate) fn read(stored: &StoredApproval) -> Result<Self, ApprovalError> {
        let read: Read = serde_json::from_slice(&stored.asked.payload).map_err(|_| ApprovalError::Corrupt)?;
        let request = read.read(stored).ok_or(ApprovalError::Corrupt)?;
        let (asked, act) = (&stored.asked, &request.act);
        let is_as_asked = act.digest() == asked.act
            && act.digest_of_agent() == asked.agent
            && digest_of_server(&act.server) == asked.server
            && digest_of_policy(&request.policy_version) == asked.policy;
        if is_as_asked { Ok(request) } else { Err(ApprovalError::Corrupt) }
    }
}
