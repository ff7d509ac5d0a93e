//! Agents and principals, as records write them.

use std::borrow::Cow;

use serde::Deserialize;

/// `{"spiffe": …}` or `{"named": {"issuer": …, "name": …}}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WrittenAgent<'r> {
    #[serde(borrow)]
    Spiffe(Cow<'r, str>),
    Named {
        #[serde(borrow)]
        issuer: Cow<'r, str>,
        #[serde(borrow)]
        name: Cow<'r, str>,
    },
}

impl WrittenAgent<'_> {
    /// The SPIFFE ID, or `<issuer>#<name>`.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Spiffe(id) => Cow::Borrowed(id),
            Self::Named { issuer, name } => Cow::Owned(format!("{issuer}#{}", part(name))),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WrittenPrincipal<'r> {
    #[serde(borrow)]
    pub(super) issuer: Cow<'r, str>,
    #[serde(borrow, default)]
    pub(super) tenant: Option<Cow<'r, str>>,
    #[serde(borrow)]
    pub(super) subject: Cow<'r, str>,
}

impl WrittenPrincipal<'_> {
    /// `<issuer>#<subject>`, or `<issuer>#<tenant>#<subject>`.
    pub(super) fn text(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{}#{}#{}", self.issuer, part(tenant), part(&self.subject)),
            None => format!("{}#{}", self.issuer, part(&self.subject)),
        }
    }
}

/// A name between `#`: its own are written as in a URI.
fn part(name: &str) -> Cow<'_, str> {
    if name.contains(['#', '%']) { name.replace('%', "%25").replace('#', "%23").into() } else { name.into() }
}
