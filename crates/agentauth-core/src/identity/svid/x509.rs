//! X.509-SVID (X509-SVID.md): a certificate chain that proves a workload's SPIFFE ID.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, Der, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::X509Certificate;

use super::bundle::{Crl, Root, TrustBundle};
use super::leaf::{check_leaf, parse, spiffe_id};
use super::{SvidError, TrustBundles};
use crate::identity::SpiffeId;
use crate::identity::validity::Validity;
use crate::time::Timestamp;

/// A leaf and at most nine above it.
pub(super) const MAX_CHAIN: usize = 10;

/// How many issuers path building may try: enough for any certificates of different names, and for four that share
/// one. Nobody has vouched for them yet, and a tangle of nine that could all have issued each other takes a third of
/// a second to search.
const MAX_TRIES: usize = 64;

/// A workload's identity, proven by its certificate. Only [`verify_x509_svid`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Svid {
    id: SpiffeId,
    thumbprint: [u8; 32],
    validity: Validity,
    path: Path,
}

/// What a certificate was verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Name and public key of the root at its top.
    root: Box<[u8]>,
    /// The last second at which everything below the root is valid, by the epoch.
    ends: i64,
}

impl X509Svid {
    /// The workload's SPIFFE ID.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The SHA-256 of the leaf certificate's DER bytes: what `cnf.x5t#S256` confirms (RFC 8705 §3.1).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The first second at which the leaf is valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.validity.first
    }

    /// The last second at which the leaf is valid. Long connections outlive it: check it again.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.validity.last
    }

    /// Checks again, at the time `now`, what may have changed since it was verified: its own time and that of the
    /// certificates above it, and that the root it was verified under is one of its trust domain's still. No signature
    /// is verified again.
    ///
    /// # Errors
    /// [`SvidError::Expired`], [`SvidError::NotYetValid`], [`SvidError::UnknownTrustDomain`],
    /// [`SvidError::UnknownIssuer`].
    pub fn recheck(&self, bundles: &TrustBundles, now: Timestamp) -> Result<(), SvidError> {
        self.validity.check(now)?;
        if i64::try_from(now.secs()).map_or(true, |now| now > self.path.ends) {
            return Err(SvidError::Expired);
        }
        let bundle = bundles.x509_bundle_of(&self.id)?;
        let is_ours = |root: &Root| {
            self.path.root.strip_prefix(&*root.anchor.subject) == Some(&*root.anchor.subject_public_key_info)
        };
        if bundle.roots().iter().any(|root| root.is_valid(now) && is_ours(root)) {
            Ok(())
        } else {
            Err(SvidError::UnknownIssuer)
        }
    }
}

/// Verifies that `chain` (leaf first, others in any order) proves a SPIFFE ID at the time `now`.
///
/// The path is built to the roots of the leaf's *own* trust domain only, by RFC 5280 §6; issuers must be CAs that
/// may sign certificates, and an expired root does not count. The leaf must satisfy X509-SVID.md §5.2: not a CA,
/// neither keyCertSign nor cRLSign, exactly one URI name, scheme `spiffe`, with a path; and may serve at both ends of a
/// connection, if it says anything of that (§4.4). Validity is inclusive at both ends, in whole seconds, with no
/// leeway. Where the trust domain has revocation lists, they must speak for each certificate of the path.
///
/// # Errors
/// Each rule has its own [`SvidError`].
pub fn verify_x509_svid(
    chain: &[CertificateDer<'_>],
    bundles: &TrustBundles,
    now: Timestamp,
) -> Result<X509Svid, SvidError> {
    let (leaf_der, issuers) = chain.split_first().ok_or(SvidError::NoCertificate)?;
    if chain.len() > MAX_CHAIN {
        return Err(SvidError::ChainTooLong);
    }
    let leaf = parse(leaf_der)?;
    let id = spiffe_id(&leaf)?;
    check_leaf(&leaf, &id)?;
    let path = find_path(leaf_der, &leaf, issuers, bundles.x509_bundle_of(&id)?, now)?;

    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest(&SHA256, leaf_der).as_ref());
    Ok(X509Svid { id, thumbprint, validity: Validity::of(&leaf).ok_or(SvidError::Malformed)?, path })
}

