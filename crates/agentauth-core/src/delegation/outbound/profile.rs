//! How token services want to be asked, and how they answer: they do not all speak RFC 8693.

use super::Holder;
use super::answer::{Answer, AnswerError, GRANT_TOKEN_EXCHANGE, TYPE_ACCESS_TOKEN};
use crate::delegation::{ExchangeRequest, IdJagRequest, IdentityAssertion, IssuedToken, JwtBearerRequest};
use crate::identity::{IssuerId, ResourceId};
use crate::scope::DetailTypes;
use crate::text::Secret;
use crate::time::Timestamp;

/// RFC 7523 §2.1.
const GRANT_JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The scope that stands for all that an application of Entra has been granted at a resource.
const ENTRA_DEFAULT: &str = ".default";

/// How a token service wants to be asked, and what it calls the servers that it issues tokens for.
///
/// The two steps of an identity assertion, as Okta has them, are [`IdJagRequest`] and [`JwtBearerRequest`].
#[derive(Debug, Clone)]
pub struct StsProfile {
    dialect: Dialect,
    servers: Vec<Server>,
    details: DetailTypes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// The target is a `resource`.
    Rfc8693,
    /// The target is an `audience`, by a name that the service has for it.
    ByName,
    /// Microsoft Entra's on-behalf-of grant: the target is in the names of the scopes.
    OnBehalfOf { default_scopes: bool },
}

#[derive(Debug, Clone)]
struct Server {
    audience: ResourceId,
    /// Its `aud`.
    name: Box<str>,
    /// What stands before its scopes at Entra: the Application ID URI.
    scopes_below: Box<str>,
}

impl StsProfile {
    /// RFC 8693, as [`Issuer`](crate::Issuer) and others have it: the target is named by its identifier, as a `resource`.
    #[must_use]
    pub fn rfc8693() -> Self {
        Self::of(Dialect::Rfc8693)
    }

    /// Keycloak's standard token exchange: the target is an `audience`, the id of the server's client, which
    /// [`StsProfile::server`] gives.
    ///
    /// Keycloak grants scopes that the exchanged token does not hold, unless its policy `downscope-assertion-grant-enforcer`
    /// is on; they are refused here in any case.
    #[must_use]
    pub fn keycloak() -> Self {
        Self::of(Dialect::ByName)
    }

    /// Microsoft Entra's on-behalf-of flow: no RFC 8693, but `jwt-bearer` with `requested_token_use=on_behalf_of`.
    ///
    /// Entra grants all that the application was consented to at a resource, whatever is asked for. So ask for all of it, or
    /// have no more consented to: a token with more is refused.
    #[must_use]
    pub fn entra_on_behalf_of() -> Self {
        Self::of(Dialect::OnBehalfOf { default_scopes: false })
    }

    /// Asks Entra for `.default` instead of the scopes by name, where nothing but that was consented to. The answer must
    /// still hold no more than what is to be delegated.
    #[must_use]
    pub fn with_default_scopes(mut self) -> Self {
        if let Dialect::OnBehalfOf { default_scopes } = &mut self.dialect {
            *default_scopes = true;
        }
        self
    }

    /// Says that the token service calls the server `audience` by `name`, in requests and in `aud`.
    #[must_use]
    pub fn server(self, audience: ResourceId, name: &str) -> Self {
        self.server_with_scopes(audience, name, name)
    }

    /// Says that the token service calls the server `audience` by `name` in `aud`, and that its scopes stand below
    /// `application_id_uri`, such as `api://9d3e...`: the two differ at Entra.
    #[must_use]
    pub fn server_with_scopes(mut self, audience: ResourceId, name: &str, application_id_uri: &str) -> Self {
        self.servers.push(Server { audience, name: name.into(), scopes_below: application_id_uri.into() });
        self
    }

    /// The types of `authorization_details` that are understood in answers and new tokens: the built-in one unless set. What
    /// is of another type is more than was asked for.
    #[must_use]
    pub fn details(mut self, types: DetailTypes) -> Self {
        self.details = types;
        self
    }

    /// The types of `authorization_details` that are understood.
    #[must_use]
    pub const fn detail_types(&self) -> &DetailTypes {
        &self.details
    }

    /// What the token service calls `audience` in `aud`: its identifier, unless [`StsProfile::server`] says otherwise.
    #[must_use]
    pub fn name_of<'a>(&'a self, audience: &'a ResourceId) -> &'a str {
        self.find(audience).map_or(audience.as_str(), |server| &server.name)
    }

