//! The claims of a token that is issued.

use serde::Serialize;
use serde::de::MapAccess;
use serde_json::Value;

use super::client::Holder;
use crate::identity::{AgentId, IssuerId, ResourceId};
use crate::jose::base64url;
use crate::jose::json::{self, Members, Value as Member};
use crate::scope::{Authority, DetailError, MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH, ScopeSet};
use crate::time::Timestamp;

/// All that goes into a token.
pub(super) struct Grant<'a> {
    pub(super) subject: &'a str,
    pub(super) client: &'a str,
    pub(super) audience: &'a ResourceId,
    pub(super) authority: Authority,
    pub(super) actors: &'a [AgentId],
    pub(super) may_act: Option<&'a AgentId>,
    /// What it descends from: a registered grant or a consent. The token itself, if nothing.
    pub(super) grant_id: Option<&'a str>,
    /// The transaction it belongs to (RFC 8417 §2.2).
    pub(super) txn: Option<&'a str>,
    pub(super) holder: Option<Holder>,
    pub(super) now: Timestamp,
    pub(super) expires: Timestamp,
}

#[derive(Serialize)]
struct IssuedClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    #[serde(skip_serializing_if = "ScopeSet::is_empty")]
    scope: &'a ScopeSet,
    /// RFC 9396 §9.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<ActClaim<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    may_act: Option<Box<ActClaim<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<CnfClaim>,
}

#[derive(Serialize)]
struct ActClaim<'a> {
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

/// RFC 8705 §3.1, RFC 9449 §6.1.
#[derive(Serialize)]
enum CnfClaim {
    #[serde(rename = "x5t#S256")]
    Certificate(String),
    #[serde(rename = "jkt")]
    Key(String),
}

impl Grant<'_> {
    /// The claims of RFC 9068 §2.2, with `act` and `may_act` (RFC 8693 §4) and `cnf`.
    pub(super) fn claims<'a>(&'a self, issuer: &'a IssuerId, id: &'a str) -> impl Serialize + 'a {
        let named = |agent: &'a AgentId, act| {
            let namespace = if let AgentId::Named { issuer, .. } = agent { issuer } else { issuer };
            Some(Box::new(ActClaim { iss: namespace.as_str(), sub: agent.name(), act }))
        };
        IssuedClaims {
            iss: issuer.as_str(),
            sub: self.subject,
            aud: self.audience.as_str(),
            client_id: self.client,
            iat: self.now.secs(),
            exp: self.expires.secs(),
            jti: id,
            scope: self.authority.scopes(),
            authorization_details: details_of(&self.authority),
            grant_id: self.grant_id,
            txn: self.txn,
            act: self.actors.iter().rev().fold(None, |inner, actor| named(actor, inner)),
            may_act: self.may_act.and_then(|agent| named(agent, None)),
            cnf: self.holder.map(|holder| match holder {
                Holder::Certificate(thumbprint) => CnfClaim::Certificate(base64url::encode(&thumbprint)),
                Holder::Key(thumbprint) => CnfClaim::Key(base64url::encode(&thumbprint)),
            }),
        }
    }
}

/// Whether servers read the details in these claims: what has more of them, or deeper ones, is a token that none takes.
pub(super) fn check_details(claims: &[u8]) -> Result<(), DetailError> {
    #[derive(Default)]
    struct Details;

    impl<'de> Members<'de> for Details {
        fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, 'de, A>) -> Result<(), A::Error> {
            match name {
                "authorization_details" => value.tree(MAX_DETAILS_BYTES, MAX_DETAILS_DEPTH).map(drop),
                _ => value.skip(),
            }
        }
    }

    json::read::<Details>(claims)?;
    Ok(())
}

/// What scopes cannot say, if there is anything.
pub(crate) fn details_of(authority: &Authority) -> Option<Value> {
    Some(authority.to_details()).filter(|details| details.as_array().is_some_and(|details| !details.is_empty()))
}
