//! When is it good? The time that a certificate is for.

use x509_parser::prelude::X509Certificate;

use crate::time::Timestamp;

/// From the first second of a certificate to its last, both included, with no leeway (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// On which side of it a time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    Before,
    After,
}

impl Validity {
    /// `None` for a certificate that is from before 1970, or ends then.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let validity = certificate.validity();
        let time = |seconds| u64::try_from(seconds).ok().map(Timestamp::from_secs);
        Some(Self { first: time(validity.not_before.timestamp())?, last: time(validity.not_after.timestamp())? })
    }

    pub(super) const fn check(self, now: Timestamp) -> Result<(), Outside> {
        if now.secs() > self.last.secs() {
            Err(Outside::After)
        } else if now.secs() < self.first.secs() {
            Err(Outside::Before)
        } else {
            Ok(())
        }
    }
}
