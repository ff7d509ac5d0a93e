use serde::{Deserialize, Serialize};

use super::PrincipalId;
use super::written::WrittenPrincipal;
use crate::text::cut;

/// Who approves or denies what an agent wants to do: a human, whom the application has authenticated, and who may decide
/// about such acts by its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Approver {
    /// A subject of an issuer.
    Principal(PrincipalId),
    /// Someone whom the application knows by this name.
    Named(Box<str>),
}

impl Approver {
    /// The subject, or the name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Principal(principal) => principal.subject(),
            Self::Named(name) => name,
        }
    }

    /// How long its parts are, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Principal(principal) => principal.bytes(),
            Self::Named(name) => name.len(),
        }
    }

    /// Cuts each of its parts to at most `limit` bytes: for a record, which it would fill.
    pub(crate) fn cut(&mut self, limit: usize) {
        match self {
            Self::Principal(principal) => principal.cut(limit),
            Self::Named(name) => cut(name, limit),
        }
    }

    /// As a store keeps it.
    pub(crate) fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Written {
            Principal(WrittenPrincipal),
            Named(Box<str>),
        }
        Some(match serde_json::from_str(text).ok()? {
            Written::Principal(principal) => Self::Principal(principal.read()?),
            Written::Named(name) => Self::Named(name),
        })
    }
}

impl From<PrincipalId> for Approver {
    fn from(principal: PrincipalId) -> Self {
        Self::Principal(principal)
    }
}

impl From<&str> for Approver {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<String> for Approver {
    fn from(name: String) -> Self {
        Self::Named(name.into())
    }
}
