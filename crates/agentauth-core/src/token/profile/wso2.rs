use super::shape::{client_of, ensure, is_access_token_or_jwt, of_client, require_any_of};
use super::{Profile, Reading, TokenClaims};
use crate::jose::TokenType;
use crate::token::TokenError;

const NAME: &str = "wso2";

/// Access tokens of WSO2 Identity Server and Asgardeo.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | with `act` | `sub` | `act.sub` | [`OnBehalfOf`](crate::Mode::OnBehalfOf) |
/// | of a client for itself: `sub` is the client | `sub`, as a client | the client | [`Autonomous`](crate::Mode::Autonomous) |
/// | any other | `sub` | the client: `client_id` or `azp` | [`ClientOnly`](crate::Mode::ClientOnly) |
///
/// - `act` has no `iss`: its actors are the organization's. They may be users as well as agents, and nothing in the token
///   tells which, so let rules name the agents.
/// - `aud` may be the client's id: see [`TrustedIssuer::audience`](crate::TrustedIssuer::audience). ID tokens have it too;
///   what tells an access token from one is `scope`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Wso2;

impl Profile for Wso2 {
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
        &["azp"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        require_any_of(&["scope"], claims, NAME)?;
        let (subject, client) = (claims.required("sub")?, client_of(claims, NAME)?);
        ensure(claims.actors().all(|actor| actor.is_local()), NAME, "one of its actors (act) is of another issuer")?;
        let reading = match claims.actors().next() {
            // An actor that is the subject itself is no delegation.
            Some(current) if current.subject()? != subject => {
                Reading::on_behalf_of(claims.principal(subject), claims.actors())?
            }
            _ => of_client(claims, subject, client),
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.token_id()?))
    }
}