    /// `request` as the body of a POST to the token endpoint (`application/x-www-form-urlencoded`).
    ///
    /// This is the one way a [`SubjectToken`](crate::SubjectToken) leaves the process, and a token endpoint the one place
    /// to send it.
    #[must_use]
    pub fn form(&self, request: &ExchangeRequest) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let subject = request.subject.0.reveal();
        match self.dialect {
            Dialect::OnBehalfOf { default_scopes } => {
                let below = self.scopes_below(request.audience());
                let names: Vec<&str> = match &request.scopes {
                    Some(scopes) if !default_scopes => scopes.iter().collect(),
                    _ => vec![ENTRA_DEFAULT],
                };
                let scopes: Vec<String> = names.iter().map(|name| format!("{below}{name}")).collect();
                form.append_pair("grant_type", GRANT_JWT_BEARER)
                    .append_pair("assertion", subject)
                    .append_pair("requested_token_use", "on_behalf_of")
                    .append_pair("scope", &scopes.join(" "));
            }
            Dialect::Rfc8693 | Dialect::ByName => {
                let target = if self.dialect == Dialect::ByName { "audience" } else { "resource" };
                form.append_pair("grant_type", GRANT_TOKEN_EXCHANGE)
                    .append_pair(target, self.name_of(request.audience()))
                    .append_pair("subject_token", subject)
                    .append_pair("subject_token_type", TYPE_ACCESS_TOKEN);
                if let Some(actor) = &request.actor {
                    form.append_pair("actor_token", actor.0.reveal())
                        .append_pair("actor_token_type", TYPE_ACCESS_TOKEN);
                }
                if let Some(scopes) = &request.scopes {
                    form.append_pair("scope", &scopes.to_string());
                }
                if let Some(details) = &request.details {
                    form.append_pair("authorization_details", &details.to_json());
                }
            }
        }
        form.finish()
    }

    /// Reads the answer to `request`, and checks that it is what was asked for: an access token, no broader, and bound by
    /// DPoP if that is how `holder` holds its tokens.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn read_answer(
        &self,
        request: &ExchangeRequest,
        holder: &Holder,
        body: &[u8],
        now: Timestamp,
    ) -> Result<IssuedToken, AnswerError> {
        let answer = Answer::read(body)?;
        let token = Secret::new(answer.token()?);
        let is_exchange = !matches!(self.dialect, Dialect::OnBehalfOf { .. });
        // RFC 6749 §5.1 has no `issued_token_type`; one that says something else is no slip.
        let issued = match answer.issued_token_type.as_deref() {
            None if is_exchange => return Err(AnswerError::Missing("issued_token_type")),
            None => TYPE_ACCESS_TOKEN,
            Some(issued) => issued,
        };
        let is_bearer = answer.token_type.as_deref().is_some_and(|found| found.eq_ignore_ascii_case("Bearer"));
        match holder {
            // A bearer token where a bound one was asked for (RFC 9449 §5).
            Holder::Dpop(_) if is_bearer => return Err(AnswerError::WrongBinding),
            Holder::Dpop(_) => answer.check_kind("DPoP", issued, TYPE_ACCESS_TOKEN)?,
            _ => answer.check_kind("Bearer", issued, TYPE_ACCESS_TOKEN)?,
        }
        let below = if is_exchange { String::new() } else { self.scopes_below(request.audience()) };
        let asks_for_all = self.dialect == Dialect::OnBehalfOf { default_scopes: true } && request.scopes.is_some();
        if asks_for_all && answer.scope.is_none() {
            return Err(AnswerError::Missing("scope"));
        }
        let scopes = answer.granted_below(&below, request.scopes.as_ref())?;
        let authority = answer.authority(scopes, request.scopes.as_ref(), request.details.as_ref(), &self.details)?;
        let (expires, lifetime_secs) = answer.expires(now);
        Ok(IssuedToken { token, authority, expires, lifetime_secs, origin: None })
    }

    fn of(dialect: Dialect) -> Self {
        Self { dialect, servers: Vec::new(), details: DetailTypes::new() }
    }

    fn find(&self, audience: &ResourceId) -> Option<&Server> {
        self.servers.iter().find(|server| server.audience == *audience)
    }

    fn scopes_below(&self, audience: &ResourceId) -> String {
        let below = self.find(audience).map_or(audience.as_str(), |server| &server.scopes_below);
        format!("{}/", below.trim_end_matches('/'))
    }
}

impl Default for StsProfile {
    fn default() -> Self {
        Self::rfc8693()
    }
}

impl ExchangeRequest {
    /// The request as [`StsProfile::rfc8693`] forms it.
    #[must_use]
    pub fn to_form(&self) -> String {
        StsProfile::rfc8693().form(self)
    }

    /// The first of the two steps by which an identity assertion is exchanged: see
    /// [`IdJagRequest`]. The subject is an ID token.
    #[must_use]
    pub fn id_jag_request(&self, audience: IssuerId) -> IdJagRequest {
        let request = IdJagRequest::new(self.subject.clone(), audience, self.audience.clone());
        self.scopes.iter().cloned().fold(request, IdJagRequest::scopes)
    }

    /// The second step: [`JwtBearerRequest`].
    #[must_use]
    pub fn jwt_bearer_request(&self, assertion: IdentityAssertion) -> JwtBearerRequest {
        let mut request = JwtBearerRequest::new(assertion, self.audience.clone());
        request.details.clone_from(&self.details);
        self.scopes.iter().cloned().fold(request, JwtBearerRequest::scopes)
    }
}
