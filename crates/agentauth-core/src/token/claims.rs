//! The claims of an access token (RFC 9068 §2.2) with a nested `act` (RFC 8693 §4.1), read once and strictly.

use std::borrow::Cow;

use serde::de::MapAccess;
use smallvec::SmallVec;

use super::TokenError;
use crate::identity::{AgentId, IssuerId, MAX_NAME_BYTES};
use crate::jose::json::{self, Members, Value};
use crate::jose::{JoseError, base64url};

/// What the token says, not yet believed. Borrows from the decoded payload.
#[derive(Debug, Default)]
pub(super) struct Claims<'p> {
    pub(super) iss: Option<Cow<'p, str>>,
    pub(super) sub: Option<Cow<'p, str>>,
    pub(super) aud: SmallVec<[Cow<'p, str>; 2]>,
    pub(super) exp: Option<u64>,
    pub(super) nbf: Option<u64>,
    pub(super) iat: Option<u64>,
    pub(super) jti: Option<Cow<'p, str>>,
    pub(super) client_id: Option<Cow<'p, str>>,
    pub(super) scope: Option<Cow<'p, str>>,
    pub(super) act: Option<ActorChain<'p>>,
    pub(super) may_act: Option<ActorChain<'p>>,
    pub(super) cnf: Option<Cnf<'p>>,
}

impl<'p> Claims<'p> {
    pub(super) fn parse(payload: &'p [u8]) -> Result<Self, TokenError> {
        json::read(payload).map_err(|error| TokenError::Jose(JoseError::Claims(error)))
    }
}

impl<'p> Members<'p> for Claims<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(value.text()?),
            "sub" => self.sub = Some(value.text()?),
            "aud" => self.aud = value.texts()?,
            "exp" => self.exp = Some(value.seconds()?),
            "nbf" => self.nbf = Some(value.seconds()?),
            "iat" => self.iat = Some(value.seconds()?),
            "jti" => self.jti = Some(value.text()?),
            "client_id" => self.client_id = Some(value.text()?),
            "scope" => self.scope = Some(value.text()?),
            "act" => self.act = Some(value.object()?),
            "may_act" => self.may_act = Some(value.object()?),
            "cnf" => self.cnf = Some(value.object()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// An `act` claim: the current actor, then earlier ones, most recent first. Also the shape of `may_act`.
#[derive(Debug, Default)]
pub(super) struct ActorChain<'p> {
    actor: ActorClaim<'p>,
    earlier: SmallVec<[ActorClaim<'p>; 4]>,
}

#[derive(Debug, Default)]
struct ActorClaim<'p> {
    iss: Option<Cow<'p, str>>,
    sub: Option<Cow<'p, str>>,
}

impl<'p> Members<'p> for ActorChain<'p> {
    /// Only the members that identify an actor count; `exp`, `aud` and the like mean nothing here (RFC 8693 §4.1).
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "iss" => self.actor.iss = Some(value.text()?),
            "sub" => self.actor.sub = Some(value.text()?),
            "act" => {
                let inner: Self = value.object()?;
                self.earlier.push(inner.actor);
                self.earlier.extend(inner.earlier);
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl ActorChain<'_> {
    pub(super) fn len(&self) -> usize {
        self.earlier.len().saturating_add(1)
    }

    /// The actors, the current one first. An actor without `iss` is one that `issuer` names.
    pub(super) fn agents(&self, issuer: &IssuerId, claim: &'static str) -> Result<Vec<AgentId>, TokenError> {
        std::iter::once(&self.actor).chain(&self.earlier).map(|actor| actor.agent(issuer, claim)).collect()
    }
}

impl ActorClaim<'_> {
    fn agent(&self, issuer: &IssuerId, claim: &'static str) -> Result<AgentId, TokenError> {
        let name = required(self.sub.as_deref(), claim)?;
        match self.iss.as_deref() {
            None => Ok(AgentId::named_by(issuer, name)),
            Some(namespace) if namespace == issuer.as_str() => Ok(AgentId::named_by(issuer, name)),
            Some(namespace) => {
                let namespace = IssuerId::new(namespace).map_err(|_| TokenError::ClaimMalformed(claim))?;
                Ok(AgentId::named_by(&namespace, name))
            }
        }
    }
}

/// A `cnf` claim (RFC 7800 §3.1).
#[derive(Debug, Default)]
pub(super) struct Cnf<'p> {
    x5t_s256: Option<Cow<'p, str>>,
    has_other: bool,
}

impl<'p> Members<'p> for Cnf<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "x5t#S256" => self.x5t_s256 = Some(value.text()?),
            _ => {
                self.has_other = true;
                value.skip()?;
            }
        }
        Ok(())
    }
}

/// How a token says its holder is to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// It does not: whoever holds the token may use it.
    Bearer,
    /// By the TLS certificate with this SHA-256 (RFC 8705 §3.1).
    Certificate([u8; 32]),
    /// By a method that is not supported, or by several.
    Unsupported,
}

impl Cnf<'_> {
    pub(super) fn confirmation(&self) -> Result<Confirmation, TokenError> {
        match (&self.x5t_s256, self.has_other) {
            (Some(thumbprint), false) => base64url::decode_exactly(thumbprint)
                .map(Confirmation::Certificate)
                .map_err(|_| TokenError::ClaimMalformed("cnf")),
            _ => Ok(Confirmation::Unsupported),
        }
    }
}

/// A claim that must be there, with something in it that can be shown and stored.
pub(crate) fn required<'c>(claim: Option<&'c str>, name: &'static str) -> Result<&'c str, TokenError> {
    let text = claim.ok_or(TokenError::ClaimMissing(name))?;
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        return Err(TokenError::ClaimMalformed(name));
    }
    Ok(text)
}
