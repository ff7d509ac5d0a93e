//! The claims of a token, read once and strictly: those of RFC 9068 §2.2, a nested `act` (RFC 8693 §4.1), and what the
//! profiles of the trusted issuers want to see beside them.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::TokenError;
use super::status::StatusClaim;
use crate::identity::MAX_NAME_BYTES;
use crate::jose::json::{self, Loose, Members, Texts, Value};
use crate::jose::{JoseError, base64url};
use crate::scope::{MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH};

/// Actors, the current one first. How many there can be is bounded by the depth that is read.
pub(super) type ActorChain<'p> = Vec<ActorClaim<'p>>;

/// What the token says, not yet believed. Borrows from the decoded payload.
#[derive(Debug, Default)]
pub(super) struct Claims<'p> {
    pub(super) iss: Option<Cow<'p, str>>,
    pub(super) sub: Option<Cow<'p, str>>,
    pub(super) aud: Texts<'p>,
    pub(super) exp: Option<u64>,
    pub(super) nbf: Option<u64>,
    pub(super) iat: Option<u64>,
    pub(super) jti: Option<Cow<'p, str>>,
    pub(super) client_id: Option<Cow<'p, str>>,
    /// A string of words (RFC 9068 §2.2.3); some issuers write a list.
    pub(super) scope: Option<Texts<'p>>,
    /// The actors of `act`, the current one first; empty if there is no such claim.
    pub(super) act: ActorChain<'p>,
    pub(super) may_act: ActorChain<'p>,
    pub(super) cnf: Option<Cnf<'p>>,
    /// RFC 9396 §9.1. What its details mean is for those who know their types.
    pub(super) authorization_details: Option<serde_json::Value>,
    /// The principal's grant that the token descends from, as the issuer calls it.
    pub(super) grant_id: Option<Cow<'p, str>>,
    /// Where its status is found (draft-ietf-oauth-status-list §6).
    pub(super) status: Option<StatusClaim<'p>>,
    /// The first claim that only tokens of other kinds have.
    pub(super) foreign: Option<&'static str>,
    /// The names of the other claims to keep.
    wanted: &'p [&'static str],
    kept: Vec<(&'static str, Loose<'p>)>,
}

/// Claims that stand in ID tokens (OpenID Connect Core §2, §3.3.2.11), logout tokens and security events (RFC 8417
/// §2.2), and never in an access token. Where `typ` does not tell, they do.
pub(crate) const FOREIGN: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

impl<'p> Claims<'p> {
    /// Reads `payload`.
    pub(super) fn read(&mut self, payload: &'p [u8]) -> Result<(), TokenError> {
        json::read_into(payload, self).map_err(|error| TokenError::Jose(JoseError::Claims(error)))
    }

    /// Claims to be read, of which those named in `wanted` are kept beside those that are always read.
    pub(super) fn wanting(wanted: &'p [&'static str]) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// A claim that is kept because a profile wants it.
    pub(super) fn kept(&self, name: &str) -> Option<&Loose<'p>> {
        self.kept.iter().find(|(kept, _)| *kept == name).map(|(_, value)| value)
    }
}

impl<'p> Members<'p> for Claims<'p> {
    #[inline]
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
            "scope" => self.scope = Some(value.texts()?),
            "act" => value.object_into(&mut Actor::on(&mut self.act))?,
            "may_act" => value.object_into(&mut Actor::on(&mut self.may_act))?,
            "cnf" => self.cnf = Some(value.object()?),
            "authorization_details" => {
                self.authorization_details = Some(value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?);
            }
            "grant_id" => self.grant_id = Some(value.text()?),
            "status" => value.object_if_any(self.status.get_or_insert_default())?,
            _ => return self.other(name, value),
        }
        Ok(())
    }
}

impl<'p> Claims<'p> {
    fn other<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        if let Some(foreign) = FOREIGN.into_iter().find(|foreign| *foreign == name) {
            self.foreign.get_or_insert(foreign);
        }
        match self.wanted.iter().find(|wanted| **wanted == name) {
            Some(wanted) => self.kept.push((*wanted, value.loose()?)),
            None => value.skip()?,
        }
        Ok(())
    }
}

/// One actor of `act` or `may_act`. Only the members that identify an actor count; `exp`, `aud` and the like mean
/// nothing here (RFC 8693 §4.1).
#[derive(Debug, Default)]
pub(super) struct ActorClaim<'p> {
    pub(super) iss: Option<Cow<'p, str>>,
    pub(super) sub: Option<Cow<'p, str>>,
    pub(super) client_id: Option<Cow<'p, str>>,
    pub(super) sub_profile: Option<Cow<'p, str>>,
}

/// One level of a chain while it is read; the levels inside it go behind it.
struct Actor<'c, 'p> {
    chain: &'c mut ActorChain<'p>,
    at: usize,
}

impl<'c, 'p> Actor<'c, 'p> {
    /// A new actor at the end of `chain`: an object without any member is one too.
    fn on(chain: &'c mut ActorChain<'p>) -> Self {
        let at = chain.len();
        chain.push(ActorClaim::default());
        Self { chain, at }
    }
}

impl<'p> Members<'p> for Actor<'_, 'p> {
    #[inline]
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        if name == "act" {
            return value.object_into(&mut Actor::on(self.chain));
        }
        let Some(actor) = self.chain.get_mut(self.at) else { return value.skip() };
        let slot = match name {
            "iss" => &mut actor.iss,
            "sub" => &mut actor.sub,
            "client_id" => &mut actor.client_id,
            "sub_profile" => &mut actor.sub_profile,
            _ => return value.skip(),
        };
        *slot = Some(value.text()?);
        Ok(())
    }
}

/// A `cnf` claim (RFC 7800 §3.1).
#[derive(Debug, Default)]
pub(super) struct Cnf<'p> {
    x5t_s256: Option<Cow<'p, str>>,
    jkt: Option<Cow<'p, str>>,
    has_other: bool,
}

impl<'p> Members<'p> for Cnf<'p> {
    #[inline]
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "x5t#S256" => self.x5t_s256 = Some(value.text()?),
            "jkt" => self.jkt = Some(value.text()?),
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
    /// By the key with this RFC 7638 SHA-256 thumbprint (RFC 9449 §6.1).
    Key([u8; 32]),
}

impl Cnf<'_> {
    pub(super) fn confirmation(&self) -> Result<Confirmation, TokenError> {
        let thumbprint = |text| base64url::decode_exactly(text).map_err(|_| TokenError::ClaimMalformed("cnf"));
        match (&self.x5t_s256, &self.jkt, self.has_other) {
            (Some(certificate), None, false) => thumbprint(certificate).map(Confirmation::Certificate),
            (None, Some(key), false) => thumbprint(key).map(Confirmation::Key),
            _ => Err(TokenError::ConfirmationUnsupported),
        }
    }
}

/// A claim that must be there, with something in it that can be shown and stored.
pub(crate) fn required<'c>(claim: Option<&'c str>, name: &'static str) -> Result<&'c str, TokenError> {
    let text = claim.ok_or(TokenError::ClaimMissing(name))?;
    if text.is_empty() || text.len() > MAX_NAME_BYTES || has_control(text) {
        return Err(TokenError::ClaimMalformed(name));
    }
    Ok(text)
}

fn has_control(text: &str) -> bool {
    // Nearly all names are ASCII, and are seen through without decoding them.
    if text.bytes().fold(true, |plain, byte| plain & matches!(byte, 0x20..=0x7e)) {
        return false;
    }
    text.chars().any(char::is_control)
}
