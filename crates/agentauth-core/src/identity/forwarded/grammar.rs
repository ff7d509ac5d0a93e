//! The grammar of `x-forwarded-client-cert`, as Envoy writes it.

use std::fmt;

use http::HeaderName;

use super::ForwardedError;
use crate::text::Excerpt;

/// The header in which Envoy passes on what it knows of a client's certificate.
pub const XFCC: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The longest value that is read, in bytes. Envoy itself takes no more than 60 KiB of headers unless it is told to.
const MAX_BYTES: usize = 64 * 1024;

/// A proxy writes one element, and requests pass few proxies.
const MAX_ELEMENTS: usize = 16;

/// Five pairs have a key of their own; all others are names, of which a workload's certificate has a few.
const MAX_PAIRS: usize = 128;

/// A header as it was written: one element for each proxy that added to it, the nearest one's last.
///
/// ```text
/// xfcc    = element *( "," element )
/// element = pair *( ";" pair )
/// pair    = ( "By" / "Hash" / "URI" / "DNS" ) "=" bare      ; keys in upper or lower case
///         / ( "Cert" / "Chain" / "Subject" ) "=" quoted
/// bare    = *( %x21 / %x23-2B / %x2D-3A / %x3C-7E )         ; no space, no DQUOTE, no comma, no semicolon
/// quoted  = DQUOTE *( "\" %x20-7E / %x20-21 / %x23-5B / %x5D-7E ) DQUOTE
/// ```
///
/// Whatever is written otherwise spoils the whole header: a reader that splits it more leniently than its writer meant it
/// can be made to see another certificate. Envoy does not escape `By`, `URI` and `DNS`, so that even a header that reads
/// well can hold what a certificate's names have smuggled in; [`Xfcc`](super::Xfcc) looks for that.
///
/// ```
/// use agentauth_core::identity::forwarded::{XfccHeader, XfccKey};
///
/// let header = XfccHeader::parse(br#"By=spiffe://td/tools;Subject="";URI=spiffe://td/lawyer"#)?;
/// assert_eq!(header.elements()[0].value(XfccKey::Uri), Some("spiffe://td/lawyer"));
/// assert_eq!(XfccHeader::parse(b"URI=a, URI=b").unwrap_err().code(), "xfcc_malformed");
/// # Ok::<(), agentauth_core::identity::forwarded::ForwardedError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XfccHeader<'h> {
    text: &'h str,
    elements: Vec<XfccElement<'h>>,
}

/// What one proxy wrote about one client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct XfccElement<'h> {
    pairs: Vec<XfccPair<'h>>,
}

/// One thing that a proxy wrote about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XfccPair<'h> {
    key: XfccKey,
    /// The key in the case in which it was written.
    name: &'h str,
    value: &'h str,
}

/// What a pair is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XfccKey {
    /// The URI name of the proxy's own certificate.
    By,
    /// The SHA-256 of the client's certificate, in hexadecimal.
    Hash,
    /// The client's certificate: PEM, percent-encoded.
    Cert,
    /// The client's certificate and those that came with it: PEM, percent-encoded.
    Chain,
    /// The subject of the client's certificate (RFC 2253).
    Subject,
    /// A URI name of the client's certificate; empty if it has none.
    Uri,
    /// A DNS name of the client's certificate.
    Dns,
}

impl XfccKey {
    const ALL: [Self; 7] = [Self::By, Self::Hash, Self::Cert, Self::Chain, Self::Subject, Self::Uri, Self::Dns];

    /// The key as Envoy writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::By => "By",
            Self::Hash => "Hash",
            Self::Cert => "Cert",
            Self::Chain => "Chain",
            Self::Subject => "Subject",
            Self::Uri => "URI",
            Self::Dns => "DNS",
        }
    }

    const fn is_quoted(self) -> bool {
        matches!(self, Self::Cert | Self::Chain | Self::Subject)
    }

    /// A certificate can have several of these.
    const fn may_repeat(self) -> bool {
        matches!(self, Self::Uri | Self::Dns)
    }
}

