//! X.509-SVID (X509-SVID.md): a certificate chain that proves a workload's SPIFFE ID.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::bundle::Crl;
use super::{SvidError, TrustBundles};
use crate::identity::SpiffeId;
use crate::time::Timestamp;

/// A leaf and at most nine above it.
const MAX_CHAIN: usize = 10;

/// How many issuers path building may try: enough for any certificates of different names, and for four that share
/// one. Nobody has vouched for them yet, and a tangle of nine that could all have issued each other takes a third of
/// a second to search.
const MAX_TRIES: usize = 64;

/// A workload's identity, proven by its certificate. Only [`verify_x509_svid`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Svid {
    id: SpiffeId,
    thumbprint: [u8; 32],
    not_before: Timestamp,
    not_after: Timestamp,
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
        self.not_before
    }

    /// The last second at which the leaf is valid. Long connections outlive it: check it again.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// Verifies that `chain` (leaf first, others in any order) proves a SPIFFE ID at the time `now`.
///
/// The path is built to the roots of the leaf's *own* trust domain only, by RFC 5280 §6; issuers must be CAs that
/// may sign certificates, and an expired root does not count. The leaf must satisfy X509-SVID.md §5.2: not a CA,
/// neither keyCertSign nor cRLSign, exactly one URI name, scheme `spiffe`, with a path. Validity is inclusive at
/// both ends, in whole seconds, with no leeway. Where the trust domain has revocation lists, they must speak for each
/// certificate of the path.
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

    let bundle = bundles.x509_bundle_of(&id)?;
    let second = i64::try_from(now.secs()).unwrap_or(i64::MAX);
    let anchors: Vec<TrustAnchor<'_>> = bundle
        .roots()
        .iter()
        .filter(|root| (root.not_before..=root.not_after).contains(&second))
        .map(|root| root.anchor.clone())
        .collect();
    let (issuers, issuer_ders): (Vec<_>, Vec<_>) = issuers
        .iter()
        .filter_map(|der| parse(der).ok().map(|issuer| (issuer, der.clone())))
        .filter(|(issuer, _)| may_sign_certificates(issuer))
        .unzip();
    let mut tries = MAX_TRIES;
    if !can_be_searched(&leaf, &issuers, &mut Vec::new(), &mut tries) {
        return Err(SvidError::InvalidPath("its issuers can be put together in too many ways".into()));
    }
    verify_path(leaf_der, &issuer_ders, &anchors, bundle.crls(), now)?;

    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest(&SHA256, leaf_der).as_ref());
    let (not_before, not_after) = (leaf.validity().not_before, leaf.validity().not_after);
    Ok(X509Svid { id, thumbprint, not_before: timestamp(not_before)?, not_after: timestamp(not_after)? })
}

fn timestamp(time: ASN1Time) -> Result<Timestamp, SvidError> {
    u64::try_from(time.timestamp()).map(Timestamp::from_secs).map_err(|_| SvidError::Malformed)
}

fn parse<'d>(der: &'d CertificateDer<'_>) -> Result<X509Certificate<'d>, SvidError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(SvidError::Malformed),
    }
}

/// The one URI name of the leaf. A malformed name anywhere in the extension spoils it.
fn spiffe_id(leaf: &X509Certificate<'_>) -> Result<SpiffeId, SvidError> {
    let names = leaf.subject_alternative_name().map_err(|_| SvidError::Malformed)?.ok_or(SvidError::NoUri)?;
    let mut uri = None;
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(_) if uri.is_some() => return Err(SvidError::ManyUris),
            GeneralName::URI(text) => uri = Some(*text),
            GeneralName::Invalid(..) => return Err(SvidError::Malformed),
            _ => {}
        }
    }
    Ok(uri.ok_or(SvidError::NoUri)?.parse()?)
}

fn check_leaf(leaf: &X509Certificate<'_>, id: &SpiffeId) -> Result<(), SvidError> {
    if id.path().is_empty() {
        return Err(SvidError::NoPath);
    }
    let constraints = leaf.basic_constraints().map_err(|_| SvidError::Malformed)?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(SvidError::IsCa);
    }
    let usage = leaf.key_usage().map_err(|_| SvidError::Malformed)?;
    if usage.is_some_and(|usage| usage.value.key_cert_sign() || usage.value.crl_sign()) {
        return Err(SvidError::SignsCertificates);
    }
    Ok(())
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

fn verify_path(
    leaf: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    crls: &[Arc<Crl>],
    now: Timestamp,
) -> Result<(), SvidError> {
    let leaf = EndEntityCert::try_from(leaf).map_err(path_error)?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.secs()));
    let crls = Crl::lists(crls);
    let revocation = Crl::options(&crls);
    let usage = KeyUsage::client_auth();
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, anchors, issuers, time, usage, revocation, None)
        .map(|_| ())
        .map_err(path_error)
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
