//! A chain as it comes: the ancestors in a header of their own, and the leaf where tokens are.

use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use super::ChainError;
use crate::jose::MAX_TOKEN_BYTES;

/// The longest list of ancestors that is looked at, in bytes: 16 links of the usual kilobyte, and a root of the greatest
/// length.
pub const MAX_ANCESTORS_BYTES: usize = 32 * 1024;

/// Between two ancestors. It stands in no compact JWS; and a comma would let a proxy that joins two headers make one
/// chain of them.
pub(super) const SEPARATOR: char = '~';

/// The ancestors that a request carries, if it carries any: root first, joined by `~`.
///
/// # Errors
/// [`ChainError::HeaderRepeated`], also for several headers that a proxy has joined with commas;
/// [`ChainError::Oversize`]; [`ChainError::HeaderMalformed`] if it is not ASCII.
pub fn ancestors_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ChainError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ChainError::HeaderRepeated);
    }
    if value.len() > MAX_ANCESTORS_BYTES {
        return Err(ChainError::Oversize);
    }
    let ancestors = value.to_str().map_err(|_| ChainError::HeaderMalformed)?;
    if ancestors.contains(',') { Err(ChainError::HeaderRepeated) } else { Ok(Some(ancestors)) }
}

/// A chain taken apart, each part of a form that a compact JWS can have.
pub(crate) struct Presented<'t> {
    pub(crate) root: &'t str,
    /// The links, the leaf last: one at least.
    pub(super) links: SmallVec<[&'t str; 8]>,
}

impl<'t> Presented<'t> {
    /// `ancestors`, root first, and the leaf.
    pub(crate) fn parse(ancestors: &'t str, leaf: &'t str, max_links: usize) -> Result<Self, ChainError> {
        if ancestors.len() > MAX_ANCESTORS_BYTES || leaf.len() > MAX_TOKEN_BYTES {
            return Err(ChainError::Oversize);
        }
        // As many links as ancestors: the leaf is one, and the root is none.
        let found = ancestors.bytes().filter(|byte| *byte == SEPARATOR as u8).count().saturating_add(1);
        if found > max_links {
            return Err(ChainError::TooManyLinks { found, limit: max_links });
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if !ancestors.bytes().fold(true, |good, byte| good & is_plain(byte)) {
            return Err(ChainError::HeaderMalformed);
        }
        let mut parts = ancestors.split(SEPARATOR);
        let root = parts.next().unwrap_or_default();
        let links: SmallVec<[&str; 8]> = parts.chain([leaf]).collect();
        let is_jws = |part: &&str| part.bytes().filter(|byte| *byte == b'.').count() == 2;
        // The leaf stands where tokens are, and is refused as one.
        let ancestors = links.split_last().map_or(&[][..], |(_, ancestors)| ancestors);
        if is_jws(&root) && ancestors.iter().all(is_jws) {
            Ok(Self { root, links })
        } else {
            Err(ChainError::HeaderMalformed)
        }
    }
}
