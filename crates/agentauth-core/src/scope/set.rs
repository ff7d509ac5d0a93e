//! OAuth scopes (RFC 6749 §3.3): a set of opaque, case-sensitive names.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use crate::identity::MAX_NAME_BYTES;
use crate::text::Excerpt;

/// No real token carries more; each check walks the set.
const MAX_SCOPES: usize = 256;

/// One scope: at most 2048 visible ASCII characters without `"` and `\`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

/// A set of scopes, written as RFC 6749 §3.3 has it: names joined by single spaces, here in ascending order.
///
/// ```
/// use agentauth_core::ScopeSet;
///
/// let granted: ScopeSet = "records:read motions:file".parse()?;
/// let asked: ScopeSet = "records:read".parse()?;
/// assert!(asked.is_subset_of(&granted));
/// assert_eq!(granted.to_string(), "motions:file records:read");
/// # Ok::<(), agentauth_core::ScopeError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet {
    /// Sorted, without repetition, joined by single spaces.
    text: Box<str>,
}

/// Why a text is not a scope or a list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A scope is empty or has a character outside RFC 6749 §3.3's `%x21 / %x23-5B / %x5D-7E`.
    #[error("`{0}` is no scope: visible ASCII characters without quotes and backslashes are needed")]
    Character(Excerpt),
    /// More than one space between scopes, or one at an end.
    #[error("scopes are separated by single spaces")]
    Spacing,
    /// More than 256 scopes.
    #[error("more than 256 scopes")]
    TooMany,
    /// One scope, which is the name of an action, is longer than 2048 bytes: it is copied into every record.
    #[error("a scope is longer than 2048 bytes")]
    TooLong,
    /// No scope at all, where one must be named: an empty requirement would be none.
    #[error("no scope is named, and an empty requirement would let everyone pass")]
    Empty,
}

impl ScopeError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Character(_) | Self::Spacing | Self::TooLong | Self::Empty => "scope_malformed",
            Self::TooMany => "scope_too_many",
        }
    }
}

fn check(scope: &str) -> Result<&str, ScopeError> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !scope.is_empty() && scope.bytes().fold(true, |good, byte| good & allowed(byte)) {
        Ok(scope)
    } else {
        Err(ScopeError::Character(Excerpt::of(scope)))
    }
}

impl Scope {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_NAME_BYTES {
            return Err(ScopeError::TooLong);
        }
        check(text).map(|scope| Self(scope.into()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl ScopeSet {
    /// No scope at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is no scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The scopes in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|scope| !scope.is_empty())
    }

    /// Whether `scope` is in the set, byte for byte.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        !self.is_empty() && self.has(&scope.0)
    }

    /// Whether every scope of this set is in `other`.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        let mut others = other.iter();
        self.iter().all(|scope| others.by_ref().any(|other| other == scope))
    }

    /// The scopes that are in both sets.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        let mut both: SmallVec<[&str; 16]> = SmallVec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                Ordering::Less => _ = left.next(),
                Ordering::Greater => _ = right.next(),
                Ordering::Equal => {
                    both.extend(left.next());
                    right.next();
                }
            }
        }
        Self { text: both.join(" ").into() }
    }

    /// The scopes of this set, and `scope`.
    pub(super) fn with(&self, scope: &Scope) -> Result<Self, ScopeError> {
        self.and(&Self::from(scope))
    }

    /// The scopes of either set.
    pub(super) fn and(&self, other: &Self) -> Result<Self, ScopeError> {
        Self::collect(self.iter().chain(other.iter()))
    }

    /// Those for which `keep` says so.
    pub(super) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept: SmallVec<[&str; 16]> = self.iter().filter(|scope| keep(scope)).collect();
        Self { text: kept.join(" ").into() }
    }

    pub(super) fn has(&self, scope: &str) -> bool {
        self.iter().any(|held| held == scope)
    }

    pub(super) fn collect<'s>(scopes: impl Iterator<Item = &'s str>) -> Result<Self, ScopeError> {
        let mut sorted: SmallVec<[&str; 16]> = SmallVec::new();
        for scope in scopes {
            if sorted.len() >= MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            sorted.push(check(scope)?);
        }
        if !sorted.is_sorted_by(|a, b| a < b) {
            sorted.sort_unstable();
            sorted.dedup();
        }
        Ok(Self { text: sorted.join(" ").into() })
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;

    /// Reads scopes joined by single spaces; the empty text is the empty set.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::none());
        }
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ') || bytes.windows(2).any(|pair| pair == b"  ") {
            return Err(ScopeError::Spacing);
        }
        Self::collect(text.split(' '))
    }
}

impl From<&Scope> for ScopeSet {
    fn from(scope: &Scope) -> Self {
        Self { text: (*scope.0).into() }
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> ScopeSet {
        text.parse().unwrap()
    }

    fn names() -> impl Strategy<Value = BTreeSet<String>> {
        proptest::collection::btree_set("[a-c]{1,2}", 0..6)
    }

    fn of(names: &BTreeSet<String>) -> ScopeSet {
        ScopeSet::collect(names.iter().map(String::as_str)).unwrap()
    }

    proptest! {
        #[test]
        fn sets_of_scopes_are_sets(a in names(), b in names()) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.is_subset_of(&y), a.is_subset(&b));
            prop_assert_eq!(x.meet(&y), of(&(&a & &b)));
            prop_assert_eq!(x.meet(&y), y.meet(&x));
            prop_assert!(x.meet(&y).is_subset_of(&x));
            prop_assert_eq!(set(&x.to_string()), x);
        }

        #[test]
        fn a_scope_is_what_the_grammar_says(text in "[ -~\u{80}]{0,4}") {
            let by_grammar = !text.is_empty() && text.chars().all(|c| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e'));
            prop_assert_eq!(text.parse::<Scope>().is_ok(), by_grammar);
        }
    }

    #[test]
    fn order_and_repetition_do_not_count_but_case_does() {
        assert_eq!(set("b a b"), set("a b"));
        assert_ne!(set("A"), set("a"));
        assert!(!set("a").is_subset_of(&set("ab")));
    }

    #[test]
    fn malformed_lists_are_refused() {
        for (text, error) in [(" a", ScopeError::Spacing), ("a  b", ScopeError::Spacing), ("a ", ScopeError::Spacing)] {
            assert_eq!(text.parse::<ScopeSet>(), Err(error), "{text:?}");
        }
        assert_eq!("a\"".parse::<ScopeSet>().unwrap_err().code(), "scope_malformed");
        let many = (0..300).map(|i| format!("s{i}")).collect::<Vec<_>>().join(" ");
        assert_eq!(many.parse::<ScopeSet>().unwrap_err().code(), "scope_too_many");
    }
}
