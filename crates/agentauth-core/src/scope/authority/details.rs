//! Authority as `authorization_details` (RFC 9396): objects with a `type` that says how they are read and compared.

use std::sync::Arc;

use serde_json::Value;

use super::assembly::Assembly;
use super::own_type::{DetailType, OwnDetail};
use super::{AGENT_ACTION, Authority, Grant, GrantError};
use crate::jose::JsonError;
use crate::jose::json;
use crate::scope::ScopeSet;
use crate::text::Excerpt;

/// Longer details do not fit into a token that fits into a header.
pub const MAX_DETAILS_BYTES: usize = 8 * 1024;

/// Deeper than the built-in type (5) and its cousins in the field.
pub(crate) const MAX_DETAILS_DEPTH: u8 = 8;

/// Why `authorization_details` were refused (RFC 9396 §5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetailError {
    /// The text is not strict JSON, longer than 8 KiB, or nested deeper than 8 levels.
    #[error("authorization_details cannot be read: {0}")]
    Json(#[from] JsonError),
    /// The details are no array of objects that each have a `type`.
    #[error("authorization_details must be an array of objects, each with a type")]
    Malformed,
    /// A detail is of a type that is not known here.
    #[error("authorization detail type `{0}` is not known here; register it with DetailTypes::with")]
    UnknownType(Excerpt),
    /// A detail has a member that its type does not have: it may mean a limit.
    #[error("`{0}` is no member of its authorization detail type")]
    UnknownMember(Excerpt),
    /// A member of a detail is missing, null, empty, or not of its type.
    #[error("`{0}` of an authorization detail is missing or not as its type has it")]
    MalformedMember(Excerpt),
    /// A limit of a detail cannot be one.
    #[error("an authorization detail is refused: {0}")]
    Grant(#[from] GrantError),
    /// A type of one's own does not take the detail.
    #[error("the authorization detail is not as its type `{0}` has it")]
    Refused(Excerpt),
    /// A type of one's own has a name that is taken.
    #[error("there is a type of authorization details called `{0}` already")]
    TypeTaken(Excerpt),
}

impl DetailError {
    /// The stable machine code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Malformed => "detail_malformed",
            Self::UnknownType(_) => "detail_type_unknown",
            Self::UnknownMember(_) => "detail_member_unknown",
            Self::MalformedMember(_) => "detail_member_malformed",
            Self::Grant(error) => error.code(),
            Self::Refused(_) => "detail_refused",
            Self::TypeTaken(_) => "detail_type_taken",
        }
    }
}

/// The types of authorization details that are known: [`AGENT_ACTION`], and those of one's own. What is of another type
/// grants nothing.
#[derive(Debug, Clone, Default)]
pub struct DetailTypes {
    own: Vec<Arc<dyn DetailType>>,
}

impl DetailTypes {
    /// The built-in type only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows this type too.
    ///
    /// # Errors
    /// [`DetailError::TypeTaken`] if there is one with its name.
    pub fn with(mut self, own: impl DetailType + 'static) -> Result<Self, DetailError> {
        if own.name() == AGENT_ACTION || self.own_type(own.name()).is_some() {
            return Err(DetailError::TypeTaken(Excerpt::of(own.name())));
        }
        self.own.push(Arc::new(own));
        Ok(self)
    }

    /// The names of the known types (RFC 9396 §10 `authorization_details_types_supported`).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(AGENT_ACTION).chain(self.own.iter().map(|own| own.name()))
    }

    /// Reads `authorization_details` as an issuer must: whatever is not understood refuses the whole (RFC 9396 §5). They
    /// must have been read strictly: [`DetailTypes::parse`] does both.
    ///
    /// # Errors
    /// [`DetailError`], for the first detail that is not good.
    pub fn read_strictly(&self, details: &Value) -> Result<Authority, DetailError> {
        let mut assembly = Assembly::of_scopes(ScopeSet::none());
        for detail in details.as_array().ok_or(DetailError::Malformed)? {
            self.add(detail, &mut assembly)?;
        }
        Ok(assembly.finish())
    }

    /// Reads `authorization_details` from JSON text, as [`DetailTypes::read_strictly`].
    ///
    /// # Errors
    /// [`DetailError`]; also for a member that stands twice, more than 8 KiB or more than 8 levels.
    pub fn parse(&self, text: &str) -> Result<Authority, DetailError> {
        let details = json::tree(text.as_bytes(), MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?;
        self.read_strictly(&details)
    }

    /// Reads `authorization_details` as a resource server must: what is not understood grants nothing.
    #[must_use]
    pub fn read(&self, details: &Value) -> Authority {
        let mut assembly = Assembly::of_scopes(ScopeSet::none());
        for detail in details.as_array().into_iter().flatten() {
            // A detail of which one action finds no room grants those before it.
            _ = self.add(detail, &mut assembly);
        }
        assembly.finish()
    }

    fn add(&self, detail: &Value, assembly: &mut Assembly) -> Result<(), DetailError> {
        let members = detail.as_object().ok_or(DetailError::Malformed)?;
        let name = members.get("type").and_then(Value::as_str).ok_or(DetailError::Malformed)?;
        if name == AGENT_ACTION {
            for grant in Grant::of_detail(members)? {
                assembly.add(grant)?;
            }
            return Ok(());
        }
        let own = self.own_type(name).ok_or_else(|| DetailError::UnknownType(Excerpt::of(name)))?;
        let detail = OwnDetail::read(own, detail).ok_or_else(|| DetailError::Refused(Excerpt::of(name)))?;
        Ok(assembly.add_detail(detail)?)
    }

    fn own_type(&self, name: &str) -> Option<&Arc<dyn DetailType>> {
        self.own.iter().find(|own| own.name() == name)
    }
}
