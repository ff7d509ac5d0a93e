//! What a human is shown: exactly what was asked, and is bound to the approval.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::act::Act;
use crate::delegation::Mode;
use crate::identity::{AgentId, Approver, IssuerId, PrincipalId, ResourceId};
use crate::policy::Resource;
use crate::random::hex;
use crate::state::ApprovalState;
use crate::time::Timestamp;

/// A request for approval, as it is put before a human.
///
/// Every text in it was chosen by someone else, the agent for one: escape it for where it is shown. Names have no control
/// characters. Arguments are in their canonical form (RFC 8785), which is what the tool will run on, and in which JSON
/// escapes them. Neither keeps out characters that are invisible, or turn the direction of a text around; `Display`
/// shows those as `\u{202e}`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    pub(super) id: Arc<str>,
    pub(crate) act: Act,
    pub(super) policies: Vec<Box<str>>,
    pub(super) policy_version: Box<str>,
    pub(super) evaluation_id: Box<str>,
    pub(super) created: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) state: ApprovalState,
    pub(super) approver: Option<Approver>,
}

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApprovalStatus {
    /// It waits for a human.
    Pending,
    /// A human has approved, and nothing was done with it yet.
    Approved,
    /// A human has denied.
    Denied,
    /// It was approved, and the act has been permitted once.
    Used,
    /// Its time is over.
    Expired,
}

impl ApprovalRequest {
    /// The name of the request, which its refusal told the agent.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who wants to act.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.act.agent
    }

    /// Who has passed it on to the agent without its issuer, the latest first, if someone has. The name of each, and of the
    /// agent, is the word of the next one; only the last was named by the issuer.
    #[must_use]
    pub fn holders(&self) -> &[AgentId] {
        &self.act.holders
    }

    /// On whose behalf.
    #[must_use]
    pub const fn principal(&self) -> &PrincipalId {
        &self.act.principal
    }

    /// In what capacity.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.act.mode
    }

    /// Who vouches for the delegation.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerId {
        &self.act.issuer
    }

    /// At which server.
    #[must_use]
    pub const fn server(&self) -> &ResourceId {
        &self.act.server
    }

    /// The name of the action.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.act.action
    }

    /// What it is done to, if anything.
    #[must_use]
    pub const fn resource(&self) -> Option<&Resource> {
        self.act.resource.as_ref()
    }

    /// The arguments as canonical JSON (RFC 8785).
    #[must_use]
    pub fn arguments(&self) -> &str {
        &self.act.arguments
    }

    /// Their SHA-256 in hexadecimal, as records have it.
    #[must_use]
    pub fn arguments_digest(&self) -> Box<str> {
        hex(digest(&SHA256, self.act.arguments.as_bytes()).as_ref())
    }

    /// The policies that allow it, of which one at least wants an approval.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| &**policy)
    }

    /// The version of the policies. Under another one, the approval does not count.
    #[must_use]
    pub fn policy_version(&self) -> &str {
        &self.policy_version
    }

    /// The id under which the decision that first asked stands in the record.
    #[must_use]
    pub fn evaluation_id(&self) -> &str {
        &self.evaluation_id
    }

    /// When it was first asked for.
    #[must_use]
    pub const fn created(&self) -> Timestamp {
        self.created
    }

    /// From when on it does not count any more, approved or not.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// How it stands at the time `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> ApprovalStatus {
        match self.state {
            ApprovalState::Used { .. } => ApprovalStatus::Used,
            ApprovalState::Denied { .. } => ApprovalStatus::Denied,
            _ if self.expires <= now => ApprovalStatus::Expired,
            ApprovalState::Approved { .. } => ApprovalStatus::Approved,
            ApprovalState::Pending => ApprovalStatus::Pending,
        }
    }

    /// Who has approved or denied it, if someone has.
    #[must_use]
    pub const fn approver(&self) -> Option<&Approver> {
        self.approver.as_ref()
    }
}

impl fmt::Display for ApprovalRequest {
    /// Writes what is to be approved, for a human, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Act { agent, holders, principal, action, resource, arguments, .. } = &self.act;
        let through: String = holders.iter().map(|holder| format!(", through {holder}")).collect();
        let on = |resource: &Resource| format!(" on {} `{}`", resource.kind(), resource.id());
        let resource = resource.as_ref().map_or_else(String::new, on);
        let text = format!("{agent}{through} wants, for {principal}: {action}{resource} with {arguments}");
        text.chars().try_for_each(|c| match c {
            c if is_deceptive(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}

impl fmt::Debug for ApprovalRequest {
    /// Shows what the record has too. The arguments may be anybody's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalRequest")
            .field("id", &self.id)
            .field("agent", &self.act.agent)
            .field("principal", &self.act.principal)
            .field("action", &self.act.action)
            .field("resource", &self.act.resource)
            .finish_non_exhaustive()
    }
}

/// Characters that cannot be seen, or make others be seen elsewhere: controls, and those of Unicode's format characters and
/// separators that are neither letters nor parts of any.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}
