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

/// A header of `alg`, `typ` and `kid`.
const USUAL_HEADER_BYTES: usize = 192;

/// A key id is only ever a name to look up.
pub(super) const MAX_KID_BYTES: usize = 256;

/// A signature of RSA with 2048 bits, or shorter.
const USUAL_SIGNATURE_BYTES: usize = 256;

/// The largest signature of the supported algorithms: RSA with 8192 bits.
const MAX_SIGNATURE_BYTES: usize = 1024;

/// A compact JWS whose form and header have been checked, and whose signature has not.
pub struct CompactJws<'t> {
    header: Header,
    parts: Parts<'t>,
}

/// The parts of a protected header that count. Key hints (`jku`, `jwk`, `x5u`, `x5c`, `x5t`) are never read:
/// the key comes from the issuer that the configuration trusts, not from the token (RFC 8725bis §3.10). The `jwk` of a
/// proof is read beside this, by [`SelfSignedJws`](super::SelfSignedJws) alone.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) token_type: TokenType,
    key_id: Option<Box<str>>,
}

/// The three parts of a compact JWS, still encoded.
pub(super) struct Parts<'t> {
    pub(super) header: &'t str,
    pub(super) signing_input: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Parts<'t> {
    pub(super) fn of(token: &'t str) -> Result<Self, JoseError> {
        Self::of_at_most(token, MAX_TOKEN_BYTES)
    }

    fn of_at_most(token: &'t str, limit: usize) -> Result<Self, JoseError> {
        if token.len() > limit {
            return Err(JoseError::Oversize);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JoseError::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JoseError::NotCompact)?;
        let is_plain = |part: &str| {
            let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            // Without a way out on the way, the loop is vectorised; tokens are nearly always good.
            part.bytes().fold(true, |good, byte| good & is_base64url(byte))
        };
        if !(is_plain(header) && is_plain(payload) && is_plain(signature)) {
            let is_jwe = token.split('.').count() == 5 && token.split('.').all(is_plain);
            return Err(if is_jwe { JoseError::Encrypted } else { JoseError::NotCompact });
        }
        Ok(Self { header, signing_input, payload, signature })
    }

    #[inline]
    pub(super) fn decode_payload(&self) -> Result<Vec<u8>, JoseError> {
        base64url::decode(self.payload).map_err(|_| JoseError::NotCanonical(Part::Payload))
    }

    #[cfg(feature = "unstable-chain")]
    pub(super) const fn payload_room(&self) -> usize {
        // Four characters carry three bytes; and the decoder wants to write beyond.
        self.payload.len() / 4 * 3 + 3
    }

    #[cfg(feature = "unstable-chain")]
    pub(super) fn decode_payload_in<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], JoseError> {
        base64url::decode_into(self.payload, buffer).map_err(|_| JoseError::NotCanonical(Part::Payload))
    }

    /// Verifies the signature, which the header says to be of `algorithm`.
    #[inline]
    pub(super) fn verify(&self, algorithm: Algorithm, key: &VerificationKey) -> Result<(), JoseError> {
        if algorithm != key.algorithm() {
            return Err(JoseError::AlgorithmNotOfKey { token: algorithm, key: key.algorithm() });
        }
        // Longer than any signature of a supported algorithm; four characters carry three bytes.
        if self.signature.len() > MAX_SIGNATURE_BYTES.div_ceil(3) * 4 {
            return Err(JoseError::Signature);
        }
        let verify = |buffer: &mut [u8]| {
            let signature =
                base64url::decode_into(self.signature, buffer).map_err(|_| JoseError::NotCanonical(Part::Signature))?;
            if key.verify(self.signing_input.as_bytes(), signature) { Ok(()) } else { Err(JoseError::Signature) }
        };
        if self.signature.len() <= USUAL_SIGNATURE_BYTES.div_ceil(3) * 4 {
            verify(&mut [0; USUAL_SIGNATURE_BYTES + 2])
        } else {
            verify(&mut [0; MAX_SIGNATURE_BYTES + 2])
        }
    }
}

