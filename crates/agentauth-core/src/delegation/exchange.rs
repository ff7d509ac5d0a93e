//! What is asked of an issuer, and what it answers (RFC 8693 §2).

use std::borrow::Cow;
use std::fmt;

use super::issuer::Holder;
use crate::identity::{AgentId, ResourceId};
use crate::scope::{Authority, ScopeSet};
use crate::text::Secret;
use crate::time::Timestamp;

/// A token to be exchanged for a narrower one.
///
/// It can be put into an exchange request, and nowhere else: it has no `Display`, its `Debug` is redacted, and no
/// method returns the text. So a token that came in can be *exchanged*, and forwarding it cannot be written:
///
/// ```compile_fail
/// # fn forward(inbound: agentauth_core::SubjectToken) -> String {
/// format!("Bearer {inbound}")
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SubjectToken(pub(crate) Secret);

impl SubjectToken {
    /// A token that this agent was given, such as a principal's consent.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Secret::new(token))
    }
}

/// A request to exchange a token for one that counts at exactly one server (RFC 8693 §2.1).
///
/// The client that makes the request is not part of it: it is known by the connection.
#[derive(Debug, Clone)]
pub struct ExchangeRequest {
    pub(crate) subject: SubjectToken,
    pub(crate) actor: Option<SubjectToken>,
    pub(crate) audience: ResourceId,
    pub(crate) scopes: Option<ScopeSet>,
    pub(crate) details: Option<AskedDetails>,
}

/// What is asked for beside scopes.
#[derive(Debug, Clone)]
pub(crate) enum AskedDetails {
    /// In the process.
    Known(Authority),
    /// On the wire, as JSON: what it means is for the issuer to say.
    Json(Box<str>),
}

impl AskedDetails {
    /// As a form has them.
    pub(crate) fn to_json(&self) -> Cow<'_, str> {
        match self {
            Self::Known(details) => details.to_details().to_string().into(),
            Self::Json(details) => (&**details).into(),
        }
    }
}

impl ExchangeRequest {
    /// Asks that the client may act at `audience` for the subject of `subject`.
    #[must_use]
    pub const fn new(subject: SubjectToken, audience: ResourceId) -> Self {
        Self { subject, actor: None, audience, scopes: None, details: None }
    }

    /// Asks for the agent that `actor` stands for, instead of the client: how an agent passes part of its
    /// authority to a sub-agent.
    #[must_use]
    pub fn for_actor(mut self, actor: SubjectToken) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Asks for these scopes, and of the rest for nothing but [`ExchangeRequest::details`]. If neither is asked for, that is
    /// for all that the subject token holds and the target allows.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Asks for what scopes cannot say (`authorization_details`, RFC 9396 §6), and of the rest for nothing but
    /// [`ExchangeRequest::scopes`].
    #[must_use]
    pub fn details(mut self, details: Authority) -> Self {
        self.details = Some(AskedDetails::Known(details));
        self
    }

    /// The one server at which the new token is to count.
    #[must_use]
    pub const fn audience(&self) -> &ResourceId {
        &self.audience
    }
}

/// A token that was issued. Its `Debug` shows neither the token nor whose it is.
#[derive(Clone)]
pub struct IssuedToken {
    pub(crate) token: Secret,
    pub(crate) authority: Authority,
    pub(crate) expires: Timestamp,
    pub(crate) lifetime_secs: u64,
    /// What the issuer itself knows about the token. Absent where it came from elsewhere.
    pub(crate) origin: Option<Origin>,
}

/// What goes into the issuer's record.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) id: Box<str>,
    pub(crate) subject: Box<str>,
    pub(crate) actors: Vec<AgentId>,
    pub(crate) may_act: Option<AgentId>,
    pub(crate) grant_id: Option<Box<str>>,
    pub(crate) audience: ResourceId,
    /// Whose hands it counts in.
    pub(crate) holder: Option<Holder>,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("token", &self.token)
            .field("authority", &self.authority)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl IssuedToken {
    /// The token, to be sent to its audience and to nobody else.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.reveal()
    }

    /// The scopes that were granted, which may be fewer than were asked for.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        self.authority.scopes()
    }

    /// All that was granted: the scopes, and what they cannot say.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What takes it back with all that descends from it ([`Revocation::grant`](crate::state::Revocation::grant)): the
    /// `grant_id` of its tokens, which is the `jti` of the consent. `None` of an agent's own token, and of what another
    /// issuer has made.
    #[must_use]
    pub fn grant_id(&self) -> Option<&str> {
        let origin = self.origin.as_ref()?;
        origin.grant_id.as_deref().or_else(|| origin.may_act.is_some().then_some(&*origin.id))
    }

    /// When the token ends.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// How long the token lasts from its making, in seconds.
    #[must_use]
    pub const fn expires_in(&self) -> u64 {
        self.lifetime_secs
    }
}
