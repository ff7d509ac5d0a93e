//! The client certificate that a TLS-terminating proxy passes on (RFC 9440).
//!
//! [`ClientCertificate`] is what tokens can be bound to (RFC 8705 §3), whoever issued it. As an identity it counts only
//! once it is verified as an X.509-SVID: [`Forwarded::ClientCert`](super::Forwarded::ClientCert).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::certificates::BASE64;
use super::{ForwardedError, ForwardedPeer};
use crate::identity::svid::{TrustBundles, verify_x509_svid};
use crate::identity::validity::{Outside, Validity};
use crate::time::Timestamp;

/// The header that carries the certificate (RFC 9440 §2.2).
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The header that carries the certificates above it (RFC 9440 §2.3). It is read where the certificate is to prove an
/// identity, and only there.
pub const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The longest header that is read, in bytes: a certificate of 12 KiB. Those of workloads have one or two.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The longest chain that is read, in bytes: nine certificates of 5 KiB.
const MAX_CHAIN_BYTES: usize = 64 * 1024;

/// With the leaf, as many as are verified.
const MAX_CHAIN: usize = 9;

/// A client certificate as a proxy has passed it on: well-formed, and nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    der: CertificateDer<'static>,
    thumbprint: [u8; 32],
    validity: Validity,
}

/// Why a `Client-Cert` header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCertificateError {
    /// More than one header: one of them may be the sender's own.
    #[error("the request has more than one Client-Cert header; the proxy must remove what it is sent")]
    Repeated,
    /// Longer than 16 KiB.
    #[error("the Client-Cert header is longer than 16384 bytes")]
    Oversize,
    /// Not a Structured Field byte sequence (RFC 8941 §3.3.5).
    #[error("the Client-Cert header is no byte sequence: padded base64 between two colons (RFC 9440)")]
    Encoding,
    /// Not exactly one DER certificate.
    #[error("the Client-Cert header does not hold exactly one DER certificate")]
    Malformed,
    /// Its last second has passed.
    #[error("the client certificate has expired")]
    Expired,
    /// Its first second has not come.
    #[error("the client certificate is not valid yet")]
    NotYetValid,
    /// More than one chain.
    #[error("the request has more than one Client-Cert-Chain header; the proxy must remove what it is sent")]
    ChainRepeated,
    /// A chain longer than 64 KiB.
    #[error("the Client-Cert-Chain header is longer than 65536 bytes")]
    ChainOversize,
    /// More than 9 certificates above the client's.
    #[error("the Client-Cert-Chain header has more than 9 certificates")]
    ChainTooLong,
    /// Not a Structured Field list of byte sequences (RFC 8941 §3.1).
    #[error("the Client-Cert-Chain header is no list of byte sequences (RFC 9440)")]
    ChainEncoding,
    /// An item of the list is not exactly one DER certificate.
    #[error("an item of the Client-Cert-Chain header does not hold exactly one DER certificate")]
    ChainMalformed,
    /// A chain without the certificate at its end (RFC 9440 §2.3).
    #[error("the request has a Client-Cert-Chain header and no Client-Cert")]
    ChainAlone,
}

impl ClientCertificateError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Repeated => "client_cert_repeated",
            Self::Oversize => "client_cert_oversize",
            Self::Encoding => "client_cert_encoding",
            Self::Malformed => "client_cert_malformed",
            Self::Expired => "client_cert_expired",
            Self::NotYetValid => "client_cert_not_yet_valid",
            Self::ChainRepeated => "client_cert_chain_repeated",
            Self::ChainOversize => "client_cert_chain_oversize",
            Self::ChainTooLong => "client_cert_chain_too_long",
            Self::ChainEncoding => "client_cert_chain_encoding",
            Self::ChainMalformed => "client_cert_chain_malformed",
            Self::ChainAlone => "client_cert_chain_alone",
        }
    }
}