impl<'t> CompactJws<'t> {
    /// Takes `token` apart and checks everything that needs no key.
    ///
    /// # Errors
    /// Each rule of form has its own [`JoseError`]; nothing here depends on a secret.
    pub fn parse(token: &'t str) -> Result<Self, JoseError> {
        Self::parse_by(Parts::of(token)?, |header, buffer| read_header::<HeaderMembers<'_>>(header, buffer)?.check())
    }

    /// Like [`CompactJws::parse`], for a document that may have `limit` bytes, and is no token that anyone could send.
    ///
    /// # Errors
    /// As [`CompactJws::parse`].
    pub(crate) fn parse_at_most(document: &'t str, limit: usize) -> Result<Self, JoseError> {
        let parts = Parts::of_at_most(document, limit)?;
        Self::parse_by(parts, |header, buffer| read_header::<HeaderMembers<'_>>(header, buffer)?.check())
    }

    /// Like [`CompactJws::parse`], for a kind of token whose header has no members but `alg`, `kid` and `typ`, and
    /// whose `typ` has one spelling.
    ///
    /// # Errors
    /// As [`CompactJws::parse`], and [`JoseError::HeaderMember`].
    pub(crate) fn parse_closed(token: &'t str) -> Result<Self, JoseError> {
        Self::parse_by(Parts::of(token)?, |header, buffer| read_header::<ClosedMembers<'_>>(header, buffer)?.check())
    }

    #[inline]
    fn parse_by(
        parts: Parts<'t>,
        read: impl Fn(&str, &mut [u8]) -> Result<Header, JoseError>,
    ) -> Result<Self, JoseError> {
        let read = |buffer: &mut [u8]| read(parts.header, buffer);
        // Nearly all headers fit the smaller buffer, and clearing the larger one costs more than reading them.
        let header = if parts.header.len() <= USUAL_HEADER_BYTES.div_ceil(3) * 4 {
            read(&mut [0; USUAL_HEADER_BYTES + 2])?
        } else {
            read(&mut [0; HEADER_BUFFER])?
        };
        Ok(Self { header, parts })
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

    /// The bytes that are signed: header, dot, payload.
    #[cfg(feature = "unstable-chain")]
    pub(crate) const fn signing_input(&self) -> &'t str {
        self.parts.signing_input
    }

    /// The decoded payload. It is a claim, not a fact, until [`CompactJws::verify`] has passed.
    ///
    /// # Errors
    /// [`JoseError::NotCanonical`].
    #[inline]
    pub fn unverified_payload(&self) -> Result<Vec<u8>, JoseError> {
        self.parts.decode_payload()
    }

    /// Verifies the signature under `key`, which must be bound to the algorithm the header names.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotOfKey`], [`JoseError::NotCanonical`], [`JoseError::Signature`].
    pub fn verify(&self, key: &VerificationKey) -> Result<(), JoseError> {
        self.parts.verify(self.header.algorithm, key)
    }
}

impl fmt::Debug for CompactJws<'_> {
    /// Shows the header, and nothing that could be used as a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Room for the longest header that is read, and for what the decoder wants beyond.
pub(super) const HEADER_BUFFER: usize = MAX_HEADER_BYTES + 2;

/// Decodes a header into `buffer`, and reads it there.
pub(super) fn read_header<'b, T: Members<'b> + Default>(part: &str, buffer: &'b mut [u8]) -> Result<T, JoseError> {
    // Four characters carry three bytes; the longest part that can fit is known before decoding.
    if part.len() > MAX_HEADER_BYTES.div_ceil(3) * 4 {
        return Err(JoseError::HeaderOversize);
    }
    let bytes = base64url::decode_into(part, buffer).map_err(|_| JoseError::NotCanonical(Part::Header))?;
    json::read(bytes).map_err(JoseError::Header)
}

/// The members that decide how any JWS is read.
#[derive(Default)]
pub(super) struct HeaderMembers<'de> {
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
    pub(super) fn check(self) -> Result<Header, JoseError> {
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

/// The members of a header that may have no others.
#[derive(Default)]
struct ClosedMembers<'de> {
    known: HeaderMembers<'de>,
    other: Option<Excerpt>,
}

impl<'de> Members<'de> for ClosedMembers<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        if !matches!(name, "alg" | "kid" | "typ" | "crit") {
            self.other.get_or_insert_with(|| Excerpt::of(name));
        }
        self.known.member(name, value)
    }
}

impl ClosedMembers<'_> {
    fn check(self) -> Result<Header, JoseError> {
        let has_one_spelling = |typ: &str| TokenType::from_typ(typ).name() == Some(typ);
        let is_spelled = self.known.typ.as_deref().is_none_or(has_one_spelling);
        let mut header = self.known.check()?;
        if let Some(name) = self.other {
            return Err(JoseError::HeaderMember(name));
        }
        if !is_spelled {
            header.token_type = TokenType::Other;
        }
        Ok(header)
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
    fn a_closed_header_has_three_members_and_one_spelling_of_each() {
        let parse = |header: &str| {
            let token = with_header(header);
            CompactJws::parse_closed(&token).map_or_else(|e| e.code(), |jws| jws.token_type().name().unwrap_or("none"))
        };
        for (header, expected) in [
            (r#"{"alg":"ES256"}"#, "none"),
            (r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#, "JWT"),
            (r#"{"alg":"ES256","typ":"jwt"}"#, "none"),
            (r#"{"alg":"ES256","typ":"application/JWT"}"#, "none"),
            (r#"{"alg":"ES256","cty":"JWT"}"#, "header_member_unexpected"),
            (r#"{"alg":"ES256","b64":true}"#, "header_member_unexpected"),
            (r#"{"alg":"ES256","":1}"#, "header_member_unexpected"),
            (r#"{"alg":"ES256","crit":["x"],"x":1}"#, "crit_unsupported"),
            (r#"{"alg":"none","x":1}"#, "alg_none"),
        ] {
            assert_eq!(parse(header), expected, "{header}");
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
