//! The humans' side: what waits for them, and what they say.

use std::fmt;
use std::sync::Arc;

use super::{AgentAuth, OpenRecord, Recording};
use crate::approval::{ApprovalError, ApprovalRequest, ApprovalStatus, check, digest_of_server};
use crate::audit::{ActionRecord, ApprovalRecord, Record, RecordKind};
use crate::identity::Approver;
use crate::policy::{Effect, Reason, ReasonKind};
use crate::random::RandomUnavailable;
use crate::state::{ApprovalStore, ApprovalVerdict, ApprovalsUnavailable, StoredApproval, VerdictAnswer};
use crate::text::Excerpt;

/// More pending requests than a human looks through are not listed at once.
const MAX_LISTED: usize = 256;

/// Ids are 32 hexadecimal digits; no store is asked for anything else.
const ID_LENGTH: usize = 32;

/// What humans are asked to approve at one server: for the application's page that shows it to them.
///
/// [`AgentAuth::approvals`] has it. It knows no human: the application authenticates them, and decides who may approve
/// what. Clones share one store. See [`approval`](crate::approval).
#[derive(Clone)]
pub struct Approvals {
    auth: AgentAuth,
    store: Arc<dyn ApprovalStore>,
}

impl Approvals {
    pub(super) fn new(auth: AgentAuth, store: Arc<dyn ApprovalStore>) -> Self {
        Self { auth, store }
    }

    /// The requests that wait for a human, those that end first at the front, at most 256.
    ///
    /// One that was changed in the store is left out, and reported through [`tracing`].
    ///
    /// # Errors
    /// [`ApprovalError::Unavailable`].
    pub async fn pending(&self) -> Result<Vec<ApprovalRequest>, ApprovalError> {
        let server = digest_of_server(self.auth.resource());
        let waiting = self.store.pending(&server, MAX_LISTED, self.auth.now()).await?;
        let read = |stored: &StoredApproval| {
            let warn = |error: &ApprovalError| tracing::error!(id = %Excerpt::of(&stored.asked.id), %error);
            ApprovalRequest::read(stored).inspect_err(warn).ok()
        };
        Ok(waiting.iter().take(MAX_LISTED).filter_map(read).collect())
    }

