//! What the authorities of a trust domain have revoked (RFC 5280 §5).

use std::sync::Arc;

use webpki::{
    CertRevocationList, ExpirationPolicy, OwnedCertRevocationList, RevocationCheckDepth, RevocationOptions,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::BundleError;
use crate::identity::TrustDomain;
use crate::identity::svid::SvidError;

/// A hundred thousand revoked certificates, in a world of certificates that live for an hour.
const MAX_CRL_BYTES: usize = 4 * 1024 * 1024;

/// A few for each authority of a trust domain.
const MAX_CRLS: usize = 64;

pub(in crate::identity::svid) struct Crl {
    list: CertRevocationList<'static>,
    this_update: i64,
}

/// Adds the list `der` to `crls`, which are kept latest first: the verifier takes the first that is of the right
/// issuer.
pub(super) fn add(domain: &TrustDomain, crls: &mut Vec<Arc<Crl>>, der: &[u8]) -> Result<(), BundleError> {
    if crls.len() >= MAX_CRLS {
        return Err(BundleError::TooManyCrls(domain.clone()));
    }
    let crl = Crl::from_der(der).ok_or_else(|| BundleError::Crl(domain.clone()))?;
    let at = crls.partition_point(|other| other.this_update > crl.this_update);
    crls.insert(at, Arc::new(crl));
    Ok(())
}

impl Crl {
    fn from_der(der: &[u8]) -> Option<Self> {
        if der.len() > MAX_CRL_BYTES {
            return None;
        }
        let (_, dated) = CertificateRevocationList::from_der(der).ok()?;
        let list = OwnedCertRevocationList::from_der(der).ok()?.into();
        Some(Self { list, this_update: dated.last_update().timestamp() })
    }

    /// The lists, as [`Crl::options`] wants them.
    pub(in crate::identity::svid) fn lists(crls: &[Arc<Self>]) -> Vec<&CertRevocationList<'static>> {
        crls.iter().map(|crl| &crl.list).collect()
    }

    /// How revocation is checked: for every certificate below the root, where a list that is missing or out of date
    /// refuses. Not at all if there is no list.
    ///
    /// # Errors
    /// None that is known; lists that could not be looked at must not pass for none.
    pub(in crate::identity::svid) fn options<'a>(
        lists: &'a [&'a CertRevocationList<'a>],
    ) -> Result<Option<RevocationOptions<'a>>, SvidError> {
        if lists.is_empty() {
            return Ok(None);
        }
        let builder = RevocationOptionsBuilder::new(lists)
            .map_err(|_| SvidError::RevocationUnknown("the lists cannot be looked at".into()))?;
        let builder = builder
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce);
        Ok(Some(builder.build()))
    }
}