/// Finds a path to a root of `bundle`.
pub(super) fn find_path(
    leaf_der: &CertificateDer<'_>,
    leaf: &X509Certificate<'_>,
    issuers: &[CertificateDer<'_>],
    bundle: &TrustBundle,
    now: Timestamp,
) -> Result<Path, SvidError> {
    let anchors: Vec<TrustAnchor<'_>> =
        bundle.roots().iter().filter(|root| root.is_valid(now)).map(Root::borrowed).collect();
    let (issuers, issuer_ders): (Vec<_>, Vec<_>) = issuers
        .iter()
        .filter_map(|der| parse(der).ok().map(|issuer| (issuer, der.clone())))
        .filter(|(issuer, _)| may_sign_certificates(issuer))
        .unzip();
    let mut tries = MAX_TRIES;
    if !can_be_searched(leaf, &issuers, &mut Vec::new(), &mut tries) {
        return Err(SvidError::InvalidPath("its issuers can be put together in too many ways".into()));
    }
    let (root, is_used) = verify_path(leaf_der, &issuer_ders, &anchors, bundle.crls(), now)?;
    let above = issuers.iter().zip(is_used).filter_map(|(issuer, is_used)| is_used.then_some(issuer));
    let ends = above.map(|issuer| issuer.validity().not_after).fold(leaf.validity().not_after, Ord::min);
    Ok(Path { root, ends: ends.timestamp() })
}

impl Root {
    fn is_valid(&self, now: Timestamp) -> bool {
        i64::try_from(now.secs()).is_ok_and(|now| (self.not_before..=self.not_after).contains(&now))
    }

    fn borrowed(&self) -> TrustAnchor<'_> {
        TrustAnchor {
            subject: Der::from_slice(&self.anchor.subject),
            subject_public_key_info: Der::from_slice(&self.anchor.subject_public_key_info),
            name_constraints: self.anchor.name_constraints.as_deref().map(Der::from_slice),
        }
    }
}

/// webpki checks that an issuer is a CA, but not its key usage (RFC 5280 §6.1.4 n).
fn may_sign_certificates(issuer: &X509Certificate<'_>) -> bool {
    issuer.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()))
}

/// Whether webpki, which looks for issuers by name alone, is done with `child` within so many `tries`. Its own limit
/// is 200000. Like it, this puts no name and key on a `path` twice (RFC 4158 §5.2).
fn can_be_searched<'c>(
    child: &X509Certificate<'_>,
    issuers: &'c [X509Certificate<'c>],
    path: &mut Vec<&'c X509Certificate<'c>>,
    tries: &mut usize,
) -> bool {
    for issuer in issuers.iter().filter(|issuer| issuer.subject().as_raw() == child.issuer().as_raw()) {
        let same = |above: &&X509Certificate<'_>| {
            above.subject().as_raw() == issuer.subject().as_raw() && above.public_key().raw == issuer.public_key().raw
        };
        if path.iter().any(same) {
            continue;
        }
        let Some(left) = tries.checked_sub(1) else { return false };
        *tries = left;
        path.push(issuer);
        if !can_be_searched(issuer, issuers, path, tries) {
            return false;
        }
        path.pop();
    }
    true
}

/// The root, and which of `issuers` stand between it and `leaf`.
fn verify_path(
    leaf: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    crls: &[Arc<Crl>],
    now: Timestamp,
) -> Result<(Box<[u8]>, Vec<bool>), SvidError> {
    let leaf = EndEntityCert::try_from(leaf).map_err(path_error)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.secs()));
    let crls = Crl::lists(crls);
    let revocation = Crl::options(&crls)?;
    let usage = KeyUsage::client_auth();
    let path = leaf
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, anchors, issuers, time, usage, revocation, None)
        .map_err(path_error)?;
    let root = path.anchor();
    let root = [&*root.subject, &*root.subject_public_key_info].concat().into();
    let is_used = |der: &CertificateDer<'_>| path.intermediate_certificates().any(|used| used.der() == *der);
    Ok((root, issuers.iter().map(is_used).collect()))
}

fn path_error(error: webpki::Error) -> SvidError {
    match error {
        webpki::Error::CertExpired { .. } => SvidError::Expired,
        webpki::Error::CertNotValidYet { .. } => SvidError::NotYetValid,
        webpki::Error::UnknownIssuer => SvidError::UnknownIssuer,
        webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => SvidError::WrongUsage,
        webpki::Error::CaUsedAsEndEntity => SvidError::IsCa,
        webpki::Error::BadDer | webpki::Error::BadDerTime | webpki::Error::TrailingData(_) => SvidError::Malformed,
        webpki::Error::CertRevoked => SvidError::Revoked,
        webpki::Error::UnknownRevocationStatus
        | webpki::Error::CrlExpired { .. }
        | webpki::Error::IssuerNotCrlSigner
        | webpki::Error::InvalidCrlSignatureForPublicKey
        | webpki::Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | webpki::Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            SvidError::RevocationUnknown(error.to_string().into())
        }
        other => SvidError::InvalidPath(other.to_string().into()),
    }
}
