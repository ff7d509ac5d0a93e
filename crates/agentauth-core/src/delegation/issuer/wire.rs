//! Token exchange on the wire (RFC 8693 §2, RFC 6749 §4.4, §5): forms in, JSON out, and back.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::MapAccess;

use super::claims::details_of;
use crate::delegation::exchange::AskedDetails;
use crate::delegation::{ExchangeError, ExchangeRequest, IssuedToken, SubjectToken};
use crate::identity::ResourceId;
use crate::jose::JsonError;
use crate::jose::json::{self, Members, Value};
use crate::scope::{Authority, ScopeSet};
use crate::text::{Excerpt, Secret};
use crate::time::Timestamp;

const GRANT_TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const GRANT_CLIENT_CREDENTIALS: &str = "client_credentials";

/// Access tokens are the only type that is exchanged here (RFC 8693 §3).
const TYPE_ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The longest form that is read, in bytes: two tokens of the greatest length, and room for the rest.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// A token request has about ten parameters.
const MAX_PARAMETERS: usize = 32;

/// Why the answer of a token service cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The service refused.
    #[error("the token service refused: {0}")]
    Refused(Excerpt),
    /// The answer is no token response (RFC 8693 §2.2.1).
    #[error("the token service's answer is refused: {0}")]
    Malformed(JsonError),
    /// A member that must be there is missing.
    #[error("the token service's answer has no `{0}`")]
    Missing(&'static str),
    /// The token is not an access token to be sent as a bearer: another type, or `N_A`.
    #[error("the token service answered with another kind of token than an access token")]
    WrongKind,
    /// The token holds scopes that were not asked for: a narrower one was wanted, and this one must not travel.
    #[error("scopes `{asked}` were asked for, and the token service granted `{granted}`")]
    Widened {
        /// What was asked for.
        asked: ScopeSet,
        /// What came back.
        granted: ScopeSet,
    },
}

impl AnswerError {
    /// The stable machine code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "answer_refused",
            Self::Malformed(error) => error.code(),
            Self::Missing(_) => "answer_incomplete",
            Self::WrongKind => "answer_wrong_kind",
            Self::Widened { .. } => "answer_widened",
        }
    }
}

impl ExchangeRequest {
    /// The request as the body of a POST to the token endpoint (`application/x-www-form-urlencoded`).
    ///
    /// This is the one way a [`SubjectToken`] leaves the process, and a token endpoint the one place to send it.
    #[must_use]
    pub fn to_form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT_TOKEN_EXCHANGE)
            .append_pair("resource", self.audience.as_str())
            .append_pair("subject_token", self.subject.0.reveal())
            .append_pair("subject_token_type", TYPE_ACCESS_TOKEN);
        if let Some(actor) = &self.actor {
            form.append_pair("actor_token", actor.0.reveal()).append_pair("actor_token_type", TYPE_ACCESS_TOKEN);
        }
        if let Some(scopes) = &self.scopes {
            form.append_pair("scope", &scopes.to_string());
        }
        match &self.details {
            Some(AskedDetails::Known(details)) => {
                form.append_pair("authorization_details", &details.to_details().to_string());
            }
            Some(AskedDetails::Json(details)) => {
                form.append_pair("authorization_details", details);
            }
            None => {}
        }
        form.finish()
    }

    /// Reads the token service's answer to this request, and checks that it is what was asked for: an access token,
    /// and no broader.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read_answer(&self, body: &[u8], now: Timestamp) -> Result<IssuedToken, AnswerError> {
        let answer: Answer<'_> = json::read(body).map_err(AnswerError::Malformed)?;
        if let Some(error) = answer.error {
            return Err(AnswerError::Refused(Excerpt::of(&error)));
        }
        let token = answer.access_token.ok_or(AnswerError::Missing("access_token"))?;
        let is_token68 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(is_token68) {
            return Err(AnswerError::Malformed(JsonError::WrongType(Excerpt::of("access_token"))));
        }
        let kind = answer.token_type.ok_or(AnswerError::Missing("token_type"))?;
        let issued = answer.issued_token_type.ok_or(AnswerError::Missing("issued_token_type"))?;
        if !kind.eq_ignore_ascii_case("Bearer") || issued != TYPE_ACCESS_TOKEN {
            return Err(AnswerError::WrongKind);
        }
        let scopes = self.granted(answer.scope.as_deref())?;
        let lifetime_secs = answer.expires_in.unwrap_or(0);
        let expires = Timestamp::from_secs(now.secs().saturating_add(lifetime_secs));
        let authority = Authority::of_scopes(scopes);
        Ok(IssuedToken { token: Secret::new(token), authority, expires, lifetime_secs, origin: None })
    }

    /// What was granted: what the answer says, or what was asked for if it says nothing (RFC 8693 §2.2.1).
    fn granted(&self, answer: Option<&str>) -> Result<ScopeSet, AnswerError> {
        let Some(granted) = answer else { return Ok(self.scopes.clone().unwrap_or_default()) };
        let granted: ScopeSet =
            granted.parse().map_err(|_| AnswerError::Malformed(JsonError::WrongType(Excerpt::of("scope"))))?;
        match &self.scopes {
            Some(asked) if !granted.is_subset_of(asked) => Err(AnswerError::Widened { asked: asked.clone(), granted }),
            _ => Ok(granted),
        }
    }
}

