//! A token taken apart without verifying it: what can be read is read, and what is wrong is located.

use agentauth_core::ResourceId;
use agentauth_core::Timestamp;
use agentauth_core::jose::{CompactJws, JoseError, JsonError, MAX_TOKEN_BYTES, Part};
use agentauth_core::token::{Outcome, Rule, TokenError, TokenVerifier};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, Engine as _};
use base64::{DecodeError, alphabet};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::text::shown;

/// A header without fault, to judge a payload by itself: `{"alg":"EdDSA"}`.
const GOOD_HEADER: &str = "eyJhbGciOiJFZERTQSJ9";

/// Other parts without fault, to judge a header by itself.
const GOOD_REST: &str = "e30.AAAA";

/// Reads what a strict reader refuses, so that it can be shown.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The parts of a token. The signature is only measured.
pub(crate) struct Anatomy {
    pub(crate) size: Size,
    pub(crate) header: Option<Map<String, Value>>,
    pub(crate) claims: Option<Map<String, Value>>,
    pub(crate) problems: Vec<Problem>,
}

/// Lengths in bytes: of the whole text, and of the decoded parts, where they can be decoded.
#[derive(Serialize)]
pub(crate) struct Size {
    pub(crate) token: usize,
    pub(crate) header: Option<usize>,
    pub(crate) claims: Option<usize>,
    pub(crate) signature: Option<usize>,
}

/// Something that every server refuses, whatever its keys are.
#[derive(Serialize)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) error: String,
    /// Where it is, as exactly as can be said.
    pub(crate) place: Option<String>,
}

impl Anatomy {
    pub(crate) fn of(token: &str) -> Self {
        let parts: Vec<&str> = token.split('.').collect();
        let whole = problem_of_whole(token, parts.len());
        // Five parts are encrypted, and of a token that is too long only the beginning has been read.
        let is_whole = token.len() <= MAX_TOKEN_BYTES && parts.len() <= 4;
        let header = parts.first().copied().unwrap_or_default();
        let payload = parts.get(1).copied().filter(|_| is_whole);
        let signature = parts.get(2).copied().filter(|_| is_whole);

        let header_bytes = decode(header);
        let claims_bytes = payload.and_then(decode);
        let mut problems: Vec<Problem> = whole.into_iter().collect();
        if parts.len() > 1 {
            problems.extend(problem_of_header(header, header_bytes.as_deref()));
        }
        problems.extend(payload.and_then(|payload| problem_of_claims(payload, claims_bytes.as_deref())));
        problems.extend(signature.filter(|_| parts.len() == 3).and_then(problem_of_signature));
        Self {
            size: Size {
                token: token.len(),
                header: header_bytes.as_ref().map(Vec::len),
                claims: claims_bytes.as_ref().map(Vec::len),
                signature: signature.and_then(decode).map(|bytes| bytes.len()),
            },
            header: header_bytes.as_deref().and_then(object),
            claims: claims_bytes.as_deref().and_then(object),
            problems,
        }
    }

    /// Whether the token says that it is bound to a key.
    pub(crate) fn is_bound(&self) -> bool {
        self.claims.as_ref().is_some_and(|claims| claims.contains_key("cnf"))
    }
}

impl Problem {
    fn new(error: &TokenError, place: Option<String>) -> Self {
        Self { code: error.code(), error: error.to_string(), place }
    }
}

fn problem_of_whole(token: &str, parts: usize) -> Option<Problem> {
    let error = CompactJws::parse(token).err()?;
    let place = match &error {
        JoseError::NotCompact => match token.char_indices().find(|(_, c)| !is_of_token(*c)) {
            Some((at, c)) => format!("character {} is `{}`{}", at + 1, shown(&c.to_string()), hint(at, c)),
            None if parts == 1 => "there is no dot in it: this is no token, or one of another kind".into(),
            None => format!("it has {parts} parts"),
        },
        JoseError::Oversize => "only its beginning has been read".into(),
        JoseError::Encrypted => "it has 5 parts; only its header can be read".into(),
        _ => return None,
    };
    Some(Problem::new(&error.into(), Some(place)))
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// What a strange character usually comes from.
const fn hint(at: usize, c: char) -> &'static str {
    match c {
        '{' if at == 0 => ": is this a whole token response? Give the value of `access_token` alone",
        '"' | '\'' => ": leave the quotes out",
        '+' | '/' | '=' => ": that is base64, and a token is base64url without padding",
        _ if c.is_ascii_whitespace() => ": was the token cut into lines?",
        _ => "",
    }
}

