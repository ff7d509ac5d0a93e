use super::shape::{ensure, require_any_of};
use super::{Profile, Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::token::TokenError;

const NAME: &str = "okta";

/// Access tokens of a custom authorization server of Okta, those that were issued for an ID-JAG included.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | of a user | `uid` | the client: `cid` | [`ClientOnly`](crate::Mode::ClientOnly) |
/// | of a client for itself: `sub` is `cid`, and there is no `uid` | `sub`, as a client | `cid` | [`Autonomous`](crate::Mode::Autonomous) |
/// | with `act`, by [`Okta::actor_is_agent`] | `uid` | `act.sub` | [`OnBehalfOf`](crate::Mode::OnBehalfOf) |
///
/// - `sub` is a user's login, which can change and be given to another: the principal is `uid`, unless
///   [`Okta::principal_is_sub`] says otherwise.
/// - Scopes are a list, `scp`.
/// - The header has no `typ`. What tells a token from an ID token is `scp`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Okta {
    actor_is_agent: bool,
    principal_is_sub: bool,
}

impl Okta {
    /// Takes `act.sub` as the agent that acts for the user. Tokens with `act` are refused without it: what stands in `act`
    /// after an ID-JAG is not described by Okta, so look at a token of your own organization first.
    #[must_use]
    pub const fn actor_is_agent(mut self) -> Self {
        self.actor_is_agent = true;
        self
    }

    /// Calls users what `sub` says, for servers whose `sub` is mapped to something that never changes hands, or whose tokens
    /// have no `uid`.
    #[must_use]
    pub const fn principal_is_sub(mut self) -> Self {
        self.principal_is_sub = true;
        self
    }
}

impl Profile for Okta {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        matches!(token_type, TokenType::AccessToken | TokenType::Jwt | TokenType::Absent)
    }

    fn trusts_act(&self) -> bool {
        self.actor_is_agent
    }

    fn claims(&self) -> &'static [&'static str] {
        &["uid", "cid", "scp"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        require_any_of(&["scp"], claims, NAME)?;
        let (subject, client, user) = (claims.required("sub")?, claims.required("cid")?, claims.text("uid")?);
        let is_client = user.is_none() && subject == client;
        let reading = if is_client {
            ensure(claims.actors().len() == 0, NAME, "someone acts for a client")?;
            Reading::autonomous(PrincipalId::client(claims.issuer().clone(), subject), claims.client(client))
        } else {
            let name = if self.principal_is_sub { subject } else { claims.required("uid")? };
            let principal = claims.principal(name);
            match claims.actors().len() {
                0 => Reading::client_only(principal, claims.client(client)),
                _ => Reading::on_behalf_of(principal, claims.actors())?,
            }
        };
        Ok(reading.with_scopes(claims.loose_scopes("scp")?).with_token_id(claims.token_id()?))
    }
}
