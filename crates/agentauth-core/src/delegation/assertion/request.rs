//! The client's side: an assertion from the identity provider, then an access token for it from the other
//! organisation's authorization server.

use crate::delegation::exchange::{AskedDetails, IssuedToken, SubjectToken};
use crate::delegation::outbound::{Answer, AnswerError, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN};
use crate::identity::{IssuerId, ResourceId};
use crate::scope::{Authority, DetailTypes, ScopeSet};
use crate::text::Secret;
use crate::time::Timestamp;

/// RFC 7523 §2.1.
pub(in crate::delegation) const GRANT_JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const TYPE_ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// What shows the identity provider who the user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SubjectKind {
    /// An ID token that was issued to this client (OpenID Connect Core §2).
    #[default]
    IdToken,
    /// A refresh token that was issued to this client, where the provider takes one.
    RefreshToken,
}

impl SubjectKind {
    /// RFC 8693 §3.
    const fn token_type(self) -> &'static str {
        match self {
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
        }
    }
}

/// The first step: asks the user's identity provider for an assertion that another organisation's authorization server
/// takes (ID-JAG, "Token Exchange").
///
/// The client that makes the request is not part of it: how it authenticates is added by who sends it.
#[derive(Debug, Clone)]
pub struct IdJagRequest {
    subject: SubjectToken,
    kind: SubjectKind,
    audience: IssuerId,
    resource: ResourceId,
    scopes: Option<ScopeSet>,
}

impl IdJagRequest {
    /// Asks that the user of `subject`, an ID token, lets this client act at `resource`, for which the authorization
    /// server `audience` issues tokens.
    #[must_use]
    pub const fn new(subject: SubjectToken, audience: IssuerId, resource: ResourceId) -> Self {
        Self { subject, kind: SubjectKind::IdToken, audience, resource, scopes: None }
    }

    /// Says that the subject token is of another kind than an ID token.
    #[must_use]
    pub const fn subject_kind(mut self, kind: SubjectKind) -> Self {
        self.kind = kind;
        self
    }

    /// Asks for these scopes only; otherwise, for all that the provider grants.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// The authorization server that the assertion is to be for.
    #[must_use]
    pub const fn audience(&self) -> &IssuerId {
        &self.audience
    }

    /// The request as the body of a POST to the identity provider's token endpoint
    /// (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn to_form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT_TOKEN_EXCHANGE)
            .append_pair("requested_token_type", TYPE_ID_JAG)
            .append_pair("audience", self.audience.as_str())
            .append_pair("resource", self.resource.as_str())
            .append_pair("subject_token", self.subject.0.reveal())
            .append_pair("subject_token_type", self.kind.token_type());
        if let Some(scopes) = &self.scopes {
            form.append_pair("scope", &scopes.to_string());
        }
        form.finish()
    }

    /// Reads the provider's answer to this request, and checks that it is what was asked for: an assertion, no access
    /// token, and no broader.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read_answer(&self, body: &[u8], now: Timestamp) -> Result<IdentityAssertion, AnswerError> {
        let answer = Answer::read(body)?;
        let assertion = Secret::new(answer.token()?);
        let issued = answer.issued_token_type.as_deref().ok_or(AnswerError::Missing("issued_token_type"))?;
        // What may be sent as a bearer is no assertion, whatever it is called.
        answer.check_kind("N_A", issued, TYPE_ID_JAG)?;
        let scopes = answer.granted(self.scopes.as_ref())?;
        Ok(IdentityAssertion { assertion, scopes, expires: answer.expires(now).0 })
    }
}

/// An assertion of the user's identity provider that this client may act for the user at another organisation.
///
/// It can be put into a request to that organisation's authorization server ([`JwtBearerRequest`]), and nowhere else: it
/// is no access token. It has no `Display`, its `Debug` is redacted, and no method returns the text:
///
/// ```compile_fail
/// # fn as_bearer(assertion: agentauth_core::delegation::IdentityAssertion) -> String {
/// format!("Bearer {assertion}")
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct IdentityAssertion {
    pub(in crate::delegation) assertion: Secret,
    scopes: ScopeSet,
    expires: Timestamp,
}

impl IdentityAssertion {
    /// An assertion that this agent was given.
    #[must_use]
    pub fn new(assertion: &str) -> Self {
        Self { assertion: Secret::new(assertion), scopes: ScopeSet::none(), expires: Timestamp::from_secs(0) }
    }

    /// The scopes that the provider says it granted; none where it did not say.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// When it ends, as far as the provider said; the epoch if it did not.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// The second step: asks the other organisation's authorization server for an access token (RFC 7523 §2.1).
#[derive(Debug, Clone)]
pub struct JwtBearerRequest {
    pub(in crate::delegation) assertion: IdentityAssertion,
    pub(in crate::delegation) resource: Option<ResourceId>,
    pub(in crate::delegation) scopes: Option<ScopeSet>,
    pub(in crate::delegation) details: Option<AskedDetails>,
}

impl JwtBearerRequest {
    /// Asks for a token that counts at `resource`.
    #[must_use]
    pub const fn new(assertion: IdentityAssertion, resource: ResourceId) -> Self {
        Self { assertion, resource: Some(resource), scopes: None, details: None }
    }

    /// Asks for these scopes only; otherwise, for all that the assertion holds.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Asks for these details only (`authorization_details`, RFC 9396 §6), beside what [`JwtBearerRequest::scopes`] names.
    #[must_use]
    pub fn details(mut self, details: Authority) -> Self {
        self.details = Some(AskedDetails::Known(details));
        self
    }

    /// The request as the body of a POST to the authorization server's token endpoint
    /// (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn to_form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT_JWT_BEARER).append_pair("assertion", self.assertion.assertion.reveal());
        if let Some(resource) = &self.resource {
            form.append_pair("resource", resource.as_str());
        }
        if let Some(scopes) = &self.scopes {
            form.append_pair("scope", &scopes.to_string());
        }
        if let Some(details) = &self.details {
            form.append_pair("authorization_details", &details.to_json());
        }
        form.finish()
    }

    /// Reads the server's answer to this request, and checks that it is what was asked for: an access token, and no
    /// broader than what was asked for, or than the provider said. Details of other types than the built-in one are broader.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read_answer(&self, body: &[u8], now: Timestamp) -> Result<IssuedToken, AnswerError> {
        let answer = Answer::read(body)?;
        let token = Secret::new(answer.token()?);
        // RFC 6749 §5.1 has no `issued_token_type`; one that says something else is no slip.
        let issued = answer.issued_token_type.as_deref().unwrap_or(TYPE_ACCESS_TOKEN);
        answer.check_kind("Bearer", issued, TYPE_ACCESS_TOKEN)?;
        let scopes = answer.granted(self.bound())?;
        let types = DetailTypes::new();
        let authority = answer.authority(scopes, self.scopes.as_ref(), self.details.as_ref(), &types)?;
        let (expires, lifetime_secs) = answer.expires(now);
        Ok(IssuedToken { token, authority, expires, lifetime_secs, origin: None })
    }

    /// What the answer must stay within, as far as that is known.
    fn bound(&self) -> Option<&ScopeSet> {
        self.scopes.as_ref().or_else(|| Some(&self.assertion.scopes).filter(|scopes| !scopes.is_empty()))
    }
}
