use super::shape::{ensure, is_access_token_or_jwt, require_any_of};
use super::{Actor, Profile, Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::token::{Mode, TokenError};

const NAME: &str = "keycloak";

/// What the account of a client is called, before the client's id.
const SERVICE_ACCOUNT: &str = "service-account-";

/// Access tokens of a Keycloak realm.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | of a user, from a login or the standard token exchange (V2) | `sub` | `azp` | [`Mode::ClientOnly`] |
/// | of a client for itself | `sub`, as a client | `azp` | [`Mode::Autonomous`] |
/// | of a delegation ([`Keycloak::delegation`]) | `sub` | `act.client_id`, which is `azp` | [`Mode::OnBehalfOf`] |
/// | of a session that an administrator took over (with [`Keycloak::delegation`] only) | `sub` | `act.sub` | [`Mode::Impersonation`] |
///
/// - The `typ` header is `JWT` for ID tokens, refresh tokens and logout tokens too, so the claim `typ` counts: `Bearer`, or
///   `DPoP` with `cnf`.
/// - The standard exchange does not say that anyone delegated, and can *add* scopes and audiences.
/// - A token with `act` is refused, unless delegation is on: a claim mapper can write an `act` of its own.
/// - A client acts for itself if the token has its `client_id` and its account's `preferred_username`, which no user of the
///   realm can have. Without them, for example in lightweight tokens, the account counts as a user's.
/// - Audiences are client ids: see [`TrustedIssuer::audience`](crate::TrustedIssuer::audience). The client scope `roles` adds
///   others, such as `account`; a token for several is refused.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Keycloak {
    delegates: bool,
}

impl Keycloak {
    /// Trusts the realm to say who acts for whom, in the way of the feature `token-exchange-delegation` (26.8, preview):
    /// `act` with `sub` and `client_id`. Turn it on only where the realm's administrators keep mappers from writing `act`.
    ///
    /// An `act` without `client_id` is a person's, and never a delegation: sessions that an administrator took over have
    /// one.
    #[must_use]
    pub const fn delegation(mut self) -> Self {
        self.delegates = true;
        self
    }
}

impl Profile for Keycloak {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        is_access_token_or_jwt(token_type)
    }

    fn trusts_act(&self) -> bool {
        self.delegates
    }

    fn claims(&self) -> &'static [&'static str] {
        &["typ", "azp", "preferred_username"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        match claims.required("typ")? {
            "Bearer" => Ok(()),
            "DPoP" => ensure(claims.has("cnf"), NAME, "its claim typ is DPoP, but it is bound to no key (cnf)"),
            _ => ensure(false, NAME, "its claim typ is neither Bearer nor DPoP, so it is no access token"),
        }?;
        require_any_of(&["scope"], claims, NAME)?;
        ensure(claims.actors().len() <= 1, NAME, "it names a chain of actors (act)")?;
        let reading = match claims.actors().next() {
            Some(actor) if !is_subject(&actor, claims)? => acted(claims, &actor)?,
            _ => of_client(claims)?,
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.token_id()?))
    }
}

/// An actor that is the subject itself is no delegation.
fn is_subject(actor: &Actor<'_>, claims: &TokenClaims<'_>) -> Result<bool, TokenError> {
    Ok(actor.is_local() && actor.subject()? == claims.required("sub")?)
}

fn acted(claims: &TokenClaims<'_>, actor: &Actor<'_>) -> Result<Reading, TokenError> {
    let principal = claims.principal(claims.required("sub")?);
    let id = actor.id()?;
    let Some(client) = actor.client_id() else {
        return Ok(Reading::by_actor(principal, id, Vec::new()).in_mode(Mode::Impersonation));
    };
    ensure(claims.required("azp")? == client, NAME, "azp is not the actor's client (act.client_id)")?;
    ensure(actor.is_local(), NAME, "its actor (act) is of another issuer")?;
    Ok(Reading::by_actor(principal, claims.client(client), Vec::new()))
}

fn of_client(claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
    let (subject, client) = (claims.required("sub")?, claims.required("azp")?);
    let is_account = |name: &str| {
        // The names of accounts are lower case, those of clients need not be.
        name.strip_prefix(SERVICE_ACCOUNT).is_some_and(|owner| owner.eq_ignore_ascii_case(client))
    };
    let is_own =
        claims.text("client_id")? == Some(client) && claims.text("preferred_username")?.is_some_and(is_account);
    Ok(if is_own {
        Reading::autonomous(PrincipalId::client(claims.issuer().clone(), subject), claims.client(client))
    } else {
        Reading::client_only(claims.principal(subject), claims.client(client))
    })
}
