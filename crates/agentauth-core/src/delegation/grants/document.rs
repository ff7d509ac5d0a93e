//! The file of grants, read strictly, with errors for the person who wrote it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::Value;

use super::table::Table;
use super::{DelegationGrant, GrantsError, is_id};
use crate::identity::{AgentId, IssuerId, PrincipalId, ResourceId, SpiffeId};
use crate::jose::json;
use crate::scope::{Authority, DetailError, DetailTypes, ScopeSet};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Why a file holds no grants that count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsFileError {
    /// The file cannot be read.
    #[error("the file of grants cannot be read: {0}")]
    Unreadable(Box<str>),
    /// The file is larger than 4 MiB.
    #[error("the file of grants is larger than 4194304 bytes; keep so many in a database")]
    Oversize,
    /// The file is not of the form that [`FileGrants`](super::FileGrants) describes; the text says where.
    #[error("{0}")]
    Malformed(Box<str>),
    /// A grant cannot stand so.
    #[error("line {line}: {error}")]
    Grant {
        /// The line of its id.
        line: usize,
        /// What is wrong.
        error: GrantsError,
    },
    /// The details of a grant are not understood.
    #[error("line {line}: grant `{id}`: {error}")]
    Details {
        /// The line of its id.
        line: usize,
        /// Its id.
        id: Excerpt,
        /// What is wrong.
        error: DetailError,
    },
}

impl GrantsFileError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "grants_file_unreadable",
            Self::Oversize => "grants_file_oversize",
            Self::Malformed(_) => "grants_file_malformed",
            Self::Grant { error, .. } => error.code(),
            Self::Details { error, .. } => error.code(),
        }
    }
}

pub(super) fn read(bytes: &[u8], types: &DetailTypes) -> Result<Table, GrantsFileError> {
    let malformed = |text: String| GrantsFileError::Malformed(text.into());
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the file is not UTF-8".into()))?;
    let Object(document): Object<Document> =
        serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    // What the types above do not look into, such as details, is to be as strict.
    json::check(bytes).map_err(|error| malformed(error.to_string()))?;
    let mut table = Table::default();
    for Object(entry) in document.grants {
        let id = entry.id.0.0.clone();
        let line = || last_line_with(text, &id);
        let grant = entry.grant(types).map_err(|error| match error {
            Fault::Details(error) => GrantsFileError::Details { line: line(), id: Excerpt::of(&id), error },
            Fault::Grant(error) => GrantsFileError::Grant { line: line(), error },
        })?;
        table.add(grant).map_err(|error| GrantsFileError::Grant { line: line(), error })?;
    }
    Ok(table)
}

/// The line, from 1 on, of the last grant with this id: of two, the second is one too many.
fn last_line_with(text: &str, id: &str) -> usize {
    let quoted = format!("\"{id}\"");
    let place = text.lines().enumerate().filter(|(_, line)| line.contains(&quoted)).last();
    place.map_or(1, |(before, _)| before.saturating_add(1))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    grants: Vec<Object<Entry>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Parsed<Id>,
    principal: Object<Principal>,
    agent: Agent,
    #[serde(default, deserialize_with = "stated")]
    scope: Option<Parsed<ScopeSet>>,
    #[serde(default, deserialize_with = "stated")]
    authorization_details: Option<Details>,
    #[serde(default, deserialize_with = "stated")]
    audiences: Option<Vec<Parsed<ResourceId>>>,
    #[serde(default, deserialize_with = "stated")]
    expires: Option<Parsed<Timestamp>>,
    #[serde(default, deserialize_with = "stated")]
    max_depth: Option<u8>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Principal {
    iss: Parsed<IssuerId>,
    sub: Parsed<Name>,
    #[serde(default, deserialize_with = "stated")]
    tenant: Option<Parsed<Name>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedAgent {
    iss: Parsed<IssuerId>,
    sub: Parsed<Name>,
}

/// An object, and not the array of its values that serde takes for one.
struct Object<T>(T);

trait Form {
    const EXPECTED: &'static str;
}

impl Form for Document {
    const EXPECTED: &'static str = "an object with grants, an array";
}

impl Form for Entry {
    const EXPECTED: &'static str = "a grant, which is an object";
}

impl Form for Principal {
    const EXPECTED: &'static str = "an object with iss and sub";
}

impl<'de, T: Deserialize<'de> + Form> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Form> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// What is there: null is not what was left out, which would be no limit.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Any details but null.
struct Details(Value);

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Err(de::Error::invalid_type(de::Unexpected::Unit, &"an array of authorization details")),
            details => Ok(Self(details)),
        }
    }
}

