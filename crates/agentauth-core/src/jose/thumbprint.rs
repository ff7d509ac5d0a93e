//! JWK thumbprints (RFC 7638): what a key is known by, whoever names it.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;

use super::{Algorithm, KeyError, VerificationKey, base64url};

/// RFC 9278 §3, §5.
const URI_PREFIX: &str = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:";

/// The SHA-256 thumbprint of a public key as a JWK (RFC 7638 §3): what `cnf.jkt` confirms (RFC 9449 §6.1).
///
/// ```
/// use agentauth_core::jose::{Algorithm, JwkThumbprint, SigningKey};
///
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let thumbprint = JwkThumbprint::of_jwk(key.public_jwk().as_bytes())?;
/// assert_eq!(thumbprint.to_string(), key.key_id());
/// # Ok::<(), agentauth_core::jose::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct JwkThumbprint([u8; 32]);

/// A text is not a thumbprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 thumbprint: 43 characters of base64url without padding are needed")]
pub struct NotAThumbprint;

impl JwkThumbprint {
    /// The thumbprint of one public JWK, which must be a key that [`VerificationKey::from_jwk`] takes.
    ///
    /// # Errors
    /// [`KeyError`], as [`VerificationKey::from_jwk`].
    pub fn of_jwk(jwk: &[u8]) -> Result<Self, KeyError> {
        VerificationKey::from_jwk(jwk, Algorithm::Rs256).map(|key| *key.thumbprint())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The thumbprint as a URI (RFC 9278 §3): `urn:ietf:params:oauth:jwk-thumbprint:sha-256:` and the 43 characters.
    #[must_use]
    pub fn uri(&self) -> String {
        self.uri_in(&mut [0; 96]).to_owned()
    }

    /// As [`JwkThumbprint::uri`], in `buffer`.
    pub(crate) fn uri_in<'b>(&self, buffer: &'b mut [u8; 96]) -> &'b str {
        let (prefix, rest) = buffer.split_at_mut(URI_PREFIX.len());
        prefix.copy_from_slice(URI_PREFIX.as_bytes());
        let length = prefix.len().saturating_add(base64url::encode_into(&self.0, rest).len());
        buffer.get(..length).and_then(|uri| std::str::from_utf8(uri).ok()).unwrap_or_default()
    }

    /// Reads the form that [`JwkThumbprint::uri`] writes.
    ///
    /// # Errors
    /// [`NotAThumbprint`], also for those of other hash functions.
    pub fn from_uri(uri: &str) -> Result<Self, NotAThumbprint> {
        uri.strip_prefix(URI_PREFIX).ok_or(NotAThumbprint)?.parse()
    }

    pub(super) fn of_okp(crv: &str, x: &str) -> Self {
        Self::of_text(&["{\"crv\":\"", crv, "\",\"kty\":\"OKP\",\"x\":\"", x, "\"}"])
    }

    pub(super) fn of_ec(crv: &str, (x, y): (&str, &str)) -> Self {
        Self::of_text(&["{\"crv\":\"", crv, "\",\"kty\":\"EC\",\"x\":\"", x, "\",\"y\":\"", y, "\"}"])
    }

    pub(super) fn of_rsa((n, e): (&str, &str)) -> Self {
        Self::of_text(&["{\"e\":\"", e, "\",\"kty\":\"RSA\",\"n\":\"", n, "\"}"])
    }

    /// The parameters are canonical base64url, which needs no escapes in JSON.
    fn of_text(parts: &[&str]) -> Self {
        // Holds the required members of an RSA key of 2048 bits, with room to spare.
        let mut text: SmallVec<[u8; 512]> = SmallVec::new();
        for part in parts {
            text.extend_from_slice(part.as_bytes());
        }
        Self::from_digest(digest(&SHA256, &text).as_ref())
    }

    fn from_digest(digest: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest);
        Self(bytes)
    }
}

impl From<[u8; 32]> for JwkThumbprint {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for JwkThumbprint {
    type Err = NotAThumbprint;

    /// Reads the form that `cnf.jkt` has.
    fn from_str(text: &str) -> Result<Self, NotAThumbprint> {
        base64url::decode_exactly(text).map(Self).map_err(|_| NotAThumbprint)
    }
}

impl fmt::Display for JwkThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(base64url::encode_into(&self.0, &mut [0; 43]))
    }
}

impl fmt::Debug for JwkThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwkThumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::SigningKey;

    #[test]
    fn published_examples_have_their_published_thumbprints() {
        for (jwk, expected) in [
            // RFC 7638 §3.1, whose JWK has members that do not count.
            (
                "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhD\
                 R1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY\
                 368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPk\
                 sINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}",
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
            // RFC 8037 A.3.
            (
                r#"{"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","crv":"Ed25519","kty":"OKP"}"#,
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            // RFC 9449 §6.1.
            (
                r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
                "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            ),
        ] {
            let thumbprint = JwkThumbprint::of_jwk(jwk.as_bytes()).unwrap();
            assert_eq!(thumbprint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(thumbprint));
            assert_eq!(JwkThumbprint::from_uri(&thumbprint.uri()), Ok(thumbprint));
        }
    }

    #[test]
    fn a_key_has_one_thumbprint_whatever_else_its_jwk_says() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256] {
            let key = SigningKey::generate(algorithm).unwrap();
            assert_eq!(JwkThumbprint::of_jwk(key.public_jwk().as_bytes()).unwrap().to_string(), key.key_id());
            let renamed = key.public_jwk().replace(key.key_id(), "another name");
            assert_eq!(JwkThumbprint::of_jwk(renamed.as_bytes()).unwrap().to_string(), key.key_id());
        }
        assert_eq!(JwkThumbprint::of_jwk(br#"{"kty":"oct","k":"AAAA"}"#).unwrap_err().code(), "jwk_symmetric");
    }

    #[test]
    fn a_thumbprint_has_one_spelling() {
        for text in
            ["", "AAAA", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J", "0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I"]
        {
            assert_eq!(text.parse::<JwkThumbprint>(), Err(NotAThumbprint), "{text}");
            assert_eq!(JwkThumbprint::from_uri(text), Err(NotAThumbprint), "{text}");
        }
    }
}
