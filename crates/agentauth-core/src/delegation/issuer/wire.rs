//! Token exchange on the wire (RFC 8693 §2, RFC 6749 §4.4, §5), as the issuer sees it: forms in, JSON out.

use std::borrow::Cow;

use serde::Serialize;

use super::authentication::TokenRequest;
use super::claims::details_of;
use super::client::Holder;
use crate::delegation::assertion::{GRANT_JWT_BEARER, IdentityAssertion, JwtBearerRequest};
use crate::delegation::exchange::AskedDetails;
use crate::delegation::outbound::{GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN};
use crate::delegation::{ExchangeError, ExchangeRequest, IssuedToken, SubjectToken};
use crate::identity::ResourceId;
use crate::scope::ScopeSet;

pub(super) const GRANT_CLIENT_CREDENTIALS: &str = "client_credentials";

/// The longest form that is read, in bytes: two tokens of the greatest length, and room for the rest.
pub const MAX_FORM_BYTES: usize = 64 * 1024;

/// A token request has about ten parameters.
const MAX_PARAMETERS: usize = 32;

/// The body of a successful answer (RFC 8693 §2.2.1), with the resource that was granted where the client is to be told
/// (ID-JAG).
pub(crate) fn token_response(issued: &IssuedToken, resource: Option<&ResourceId>) -> Result<String, ExchangeError> {
    #[derive(Serialize)]
    struct Response<'a> {
        access_token: &'a str,
        issued_token_type: &'a str,
        token_type: &'a str,
        expires_in: u64,
        scope: &'a ScopeSet,
        #[serde(skip_serializing_if = "Option::is_none")]
        authorization_details: Option<serde_json::Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        resource: Option<&'a ResourceId>,
    }
    let response = Response {
        access_token: issued.token(),
        issued_token_type: TYPE_ACCESS_TOKEN,
        token_type: issued.token_type(),
        expires_in: issued.expires_in(),
        scope: issued.scopes(),
        authorization_details: details_of(issued.authority()),
        resource,
    };
    serde_json::to_string(&response).map_err(|_| ExchangeError::Unavailable)
}

impl IssuedToken {
    /// How the token is sent (RFC 6749 §7.1, RFC 9449 §5). One that is bound to a certificate is sent as a bearer token.
    fn token_type(&self) -> &'static str {
        match self.origin.as_ref().and_then(|origin| origin.holder) {
            Some(Holder::Key(_)) => "DPoP",
            Some(Holder::Certificate(_)) | None => "Bearer",
        }
    }
}

/// What a token request asks for.
pub(crate) enum Form {
    /// An exchange (RFC 8693 §2.1).
    Exchange(ExchangeRequest),
    /// The client's own token for a server (RFC 6749 §4.4).
    OwnToken(ResourceId),
    /// A token on an identity assertion (RFC 7523 §2.1).
    Assertion(JwtBearerRequest),
}

impl Form {
    /// Reads a form; that of a grant by assertion only where the issuer `takes_assertions`.
    pub(crate) fn of(parameters: &Parameters<'_>, takes_assertions: bool) -> Result<Self, ExchangeError> {
        match parameters.one("grant_type")? {
            Some(GRANT_TOKEN_EXCHANGE) => parameters.exchange().map(Self::Exchange),
            Some(GRANT_CLIENT_CREDENTIALS) => parameters.audience().map(Self::OwnToken),
            Some(GRANT_JWT_BEARER) if takes_assertions => parameters.assertion().map(Self::Assertion),
            Some(_) => Err(ExchangeError::GrantUnsupported),
            None => Err(ExchangeError::Malformed("no grant_type")),
        }
    }
}

/// The parameters of a request. None may stand twice (RFC 6749 §3.2).
pub(crate) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    pub(crate) fn read(request: &TokenRequest<'a>) -> Result<Self, ExchangeError> {
        let body = request.body.filter(|body| body.len() <= MAX_FORM_BYTES);
        let body =
            body.ok_or(ExchangeError::Malformed("the form is longer than 65536 bytes, or did not arrive whole"))?;
        if !request.is_form() && !body.is_empty() {
            return Err(ExchangeError::Malformed("the body is not application/x-www-form-urlencoded"));
        }
        let pairs: Vec<_> = form_urlencoded::parse(body).take(MAX_PARAMETERS + 1).collect();
        if pairs.len() > MAX_PARAMETERS {
            return Err(ExchangeError::Malformed("more than 32 parameters"));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter. An empty one is as good as none (RFC 6749 §3.2).
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ExchangeError> {
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
        let (scopes, details) = (self.scopes()?, self.details()?);
        Ok(ExchangeRequest { subject, actor, audience: self.audience()?, scopes, details })
    }

    fn assertion(&self) -> Result<JwtBearerRequest, ExchangeError> {
        let assertion = self.one("assertion")?.ok_or(ExchangeError::Malformed("no assertion"))?;
        let resource = self.one("resource")?.map(ResourceId::new).transpose();
        Ok(JwtBearerRequest {
            assertion: IdentityAssertion::new(assertion),
            resource: resource.map_err(|_| ExchangeError::TargetUnknown)?,
            scopes: self.scopes()?,
            details: self.details()?,
        })
    }

    fn details(&self) -> Result<Option<AskedDetails>, ExchangeError> {
        Ok(self.one("authorization_details")?.map(|details| AskedDetails::Json(details.into())))
    }

    fn scopes(&self) -> Result<Option<ScopeSet>, ExchangeError> {
        let scopes = self.one("scope")?.map(str::parse).transpose();
        scopes.map_err(|_| ExchangeError::Malformed("scope is malformed"))
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
