//! Where a token says its status is found: the claim `status`.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::{Origin, StatusCheck};
use crate::identity::MAX_NAME_BYTES;
use crate::jose::json::{Members, Value};
use crate::text::Excerpt;
use crate::token::TokenError;

/// The claim `status`, of whatever type.
#[derive(Debug, Default)]
pub(in crate::token) struct StatusClaim<'p> {
    list: Option<Place<'p>>,
}

#[derive(Debug, Default)]
struct Place<'p> {
    idx: Option<u64>,
    uri: Option<Cow<'p, str>>,
}

impl<'p> Members<'p> for StatusClaim<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "status_list" => self.list = Some(value.object()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl<'p> Members<'p> for Place<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "idx" => self.idx = Some(value.integer()?),
            "uri" => self.uri = Some(value.text()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// The place of a token in a list that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::token) struct StatusPlace {
    pub(in crate::token) uri: Box<str>,
    pub(in crate::token) index: u64,
}

impl StatusClaim<'_> {
    /// Where to look, if that is to be done.
    pub(in crate::token) fn place(&self, check: &StatusCheck, issuer: &str) -> Result<Option<StatusPlace>, TokenError> {
        let origins = match check {
            StatusCheck::Refused => return Err(TokenError::StatusNotConfigured(Excerpt::of(issuer))),
            StatusCheck::Ignored => return Ok(None),
            StatusCheck::Lists { origins, .. } => origins,
        };
        let Some(Place { idx: Some(index), uri: Some(uri) }) = &self.list else {
            return Err(TokenError::StatusUnsupported);
        };
        let is_plain = uri.len() <= MAX_NAME_BYTES && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        match Origin::of(uri) {
            Some(origin) if is_plain && origins.contains(&origin) => {
                Ok(Some(StatusPlace { uri: (&**uri).into(), index: *index }))
            }
            _ => Err(TokenError::StatusUri(Excerpt::of(uri))),
        }
    }
}
