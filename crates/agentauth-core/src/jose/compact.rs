//! Compact JWS (RFC 7515 §7.1): taken apart, checked for form, and verified under one key.

use std::borrow::Cow;
use std::fmt;

use serde::de::MapAccess;

use super::json::{self, Members, Scalar, Value};
use super::{Algorithm, JoseError, Part, TokenType, VerificationKey, base64url};
use crate::text::Excerpt;

/// The longest token that is looked at, in bytes: twice what a proxy's default header limit lets through.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Real headers hold three short members; 2 KiB leaves room for the certificates some issuers add.
const MAX_HEADER_BYTES: usize = 2048;

/// A key id is only ever a name to look up.
pub(super) const MAX_KID_BYTES: usize = 256;

/// The largest signature of the supported algorithms: RSA with 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// A compact JWS whose form and header have been checked, and whose signature has not.
pub struct CompactJws<'t> {
    header: Header,
    signing_input: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// The parts of a protected header that count. Key hints (`jku`, `jwk`, `x5u`, `x5c`, `x5t`) are never read:
/// the key comes from the issuer that the configuration trusts, not from the token (RFC 8725bis §3.10).
#[derive(Debug)]
struct Header {
    algorithm: Algorithm,
    token_type: TokenType,
    key_id: Option<Box<str>>,
}

impl<'t> CompactJws<'t> {
    /// Takes `token` apart and checks everything that needs no key.
    ///
    /// # Errors
    /// Each rule of form has its own [`JoseError`]; nothing here depends on a secret.
    pub fn parse(token: &'t str) -> Result<Self, JoseError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(JoseError::Oversize);
        }
        let is_compact = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // Without a way out on the way, the loop is vectorised; tokens are nearly always good.
        if !token.bytes().fold(true, |good, byte| good & is_compact(byte)) {
            return Err(JoseError::NotCompact);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(JoseError::NotCompact);
        };
        match parts.count() {
            0 => {}
            2 => return Err(JoseError::Encrypted),
            _ => return Err(JoseError::NotCompact),
        }
        let signing_input = token.get(..header.len() + 1 + payload.len()).ok_or(JoseError::NotCompact)?;
        Ok(Self { header: Header::parse(header)?, signing_input, payload, signature })
    }

    /// The signature algorithm the header names.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The kind of token the header names.
    #[must_use]
    pub const fn token_type(&self) -> TokenType {
        self.header.token_type
    }

    /// The name of the key: untrusted, at most 256 bytes, good for a look-up only.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Refuses every kind of token but `expected`.
    ///
    /// # Errors
    /// [`JoseError::WrongType`].
    pub fn require_type(&self, expected: TokenType) -> Result<(), JoseError> {
        let found = self.token_type();
        if found == expected { Ok(()) } else { Err(JoseError::WrongType { expected, found }) }
    }

    /// The decoded payload. It is a claim, not a fact, until [`CompactJws::verify`] has passed.
    ///
    /// # Errors
    /// [`JoseError::NotCanonical`].
    pub fn unverified_payload(&self) -> Result<Vec<u8>, JoseError> {
        base64url::decode(self.payload).map_err(|_| JoseError::NotCanonical(Part::Payload))
    }

    /// Verifies the signature under `key`, which must be bound to the algorithm the header names.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotOfKey`], [`JoseError::NotCanonical`], [`JoseError::Signature`].
    pub fn verify(&self, key: &VerificationKey) -> Result<(), JoseError> {
        if self.header.algorithm != key.algorithm() {
            return Err(JoseError::AlgorithmNotOfKey { token: self.header.algorithm, key: key.algorithm() });
        }
        // Longer than any signature of a supported algorithm; four characters carry three bytes.
        if self.signature.len() > MAX_SIGNATURE_BYTES.div_ceil(3) * 4 {
            return Err(JoseError::Signature);
        }
        let mut buffer = [0u8; MAX_SIGNATURE_BYTES + 2];
        let signature = base64url::decode_into(self.signature, &mut buffer)
            .map_err(|_| JoseError::NotCanonical(Part::Signature))?;
        if key.verify(self.signing_input.as_bytes(), signature) { Ok(()) } else { Err(JoseError::Signature) }
    }
}

impl fmt::Debug for CompactJws<'_> {
    /// Shows the header, and nothing that could be used as a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Header {
    fn parse(part: &str) -> Result<Self, JoseError> {
        // Four characters carry three bytes; the longest part that can fit is known before decoding.
        if part.len() > MAX_HEADER_BYTES.div_ceil(3) * 4 {
            return Err(JoseError::HeaderOversize);
        }
        let mut buffer = [0u8; MAX_HEADER_BYTES + 2];
        let bytes = base64url::decode_into(part, &mut buffer).map_err(|_| JoseError::NotCanonical(Part::Header))?;
        let members: HeaderMembers<'_> = json::read(bytes).map_err(JoseError::Header)?;
        members.check()
    }
}

