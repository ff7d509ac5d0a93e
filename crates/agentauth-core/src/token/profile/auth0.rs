use super::shape::{client_of, ensure, is_access_token_or_jwt, require_any_of};
use super::{Actor, Profile, Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::token::TokenError;

const NAME: &str = "auth0";

/// The current actor and four before it: Auth0 makes no longer chains.
const MAX_ACTORS: usize = 5;

/// What an application's own subject ends with, after its client id.
const CLIENT_SUFFIX: &str = "@clients";

/// Access tokens of an Auth0 tenant, in both of its dialects, those of agents as principals (early access) included.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | an agent for a user: `sub_profile` is `user`, `act.sub_profile` is `ai_agent` | `sub` | `act.sub` | [`OnBehalfOf`](crate::Mode::OnBehalfOf) |
/// | an agent for itself: `sub_profile` is `ai_agent` | `sub`, as a client | `sub` | [`Autonomous`](crate::Mode::Autonomous) |
/// | a client for a user, with [`Auth0::on_behalf_of_clients`] | `sub` | `act.sub`, which is the client | [`OnBehalfOf`](crate::Mode::OnBehalfOf) |
/// | a client for itself: `sub` is `{client id}@clients` | `sub`, as a client | the client | [`Autonomous`](crate::Mode::Autonomous) |
/// | any other | `sub` | the client: `azp` or `client_id` | [`ClientOnly`](crate::Mode::ClientOnly) |
///
/// - The API must ask for the profiles: `agent_subject_claims` is `auth0-v1`. A token whose `act` does not say that its actor
///   is an agent is refused.
/// - `act` does not show that a token was exchanged: a login through an agent's client has one too.
/// - Actors before the current one may be browser applications, and `act` has no `iss`: they are the tenant's.
/// - Up to five actors; a trusted issuer takes four, unless [`max_actors`](crate::TrustedIssuer::max_actors) says otherwise.
/// - The tenant of a principal is `org_id`, if there is one.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Auth0 {
    clients_delegate: bool,
}

impl Auth0 {
    /// Takes an `act` whose actors are clients, not agents, as a delegation to the current one: on-behalf-of exchanges of
    /// applications that no agent is linked to. The current actor must be the token's client.
    #[must_use]
    pub const fn on_behalf_of_clients(mut self) -> Self {
        self.clients_delegate = true;
        self
    }
}

impl Profile for Auth0 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        is_access_token_or_jwt(token_type)
    }

    fn trusts_act(&self) -> bool {
        true
    }

    fn claims(&self) -> &'static [&'static str] {
        &["azp", "gty", "org_id", "sub_profile"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        require_any_of(&["scope", "gty"], claims, NAME)?;
        if claims.token_type() == Some(TokenType::AccessToken) {
            // Only the dialect of RFC 9068 says this, and it has one.
            claims.required("jti")?;
        }
        let reading = match claims.actors().next() {
            None => of_client(claims)?,
            Some(current) => self.acted(claims, &current)?,
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.text("jti")?))
    }
}

impl Auth0 {
    fn acted(self, claims: &TokenClaims<'_>, current: &Actor<'_>) -> Result<Reading, TokenError> {
        let (subject, client) = (claims.required("sub")?, client_of(claims, NAME)?);
        ensure(claims.actors().len() <= MAX_ACTORS, NAME, "it names more actors (act) than Auth0 chains")?;
        ensure(claims.actors().all(|actor| actor.is_local()), NAME, "one of its actors (act) is of another issuer")?;
        let is_of = |profile| Ok::<_, TokenError>(claims.words("sub_profile")?.contains(&profile));
        if is_of("ai_agent")? {
            ensure(current.subject()? == subject, NAME, "an agent acts for another agent")?;
            return of_client(claims);
        }
        ensure(!subject.ends_with(CLIENT_SUFFIX), NAME, "someone acts for an application")?;
        if current.is_profiled_as("ai_agent") {
            ensure(is_of("user")?, NAME, "an agent acts for a subject that is no user (sub_profile)")?;
            let is_its_client = current.client_id().is_none_or(|id| id == client);
            ensure(is_its_client, NAME, "the client is not the actor's (act.client_id)")?;
        } else if self.clients_delegate {
            ensure(current.subject()? == client, NAME, "the actor (act.sub) is not the client")?;
        } else {
            return Err(TokenError::ActUntrusted);
        }
        Reading::on_behalf_of(principal(claims, subject)?, claims.actors())
    }
}

fn of_client(claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
    let (subject, client) = (claims.required("sub")?, client_of(claims, NAME)?);
    let itself = || PrincipalId::client(claims.issuer().clone(), subject);
    if claims.words("sub_profile")?.contains(&"ai_agent") {
        return Ok(Reading::autonomous(itself(), claims.client(subject)));
    }
    if subject.strip_suffix(CLIENT_SUFFIX) == Some(client) {
        return Ok(Reading::autonomous(itself(), claims.client(client)));
    }
    Ok(Reading::client_only(principal(claims, subject)?, claims.client(client)))
}

fn principal(claims: &TokenClaims<'_>, subject: &str) -> Result<PrincipalId, TokenError> {
    let principal = claims.principal(subject);
    Ok(match claims.text("org_id")? {
        Some(organization) => principal.in_tenant(organization),
        None => principal,
    })
}
