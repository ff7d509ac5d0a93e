//! Names of principals, agents and resource servers.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::SpiffeId;
#[cfg(feature = "unstable-chain")]
use crate::jose::JwkThumbprint;
use crate::text::{Excerpt, cut};

/// Longer identifiers are refused: they are copied into every record.
pub(crate) const MAX_NAME_BYTES: usize = 2048;

/// An issuer's identifier (RFC 8414 §2), compared byte for byte: no case folding, no trailing slash, no port is
/// ever added or removed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(Arc<str>);

/// The identifier of a resource server, which is the audience of the tokens meant for it (RFC 8707 §2): an
/// absolute URI without a fragment, compared byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Arc<str>);

/// A text cannot be the identifier it was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct NameError {
    value: Excerpt,
    expected: &'static str,
}

impl IssuerId {
    /// Checks that `text` can be an issuer identifier: 1 to 2048 visible ASCII characters.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        if is_name(text) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(NameError { value: Excerpt::of(text), expected: "an issuer identifier: visible ASCII characters" })
        }
    }

    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The holder of a key, as one who names others: its thumbprint URI (RFC 9278).
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn of_key(key: &JwkThumbprint) -> Self {
        Self(key.uri_in(&mut [0; 96]).into())
    }
}

impl ResourceId {
    /// The identifier, for each of many records.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// Checks that `text` is an absolute `https` or `http` URI with an authority, without fragment or user
    /// information (RFC 8707 §2; RFC 9728 §1.2 asks for `https`, loopback development uses `http`).
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        const EXPECTED: &str =
            "a resource identifier: an absolute http(s) URI without fragment, such as https://tools.example.com";
        let refused = || NameError { value: Excerpt::of(text), expected: EXPECTED };
        let uri: http::Uri = text.parse().map_err(|_| refused())?;
        let scheme = matches!(uri.scheme_str(), Some("https" | "http"));
        let authority = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if is_name(text) && scheme && authority && !text.contains('#') { Ok(Self(text.into())) } else { Err(refused()) }
    }

    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! shows_as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    )*};
}

shows_as_text!(IssuerId, ResourceId);

/// On whose behalf: a principal is a subject *of an issuer* (and tenant), never a subject alone.
///
/// Two issuers may both know an `alice`; they are two principals. So are a user `alice` and a client `alice` of one
/// issuer (RFC 7519 §4.1.2, RFC 9700 §4.15).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct PrincipalId {
    issuer: IssuerId,
    kind: PrincipalKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<Box<str>>,
    subject: Box<str>,
}

/// What kind of principal it is, as far as a token tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PrincipalKind {
    /// Someone for whom others act.
    Subject,
    /// A client that acts for itself.
    Client,
    /// An account that the issuer keeps for an agent, and that looks like a user's. No human is behind it.
    AgentAccount,
}

impl PrincipalId {
    /// The principal that `issuer` calls `subject`.
    #[must_use]
    pub fn new(issuer: IssuerId, subject: &str) -> Self {
        Self { issuer, kind: PrincipalKind::Subject, tenant: None, subject: subject.into() }
    }

    /// The client that `issuer` calls `name`, as the principal of what it does for itself.
    #[must_use]
    pub fn client(issuer: IssuerId, name: &str) -> Self {
        Self { issuer, kind: PrincipalKind::Client, tenant: None, subject: name.into() }
    }

    /// The account `subject` that `issuer` keeps for an agent.
    #[must_use]
    pub fn agent_account(issuer: IssuerId, subject: &str) -> Self {
        Self { issuer, kind: PrincipalKind::AgentAccount, tenant: None, subject: subject.into() }
    }

    /// The same subject in one tenant of an issuer that serves several.
    #[must_use]
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The issuer that knows this principal.
    #[must_use]
    pub const fn issuer(&self) -> &IssuerId {
        &self.issuer
    }