#[derive(Default)]
struct HeaderMembers<'de> {
    alg: Option<Cow<'de, str>>,
    typ: Option<Cow<'de, str>>,
    kid: Option<Cow<'de, str>>,
    has_crit: bool,
    has_b64: bool,
}

impl<'de> Members<'de> for HeaderMembers<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "alg" => self.alg = Some(value.text()?),
            "typ" => self.typ = Some(value.text()?),
            "kid" => self.kid = Some(value.text()?),
            "crit" => {
                self.has_crit = true;
                value.skip()?;
            }
            "b64" => self.has_b64 = !matches!(value.scalar()?, Scalar::Bool(true)),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl HeaderMembers<'_> {
    fn check(self) -> Result<Header, JoseError> {
        if self.has_b64 {
            return Err(JoseError::UnencodedPayload);
        }
        if self.has_crit {
            return Err(JoseError::CriticalUnsupported);
        }
        let alg = self.alg.ok_or(JoseError::AlgorithmMissing)?;
        let algorithm = Algorithm::from_name(&alg).ok_or_else(|| refuse_algorithm(&alg))?;
        if self.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JoseError::KeyIdOversize);
        }
        Ok(Header {
            algorithm,
            token_type: self.typ.map_or(TokenType::Absent, |typ| TokenType::from_typ(&typ)),
            key_id: self.kid.map(|kid| kid.into_owned().into_boxed_str()),
        })
    }
}

fn refuse_algorithm(alg: &str) -> JoseError {
    if alg.eq_ignore_ascii_case("none") {
        JoseError::AlgorithmNone
    } else if matches!(alg, "HS256" | "HS384" | "HS512") {
        JoseError::AlgorithmSymmetric(Excerpt::of(alg))
    } else {
        JoseError::AlgorithmUnsupported(Excerpt::of(alg))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}.e30.AAAA", base64url::encode(header.as_bytes()))
    }

    fn code(token: &str) -> &'static str {
        CompactJws::parse(token).map_or_else(|e| e.code(), |_| "accepted")
    }

    #[test]
    fn each_rule_of_form_has_its_code() {
        let long_kid = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257));
        let long_header = format!(r#"{{"alg":"ES256","x":"{}"}}"#, "x".repeat(2100));
        let oversize = format!("{}.{}.AAAA", base64url::encode(br#"{"alg":"ES256"}"#), "A".repeat(MAX_TOKEN_BYTES));
        for (token, expected) in [
            (with_header(r#"{"alg":"ES256","typ":"at+jwt","jku":"https://evil"}"#), "accepted"),
            (oversize, "token_oversize"),
            (String::new(), "token_not_compact"),
            ("e30.e30".into(), "token_not_compact"),
            ("e30.e30.e30.e30".into(), "token_not_compact"),
            ("e30.e30.AA=".into(), "token_not_compact"),
            (" e30.e30.AAAA".into(), "token_not_compact"),
            ("e30.e30.e30.e30.e30".into(), "token_encrypted"),
            ("e31.e30.AAAA".into(), "token_not_canonical"),
            ("A.e30.AAAA".into(), "token_not_canonical"),
            (with_header(&long_header), "header_oversize"),
            (with_header("[]"), "json_malformed"),
            (with_header(r#"{"alg":"ES256","alg":"ES256"}"#), "json_duplicate_member"),
            (with_header(r#"{"alg":"ES256","x":{"a":1,"a":1}}"#), "json_duplicate_member"),
            (with_header(r#"{"alg":["ES256"]}"#), "json_wrong_type"),
            (with_header("{}"), "alg_missing"),
            (with_header(r#"{"alg":"none"}"#), "alg_none"),
            (with_header(r#"{"alg":"NonE"}"#), "alg_none"),
            (with_header(r#"{"alg":"HS256"}"#), "alg_symmetric"),
            (with_header(r#"{"alg":"es256"}"#), "alg_unsupported"),
            (with_header(r#"{"alg":"ES256K"}"#), "alg_unsupported"),
            (with_header(r#"{"alg":"ES256","crit":["exp"]}"#), "crit_unsupported"),
            (with_header(r#"{"alg":"ES256","crit":[]}"#), "crit_unsupported"),
            (with_header(r#"{"alg":"ES256","crit":["b64"],"b64":false}"#), "b64_unsupported"),
            (with_header(&long_kid), "kid_oversize"),
        ] {
            assert_eq!(code(&token), expected, "{token:.80}");
        }
    }

    #[test]
    fn one_type_is_taken_and_the_rest_refused() {
        let token = with_header(r#"{"alg":"ES256","typ":"dpop+jwt"}"#);
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.require_type(TokenType::AccessToken).unwrap_err().code(), "typ_wrong");
        assert_eq!(jws.require_type(TokenType::DpopProof), Ok(()));
    }
}
