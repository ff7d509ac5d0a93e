//! From the text of a transaction token to what it says ("Txn-Token Validation").

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::MapAccess;
use serde_json::Value as Json;

use super::{Inner, TransactionToken, TransactionTokenError};
use crate::jose::json::{self, JsonError, Members, Texts, Value};
use crate::jose::{CompactJws, JoseError, MAX_TOKEN_BYTES, TokenType};
use crate::text::{Excerpt, Secret};
use crate::time::{Clock, Timestamp};
use crate::token::attempt::{Seat, WaitingRoom};
use crate::token::checks::{Refused, check_kind, check_times, verify_signature};
use crate::token::claims::{Claims, required};
use crate::token::issuer::CheckedIssuer;
use crate::token::{KeyRefresh, Profile, Reading, TokenClaims, TokenError};

/// The levels of a context: far more than parameters of a call have. The token bounds its size.
const MAX_CONTEXT_DEPTH: u8 = 16;

/// Verifies the transaction tokens of one trust domain. Made by [`TransactionTokens::build`](super::TransactionTokens::build).
#[derive(Debug)]
pub struct TransactionVerifier {
    pub(super) service: CheckedIssuer,
    /// Whether tokens may say who issued them.
    pub(super) is_named: bool,
    pub(super) trust_domain: Box<str>,
    pub(super) is_optional: bool,
    pub(super) waiting: WaitingRoom,
}

/// The token is refused, or newer keys must be waited for.
pub(crate) enum TransactionHeld {
    Refused(TransactionTokenError),
    Pending(TransactionPending),
}

/// The wait for newer keys.
pub(crate) struct TransactionPending {
    refresh: KeyRefresh,
    _seat: Seat,
}

/// The one kind that is taken. It is never read as an access token.
#[derive(Debug)]
pub(super) struct Kind;

impl Profile for Kind {
    fn name(&self) -> &'static str {
        "transaction"
    }

    fn accepts(&self, token_type: TokenType) -> bool {
        token_type == TokenType::TransactionToken
    }

    fn read(&self, _: &TokenClaims<'_>) -> Result<Reading, TokenError> {
        Err(TokenError::Shape { profile: self.name(), problem: "a transaction token is no access token" })
    }
}