#[derive(Default)]
struct Answer<'de> {
    access_token: Option<Cow<'de, str>>,
    issued_token_type: Option<Cow<'de, str>>,
    token_type: Option<Cow<'de, str>>,
    scope: Option<Cow<'de, str>>,
    expires_in: Option<u64>,
    error: Option<Cow<'de, str>>,
}

impl<'de> Members<'de> for Answer<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        match name {
            "access_token" => self.access_token = Some(value.text()?),
            "issued_token_type" => self.issued_token_type = Some(value.text()?),
            "token_type" => self.token_type = Some(value.text()?),
            "scope" => self.scope = Some(value.text()?),
            "expires_in" => self.expires_in = Some(value.seconds()?),
            "error" => self.error = Some(value.text()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// The body of a successful answer (RFC 8693 §2.2.1).
pub(crate) fn token_response(issued: &IssuedToken) -> Result<String, ExchangeError> {
    #[derive(Serialize)]
    struct Response<'a> {
        access_token: &'a str,
        issued_token_type: &'a str,
        token_type: &'a str,
        expires_in: u64,
        scope: &'a ScopeSet,
        #[serde(skip_serializing_if = "Option::is_none")]
        authorization_details: Option<serde_json::Value>,
    }
    let response = Response {
        access_token: issued.token(),
        issued_token_type: TYPE_ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in: issued.expires_in(),
        scope: issued.scopes(),
        authorization_details: details_of(issued.authority()),
    };
    serde_json::to_string(&response).map_err(|_| ExchangeError::Unavailable)
}

/// What a token request asks for.
pub(crate) enum Form {
    /// An exchange (RFC 8693 §2.1).
    Exchange(ExchangeRequest),
    /// The client's own token for a server (RFC 6749 §4.4).
    OwnToken(ResourceId),
}

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ExchangeError> {
        if body.len() > MAX_FORM_BYTES {
            return Err(ExchangeError::Malformed("the form is longer than 65536 bytes"));
        }
        let pairs: Vec<_> = form_urlencoded::parse(body).take(MAX_PARAMETERS + 1).collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(ExchangeError::Malformed("more than 32 parameters"));
        }
        let parameters = Parameters(&pairs);
        match parameters.one("grant_type")? {
            Some(GRANT_TOKEN_EXCHANGE) => parameters.exchange().map(Self::Exchange),
            Some(GRANT_CLIENT_CREDENTIALS) => parameters.audience().map(Self::OwnToken),
            Some(_) => Err(ExchangeError::GrantUnsupported),
            None => Err(ExchangeError::Malformed("no grant_type")),
        }
    }
}

/// The parameters of a token request. None may stand twice (RFC 6749 §3.2).
struct Parameters<'a>(&'a [(Cow<'a, str>, Cow<'a, str>)]);

impl<'a> Parameters<'a> {
    fn one(&self, name: &str) -> Result<Option<&'a str>, ExchangeError> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| &**value);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(ExchangeError::Malformed("a parameter stands twice")),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// Exactly one target, by either of its names.
    fn audience(&self) -> Result<ResourceId, ExchangeError> {
        let target = match (self.one("resource")?, self.one("audience")?) {
            (Some(target), None) | (None, Some(target)) => target,
            (None, None) => return Err(ExchangeError::Malformed("no resource")),
            (Some(_), Some(_)) => return Err(ExchangeError::Malformed("both resource and audience")),
        };
        ResourceId::new(target).map_err(|_| ExchangeError::TargetUnknown)
    }

    fn exchange(&self) -> Result<ExchangeRequest, ExchangeError> {
        let subject = self.token("subject_token", "subject_token_type")?;
        let subject = subject.ok_or(ExchangeError::Malformed("no subject_token"))?;
        let actor = self.token("actor_token", "actor_token_type")?;
        if self.one("requested_token_type")?.is_some_and(|kind| kind != TYPE_ACCESS_TOKEN) {
            return Err(ExchangeError::Malformed("only access tokens are issued"));
        }
        let scopes = self.one("scope")?.map(str::parse).transpose();
        let scopes = scopes.map_err(|_| ExchangeError::Malformed("scope is malformed"))?;
        let details = self.one("authorization_details")?.map(|details| AskedDetails::Json(details.into()));
        Ok(ExchangeRequest { subject, actor, audience: self.audience()?, scopes, details })
    }

    /// A token and its type, which must stand together, and must say access token.
    fn token(&self, name: &str, type_name: &str) -> Result<Option<SubjectToken>, ExchangeError> {
        match (self.one(name)?, self.one(type_name)?) {
            (Some(token), Some(TYPE_ACCESS_TOKEN)) => Ok(Some(SubjectToken::new(token))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(ExchangeError::Malformed("only access tokens are exchanged")),
            _ => Err(ExchangeError::Malformed("a token and its type must stand together")),
        }
    }
}
