use super::super::{Mode, TokenError};
use super::shape::of_client;
use super::{Profile, Reading, TokenClaims};
use crate::identity::{AgentId, PrincipalId};

/// Access tokens as RFC 9068 has them: `sub` is the principal and `client_id` the client. Nobody says that the one may
/// act for the other; a client whose token is about itself acts for itself.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Rfc9068;

impl Profile for Rfc9068 {
    fn name(&self) -> &'static str {
        "rfc9068"
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        complete(without_actor(claims)?, claims)
    }
}

/// Access tokens of an issuer that delegates by token exchange: the outermost `act` is the agent that acts for `sub`
/// (RFC 8693 §4.1).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Rfc8693 {
    requires_actor_issuer: bool,
}

impl Rfc8693 {
    /// Requires every actor to say in whose namespace its name is: `act.iss` (OAuth Actor Profile).
    #[must_use]
    pub const fn require_actor_issuer(mut self) -> Self {
        self.requires_actor_issuer = true;
        self
    }
}

impl Profile for Rfc8693 {
    fn name(&self) -> &'static str {
        "rfc8693"
    }

    fn trusts_act(&self) -> bool {
        true
    }

    fn names_workloads(&self) -> bool {
        true
    }

    fn claims(&self) -> &'static [&'static str] {
        &["txn"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        if self.requires_actor_issuer && claims.actors().any(|actor| !actor.has_issuer()) {
            return Err(TokenError::ClaimMissing("act.iss"));
        }
        if claims.actors().len() == 0 {
            return Ok(complete(without_actor(claims)?, claims)?.with_txn(claims.text("txn")?));
        }
        claims.required("client_id")?;
        let subject = claims.subject()?;
        let reading = Reading::on_behalf_of(claims.principal(subject), claims.actors())?;
        // The actor profile: an actor that is the subject itself is no delegation.
        let reading = if is_subject(&reading.actor, claims, subject) {
            Reading { principal: PrincipalId::client(claims.issuer().clone(), subject), ..reading }
                .in_mode(Mode::Autonomous)
        } else {
            reading
        };
        Ok(complete(reading, claims)?.with_txn(claims.text("txn")?))
    }
}

fn is_subject(actor: &AgentId, claims: &TokenClaims<'_>, subject: &str) -> bool {
    actor.name() == subject && *actor == claims.client(subject)
}

fn without_actor(claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
    Ok(of_client(claims, claims.subject()?, claims.required("client_id")?))
}

/// What RFC 9068 §2.2 has in every token.
fn complete(reading: Reading, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
    Ok(reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.token_id()?).with_may_act(claims.may_act()?))
}
