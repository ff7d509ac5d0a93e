//! A list as its issuer signs it (draft-ietf-oauth-status-list §5.1).

use std::borrow::Cow;
use std::time::Duration;

use serde::de::MapAccess;

use super::StatusListError;
use super::list::StatusList;
use crate::jose::json::{self, Members, Scalar, Value};
use crate::jose::{CompactJws, JoseError, TokenType, base64url};
use crate::time::Timestamp;
use crate::token::TokenError;
use crate::token::checks::verify_signature;
use crate::token::issuer::CheckedIssuer;

/// The longest list that is read, in bytes, as a JWT.
pub const MAX_STATUS_LIST_BYTES: usize = 1024 * 1024;

/// How long a list without `ttl` is believed.
const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// How old a list without `exp` may be, in seconds: whoever hosts it could otherwise show an old one for ever.
const MAX_AGE: u64 = 24 * 3600;

/// A list whose signature and claims are good, and how long it is.
#[derive(Debug)]
pub(in crate::token) struct Signed {
    pub(super) list: StatusList,
    pub(super) issued: u64,
    /// It is believed from the one moment until the other.
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    /// Which keys of the issuer it was verified with.
    pub(super) generation: u64,
}

#[derive(Default)]
struct Claims<'p> {
    iss: Option<Cow<'p, str>>,
    sub: Option<Cow<'p, str>>,
    iat: Option<u64>,
    nbf: Option<u64>,
    exp: Option<u64>,
    ttl: Option<Scalar<'p>>,
    list: Option<Packed<'p>>,
}

#[derive(Default)]
struct Packed<'p> {
    bits: Option<u64>,
    lst: Option<Cow<'p, str>>,
}

impl<'p> Members<'p> for Claims<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(value.text()?),
            "sub" => self.sub = Some(value.text()?),
            "iat" => self.iat = Some(value.seconds()?),
            "nbf" => self.nbf = Some(value.seconds()?),
            "exp" => self.exp = Some(value.seconds()?),
            "ttl" => self.ttl = Some(value.scalar()?),
            "status_list" => self.list = Some(value.object()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'p> Members<'p> for Packed<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "bits" => self.bits = Some(value.integer()?),
            "lst" => self.lst = Some(value.text()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl Signed {
    /// Verifies `jwt` as the list of `issuer` at `uri`, which was asked for at `asked`. Waits for newer keys of the issuer
    /// if it takes them.
    pub(super) async fn verify(
        jwt: &str,
        uri: &str,
        issuer: &CheckedIssuer,
        asked: Timestamp,
        longest: Duration,
    ) -> Result<Self, StatusListError> {
        if jwt.len() > MAX_STATUS_LIST_BYTES {
            return Err(StatusListError::Oversize);
        }
        let jws = CompactJws::parse_at_most(jwt, MAX_STATUS_LIST_BYTES)?;
        jws.require_type(TokenType::StatusList)?;
        let unverified = |error| match error {
            TokenError::Jose(error) => StatusListError::Jose(error),
            _ => StatusListError::NoKeys,
        };
        let generation = match verify_signature(&jws, issuer) {
            Ok(generation) => generation,
            Err(refused) => {
                let refresh = refused.keys.and_then(|(keys, tried)| keys.refresh(tried));
                refresh.ok_or_else(|| unverified(refused.error))?.await;
                verify_signature(&jws, issuer).map_err(|refused| unverified(refused.error))?
            }
        };
        let payload = jws.unverified_payload()?;
        let mut claims = Claims::default();
        json::read_into(&payload, &mut claims).map_err(JoseError::Claims)?;
        claims.check(uri, issuer, asked, longest, generation)
    }
}

impl Claims<'_> {
    fn check(
        self,
        uri: &str,
        issuer: &CheckedIssuer,
        asked: Timestamp,
        longest: Duration,
        generation: u64,
    ) -> Result<Signed, StatusListError> {
        let missing = StatusListError::Malformed;
        if self.sub.ok_or(missing("sub is missing"))? != uri || self.iss.is_some_and(|iss| iss != issuer.id.as_str()) {
            return Err(StatusListError::Mismatch);
        }
        let (now, leeway) = (asked.secs(), issuer.leeway);
        let issued = self.iat.ok_or(missing("iat is missing"))?;
        if issued.max(self.nbf.unwrap_or_default()) > now.saturating_add(leeway) {
            return Err(StatusListError::NotYetValid);
        }
        let end = self.exp.unwrap_or_else(|| issued.saturating_add(MAX_AGE)).saturating_add(leeway);
        if now >= end {
            return Err(StatusListError::Expired);
        }
        let ttl = match self.ttl {
            None => DEFAULT_TTL,
            Some(Scalar::Unsigned(secs)) if secs > 0 => Duration::from_secs(secs),
            Some(Scalar::Float(secs)) if secs > 0.0 => Duration::try_from_secs_f64(secs).unwrap_or(longest),
            Some(_) => return Err(StatusListError::Malformed("ttl is no positive number")),
        };
        let Packed { bits, lst } = self.list.ok_or(missing("status_list is missing"))?;
        let lst = base64url::decode(&lst.ok_or(missing("lst is missing"))?)
            .map_err(|_| StatusListError::Malformed("lst is not base64url"))?;
        Ok(Signed {
            list: StatusList::unpack(bits.ok_or(missing("bits is missing"))?, &lst)?,
            issued,
            since: asked,
            until: asked.plus(ttl.min(longest)).min(Timestamp::from_secs(end)),
            generation,
        })
    }
}
