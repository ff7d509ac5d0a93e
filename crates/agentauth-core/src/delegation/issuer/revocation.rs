//! Nothing is issued from what has been revoked.

use std::sync::Arc;

use super::{ExchangeError, Issuer};
use crate::state::RevocationStore;
use crate::state::revocation::{RevocationAnswer, Revoked, Subjects};
use crate::time::Timestamp;

impl Issuer {
    /// What has been revoked, if anybody remembers that: RFC 7009 requests are for it too.
    #[must_use]
    pub fn revocations(&self) -> Option<&Arc<dyn RevocationStore>> {
        self.inner.revocations.as_ref()
    }

    /// Refuses if one of `subjects` has been revoked, or that cannot be told.
    pub(super) async fn check_revoked<'s>(
        &self,
        subjects: impl IntoIterator<Item = &'s Subjects>,
        now: Timestamp,
    ) -> Result<(), ExchangeError> {
        let Some(store) = &self.inner.revocations else { return Ok(()) };
        if store.epoch(now) == Some(0) {
            return Ok(());
        }
        for subjects in subjects {
            match store.check(subjects, now).await {
                RevocationAnswer::Clear => {}
                RevocationAnswer::Revoked(kind) => return Err(ExchangeError::Revoked(kind.into())),
                RevocationAnswer::Unavailable => return Err(ExchangeError::Revoked(Revoked::Unavailable)),
            }
        }
        Ok(())
    }
}
