use super::shape::{client_of, is_access_token_or_jwt, of_client, require_any_of};
use super::{Profile, Reading, TokenClaims};
use crate::jose::TokenType;
use crate::token::{Mode, TokenError};

const NAME: &str = "zitadel";

/// Access tokens of a ZITADEL instance, where they are JWTs (by default they are opaque, and have to be introspected).
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | with `act` | `sub` | `act.sub` at `act.iss` | [`Mode::Impersonation`] |
/// | with `act`, by [`Zitadel::act_is_consent`] | `sub` | the same | [`Mode::OnBehalfOf`] |
/// | of a client for itself: `sub` is the client | `sub`, as a client | the client | [`Mode::Autonomous`] |
/// | any other | `sub` | the client: `azp` or `client_id` | [`Mode::ClientOnly`] |
///
/// - An exchange takes a bare user id as its subject, so `act` shows who acts, and not that the user knows: this is
///   [`Mode::Impersonation`], and not [`Mode::ClientOnly`], since the actor is named, and must be in the record.
/// - `act` stays when a token is refreshed, and stands in ID tokens too. What tells a token from one is `scope`.
/// - `aud` comes from the actor's token, so it says nothing about what the user was asked.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Zitadel {
    act_is_consent: bool,
}

impl Zitadel {
    /// Takes `act` as a delegation: for an instance in which no one may exchange a bare user id, and every user has agreed to
    /// what an exchange of their token does.
    #[must_use]
    pub const fn act_is_consent(mut self) -> Self {
        self.act_is_consent = true;
        self
    }
}

impl Profile for Zitadel {
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
        let reading = match claims.actors().next() {
            // An actor that is the subject itself is no one else's doing.
            Some(current) if !(current.is_local() && current.subject()? == subject) => {
                let reading = Reading::on_behalf_of(claims.principal(subject), claims.actors())?;
                if self.act_is_consent { reading } else { reading.in_mode(Mode::Impersonation) }
            }
            _ => of_client(claims, subject, client),
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.token_id()?))
    }
}
