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

/// A chain taken apart.
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
        let mut parts: SmallVec<[&str; 8]> = SmallVec::new();
        for part in ancestors.split(SEPARATOR) {
            if parts.len() >= max_links {
                return Err(ChainError::TooManyLinks { found: ancestors.split(SEPARATOR).count(), limit: max_links });
            }
            parts.push(part);
        }
        // An opaque root would be one to ask its issuer about, and has nothing to hash.
        let root = parts.first().copied().filter(|root| root.bytes().filter(|byte| *byte == b'.').count() == 2);
        let root = root.filter(|_| parts.iter().all(|part| !part.is_empty())).ok_or(ChainError::HeaderMalformed)?;
        parts.remove(0);
        parts.push(leaf);
        Ok(Self { root, links: parts })
    }
}
