//! An assertion that a client has signed to prove who it is (RFC 7523 §2.2, §3; RFC 7521 §5.2).

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use serde::de::MapAccess;

use super::error::ClientError;
use crate::identity::IssuerId;
use crate::jose::json::{self, Members, Texts, Value};
use crate::jose::{CompactJws, JoseError, TokenType};
use crate::state::{ReplayAnswer, ReplayStore};
use crate::time::Timestamp;
use crate::token::{FOREIGN, KeySnapshot, Keys, WaitingRoom};

/// An assertion is made for one request. What counts for longer is worth stealing.
const MAX_LIFETIME_SECS: u64 = 300;

/// What the clocks of client and issuer may differ.
const LEEWAY_SECS: u64 = 30;

/// A UUID has 36 characters.
const MAX_JTI_BYTES: usize = 256;

/// An assertion in good form, not yet believed.
pub(super) struct Assertion<'t, 'p> {
    jws: CompactJws<'t>,
    claims: Claims<'p>,
}

/// What is to be remembered of an assertion, so that it counts once.
pub(super) struct UsedOnce {
    digest: [u8; 32],
    until: Timestamp,
}

impl<'t, 'p> Assertion<'t, 'p> {
    /// Reads `token`, whose payload is put into `payload`.
    pub(super) fn read(token: &'t str, payload: &'p mut Vec<u8>) -> Result<Self, ClientError> {
        let jws = CompactJws::parse(token)?;
        // Clients of today say nothing of the kind, or `JWT`; newer ones say it.
        if !matches!(jws.token_type(), TokenType::ClientAuthentication | TokenType::Jwt | TokenType::Absent) {
            let expected = TokenType::ClientAuthentication;
            return Err(JoseError::WrongType { expected, found: jws.token_type() }.into());
        }
        *payload = jws.unverified_payload()?;
        let claims: Claims<'_> = json::read(payload).map_err(JoseError::Claims)?;
        if let Some(foreign) = claims.foreign.filter(|_| jws.token_type() != TokenType::ClientAuthentication) {
            return Err(ClientError::OtherKind(foreign));
        }
        Ok(Self { jws, claims })
    }

    /// The client that this claims to be of.
    pub(super) fn client_id(&self) -> Result<&str, ClientError> {
        let issuer = self.claims.iss.as_deref().ok_or(ClientError::ClaimMissing("iss"))?;
        let subject = self.claims.sub.as_deref().ok_or(ClientError::ClaimMissing("sub"))?;
        if issuer == subject { Ok(subject) } else { Err(ClientError::SubjectMismatch) }
    }

    /// Verifies the signature under the client's keys, and under newer ones if it has those.
    pub(super) async fn verify(&self, keys: &Keys, waiting: &WaitingRoom) -> Result<(), ClientError> {
        let current = keys.current();
        let tried = current.as_ref().map(|snapshot| snapshot.generation);
        let refused = match self.verify_under(current) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let Some(refresh) = keys.refresh(tried) else { return Err(refused) };
        let Some(_seat) = waiting.enter() else { return Err(ClientError::KeysUnavailable) };
        refresh.await;
        self.verify_under(keys.current())
    }

    fn verify_under(&self, snapshot: Option<KeySnapshot>) -> Result<(), ClientError> {
        let KeySnapshot { keys, .. } = snapshot.ok_or(ClientError::KeysUnavailable)?;
        Ok(self.jws.verify(keys.key_for(&self.jws)?)?)
    }

    /// Checks the claims of an assertion whose signature is good: for this issuer, for now, and for once.
    pub(super) fn check(&self, issuer: &IssuerId, now: Timestamp) -> Result<UsedOnce, ClientError> {
        match self.claims.aud.as_ref().map(Texts::as_slice) {
            None => return Err(ClientError::ClaimMissing("aud")),
            Some([audience]) if audience == issuer.as_str() => {}
            // What is addressed to others as well can be shown here by each of them.
            Some(_) => return Err(ClientError::AudienceWrong),
        }
        let expires = self.claims.exp.ok_or(ClientError::ClaimMissing("exp"))?;
        let now = now.secs();
        if now >= expires.saturating_add(LEEWAY_SECS) {
            return Err(ClientError::Expired);
        }
        let latest = now.saturating_add(LEEWAY_SECS);
        if self.claims.nbf.is_some_and(|nbf| nbf > latest) || self.claims.iat.is_some_and(|iat| iat > latest) {
            return Err(ClientError::NotYetValid);
        }
        let begins = self.claims.iat.unwrap_or(latest).min(latest);
        if expires > begins.saturating_add(MAX_LIFETIME_SECS) {
            return Err(ClientError::TooLong);
        }
        let id = self.claims.jti.as_deref().ok_or(ClientError::ClaimMissing("jti"))?;
        if id.is_empty() || id.len() > MAX_JTI_BYTES {
            return Err(ClientError::ClaimMalformed("jti"));
        }
        let until = Timestamp::from_secs(expires.saturating_add(LEEWAY_SECS));
        Ok(UsedOnce { digest: replay_digest(issuer, self.client_id()?, id), until })
    }
}

impl UsedOnce {
    pub(super) async fn use_up(&self, store: &dyn ReplayStore, now: Timestamp) -> Result<(), ClientError> {
        match store.remember(&self.digest, self.until, now).await {
            ReplayAnswer::Fresh => Ok(()),
            ReplayAnswer::Replayed => Err(ClientError::Replayed),
            ReplayAnswer::Unavailable => Err(ClientError::ReplayUnavailable),
        }
    }
}

/// With the client, so that nobody can use up another's `jti`.
fn replay_digest(issuer: &IssuerId, client_id: &str, id: &str) -> [u8; 32] {
    // The store may be shared with other things that are used once. Neither issuers nor client ids have a NUL in them.
    let text = ["agentauth client assertion", issuer.as_str(), client_id, id].join("\0");
    let mut replay_digest = [0; 32];
    replay_digest.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    replay_digest
}

#[derive(Default)]
struct Claims<'p> {
    iss: Option<Cow<'p, str>>,
    sub: Option<Cow<'p, str>>,
    aud: Option<Texts<'p>>,
    exp: Option<u64>,
    nbf: Option<u64>,
    iat: Option<u64>,
    jti: Option<Cow<'p, str>>,
    /// The first claim that only tokens of other kinds have.
    foreign: Option<&'static str>,
}

impl<'p> Members<'p> for Claims<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(value.text()?),
            "sub" => self.sub = Some(value.text()?),
            "aud" => self.aud = Some(value.texts()?),
            "exp" => self.exp = Some(value.seconds()?),
            "nbf" => self.nbf = Some(value.seconds()?),
            "iat" => self.iat = Some(value.seconds()?),
            "jti" => self.jti = Some(value.text()?),
            _ => {
                self.foreign = self.foreign.or(FOREIGN.into_iter().find(|foreign| *foreign == name));
                value.skip()?;
            }
        }
        Ok(())
    }
}
