//! SPIFFE IDs and trust domains (SPIFFE-ID.md §2).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::text::Excerpt;

pub(super) const SCHEME: &str = "spiffe://";

/// SPIFFE-ID.md §2.3: implementations must support this length and should not exceed it.
const MAX_ID_BYTES: usize = 2048;

/// SPIFFE-ID.md §2.1.
const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// The name of a trust domain: 1 to 255 characters of `a-z 0-9 . - _`.
///
/// Upper case is refused, not folded: two spellings of one name are an authorization hazard.
///
/// ```
/// use agentauth_core::TrustDomain;
///
/// let domain: TrustDomain = "court.example".parse()?;
/// assert!("Court.example".parse::<TrustDomain>().is_err());
/// # Ok::<(), agentauth_core::SpiffeIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Box<str>);

/// A SPIFFE ID: `spiffe://` trust domain, then a path of non-empty segments, or no path at all.
///
/// Two IDs are the same if they are the same bytes; nothing is decoded, folded or normalised.
///
/// ```
/// use agentauth_core::SpiffeId;
///
/// let lawyer: SpiffeId = "spiffe://court.example/agent/lawyer".parse()?;
/// assert_eq!(lawyer.trust_domain_name(), "court.example");
/// assert!(lawyer.is_below(&"spiffe://court.example/agent".parse()?));
/// assert!(!lawyer.is_below(&"spiffe://court.example/age".parse()?));
/// # Ok::<(), agentauth_core::SpiffeIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Box<str>,
    /// How many bytes of `text`, after the scheme, are the trust domain.
    domain_bytes: u8,
}

/// Why a text is not a SPIFFE ID or trust domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// It does not begin with `spiffe://`, in lower case.
    #[error("`{0}` does not begin with spiffe:// in lower case")]
    Scheme(Excerpt),
    /// There is no trust domain.
    #[error("`{0}` names no trust domain")]
    TrustDomainMissing(Excerpt),
    /// The trust domain has a character outside `a-z 0-9 . - _`.
    #[error("the trust domain in `{0}` may hold only a-z, 0-9, dot, dash and underscore")]
    TrustDomainCharacter(Excerpt),
    /// The trust domain is longer than 255 bytes.
    #[error("the trust domain is longer than 255 bytes")]
    TrustDomainTooLong,
    /// A path segment is empty: two slashes in a row, or one at the end.
    #[error("the path of `{0}` has an empty segment")]
    EmptySegment(Excerpt),
    /// A path segment is `.` or `..`.
    #[error("the path of `{0}` has a dot segment")]
    DotSegment(Excerpt),
    /// A path segment has a character outside `A-Z a-z 0-9 . - _`.
    #[error("the path of `{0}` may hold only letters, digits, dot, dash and underscore")]
    PathCharacter(Excerpt),
    /// Longer than 2048 bytes.
    #[error("the SPIFFE ID is longer than 2048 bytes")]
    TooLong,
}

impl TrustDomain {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(name: &str) -> Result<Self, SpiffeIdError> {
        check_domain(name)?;
        Ok(Self(name.into()))
    }
}

fn check_domain(name: &str) -> Result<(), SpiffeIdError> {
    if name.is_empty() {
        return Err(SpiffeIdError::TrustDomainMissing(Excerpt::of(name)));
    }
    if name.len() > MAX_TRUST_DOMAIN_BYTES {
        return Err(SpiffeIdError::TrustDomainTooLong);
    }
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    if name.bytes().fold(true, |good, byte| good & allowed(byte)) {
        Ok(())
    } else {
        Err(SpiffeIdError::TrustDomainCharacter(Excerpt::of(name)))
    }
}

/// Checks one segment of the path in `text` (SPIFFE-ID.md §2.2).
pub(super) fn check_segment(segment: &str, text: &str) -> Result<(), SpiffeIdError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match segment {
        "" => Err(SpiffeIdError::EmptySegment(Excerpt::of(text))),
        "." | ".." => Err(SpiffeIdError::DotSegment(Excerpt::of(text))),
        _ if segment.bytes().fold(true, |good, byte| good & allowed(byte)) => Ok(()),
        _ => Err(SpiffeIdError::PathCharacter(Excerpt::of(text))),
    }
}

impl std::borrow::Borrow<str> for TrustDomain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpiffeId {
    /// The whole ID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> TrustDomain {
        TrustDomain(self.trust_domain_name().into())
    }

    /// The name of the trust domain.
    #[must_use]
    pub fn trust_domain_name(&self) -> &str {
        self.text.get(SCHEME.len()..self.path_start()).unwrap_or_default()
    }

    /// The path with its leading slash, or nothing for the ID of the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path_start()..).unwrap_or_default()
    }

    fn path_start(&self) -> usize {
        SCHEME.len() + usize::from(self.domain_bytes)
    }

    /// Whether this ID is `ancestor` or lies below it, by whole path segments.
    #[must_use]
    pub fn is_below(&self, ancestor: &Self) -> bool {
        match self.text.strip_prefix(&*ancestor.text) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID_BYTES {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| SpiffeIdError::Scheme(Excerpt::of(text)))?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        for segment in path.into_iter().flat_map(|path| path.split('/')) {
            check_segment(segment, text)?;
        }
        check_domain(domain)?;
        let domain_bytes = u8::try_from(domain.len()).map_err(|_| SpiffeIdError::TrustDomainTooLong)?;
        Ok(Self { text: text.into(), domain_bytes })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for SpiffeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_outside_the_grammar_is_refused() {
        for byte in 0..=255u8 {
            let c = char::from(byte);
            let in_domain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
            let in_path = in_domain || byte.is_ascii_uppercase();
            if c != '/' {
                assert_eq!(format!("spiffe://a{c}b").parse::<SpiffeId>().is_ok(), in_domain, "{byte}");
                assert_eq!(format!("spiffe://a/b{c}c").parse::<SpiffeId>().is_ok(), in_path, "{byte}");
            }
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let path = "p".repeat(MAX_ID_BYTES - "spiffe://td/".len());
        assert!(format!("spiffe://td/{path}").parse::<SpiffeId>().is_ok());
        assert_eq!(format!("spiffe://td/{path}p").parse::<SpiffeId>(), Err(SpiffeIdError::TooLong));
        assert!("t".repeat(255).parse::<TrustDomain>().is_ok());
        assert_eq!("t".repeat(256).parse::<TrustDomain>(), Err(SpiffeIdError::TrustDomainTooLong));
    }

    #[test]
    fn below_means_by_segment() {
        let id = |text: &str| text.parse::<SpiffeId>().unwrap();
        assert!(id("spiffe://td/pay/1").is_below(&id("spiffe://td/pay")));
        assert!(id("spiffe://td/pay").is_below(&id("spiffe://td")));
        assert!(!id("spiffe://td/payroll").is_below(&id("spiffe://td/pay")));
        assert!(!id("spiffe://td-evil/x").is_below(&id("spiffe://td")));
    }
}
