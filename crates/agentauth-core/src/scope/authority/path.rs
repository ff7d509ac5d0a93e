//! Names with segments, such as `2026/17/motions`, and what lies below one.

use std::sync::Arc;

use super::GrantError;

/// A name that is kept whole in every grant and every record of one.
pub(super) const MAX_TEXT_BYTES: usize = 1024;

/// A prefix that ends where a segment ends: `2026/17` has itself and `2026/17/motions` below it, and not `2026/170`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Prefix(Arc<str>);

impl Prefix {
    pub(super) fn new(text: &str) -> Result<Self, GrantError> {
        if is_plain(text) && text.len() <= MAX_TEXT_BYTES { Ok(Self(text.into())) } else { Err(GrantError::Path) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// How many characters the shortest name has that it contains: itself.
    pub(super) fn chars(&self) -> usize {
        self.0.chars().count()
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.reaches(text) && is_plain(text)
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        other.reaches(&self.0)
    }

    /// What lies below both: all that is below one of them, or nothing.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        if self.is_within(other) { Some(self.clone()) } else { other.is_within(self).then(|| other.clone()) }
    }

    fn reaches(&self, text: &str) -> bool {
        text.strip_prefix(&*self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Whether everybody takes `text` for the same path: no segment that is empty or means another one, nothing that stands
/// for other characters. One slash may come first.
fn is_plain(text: &str) -> bool {
    let segments = text.strip_prefix('/').unwrap_or(text).split('/');
    let is_good = |segment: &str| !segment.is_empty() && segment != "." && segment != "..";
    segments.into_iter().all(is_good) && !text.chars().any(|c| c == '%' || c == '\\' || c.is_control())
}