impl ClientCertificate {
    /// Reads the `Client-Cert` header of a request, if it has one.
    ///
    /// # Errors
    /// [`ClientCertificateError`]; times are checked by [`ClientCertificate::check_validity`].
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, ClientCertificateError> {
        let mut values = headers.get_all(CLIENT_CERT).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(ClientCertificateError::Repeated);
        }
        Self::parse(value.as_bytes()).map(Some)
    }

    /// Reads the value of one `Client-Cert` header: `:`, the certificate's DER in base64, `:`, and no parameters.
    ///
    /// # Errors
    /// [`ClientCertificateError::Oversize`], [`ClientCertificateError::Encoding`],
    /// [`ClientCertificateError::Malformed`].
    pub fn parse(value: &[u8]) -> Result<Self, ClientCertificateError> {
        if value.len() > MAX_HEADER_BYTES {
            return Err(ClientCertificateError::Oversize);
        }
        let der = byte_sequence(value).ok_or(ClientCertificateError::Encoding)?;
        let Ok(([], certificate)) = X509Certificate::from_der(&der) else {
            return Err(ClientCertificateError::Malformed);
        };
        let validity = Validity::of(&certificate).ok_or(ClientCertificateError::Malformed)?;
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, &der).as_ref());
        Ok(Self { der: der.into(), thumbprint, validity })
    }

    /// The SHA-256 of the DER bytes: what `cnf.x5t#S256` confirms (RFC 8705 §3.1).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The certificate itself.
    #[must_use]
    pub const fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The first second at which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.validity.first
    }

    /// The last second at which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.validity.last
    }

    /// Checks that it is valid at the time `now`: inclusive at both ends, in whole seconds, with no leeway.
    ///
    /// # Errors
    /// [`ClientCertificateError::Expired`], [`ClientCertificateError::NotYetValid`].
    pub fn check_validity(&self, now: Timestamp) -> Result<(), ClientCertificateError> {
        self.validity.check(now).map_err(|outside| match outside {
            Outside::Before => ClientCertificateError::NotYetValid,
            Outside::After => ClientCertificateError::Expired,
        })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("not_before", &self.validity.first)
            .field("not_after", &self.validity.last)
            .finish_non_exhaustive()
    }
}

/// The client whose certificate a proxy has passed on, if it is an X.509-SVID under `bundles` at the time `now`.
pub(super) fn verified_peer(
    headers: &HeaderMap,
    bundles: &TrustBundles,
    now: Timestamp,
) -> Result<Option<ForwardedPeer>, ForwardedError> {
    let (leaf, issuers) = (ClientCertificate::from_headers(headers)?, chain(headers)?);
    let Some(leaf) = leaf else {
        return if issuers.is_empty() { Ok(None) } else { Err(ClientCertificateError::ChainAlone.into()) };
    };
    let chain: Vec<_> = std::iter::once(leaf.der).chain(issuers).collect();
    let svid = verify_x509_svid(&chain, bundles, now)?;
    let (id, thumbprint) = (svid.id().clone(), Some(*svid.thumbprint()));
    Ok(Some(ForwardedPeer { id, thumbprint, svid: Some(svid) }))
}

/// The certificates of the `Client-Cert-Chain` header; none if there is no such header.
fn chain(headers: &HeaderMap) -> Result<Vec<CertificateDer<'static>>, ClientCertificateError> {
    let mut values = headers.get_all(CLIENT_CERT_CHAIN).iter();
    let Some(value) = values.next() else { return Ok(Vec::new()) };
    if values.next().is_some() {
        return Err(ClientCertificateError::ChainRepeated);
    }
    let value = value.as_bytes();
    if value.len() > MAX_CHAIN_BYTES {
        return Err(ClientCertificateError::ChainOversize);
    }
    let mut certificates = Vec::new();
    // No comma stands in base64, and a parameter is refused.
    for item in value.split(|byte| *byte == b',') {
        if certificates.len() == MAX_CHAIN {
            return Err(ClientCertificateError::ChainTooLong);
        }
        let der = byte_sequence(item.trim_ascii()).ok_or(ClientCertificateError::ChainEncoding)?;
        if !matches!(X509Certificate::from_der(&der), Ok(([], _))) {
            return Err(ClientCertificateError::ChainMalformed);
        }
        certificates.push(der.into());
    }
    Ok(certificates)
}

/// What a Structured Field byte sequence without parameters holds (RFC 8941 §3.3.5).
fn byte_sequence(item: &[u8]) -> Option<Vec<u8>> {
    let base64 = item.strip_prefix(b":")?.strip_suffix(b":")?;
    BASE64.decode(base64).ok()
}