fn problem_of_header(header: &str, bytes: Option<&[u8]>) -> Option<Problem> {
    let error = CompactJws::parse(&format!("{header}.{GOOD_REST}")).err()?;
    let place = match &error {
        // Seen in the whole already.
        JoseError::NotCompact | JoseError::Oversize => return None,
        JoseError::NotCanonical(part) => misspelling(*part, header),
        JoseError::Header(json) => bytes.and_then(|bytes| fault(json, Part::Header, bytes)),
        other => member_of(other).map(|name| format!("member `{name}` of the header")),
    };
    Some(Problem::new(&error.into(), place))
}

/// The member of the header that is refused.
const fn member_of(error: &JoseError) -> Option<&'static str> {
    match error {
        JoseError::AlgorithmNone | JoseError::AlgorithmSymmetric(_) | JoseError::AlgorithmUnsupported(_) => Some("alg"),
        JoseError::CriticalUnsupported => Some("crit"),
        JoseError::UnencodedPayload => Some("b64"),
        JoseError::KeyIdOversize => Some("kid"),
        _ => None,
    }
}

fn problem_of_claims(payload: &str, bytes: Option<&[u8]>) -> Option<Problem> {
    // Trusts nobody, and so comes no further than to the claims.
    let nobody = TokenVerifier::new(ResourceId::new("https://inspect.invalid").ok()?, Vec::new()).ok()?;
    let explanation = nobody.explain(&format!("{GOOD_HEADER}.{payload}.AAAA"), Timestamp::from_secs(0));
    let check = explanation.checks().iter().find(|check| check.rule == Rule::Claims)?;
    let Outcome::Failed(error) = &check.outcome else { return None };
    let place = match error {
        TokenError::Jose(JoseError::NotCanonical(part)) => misspelling(*part, payload),
        TokenError::Jose(JoseError::Claims(json)) => bytes.and_then(|bytes| fault(json, Part::Payload, bytes)),
        _ => None,
    };
    Some(Problem::new(error, place))
}

fn problem_of_signature(signature: &str) -> Option<Problem> {
    if signature.is_empty() {
        let place = "the third part is empty: the token is not signed";
        return Some(Problem::new(&JoseError::Signature.into(), Some(place.into())));
    }
    // A strange character was seen in the whole already.
    URL_SAFE_NO_PAD.decode(signature).err().filter(|_| signature.chars().all(is_of_token))?;
    let error = JoseError::NotCanonical(Part::Signature);
    Some(Problem::new(&error.into(), misspelling(Part::Signature, signature)))
}

/// Where `text` is not canonical base64url.
fn misspelling(part: Part, text: &str) -> Option<String> {
    Some(match URL_SAFE_NO_PAD.decode(text).err()? {
        DecodeError::InvalidByte(at, _) => format!("character {} of the {part}", at + 1),
        DecodeError::InvalidLength(_) => {
            format!("the {part} has {} characters, which is no length of base64url: something is missing", text.len())
        }
        DecodeError::InvalidLastSymbol { .. } => {
            format!("the last character of the {part} has bits set that belong to no byte")
        }
        DecodeError::InvalidPadding => format!("the end of the {part}"),
    })
}

/// Where `bytes` are not a strict JSON object.
fn fault(error: &JsonError, part: Part, bytes: &[u8]) -> Option<String> {
    if *error != JsonError::Syntax {
        return None;
    }
    Some(match std::str::from_utf8(bytes) {
        Err(error) => format!("byte {} of the decoded {part} is not UTF-8", error.valid_up_to() + 1),
        Ok(text) => match serde_json::from_str::<Value>(text) {
            Err(error) => format!("in the decoded {part}: {error}"),
            Ok(_) => format!("the decoded {part} is JSON, but no object"),
        },
    })
}

fn decode(part: &str) -> Option<Vec<u8>> {
    let plain: String = part
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    LENIENT.decode(plain).ok()
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(bytes) else { return None };
    members.values_mut().for_each(hide_tokens);
    Some(members)
}

/// A token inside a token has a signature too. The reader has bounded how deep a value is.
fn hide_tokens(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("eyJ") && text.matches('.').count() >= 2 => {
            *text = format!("[a token of {} bytes, not shown]", text.len());
        }
        Value::Array(items) => items.iter_mut().for_each(hide_tokens),
        Value::Object(members) => members.values_mut().for_each(hide_tokens),
        _ => {}
    }
}
