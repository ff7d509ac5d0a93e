//! How a link is written and read: the part of a chain that drafts do not agree on.

use std::borrow::Cow;
use std::fmt;

use serde::de::MapAccess;
use serde_json::{Map, Value as Json};

use super::LinkError;
use crate::jose::json::{self, Members, Texts, Value};
use crate::jose::{JoseError, JwkThumbprint, TokenType, base64url};
use crate::scope::{MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH, ScopeSet};
use crate::text::Excerpt;

/// The wire form of links: their type, and which claim says what. What a link must keep is the same in every profile:
/// a profile maps names, and decides nothing.
///
/// Both sides use it: a holder writes links by it, and a verifier reads them.
pub trait ChainProfile: Send + Sync + fmt::Debug {
    /// What the profile is called, in explanations.
    fn name(&self) -> &'static str;

    /// The `typ` of a link. It must be a kind of its own: a link must never be taken for an access token.
    fn token_type(&self) -> TokenType;

    /// The payload of a link that says `claims`.
    fn write(&self, claims: &LinkClaims<'_>) -> Vec<u8>;

    /// Reads the payload of a link, which nothing has been checked of yet. What it says that is not known must be
    /// refused, since it could be a restriction.
    ///
    /// # Errors
    /// [`LinkError::Form`], [`LinkError::ClaimMalformed`], [`LinkError::ClaimUnknown`], [`LinkError::Scope`].
    fn read<'p>(&self, payload: &'p [u8]) -> Result<LinkClaims<'p>, LinkError>;
}

/// What a link says. Which claims must be there, and what they must be, is checked by those who follow the chain.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LinkClaims<'p> {
    /// Who made it: the thumbprint URI of the key that the parent is bound to (RFC 9278).
    pub issuer: Option<Cow<'p, str>>,
    /// The principal, which is the root's.
    pub subject: Option<Cow<'p, str>>,
    /// The agent that it is for.
    pub delegate: Option<Cow<'p, str>>,
    /// The servers that it is for.
    pub audiences: Vec<Cow<'p, str>>,
    /// When it was made, in seconds since 1970.
    pub issued: Option<u64>,
    /// When it begins.
    pub not_before: Option<u64>,
    /// When it ends.
    pub expires: Option<u64>,
    /// Its own identifier.
    pub id: Option<Cow<'p, str>>,
    /// How many links are above it, and itself.
    pub depth: Option<u64>,
    /// How deep the chain may become.
    pub max_depth: Option<u64>,
    /// The SHA-256 of its parent's signing input.
    pub parent_hash: Option<[u8; 32]>,
    /// The key of the agent that it is for.
    pub key: Option<JwkThumbprint>,
    /// What may be done, as scopes.
    pub scopes: Option<ScopeSet>,
    /// What may be done, as `authorization_details` (RFC 9396 §2).
    pub details: Option<Json>,
}

/// The profile of `docs/delegation-chain.md`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct HouseProfile;

impl ChainProfile for HouseProfile {
    fn name(&self) -> &'static str {
        "agent-delegation"
    }

    fn token_type(&self) -> TokenType {
        TokenType::AgentDelegation
    }

    fn write(&self, claims: &LinkClaims<'_>) -> Vec<u8> {
        let mut object = Map::new();
        let mut put = |name: &str, value: Option<Json>| {
            object.extend(value.map(|value| (name.to_owned(), value)));
        };
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(Json::from);
        put("iss", text(&claims.issuer));
        put("sub", text(&claims.subject));
        put("client_id", text(&claims.delegate));
        put(
            "aud",
            match claims.audiences.as_slice() {
                [] => None,
                [one] => Some(Json::from(&**one)),
                several => Some(several.iter().map(|audience| Json::from(&**audience)).collect()),
            },
        );
        put("iat", claims.issued.map(Json::from));
        put("nbf", claims.not_before.map(Json::from));
        put("exp", claims.expires.map(Json::from));
        put("jti", text(&claims.id));
        put("del_depth", claims.depth.map(Json::from));
        put("del_max_depth", claims.max_depth.map(Json::from));
        put("par_hash", claims.parent_hash.map(|hash| Json::from(base64url::encode(&hash))));
        put("cnf", claims.key.map(|key| Json::Object(Map::from_iter([("jkt".to_owned(), key.to_string().into())]))));
        put("scope", claims.scopes.as_ref().map(|scopes| Json::from(scopes.to_string())));
        put("authorization_details", claims.details.clone());
        Json::Object(object).to_string().into_bytes()
    }

    fn read<'p>(&self, payload: &'p [u8]) -> Result<LinkClaims<'p>, LinkError> {
        let mut read = Read::default();
        json::read_into(payload, &mut read).map_err(|error| LinkError::Form(JoseError::Claims(error)))?;
        match read.fault {
            Some(fault) => Err(fault),
            None => Ok(read.claims),
        }
    }
}

/// Claims on the way in, and the first that is not as it must be.
#[derive(Default)]
struct Read<'p> {
    claims: LinkClaims<'p>,
    fault: Option<LinkError>,
}

impl Read<'_> {
    fn note<T>(&mut self, value: Result<T, LinkError>) -> Option<T> {
        value.map_err(|fault| self.fault.get_or_insert(fault).clone()).ok()
    }
}

impl<'p> Members<'p> for Read<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        let claims = &mut self.claims;
        match name {
            "iss" => claims.issuer = Some(value.text()?),
            "sub" => claims.subject = Some(value.text()?),
            "client_id" => claims.delegate = Some(value.text()?),
            "aud" => {
                claims.audiences = match value.texts()? {
                    Texts::One(text) => vec![text],
                    Texts::Many(texts) => texts,
                }
            }
            "iat" => claims.issued = Some(value.seconds()?),
            "nbf" => claims.not_before = Some(value.seconds()?),
            "exp" => claims.expires = Some(value.seconds()?),
            "jti" => claims.id = Some(value.text()?),
            "del_depth" => claims.depth = Some(value.integer()?),
            "del_max_depth" => claims.max_depth = Some(value.integer()?),
            "par_hash" => {
                let hash = base64url::decode_exactly(&value.text()?);
                self.claims.parent_hash = self.note(hash.map_err(|_| LinkError::ClaimMalformed("par_hash")));
            }
            "cnf" => {
                let key = value.object::<Cnf<'_>>()?.key();
                self.claims.key = self.note(key);
            }
            "scope" => {
                let scopes = value.text()?.parse();
                self.claims.scopes = self.note(scopes.map_err(LinkError::Scope));
            }
            "authorization_details" => claims.details = Some(value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH)?),
            _ => {
                self.fault.get_or_insert_with(|| LinkError::ClaimUnknown(Excerpt::of(name)));
                value.skip()?;
            }
        }
        Ok(())
    }
}

/// `cnf`, which must hold `jkt` and nothing else: another method would be another condition.
#[derive(Default)]
struct Cnf<'p> {
    jkt: Option<Cow<'p, str>>,
    has_other: bool,
}

impl Cnf<'_> {
    fn key(&self) -> Result<JwkThumbprint, LinkError> {
        match &self.jkt {
            Some(jkt) if !self.has_other => jkt.parse().map_err(|_| LinkError::ClaimMalformed("cnf")),
            _ => Err(LinkError::ClaimMalformed("cnf")),
        }
    }
}

impl<'p> Members<'p> for Cnf<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        if name == "jkt" {
            self.jkt = Some(value.text()?);
            return Ok(());
        }
        self.has_other = true;
        value.skip()
    }
}
