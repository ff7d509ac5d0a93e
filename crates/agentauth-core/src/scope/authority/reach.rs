//! On what a grant lets act.

use std::fmt;
use std::sync::Arc;

use super::error::GrantError;
use super::path::{MAX_TEXT_BYTES, Prefix};
use crate::text::Excerpt;

#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Everything, and actions that have no resource.
    #[default]
    Anything,
    Kind(Arc<str>),
    Below {
        kind: Arc<str>,
        prefix: Prefix,
    },
    Exactly {
        kind: Arc<str>,
        id: Arc<str>,
    },
}

impl Reach {
    pub(super) fn of_kind(kind: &str) -> Result<Self, GrantError> {
        Ok(Self::Kind(name(kind)?))
    }

    pub(super) fn below(kind: &str, prefix: &str) -> Result<Self, GrantError> {
        Ok(Self::Below { kind: name(kind)?, prefix: Prefix::new(prefix)? })
    }

    pub(super) fn exactly(kind: &str, id: &str) -> Result<Self, GrantError> {
        Ok(Self::Exactly { kind: name(kind)?, id: name(id)? })
    }

    pub(super) fn contains(&self, resource: Option<(&str, &str)>) -> bool {
        match (self, resource) {
            (Self::Anything, _) => true,
            (Self::Kind(kind), Some((k, _))) => **kind == *k,
            (Self::Below { kind, prefix }, Some((k, id))) => **kind == *k && prefix.contains(id),
            (Self::Exactly { kind, id: only }, Some((k, id))) => **kind == *k && **only == *id,
            (_, None) => false,
        }
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Anything) => true,
            (Self::Anything, _) => false,
            (Self::Exactly { kind, id }, _) => other.contains(Some((kind, id))),
            (Self::Kind(kind) | Self::Below { kind, .. }, Self::Kind(k)) => kind == k,
            (Self::Below { kind, prefix }, Self::Below { kind: k, prefix: p }) => prefix.is_within(p) && kind == k,
            _ => false,
        }
    }

    /// What is reached by both: of two that share anything, one is within the other.
    pub(super) fn meet<'r>(&'r self, other: &'r Self) -> Option<&'r Self> {
        if self.is_within(other) { Some(self) } else { other.is_within(self).then_some(other) }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("on anything"),
            Self::Kind(kind) => write!(f, "on a {kind}"),
            Self::Below { kind, prefix } => write!(f, "on {kind} `{}` and below", prefix.as_str()),
            Self::Exactly { kind, id } => write!(f, "on {kind} `{id}`"),
        }
    }
}

/// A name that can be stored and shown.
pub(super) fn name(text: &str) -> Result<Arc<str>, GrantError> {
    if text.is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
        Err(GrantError::Name(Excerpt::of(text)))
    } else {
        Ok(text.into())
    }
}