impl TransactionVerifier {
    /// The trust domain whose tokens are taken.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// Verifies `token` at the time `now`: form, kind, issuer, signature, times, trust domain, and what each must say.
    ///
    /// # Errors
    /// [`TransactionTokenError::Refused`] with the first rule that failed.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<TransactionToken, TransactionTokenError> {
        self.try_verify(token, now).map_err(|refused| refused.error.into())
    }

    /// Verifies what a request came with, as far as that goes without waiting.
    pub(crate) fn begin(
        &self,
        shown: &Result<Option<Secret>, TransactionTokenError>,
        now: Timestamp,
    ) -> Result<Option<TransactionToken>, TransactionHeld> {
        let shown = shown.as_ref().map_err(|error| TransactionHeld::Refused(error.clone()))?;
        let Some(token) = shown else { return self.without_token().map_err(TransactionHeld::Refused) };
        let Refused { error, keys } = match self.try_verify(token.reveal(), now) {
            Ok(verified) => return Ok(Some(verified)),
            Err(refused) => refused,
        };
        let refused = |error: TokenError| TransactionHeld::Refused(error.into());
        let refresh = keys.and_then(|(keys, tried)| keys.refresh(tried)).ok_or_else(|| refused(error))?;
        match self.waiting.enter() {
            Some(seat) => Err(TransactionHeld::Pending(TransactionPending { refresh, _seat: seat })),
            None => Err(refused(TokenError::TooManyWaiting)),
        }
    }

    /// Waits for what `pending` says, once, and answers.
    pub(crate) async fn finish(
        &self,
        shown: &Result<Option<Secret>, TransactionTokenError>,
        pending: TransactionPending,
        clock: &dyn Clock,
    ) -> Result<Option<TransactionToken>, TransactionTokenError> {
        pending.refresh.await;
        match shown {
            Ok(Some(token)) => self.verify(token.reveal(), clock.now()).map(Some),
            Ok(None) => self.without_token(),
            Err(error) => Err(error.clone()),
        }
    }

    fn try_verify(&self, token: &str, now: Timestamp) -> Result<TransactionToken, Refused<'_>> {
        let jws = CompactJws::parse(token)?;
        check_kind(&jws, &Claims::default(), &self.service)?;
        let payload = jws.unverified_payload()?;
        let mut said = Said::default();
        json::read_into(&payload, &mut said).map_err(JoseError::Claims)?;
        match said.claims.iss.as_deref() {
            Some(iss) if !self.is_named || iss != self.service.id.as_str() => {
                return Err(TokenError::IssuerUntrusted(Excerpt::of(iss)).into());
            }
            _ => {}
        }
        // No proof is made for a transaction token; one that needs a proof must not count without.
        if said.claims.cnf.is_some() {
            return Err(TokenError::ConfirmationUnsupported.into());
        }
        verify_signature(&jws, &self.service)?;
        let lifetime = check_times(&said.claims, &self.service, now)?;
        self.check_audience(said.claims.aud.as_slice())?;
        let claims = &said.claims;
        Ok(TransactionToken {
            inner: Arc::new(Inner {
                trust_domain: self.trust_domain.clone(),
                txn: required(said.txn.as_deref(), "txn")?.into(),
                subject: required(claims.sub.as_deref(), "sub")?.into(),
                scopes: scope_of(claims)?.parse().map_err(TokenError::Scope)?,
                requesting_workload: required(said.req_wl.as_deref(), "req_wl")?.into(),
                issued: Timestamp::from_secs(claims.iat.unwrap_or_default()),
                lifetime,
                context: object(said.tctx, "tctx")?,
                request_context: object(said.rctx, "rctx")?,
                text: Secret::new(token),
            }),
        })
    }

    /// This trust domain, byte for byte, and no other beside it.
    fn check_audience(&self, audiences: &[Cow<'_, str>]) -> Result<(), TokenError> {
        match audiences {
            [] => Err(TokenError::ClaimMissing("aud")),
            [only] if **only == *self.trust_domain => Ok(()),
            [first] => Err(TokenError::AudienceWrong(Excerpt::of(first))),
            several => Err(TokenError::AudienceShared(several.len())),
        }
    }
}

fn scope_of<'c>(claims: &'c Claims<'_>) -> Result<&'c str, TokenError> {
    match &claims.scope {
        None => Err(TokenError::ClaimMissing("scope")),
        Some(Texts::One(scope)) => Ok(scope),
        Some(Texts::Many(_)) => Err(wrong_type("scope")),
    }
}

fn object(value: Option<Json>, name: &str) -> Result<Option<serde_json::Map<String, Json>>, TokenError> {
    match value {
        None => Ok(None),
        Some(Json::Object(members)) => Ok(Some(members)),
        Some(_) => Err(wrong_type(name)),
    }
}

fn wrong_type(name: &str) -> TokenError {
    JoseError::Claims(JsonError::WrongType(Excerpt::of(name))).into()
}

/// The claims of a transaction token.
#[derive(Default)]
struct Said<'p> {
    claims: Claims<'p>,
    txn: Option<Cow<'p, str>>,
    req_wl: Option<Cow<'p, str>>,
    tctx: Option<Json>,
    rctx: Option<Json>,
}

impl<'p> Members<'p> for Said<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "txn" => self.txn = Some(value.text()?),
            "req_wl" => self.req_wl = Some(value.text()?),
            "tctx" => self.tctx = Some(value.tree(MAX_TOKEN_BYTES, MAX_CONTEXT_DEPTH)?),
            "rctx" => self.rctx = Some(value.tree(MAX_TOKEN_BYTES, MAX_CONTEXT_DEPTH)?),
            _ => self.claims.member(name, value)?,
        }
        Ok(())
    }
}
