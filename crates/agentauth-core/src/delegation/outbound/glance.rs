//! What a new token says about itself. Nobody here verifies it: it can be a reason to refuse the token, and never one to
//! believe it.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::AnswerError;
use super::Holder;
use crate::binding::Binding;
use crate::jose::json::{self, JsonError, Members, Texts, Value};
use crate::jose::{TokenType, base64url};
use crate::scope::{MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH, ScopeSet};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Claims that stand in ID tokens, logout tokens and security events, and never in an access token.
const FOREIGN: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// What Keycloak writes into the claim `typ` of an access token; an ID token has `ID` there, a refresh token `Refresh`.
const KEYCLOAK_ACCESS: [&str; 2] = ["Bearer", "DPoP"];

/// The claims of a token that its receiver will go by.
pub(super) struct Glance {
    kind: TokenType,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) expires: Option<Timestamp>,
    pub(super) scopes: Option<ScopeSet>,
    pub(super) details: Option<serde_json::Value>,
    cnf: Option<Cnf>,
    is_foreign: bool,
}

impl Glance {
    /// Reads a JWT, however it is signed: what it is for is not only said in algorithms that are known here. `None` for an
    /// opaque or encrypted token.
    ///
    /// # Errors
    /// [`AnswerError::Malformed`] for a JWT whose header or claims cannot be read in one way only.
    pub(super) fn of(token: &str) -> Result<Option<Self>, AnswerError> {
        let Some((header, payload)) = take_apart(token) else { return Ok(None) };
        let header: Header<'_> = json::read(&header).map_err(AnswerError::Malformed)?;
        let payload = base64url::decode(payload).map_err(|_| AnswerError::Malformed(JsonError::Syntax))?;
        let claims: Claims<'_> = json::read(&payload).map_err(AnswerError::Malformed)?;
        let named = [&claims.scope, &claims.scp].into_iter().flatten();
        let named: Vec<&str> = named.flat_map(Texts::as_slice).map(|scope| &**scope).collect();
        let scopes = (claims.scope.is_some() || claims.scp.is_some()).then(|| named.join(" ").parse());
        let scopes =
            scopes.transpose().map_err(|_| AnswerError::Malformed(JsonError::WrongType(Excerpt::of("scope"))))?;
        Ok(Some(Self {
            kind: header.typ.map_or(TokenType::Absent, |typ| TokenType::from_typ(&typ)),
            audiences: claims.aud.as_slice().iter().map(|audience| (**audience).into()).collect(),
            expires: claims.exp.map(Timestamp::from_secs),
            scopes,
            details: claims.details,
            cnf: claims.cnf.map(|cnf| cnf.read()),
            is_foreign: claims.is_foreign,
        }))
    }

    /// Whether it may be an access token: its `typ` says so or says nothing, and it has no claim of another kind.
    pub(super) const fn may_be_access_token(&self) -> bool {
        matches!(self.kind, TokenType::AccessToken | TokenType::Jwt | TokenType::Absent) && !self.is_foreign
    }

    /// How the token is bound, if `holder` can use it.
    pub(super) fn binding(&self, holder: &Holder) -> Result<Binding, AnswerError> {
        match (&self.cnf, holder) {
            (None, Holder::Dpop(_)) | (Some(Cnf::Unknown), _) => Err(AnswerError::WrongBinding),
            (None, _) => Ok(Binding::Bearer),
            (Some(Cnf::Certificate(_)), Holder::Unknown) => Ok(Binding::MutualTls),
            (Some(Cnf::Certificate(found)), Holder::Certificate { thumbprint, .. }) if found == thumbprint => {
                Ok(Binding::MutualTls)
            }
            (Some(Cnf::Key(found)), Holder::Dpop(key)) if found == key.thumbprint().as_bytes() => Ok(Binding::Dpop),
            _ => Err(AnswerError::WrongBinding),
        }
    }
}

/// The header, which is a JSON object, and the encoded payload of a JWS. Receivers that are less strict than this library
/// take padding.
fn take_apart(token: &str) -> Option<(Vec<u8>, &str)> {
    let mut parts = token.split('.').map(|part| part.trim_end_matches('='));
    let (Some(header), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let header = base64url::decode(header).ok()?;
    let is_object = serde_json::from_slice::<serde_json::Map<_, _>>(&header).is_ok();
    is_object.then_some((header, payload))
}

#[derive(Default)]
struct Header<'p> {
    typ: Option<Cow<'p, str>>,
}

impl<'p> Members<'p> for Header<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "typ" => self.typ = Some(value.text()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// What a token is bound to.
enum Cnf {
    Certificate([u8; 32]),
    Key([u8; 32]),
    /// Several things, or one that is not known here.
    Unknown,
}

#[derive(Default)]
struct CnfMembers<'p> {
    x5t_s256: Option<Cow<'p, str>>,
    jkt: Option<Cow<'p, str>>,
    has_other: bool,
}

impl CnfMembers<'_> {
    fn read(&self) -> Cnf {
        let thumbprint = |text: &str| base64url::decode_exactly(text).ok();
        match (&self.x5t_s256, &self.jkt, self.has_other) {
            (Some(certificate), None, false) => thumbprint(certificate).map(Cnf::Certificate),
            (None, Some(key), false) => thumbprint(key).map(Cnf::Key),
            _ => None,
        }
        .unwrap_or(Cnf::Unknown)
    }
}

impl<'p> Members<'p> for CnfMembers<'p> {
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

#[derive(Default)]
struct Claims<'p> {
    aud: Texts<'p>,
    exp: Option<u64>,
    scope: Option<Texts<'p>>,
    /// Entra writes a string, Okta a list.
    scp: Option<Texts<'p>>,
    cnf: Option<CnfMembers<'p>>,
    details: Option<serde_json::Value>,
    is_foreign: bool,
}

impl<'p> Members<'p> for Claims<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "aud" => self.aud = value.texts()?,
            "exp" => self.exp = Some(value.seconds()?),
            "scope" => self.scope = Some(value.texts()?),
            "scp" => self.scp = Some(value.texts()?),
            "cnf" => self.cnf = Some(value.object()?),
            "typ" => self.is_foreign |= !KEYCLOAK_ACCESS.contains(&&*value.text()?),
            "authorization_details" => {
                self.details = Some(value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?);
            }
            _ => {
                self.is_foreign |= FOREIGN.contains(&name);
                value.skip()?;
            }
        }
        Ok(())
    }
}