enum Fault {
    Details(DetailError),
    Grant(GrantsError),
}

impl Entry {
    fn grant(self, types: &DetailTypes) -> Result<DelegationGrant, Fault> {
        let scopes = self.scope.map(|scope| scope.0).unwrap_or_default();
        let details = self.authorization_details.map(|details| types.read_strictly(&details.0)).transpose();
        let details = details.map_err(Fault::Details)?.unwrap_or_default();
        let principal = PrincipalId::new(self.principal.0.iss.0, &self.principal.0.sub.0.0);
        let principal = match self.principal.0.tenant {
            Some(tenant) => principal.in_tenant(&tenant.0.0),
            None => principal,
        };
        let authority = Authority::of_scopes(scopes).and(&details);
        let mut grant = DelegationGrant::new(&self.id.0.0, principal, self.agent.0, authority).map_err(Fault::Grant)?;
        if let Some(audiences) = self.audiences {
            grant = grant.at(audiences.into_iter().map(|audience| audience.0));
        }
        if let Some(end) = self.expires {
            grant = grant.until(end.0);
        }
        Ok(grant.max_depth(self.max_depth.map_or(1, usize::from)))
    }
}

/// A string that is parsed while the reader stands on it, so that errors name its line.
struct Parsed<T>(T);

trait FromText: Sized {
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Option<Self>;
}

impl<'de, T: FromText> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);

        impl<T: FromText> Visitor<'_> for Text<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
                T::from_text(text)
                    .ok_or_else(|| E::custom(format_args!("`{}` is not {}", Excerpt::of(text), T::EXPECTED)))
            }
        }

        deserializer.deserialize_str(Text(PhantomData)).map(Self)
    }
}

struct Id(Box<str>);

impl FromText for Id {
    const EXPECTED: &'static str =
        "a grant id: it begins with `grant:`, and 1 to 128 letters, digits, `.`, `_`, `:` and `-` follow";

    fn from_text(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.into()))
    }
}

struct Name(Box<str>);

impl FromText for Name {
    const EXPECTED: &'static str = "a name: 1 to 2048 bytes without control characters";

    fn from_text(text: &str) -> Option<Self> {
        crate::token::required(Some(text), "sub").ok().map(|text| Self(text.into()))
    }
}

impl FromText for IssuerId {
    const EXPECTED: &'static str = "an issuer identifier, such as https://sts.example.com";

    fn from_text(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl FromText for ResourceId {
    const EXPECTED: &'static str = "a resource identifier, such as https://tools.example.com";

    fn from_text(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl FromText for ScopeSet {
    const EXPECTED: &'static str = "a list of scopes, separated by single spaces";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromText for Timestamp {
    const EXPECTED: &'static str = "a time, such as 2027-01-01T00:00:00Z";

    fn from_text(text: &str) -> Option<Self> {
        Self::from_rfc3339(text)
    }
}

/// A SPIFFE ID, or a pair of issuer and name.
struct Agent(AgentId);

impl<'de> Deserialize<'de> for Agent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a SPIFFE ID such as spiffe://court.example/agent/lawyer, or an object with iss and sub";
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = AgentId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AgentId, E> {
                let id = text.parse::<SpiffeId>();
                id.map(AgentId::Spiffe)
                    .map_err(|_| E::custom(format_args!("`{}` is not {EXPECTED}", Excerpt::of(text))))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<AgentId, A::Error> {
                let named = NamedAgent::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(AgentId::named_by(&named.iss.0, &named.sub.0.0))
            }
        }

        deserializer.deserialize_any(Either).map(Self)
    }
}