    /// The request `id`, however it stands. It never changes, but for that.
    ///
    /// # Errors
    /// [`ApprovalError::Unknown`] if this server has none of that name, or none any more;
    /// [`ApprovalError::Unavailable`]; [`ApprovalError::Corrupt`] if it was changed in the store.
    pub async fn inspect(&self, id: &str) -> Result<ApprovalRequest, ApprovalError> {
        if id.len() != ID_LENGTH || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ApprovalError::Unknown);
        }
        let stored = self.store.find(id).await?.ok_or(ApprovalError::Unknown)?;
        let request = ApprovalRequest::read(&stored)?;
        let is_ours = request.server() == self.auth.resource() && request.id() == id;
        if is_ours { Ok(request) } else { Err(ApprovalError::Unknown) }
    }

    /// Says that `approver` approves the request `id`: the agent may do exactly that, once, if the policy still permits
    /// it then. This is recorded before it counts.
    ///
    /// # Errors
    /// As [`inspect`](Self::inspect); [`ApprovalError::Decided`], [`ApprovalError::Expired`]; an approver who is an agent
    /// or has no proper name; a record that cannot be kept, or has no id.
    pub async fn approve(&self, id: &str, approver: impl Into<Approver>) -> Result<(), ApprovalError> {
        self.decide(id, ApprovalVerdict::Approve, approver.into()).await
    }

    /// Says that `approver` denies the request `id`, which may have been approved, as long as the approval was not used.
    /// Until it expires, the agent is told so, and humans are not asked again. This counts at once, and is recorded.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub async fn deny(&self, id: &str, approver: impl Into<Approver>) -> Result<(), ApprovalError> {
        self.decide(id, ApprovalVerdict::Deny, approver.into()).await
    }

    async fn decide(&self, id: &str, verdict: ApprovalVerdict, approver: Approver) -> Result<(), ApprovalError> {
        let request = self.inspect(id).await?;
        let checked = check(&approver, &request.act).and_then(|()| self.check_status(&request, verdict));
        let open = self.open(&request, &approver);
        if let Err(error) = checked {
            self.keep(open?.close(), verdict, Some(&error)).await?;
            return Err(error);
        }
        let open = match verdict {
            ApprovalVerdict::Approve => Some(self.approved(open?).await?),
            ApprovalVerdict::Deny => open.ok(),
        };
        let taken = self.tell_store(id, verdict, &approver).await;
        match (open, &taken) {
            (Some(open), Ok(())) if verdict == ApprovalVerdict::Approve => open.forget(),
            (open, _) => {
                let record = open.ok_or(RandomUnavailable)?.close();
                self.keep(record, verdict, taken.as_ref().err()).await?;
            }
        }
        taken
    }

    /// Records an approval, which does not count yet: its record stays open until the store has taken it.
    async fn approved(&self, open: OpenRecord) -> Result<OpenRecord, ApprovalError> {
        match self.keep(Record::clone(&open), ApprovalVerdict::Approve, None).await {
            Ok(()) => Ok(open),
            Err(error) => {
                let error = error.into();
                // Sinks that did take it are told so, and not waited for.
                drop(self.keep(open.close(), ApprovalVerdict::Approve, Some(&error)));
                Err(error)
            }
        }
    }

    fn check_status(&self, request: &ApprovalRequest, verdict: ApprovalVerdict) -> Result<(), ApprovalError> {
        match (request.status(self.auth.now()), verdict) {
            (ApprovalStatus::Pending, _) | (ApprovalStatus::Approved, ApprovalVerdict::Deny) => Ok(()),
            (ApprovalStatus::Expired, _) => Err(ApprovalError::Expired),
            _ => Err(ApprovalError::Decided),
        }
    }

    /// Between the look at the request and this, another human may have decided, or the agent may have acted.
    async fn tell_store(&self, id: &str, verdict: ApprovalVerdict, by: &Approver) -> Result<(), ApprovalError> {
        let by = by.to_text().ok_or(ApprovalError::ApproverMalformed)?;
        match self.store.decide(id, verdict, &by, self.auth.now()).await {
            VerdictAnswer::Taken => Ok(()),
            VerdictAnswer::Unknown => Err(ApprovalError::Unknown),
            VerdictAnswer::Expired => Err(ApprovalError::Expired),
            VerdictAnswer::Decided => Err(ApprovalError::Decided),
            VerdictAnswer::Unavailable => Err(ApprovalError::Unavailable),
        }
    }

    /// The record of what `approver` says of `request`, which is written however that ends.
    fn open(&self, request: &ApprovalRequest, approver: &Approver) -> Result<OpenRecord, ApprovalError> {
        let id = self.auth.new_id().map_err(|_| RandomUnavailable)?;
        let mut record = self.auth.record(RecordKind::Approval, &id, self.auth.now());
        record.action = Some(ActionRecord {
            name: request.action().into(),
            resource: request.resource().cloned(),
            arguments: Some(request.arguments_digest()),
            shown: None,
        });
        record.policy_version = Some(request.policy_version().into());
        record.approval = Some(ApprovalRecord {
            id: request.id().into(),
            approver: Some(approver.clone()),
            approver_hash: Some(self.auth.inner.audit_key.hash_approver(approver)),
            asked_by: Some(request.evaluation_id().into()),
        });
        Ok(self.auth.open(record))
    }

    fn keep(&self, mut record: Record, verdict: ApprovalVerdict, error: Option<&ApprovalError>) -> Recording {
        record.time = self.auth.now();
        (record.effect, record.code) = match (error, verdict) {
            (Some(error), _) => (Effect::Deny, error.code()),
            (None, ApprovalVerdict::Approve) => (Effect::Allow, "approved"),
            (None, ApprovalVerdict::Deny) => (Effect::Deny, "denied"),
        };
        record.reasons.extend(error.map(|error| Reason::new(ReasonKind::Refused, error.to_string())));
        self.auth.append(record)
    }
}

impl From<ApprovalsUnavailable> for ApprovalError {
    fn from(_: ApprovalsUnavailable) -> Self {
        Self::Unavailable
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals")
            .field("server", self.auth.resource())
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