    /// What kind of principal it is.
    #[must_use]
    pub const fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// How long its parts are, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.subject.len().saturating_add(self.tenant.as_deref().map_or(0, str::len))
    }

    /// Cuts each of its parts to at most `limit` bytes: for a record, which it would fill.
    pub(crate) fn cut(&mut self, limit: usize) {
        self.tenant.iter_mut().chain([&mut self.subject]).for_each(|part| cut(part, limit));
    }

    /// Whether both have the same name at the same issuer, of whatever kind they are; in any of its tenants, if this
    /// one says none.
    pub(crate) fn covers_name_of(&self, other: &Self) -> bool {
        (&self.issuer, &self.subject) == (&other.issuer, &other.subject)
            && (self.tenant.is_none() || self.tenant == other.tenant)
    }

    /// The tenant, for issuers that have tenants.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The issuer's name for the principal (`sub`).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{} ({tenant} at {})", self.subject, self.issuer),
            None => write!(f, "{} (at {})", self.subject, self.issuer),
        }
    }
}

/// Which agent: a workload with a SPIFFE ID, or a name that only means something at its issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentId {
    /// A workload, named by its SPIFFE ID.
    Spiffe(SpiffeId),
    /// A client or other actor of an issuer (`client_id`, or `act.iss` and `act.sub`).
    Named {
        /// The namespace of the name.
        issuer: IssuerId,
        /// The name in it.
        name: Box<str>,
    },
}

impl AgentId {
    /// Reads a name given by `issuer`: a SPIFFE ID stands for itself, anything else belongs to the issuer.
    #[must_use]
    pub fn named_by(issuer: &IssuerId, name: &str) -> Self {
        match name.parse() {
            Ok(id) => Self::Spiffe(id),
            Err(_) => Self::Named { issuer: issuer.clone(), name: name.into() },
        }
    }

    /// The SPIFFE ID, if the agent has one.
    #[must_use]
    pub const fn spiffe_id(&self) -> Option<&SpiffeId> {
        match self {
            Self::Spiffe(id) => Some(id),
            Self::Named { .. } => None,
        }
    }

    /// The SPIFFE ID, or the name without its issuer.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Spiffe(id) => id.as_str(),
            Self::Named { name, .. } => name,
        }
    }
}

impl From<SpiffeId> for AgentId {
    fn from(id: SpiffeId) -> Self {
        Self::Spiffe(id)
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spiffe(id) => id.fmt(f),
            Self::Named { issuer, name } => write!(f, "{name} (at {issuer})"),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_an_absolute_uri_without_fragment() {
        for good in ["https://tools.example.com", "https://tools.example.com/mcp", "http://127.0.0.1:8080"] {
            assert_eq!(ResourceId::new(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "tools", "/tools", "https://", "https://a#b", "https://u:p@a", "ftp://a", "https://a b", "urn:a"]
        {
            assert!(ResourceId::new(bad).unwrap_err().to_string().contains("resource identifier"), "{bad}");
        }
    }

    #[test]
    fn an_issuer_is_kept_as_it_is_written() {
        assert_ne!(IssuerId::new("https://a/").unwrap(), IssuerId::new("https://a").unwrap());
        assert_ne!(IssuerId::new("https://A").unwrap(), IssuerId::new("https://a").unwrap());
        assert!(IssuerId::new("a b").is_err() && IssuerId::new("").is_err());
    }

    #[test]
    fn the_same_subject_of_two_issuers_is_two_principals() {
        let [a, b] = ["https://a", "https://b"].map(|text| IssuerId::new(text).unwrap());
        assert_ne!(PrincipalId::new(a.clone(), "alice"), PrincipalId::new(b, "alice"));
        assert_ne!(PrincipalId::new(a.clone(), "alice"), PrincipalId::client(a.clone(), "alice"));
        assert_ne!(PrincipalId::new(a.clone(), "alice"), PrincipalId::new(a, "alice").in_tenant("t"));
    }

    #[test]
    fn a_name_that_is_no_spiffe_id_belongs_to_its_issuer() {
        let issuer = IssuerId::new("https://a").unwrap();
        assert!(AgentId::named_by(&issuer, "spiffe://td/x").spiffe_id().is_some());
        assert_eq!(AgentId::named_by(&issuer, "spiffe://TD/x").to_string(), "spiffe://TD/x (at https://a)");
    }
}
