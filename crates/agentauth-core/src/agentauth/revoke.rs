//! Revoking, and the record of it.

use std::sync::Arc;

use super::{AgentAuth, NO_ID, OpenRecord, Recording};
use crate::audit::{AuditError, AuditKey, AuditSink, RecordKind, RevocationRecord};
use crate::policy::{Effect, Reason, ReasonKind};
use crate::state::revocation::{Revocation, RevocationStore, RevokeError};
use crate::time::Timestamp;

/// Why something was not revoked, or not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationFailure {
    /// There is no store.
    #[error("no store of revocations is configured, so nothing can be revoked here: call .revocations(...)")]
    NoStore,
    /// The store could not revoke it.
    #[error(transparent)]
    Store(#[from] RevokeError),
    /// It counts, and could not be recorded.
    #[error("it is revoked, but that could not be recorded: {0}")]
    Unrecorded(AuditError),
}

impl RevocationFailure {
    /// The stable machine code of this failure.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoStore => "revocations_none",
            Self::Store(error) => error.code(),
            Self::Unrecorded(_) => "revocation_unrecorded",
        }
    }
}

impl AgentAuth {
    /// Revokes a token, a grant, an agent, a principal or an issuer, and records that. Once this has answered `Ok`, nobody
    /// whom it concerns is let through here, whatever was verified before.
    ///
    /// Unlike other answers it takes effect before it is recorded, and also if it cannot be: taking back must not depend
    /// on the log.
    ///
    /// # Errors
    /// [`RevocationFailure::NoStore`]; [`RevocationFailure::Store`] if it may not count;
    /// [`RevocationFailure::Unrecorded`] if it counts, and is not in every record.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), RevocationFailure> {
        let now = self.now();
        let id = self.new_id().unwrap_or_else(|_| NO_ID.into());
        let record = self.open(self.record(RecordKind::Revocation, &id, now));
        let store = self.inner.revocations.as_deref();
        keep_revocation(store, revocation, now, record, &self.inner.audit_key, &self.inner.sinks).await
    }
}

/// Revokes, then records what came of it.
pub(crate) async fn keep_revocation(
    store: Option<&dyn RevocationStore>,
    revocation: &Revocation,
    now: Timestamp,
    mut record: OpenRecord,
    key: &AuditKey,
    sinks: &[Arc<dyn AuditSink>],
) -> Result<(), RevocationFailure> {
    // Before the store is told: it may have revoked when whoever waits for it goes away.
    record.revocation = Some(RevocationRecord::of(revocation, key));
    let revoked = match store {
        Some(store) => store.revoke(revocation, now).await.map_err(RevocationFailure::Store),
        None => Err(RevocationFailure::NoStore),
    };
    let mut record = record.close();
    match &revoked {
        Ok(()) => record.code = "revoked",
        Err(failure) => {
            record.effect = Effect::Deny;
            record.code = failure.code();
            record.reasons = vec![Reason::new(ReasonKind::Refused, failure.to_string())];
        }
    }
    let recorded = Recording::begin(sinks, &record.kept()).await;
    revoked.and(recorded.map_err(RevocationFailure::Unrecorded))
}
