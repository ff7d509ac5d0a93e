use super::shape::{client_of, ensure, is_access_token_or_jwt, of_client, require_any_of};
use super::{Profile, Reading, TokenClaims};
use crate::identity::{AgentId, PrincipalId};
use crate::jose::TokenType;
use crate::token::{Mode, TokenError};

const AM: &str = "ping-am";
const ONE: &str = "ping-one";

/// Access tokens of PingAM and PingOne Advanced Identity Cloud, where they are JWTs.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | `act.sub` is `(age!x)` | `x` of `(usr!x)` in `sub` | `x` | [`Mode::OnBehalfOf`] |
/// | `act.sub` is `(usr!x)`: a person | the same | `x` | [`Mode::Impersonation`] |
/// | `sub` is `(age!x)`: a client for itself | `x`, as a client | `x` | [`Mode::Autonomous`] |
/// | any other | `x` of `(usr!x)` | the client: `client_id` or `azp` | [`Mode::ClientOnly`] |
///
/// - `may_act` says who could have become the actor, by a script: it is no authority, and not read.
/// - Names without a type are refused, unless [`PingAm::untyped_names`] says otherwise.
/// - `tokenName` must be `access_token`: ID tokens have the same `typ` and `aud`.
/// - A token of a user names no client unless a script adds `client_id`: without it, one that has no `act` is refused.
/// - Scopes come from the scope implementation, not from the token that was exchanged, and are a list.
/// - `aud` may be the client's id: see [`TrustedIssuer::audience`](crate::TrustedIssuer::audience).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PingAm {
    takes_untyped: bool,
}

impl PingAm {
    /// Takes names without a type too: a plain `sub` is then a user's, and a plain `act.sub` an agent's. A user and a client of
    /// one name are then told apart by nothing.
    #[must_use]
    pub const fn untyped_names(mut self) -> Self {
        self.takes_untyped = true;
        self
    }

    /// Reads `(usr!x)` and `(age!x)`; a name without a type is of the kind `otherwise`, where such are taken.
    fn typed_name(self, text: &str, otherwise: NameKind) -> Result<(NameKind, &str), TokenError> {
        const PROBLEM: &str = "a name is not of the form (usr!name) or (age!name)";
        let typed =
            text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once('!'));
        match typed {
            Some(("usr", name)) if !name.is_empty() => Ok((NameKind::User, name)),
            Some(("age", name)) if !name.is_empty() => Ok((NameKind::Agent, name)),
            _ => {
                ensure(self.takes_untyped && !text.starts_with('('), AM, PROBLEM)?;
                Ok((otherwise, text))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameKind {
    User,
    Agent,
}

impl Profile for PingAm {
    fn name(&self) -> &'static str {
        AM
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        is_access_token_or_jwt(token_type)
    }

    fn trusts_act(&self) -> bool {
        true
    }

    fn claims(&self) -> &'static [&'static str] {
        &["azp", "tokenName"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        ensure(claims.text("tokenName")? == Some("access_token"), AM, "its tokenName is not access_token")?;
        let (kind, subject) = self.typed_name(claims.required("sub")?, NameKind::User)?;
        let mut actors: Vec<(NameKind, AgentId)> = Vec::new();
        for actor in claims.actors() {
            ensure(actor.is_local(), AM, "one of its actors (act) is of another issuer")?;
            let (kind, name) = self.typed_name(actor.subject()?, NameKind::Agent)?;
            actors.push((kind, claims.client(name)));
        }
        let mut actors = actors.into_iter();
        let reading = match (kind, actors.next()) {
            (NameKind::Agent, Some((NameKind::Agent, agent))) if agent != claims.client(subject) => {
                return Err(TokenError::Shape { profile: AM, problem: "an agent acts for another agent" });
            }
            (NameKind::Agent, None | Some((NameKind::Agent, _))) => {
                Reading::autonomous(PrincipalId::client(claims.issuer().clone(), subject), claims.client(subject))
            }
            (NameKind::Agent, Some((NameKind::User, _))) => {
                return Err(TokenError::Shape { profile: AM, problem: "a person acts for an agent" });
            }
            (NameKind::User, None) => {
                Reading::client_only(claims.principal(subject), claims.client(client_of(claims, AM)?))
            }
            (NameKind::User, Some((kind, actor))) => {
                let earlier = actors.map(|(_, agent)| agent).collect();
                let reading = Reading::by_actor(claims.principal(subject), actor, earlier);
                if kind == NameKind::User { reading.in_mode(Mode::Impersonation) } else { reading }
            }
        };
        Ok(reading.with_scopes(claims.loose_scopes("scope")?).with_token_id(claims.token_id()?))
    }
}

/// Access tokens of an environment of PingOne.
///
/// | token | principal | agent | mode |
/// |---|---|---|---|
/// | with `act`, by [`PingOne::act_is_mapped`] | `sub` | `act.sub` | [`Mode::OnBehalfOf`] |
/// | of a client for itself: `sub` is the client | `sub`, as a client | `client_id` | [`Mode::Autonomous`] |
/// | any other | `sub` | the client: `client_id` | [`Mode::ClientOnly`] |
///
/// - `act` is an attribute like others: it says whatever an administrator mapped to it.
/// - The header has no `typ`. What tells a token from an ID token is `scope`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct PingOne {
    act_is_mapped: bool,
}

impl PingOne {
    /// Takes `act.sub` as the agent that acts for the user: for a resource whose attribute `act` is mapped from the actor's
    /// token (`actorToken`), and from nothing else. Tokens with `act` are refused without it.
    #[must_use]
    pub const fn act_is_mapped(mut self) -> Self {
        self.act_is_mapped = true;
        self
    }
}

impl Profile for PingOne {
    fn name(&self) -> &'static str {
        ONE
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        matches!(token_type, TokenType::AccessToken | TokenType::Jwt | TokenType::Absent)
    }

    fn trusts_act(&self) -> bool {
        self.act_is_mapped
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        require_any_of(&["scope"], claims, ONE)?;
        let (subject, client) = (claims.required("sub")?, claims.required("client_id")?);
        let reading = match claims.actors().next() {
            // An actor that is the subject itself is no delegation.
            Some(current) if !(current.is_local() && current.subject()? == subject) => {
                Reading::on_behalf_of(claims.principal(subject), claims.actors())?
            }
            _ => of_client(claims, subject, client),
        };
        Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.text("jti")?))
    }
}