impl fmt::Display for XfccKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'h> XfccHeader<'h> {
    /// Reads the value of one header.
    ///
    /// # Errors
    /// [`ForwardedError::Oversize`], [`ForwardedError::Malformed`], [`ForwardedError::KeyUnknown`],
    /// [`ForwardedError::KeyRepeated`], [`ForwardedError::TooManyElements`], [`ForwardedError::TooManyPairs`].
    pub fn parse(value: &'h [u8]) -> Result<Self, ForwardedError> {
        if value.len() > MAX_BYTES {
            return Err(ForwardedError::Oversize);
        }
        let printable = |byte: &u8| matches!(byte, b' '..=b'~');
        let text = std::str::from_utf8(value).ok().filter(|text| text.as_bytes().iter().all(printable));
        let text = text.ok_or_else(|| {
            let at = value.iter().position(|byte| !printable(byte)).unwrap_or_default();
            ForwardedError::Malformed { at }
        })?;

        let (mut elements, mut element, mut rest) = (Vec::new(), XfccElement::default(), text);
        loop {
            let malformed_at = |rest: &str| ForwardedError::Malformed { at: text.len().saturating_sub(rest.len()) };
            let (pair, after) = XfccPair::read(rest).map_err(|error| error.unwrap_or_else(malformed_at))?;
            element.push(pair)?;
            match after.split_at_checked(1) {
                None if after.is_empty() => {
                    elements.push(element);
                    return Ok(Self { text, elements });
                }
                Some((";", next)) => rest = next,
                Some((",", next)) => {
                    elements.push(std::mem::take(&mut element));
                    if elements.len() == MAX_ELEMENTS {
                        return Err(ForwardedError::TooManyElements);
                    }
                    rest = next;
                }
                _ => return Err(malformed_at(after)),
            }
        }
    }

    /// The elements, in the order in which they stand: the nearest proxy's is the last.
    #[must_use]
    pub fn elements(&self) -> &[XfccElement<'h>] {
        &self.elements
    }

    /// All of it.
    pub(super) const fn text(&self) -> &'h str {
        self.text
    }
}

impl fmt::Display for XfccHeader<'_> {
    /// Writes the header as it was read, byte for byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, element) in self.elements.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            for (at, pair) in element.pairs.iter().enumerate() {
                f.write_str(if at == 0 { "" } else { ";" })?;
                let quote = if pair.key.is_quoted() { "\"" } else { "" };
                write!(f, "{}={quote}{}{quote}", pair.name, pair.value)?;
            }
        }
        Ok(())
    }
}

impl<'h> XfccElement<'h> {
    fn push(&mut self, pair: XfccPair<'h>) -> Result<(), ForwardedError> {
        if self.pairs.len() == MAX_PAIRS {
            return Err(ForwardedError::TooManyPairs);
        }
        if !pair.key.may_repeat() && self.value(pair.key).is_some() {
            return Err(ForwardedError::KeyRepeated(pair.key));
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// The pairs, in the order in which they stand.
    #[must_use]
    pub fn pairs(&self) -> &[XfccPair<'h>] {
        &self.pairs
    }

    /// The first value that has this key.
    #[must_use]
    pub fn value(&self, key: XfccKey) -> Option<&'h str> {
        self.values(key).next()
    }

    /// All values that have this key.
    pub fn values(&self, key: XfccKey) -> impl Iterator<Item = &'h str> {
        self.pairs.iter().filter(move |pair| pair.key == key).map(|pair| pair.value)
    }
}

impl<'h> XfccPair<'h> {
    /// What it is about.
    #[must_use]
    pub const fn key(&self) -> XfccKey {
        self.key
    }

    /// The value, without the quotes around it. A backslash in it stands as it was written.
    #[must_use]
    pub const fn value(&self) -> &'h str {
        self.value
    }

    /// The pair at the beginning of `text`, and what comes after it. An error of form is the text where it shows.
    fn read(text: &'h str) -> Result<(Self, &'h str), Result<ForwardedError, &'h str>> {
        let (name, after) = text.split_once('=').ok_or(Err(text))?;
        let Some(key) = XfccKey::ALL.into_iter().find(|key| key.as_str().eq_ignore_ascii_case(name)) else {
            let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return Err(if is_word { Ok(ForwardedError::KeyUnknown(Excerpt::of(name))) } else { Err(text) });
        };
        let (value, rest) = if key.is_quoted() { quoted(after) } else { bare(after) }.ok_or(Err(after))?;
        Ok((Self { key, name, value }, rest))
    }
}

/// What stands before the next comma or semicolon.
fn bare(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = text.split_at_checked(text.find([',', ';']).unwrap_or(text.len()))?;
    (!value.contains(['"', ' '])).then_some((value, rest))
}

/// What stands between two quotes, of which the second is the first one without a backslash before it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = inside.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (value, rest) = inside.split_at_checked(end)?;
    Some((value, rest.strip_prefix('"')?))
}
