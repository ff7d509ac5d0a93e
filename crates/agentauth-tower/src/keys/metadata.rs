//! An issuer's metadata: where it is found, and what it must say (RFC 8414 §3).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use agentauth_core::Excerpt;
use http::Uri;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::error::{LiveKeysError, MetadataError};
use crate::client::without_user;

/// Longer identifiers are no issuer's; core has the same bound.
const MAX_ISSUER_BYTES: usize = 2048;

/// An issuer, and the two places at which it may publish its metadata.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: String,
    /// RFC 8414 §3.1.
    pub(super) oauth: Uri,
    /// OpenID Connect Discovery §4.1.
    pub(super) openid: Uri,
}

impl Discovery {
    pub(super) fn of(issuer: &str) -> Result<Self, LiveKeysError> {
        let refused = || LiveKeysError::Issuer(Excerpt::of(&without_user(issuer)).to_string());
        if issuer.len() > MAX_ISSUER_BYTES || issuer.contains(['#', '?', '@']) {
            return Err(refused());
        }
        let uri: Uri = issuer.parse().map_err(|_| refused())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(refused()) };
        // Both standards remove one slash at the end.
        let path = uri.path().strip_suffix('/').unwrap_or(uri.path());
        let place = |text: String| text.parse().map_err(|_| refused());
        Ok(Self {
            issuer: issuer.to_owned(),
            oauth: place(format!("{scheme}://{authority}/.well-known/oauth-authorization-server{path}"))?,
            openid: place(format!("{scheme}://{authority}{path}/.well-known/openid-configuration"))?,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.issuer
    }

    /// Where the keys are, by the metadata document `bytes`: if it is this issuer's (RFC 8414 §3.3).
    pub(super) fn keys_in(&self, bytes: &[u8]) -> Result<Uri, MetadataError> {
        let document: Document = serde_json::from_slice(bytes).map_err(|_| MetadataError::Malformed)?;
        let issuer = document.issuer.unwrap_or_default();
        if issuer != self.issuer {
            return Err(MetadataError::IssuerMismatch(Excerpt::of(&issuer)));
        }
        document.jwks_uri.and_then(|uri| uri.parse().ok()).ok_or(MetadataError::NoKeys)
    }
}

#[derive(Default)]
struct Document {
    issuer: Option<String>,
    jwks_uri: Option<String>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a metadata document")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        each_member(map, |name, map| {
            match name {
                "issuer" => document.issuer = Some(map.next_value()?),
                "jwks_uri" => document.jwks_uri = Some(map.next_value()?),
                _ => _ = map.next_value::<Unread>()?,
            }
            Ok(())
        })?;
        Ok(document)
    }
}

/// Hands over each member of an object; one that stands twice is an error, since parsers disagree on which counts. How
/// deep objects are nested is bounded by `serde_json`, at 128.
fn each_member<'de, A: MapAccess<'de>>(
    mut map: A,
    mut member: impl FnMut(&str, &mut A) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let mut seen = HashSet::new();
    while let Some(name) = map.next_key::<Cow<'de, str>>()? {
        member(&name, &mut map)?;
        if !seen.insert(name) {
            return Err(A::Error::custom("a member stands twice"));
        }
    }
    Ok(())
}

/// A value that is checked and dropped.
struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unread {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        each_member(map, |_, map| map.next_value::<Self>().map(drop))?;
        Ok(self)
    }
}
