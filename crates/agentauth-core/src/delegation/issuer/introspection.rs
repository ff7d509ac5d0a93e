//! What is said of a token to those who may know (RFC 7662), and taking one back (RFC 7009).

use serde::de::MapAccess;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::{ExchangeError, Issuer};
use crate::jose::CompactJws;
use crate::jose::json::{self as strict, Members, Value as Member};
use crate::state::Revocation;
use crate::state::revocation::Revoked;
use crate::time::Timestamp;
use crate::token::{Confirmation, VerifiedToken};

/// The answer to a question about a token (RFC 7662 §2.2).
///
/// Of a token that does not count, or that the asking client has no business with, it says just that it is not active:
/// neither which of both, nor why.
#[derive(Debug, Clone, PartialEq)]
pub struct IntrospectionBody(Option<Map<String, Value>>);

impl IntrospectionBody {
    const INACTIVE: Self = Self(None);

    /// Whether the token counts.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// The body of the answer: `active`, and the claims of an active token.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.0.as_ref().map_or_else(|| json!({"active": false}).to_string(), |claims| json!(claims).to_string())
    }
}

impl Issuer {
    /// Says whether `token` counts at this moment, to the client that it was issued to or that runs the server it is for.
    /// Signature, times and revocation are looked at anew each time.
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`] if what `client` has proven itself with has ended;
    /// [`ExchangeError::Unavailable`] if it cannot be told whether the token has been revoked.
    pub async fn introspect(&self, client: &Client, token: &str) -> Result<IntrospectionBody, ExchangeError> {
        let now = self.now();
        self.recheck(client, now)?;
        let Some(verified) = self.verified_here(token, now) else { return Ok(IntrospectionBody::INACTIVE) };
        if !self.is_issued_to(&verified, client) && !self.is_server_of(&verified, client) {
            return Ok(IntrospectionBody::INACTIVE);
        }
        if self.is_revoked(&verified, now).await? {
            return Ok(IntrospectionBody::INACTIVE);
        }
        let Some(mut claims) = claims_of(token) else { return Ok(IntrospectionBody::INACTIVE) };
        // That is between the principal and this issuer.
        claims.remove("may_act");
        claims.insert("active".into(), json!(true));
        let is_of_key = matches!(verified.confirmation, Confirmation::Key(_));
        claims.insert("token_type".into(), json!(if is_of_key { "DPoP" } else { "Bearer" }));
        Ok(IntrospectionBody(Some(claims)))
    }

    /// Whether `client` may revoke `token`, and what is then to be revoked: the token; and if it is a consent, all that
    /// descends from it (RFC 7009 §2.1). Nothing for a token that does not count, of which there is nothing to take back
    /// (§2.2).
    ///
    /// # Errors
    /// [`ExchangeError::ClientUnauthenticated`]; [`ExchangeError::TokenOfAnother`] if the token was not issued to the client,
    /// and is not bound to its key.
    pub(crate) fn revocations_of(&self, client: &Client, token: &str) -> Result<Vec<Revocation>, ExchangeError> {
        let now = self.now();
        self.recheck(client, now)?;
        let Some(verified) = self.verified_here(token, now) else { return Ok(Vec::new()) };
        if !self.is_issued_to(&verified, client) && !client.is_holder_of(verified.confirmation) {
            return Err(ExchangeError::TokenOfAnother);
        }
        let itself = verified.revocation();
        let is_consent = verified.reading.may_act.is_some() && verified.grant.is_none();
        // Its id is the grant that others descend from, and none of them outlives it.
        let descends = |end| Revocation::grant(verified.issuer.clone(), &verified.id, end);
        let descendants = itself.end().filter(|_| is_consent).map(descends);
        Ok(std::iter::once(itself).chain(descendants).collect())
    }

    /// Whether the token, or something that it depends on, has been revoked.
    async fn is_revoked(&self, token: &VerifiedToken, now: Timestamp) -> Result<bool, ExchangeError> {
        match self.check_revoked([token.subjects()], now).await {
            Ok(()) => Ok(false),
            Err(ExchangeError::Revoked(Revoked::Unavailable)) => Err(ExchangeError::Unavailable),
            Err(ExchangeError::Revoked(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The token, if it is one that this issuer signed for itself or one of its resources, and good now.
    fn verified_here(&self, token: &str, now: Timestamp) -> Option<VerifiedToken> {
        // Whose it claims to be only decides who verifies it, the audience included.
        let audience = audience_of(token)?;
        let verifier = if audience == self.inner.own_audience.as_str() {
            &self.inner.own_tokens
        } else {
            &self.inner.resources.iter().find(|(id, _)| id.as_str() == audience)?.1.tokens
        };
        verifier.verify(token, now).ok()
    }

    /// It is the client's own: the one that acts with it, or that may exchange it (`client_id`).
    fn is_issued_to(&self, token: &VerifiedToken, client: &Client) -> bool {
        token.reading.actor == client.agent
    }

    fn is_server_of(&self, token: &VerifiedToken, client: &Client) -> bool {
        self.inner.resources.get(&token.audience).is_some_and(|server| server.operator.as_ref() == Some(&client.agent))
    }
}

fn claims_of(token: &str) -> Option<Map<String, Value>> {
    let payload = CompactJws::parse(token).ok()?.unverified_payload().ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The one audience that `token` claims to be for.
fn audience_of(token: &str) -> Option<String> {
    #[derive(Default)]
    struct Audience(Option<String>);

    impl<'de> Members<'de> for Audience {
        fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Member<'_, 'de, A>) -> Result<(), A::Error> {
            if name != "aud" {
                return value.skip();
            }
            let texts = value.texts()?;
            if let [only] = texts.as_slice() {
                self.0 = Some(only.to_string());
            }
            Ok(())
        }
    }

    let payload = CompactJws::parse(token).ok()?.unverified_payload().ok()?;
    strict::read::<Audience>(&payload).ok()?.0
}
