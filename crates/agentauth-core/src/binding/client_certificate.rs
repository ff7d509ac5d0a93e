//! The client certificate that a TLS-terminating proxy passes on (RFC 9440).
//!
//! The header is the sender's word, unless the sender is a proxy that is known to set it itself and to remove it from
//! what it is sent. Whether it is, is for the configuration to say; this only reads.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use crate::time::Timestamp;

/// The header that carries the certificate (RFC 9440 §2.2). `Client-Cert-Chain` is not read: what vouches for the
/// certificate is the proxy, or the trust domain's own bundle.
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// The longest header that is read, in bytes: a certificate of 12 KiB. Those of workloads have one or two.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// RFC 8941 §3.3.5: the standard alphabet, padded. One certificate has one spelling.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(false),
);

/// A client certificate as a proxy has passed it on: well-formed, and nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    der: CertificateDer<'static>,
    thumbprint: [u8; 32],
    not_before: Timestamp,
    not_after: Timestamp,
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
        let base64 = value.strip_prefix(b":").and_then(|rest| rest.strip_suffix(b":"));
        let der = base64.and_then(|base64| ENGINE.decode(base64).ok()).ok_or(ClientCertificateError::Encoding)?;
        let Ok(([], certificate)) = X509Certificate::from_der(&der) else {
            return Err(ClientCertificateError::Malformed);
        };
        let (not_before, not_after) = (certificate.validity().not_before, certificate.validity().not_after);
        let (not_before, not_after) = (timestamp(not_before)?, timestamp(not_after)?);
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, &der).as_ref());
        Ok(Self { der: der.into(), thumbprint, not_before, not_after })
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
        self.not_before
    }

    /// The last second at which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Checks that it is valid at the time `now`: inclusive at both ends, in whole seconds, with no leeway.
    ///
    /// # Errors
    /// [`ClientCertificateError::Expired`], [`ClientCertificateError::NotYetValid`].
    pub const fn check_validity(&self, now: Timestamp) -> Result<(), ClientCertificateError> {
        if now.secs() > self.not_after.secs() {
            Err(ClientCertificateError::Expired)
        } else if now.secs() < self.not_before.secs() {
            Err(ClientCertificateError::NotYetValid)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn timestamp(time: ASN1Time) -> Result<Timestamp, ClientCertificateError> {
    u64::try_from(time.timestamp()).map(Timestamp::from_secs).map_err(|_| ClientCertificateError::Malformed)
}
