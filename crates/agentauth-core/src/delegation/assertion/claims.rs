//! What an ID-JAG says.

use std::borrow::Cow;

use serde::de::MapAccess;

use crate::jose::TokenType;
use crate::jose::json::{Members, Texts, Value};
use crate::token::{Profile, Reading, TokenClaims, TokenError};

/// An ID-JAG as the verifier of tokens sees it: a kind of its own, about a principal of its issuer (and tenant), for a
/// client of this authorization server.
#[derive(Debug)]
pub(super) struct IdJag {
    pub(super) trusts_act: bool,
}

impl Profile for IdJag {
    fn name(&self) -> &'static str {
        "id-jag"
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        token_type == TokenType::IdJag
    }

    fn trusts_act(&self) -> bool {
        self.trusts_act
    }

    fn claims(&self) -> &'static [&'static str] {
        &["tenant", "txn"]
    }

    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        let client = claims.client(claims.required("client_id")?);
        let principal = claims.principal(claims.subject()?);
        let principal = match claims.text("tenant")? {
            Some(tenant) => principal.in_tenant(tenant),
            None => principal,
        };
        let reading = match claims.actors().len() {
            0 => Reading::client_only(principal, client),
            _ => Reading::on_behalf_of(principal, claims.actors())?,
        };
        let reading = reading.with_scopes(claims.scopes("scope")?).with_token_id(claims.token_id()?);
        Ok(reading.with_txn(claims.text("txn")?))
    }
}

/// What an ID-JAG says beside what every token does.
#[derive(Debug, Default)]
pub(super) struct More<'p> {
    pub(super) client_id: Option<Cow<'p, str>>,
    pub(super) resource: Texts<'p>,
    pub(super) aud_tenant: Option<Cow<'p, str>>,
    pub(super) aud_sub: Option<Cow<'p, str>>,
}

impl<'p> Members<'p> for More<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "client_id" => self.client_id = Some(value.text()?),
            "resource" => self.resource = value.texts()?,
            "aud_tenant" => self.aud_tenant = Some(value.text()?),
            "aud_sub" => self.aud_sub = Some(value.text()?),
            _ => value.skip()?,
        }
        Ok(())
    }
}
