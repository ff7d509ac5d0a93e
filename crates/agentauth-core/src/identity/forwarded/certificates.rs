//! The certificates in an element of `x-forwarded-client-cert`.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{ForwardedError, XfccElement, XfccKey};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const END: &str = "-----END CERTIFICATE-----\n";

/// The standard alphabet, padded: one certificate has one spelling (RFC 7468 §3, RFC 8941 §3.3.5).
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(false),
);

/// The client's certificates, leaf first.
pub(super) struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// The certificates of `element`, if it has any.
    ///
    /// # Errors
    /// [`ForwardedError::CertMalformed`], [`ForwardedError::ChainMismatch`].
    pub(super) fn of(element: &XfccElement<'_>) -> Result<Option<Self>, ForwardedError> {
        let read = |key| {
            let certificates = element.value(key).map(|value| decode(value).ok_or(ForwardedError::CertMalformed(key)));
            certificates.transpose()
        };
        match (read(XfccKey::Cert)?, read(XfccKey::Chain)?) {
            (None, None) => Ok(None),
            (Some(leaf), _) if leaf.len() != 1 => Err(ForwardedError::CertMalformed(XfccKey::Cert)),
            (Some(leaf), Some(chain)) if leaf.first() != chain.first() => Err(ForwardedError::ChainMismatch),
            (_, Some(certificates)) | (Some(certificates), None) => Ok(Some(Self(certificates))),
        }
    }

    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// The SHA-256 of the leaf.
    pub(super) fn thumbprint(&self) -> [u8; 32] {
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, self.leaf()).as_ref());
        thumbprint
    }

    fn leaf(&self) -> &[u8] {
        self.0.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Checks that `element` says the names that the leaf has: all of its URI and DNS names, in their order, and no other.
    /// A name with a comma or a semicolon in it reads as several names, or as a part of one.
    ///
    /// # Errors
    /// [`ForwardedError::NamesMismatch`].
    pub(super) fn check_names(&self, element: &XfccElement<'_>) -> Result<(), ForwardedError> {
        let leaf = X509Certificate::from_der(self.leaf()).map_err(|_| ForwardedError::NamesMismatch)?.1;
        let (mut uris, mut dns) = (Vec::new(), Vec::new());
        let names = leaf.subject_alternative_name().map_err(|_| ForwardedError::NamesMismatch)?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::URI(name) => uris.push(*name),
                GeneralName::DNSName(name) => dns.push(*name),
                GeneralName::Invalid(..) => return Err(ForwardedError::NamesMismatch),
                _ => {}
            }
        }
        if uris.is_empty() {
            // What Envoy writes for none.
            uris.push("");
        }
        let is_same = element.values(XfccKey::Uri).eq(uris) && element.values(XfccKey::Dns).eq(dns);
        if is_same { Ok(()) } else { Err(ForwardedError::NamesMismatch) }
    }
}

/// One or more certificates, of which the first at least is one.
fn decode(value: &str) -> Option<Vec<CertificateDer<'static>>> {
    let pem = percent_decode(value)?;
    let (mut certificates, mut rest) = (Vec::new(), pem.as_str());
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        let der = BASE64.decode(body.replace('\n', "")).ok()?;
        certificates.push(der.into());
        rest = after;
    }
    let leaf: &CertificateDer<'_> = certificates.first()?;
    matches!(X509Certificate::from_der(leaf), Ok(([], _))).then_some(certificates)
}

/// Every character but letters, digits, `-`, `.`, `_` and `~` must be encoded (RFC 3986 §2.1): `+` would be read in two ways.
fn percent_decode(value: &str) -> Option<String> {
    let mut decoded = String::with_capacity(value.len());
    let mut pieces = value.split('%');
    let plain =
        |piece: &str| piece.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    decoded.push_str(pieces.next().filter(|piece| plain(piece))?);
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        // A sign is no digit.
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|byte| is_hex && byte.is_ascii() && plain(rest))?;
        decoded.push(char::from(byte));
        decoded.push_str(rest);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_has_no_second_reading() {
        for (text, expected) in [
            ("", Some("")),
            ("a-Z.0_~", Some("a-Z.0_~")),
            ("a%20b%0A%2B%2f%3D", Some("a b\n+/=")),
            ("a+b", None),
            ("a b", None),
            ("a/b", None),
            ("a=", None),
            ("%", None),
            ("%2", None),
            ("%+2", None),
            ("%2%42", None),
            ("%zz", None),
            ("%ff", None),
            ("%20%", None),
        ] {
            assert_eq!(percent_decode(text).as_deref(), expected, "{text}");
        }
    }
}
