//! What the issuer answers about a token (RFC 7662, RFC 9701): checked like a token's claims.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::checks::{Refused, check_actors, check_expiry, check_issue, check_length, check_start, verify_signature};
use super::claims::Claims;
use super::introspection::{Introspection, IntrospectionAnswer, IntrospectionUnavailable, MAX_ANSWER_BYTES};
use super::issuer::CheckedIssuer;
use super::profile::Source;
use super::verified::Basis;
use super::{TokenError, TokenVerifier, VerifiedToken};
use crate::jose::json::{self, Members, Scalar, Texts, Value};
use crate::jose::{CompactJws, JoseError, TokenType};
use crate::text::Excerpt;
use crate::time::{Clock, Timestamp};

/// A signed answer that is older than this was not made for the question (RFC 9701 §5 `iat`), in seconds.
const MAX_ANSWER_AGE: u64 = 60;

impl TokenVerifier {
    pub(super) async fn read_answer(
        &self,
        token: &str,
        answer: IntrospectionAnswer,
        place: usize,
        clock: &dyn Clock,
    ) -> Result<VerifiedToken, TokenError> {
        let issuer = self.issuers.get(place).ok_or(TokenError::Inactive)?;
        let introspection = issuer.introspection.as_ref().ok_or(TokenError::Inactive)?;
        match (answer, introspection.signed_for.as_deref()) {
            (IntrospectionAnswer::Json(answer), None) => {
                let (answer, now) = (Answer::parse(&answer, &self.wanted)?, clock.now());
                self.accept_answer(token, &answer, (place, issuer, introspection), now, now)
            }
            (IntrospectionAnswer::Jwt(answer), Some(client_id)) => {
                let jws = CompactJws::parse(&answer)?;
                SignedAnswer::check_type(&jws)?;
                if let Err(Refused { error, keys }) = verify_signature(&jws, issuer) {
                    keys.and_then(|(keys, tried)| keys.refresh(tried)).ok_or(error)?.await;
                    verify_signature(&jws, issuer).map_err(|refused| refused.error)?;
                }
                let (payload, now) = (jws.unverified_payload()?, clock.now());
                let signed = SignedAnswer::parse(&payload, &self.wanted)?;
                let (answer, made) = signed.open(issuer.id.as_str(), client_id, now, issuer.leeway)?;
                self.accept_answer(token, &answer, (place, issuer, introspection), made, now)
            }
            _ => Err(TokenError::AnswerUnsigned),
        }
    }

    /// An answer is checked like claims that are signed (RFC 7662 §4): the issuer may know nothing of this server's rules.
    fn accept_answer(
        &self,
        token: &str,
        answer: &Answer<'_>,
        (place, issuer, introspection): (usize, &CheckedIssuer, &Introspection),
        made: Timestamp,
        now: Timestamp,
    ) -> Result<VerifiedToken, TokenError> {
        let claims = &answer.claims;
        match &claims.iss {
            Some(iss) if iss != issuer.id.as_str() => return Err(TokenError::IssuerUntrusted(Excerpt::of(iss))),
            _ => {}
        }
        let mut lifetime = check_expiry(claims, issuer, now)?;
        lifetime.taken_from = check_start(claims, issuer, now)?;
        if claims.iat.is_some() {
            lifetime.taken_from = lifetime.taken_from.max(check_issue(claims, issuer, now)?);
        }
        check_length(claims, issuer)?;
        self.check_audience(claims, issuer)?;
        check_actors(claims, issuer)?;
        let source = Source::Answer { subject_may_be_client: introspection.subject_may_be_client };
        // An answer does not get younger on its way.
        let basis = Basis::Answer { since: now, until: made.min(now).plus(introspection.ttl) };
        self.read(token, source, claims, (place, issuer), lifetime, basis)
    }
}

/// What an issuer answers: is the token active, and what are its claims?
#[derive(Default)]
struct Answer<'p> {
    claims: Claims<'p>,
    is_active: bool,
    token_type: Option<Cow<'p, str>>,
    token_use: Option<Cow<'p, str>>,
}

/// A token that is bound to a key (RFC 9449 §5), and so has a `cnf`.
const DPOP: &str = "DPoP";

impl<'p> Answer<'p> {
    fn parse(answer: &'p [u8], wanted: &'p [&'static str]) -> Result<Self, TokenError> {
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(IntrospectionUnavailable("the answer is longer than 65536 bytes".into()).into());
        }
        let mut parsed = Self { claims: Claims::wanting(wanted), ..Self::default() };
        json::read_into(answer, &mut parsed).map_err(|error| TokenError::Jose(JoseError::Claims(error)))?;
        parsed.check()
    }

    /// Only `active: true` counts (RFC 7662 §2.2), and only for a token that gives access. Refresh tokens can be active
    /// too, and some issuers tell them by `token_use` alone.
    fn check(self) -> Result<Self, TokenError> {
        let is_of = |known: &str| self.token_type.as_ref().is_some_and(|kind| known.eq_ignore_ascii_case(kind));
        if !self.is_active {
            Err(TokenError::Inactive)
        } else if self.token_type.is_some() && !is_of("Bearer") && !is_of(DPOP) {
            Err(TokenError::OtherKind("token_type"))
        } else if self.token_use.as_ref().is_some_and(|known| !matches!(&**known, "access_token" | "access")) {
            Err(TokenError::OtherKind("token_use"))
        } else if is_of(DPOP) && self.claims.cnf.is_none() {
            // Without the key it would count as a bearer token (RFC 9449 §6.2).
            Err(TokenError::ClaimMissing("cnf"))
        } else {
            Ok(self)
        }
    }
}

impl<'p> Members<'p> for Answer<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "active" => self.is_active = matches!(value.scalar()?, Scalar::Bool(true)),
            "token_type" => self.token_type = Some(value.text()?),
            "token_use" => self.token_use = Some(value.text()?),
            _ => self.claims.member(name, value)?,
        }
        Ok(())
    }
}

/// The claims around a signed answer (RFC 9701 §5).
#[derive(Default)]
struct SignedAnswer<'p> {
    iss: Option<Cow<'p, str>>,
    aud: Texts<'p>,
    iat: Option<u64>,
    answer: Option<Answer<'p>>,
    wanted: &'p [&'static str],
}

impl<'p> SignedAnswer<'p> {
    fn check_type(jws: &CompactJws<'_>) -> Result<(), TokenError> {
        jws.require_type(TokenType::Introspection).map_err(TokenError::Jose)
    }

    fn parse(payload: &'p [u8], wanted: &'p [&'static str]) -> Result<Self, TokenError> {
        let mut parsed = Self { wanted, ..Self::default() };
        json::read_into(payload, &mut parsed).map_err(|error| TokenError::Jose(JoseError::Claims(error)))?;
        Ok(parsed)
    }

    /// The answer and the moment it was made, if `issuer` gave it to `client_id`, about now.
    fn open(
        self,
        issuer: &str,
        client_id: &str,
        now: Timestamp,
        leeway: u64,
    ) -> Result<(Answer<'p>, Timestamp), TokenError> {
        if self.iss.as_deref() != Some(issuer) || self.aud.as_slice() != [client_id] {
            return Err(TokenError::AnswerNotForUs);
        }
        let iat = self.iat.ok_or(TokenError::ClaimMissing("iat"))?;
        let now = now.secs();
        if iat > now.saturating_add(leeway) || now > iat.saturating_add(MAX_ANSWER_AGE).saturating_add(leeway) {
            return Err(TokenError::AnswerNotForUs);
        }
        let answer = self.answer.ok_or(TokenError::ClaimMissing("token_introspection"))?.check()?;
        Ok((answer, Timestamp::from_secs(iat)))
    }
}

impl<'p> Members<'p> for SignedAnswer<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "iss" => self.iss = Some(value.text()?),
            "aud" => self.aud = value.texts()?,
            "iat" => self.iat = Some(value.seconds()?),
            "token_introspection" => {
                let mut answer = Answer { claims: Claims::wanting(self.wanted), ..Answer::default() };
                value.object_into(&mut answer)?;
                self.answer = Some(answer);
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_a_token_that_gives_access() {
        for (members, expected) in [
            (r#""active":true"#, "accepted"),
            (r#""active":true,"token_type":"bearer","token_use":"access_token""#, "accepted"),
            (r#""active":true,"token_type":"DPoP","cnf":{"jkt":"x"}"#, "accepted"),
            (r#""active":"true""#, "token_inactive"),
            (r#""active":false,"token_use":"refresh_token""#, "token_inactive"),
            (r#""active":true,"token_type":"refresh_token""#, "token_of_other_kind"),
            (r#""active":true,"token_type":"Bearer","token_use":"refresh_token""#, "token_of_other_kind"),
            (r#""active":true,"token_use":"id""#, "token_of_other_kind"),
            (r#""active":true,"token_type":"DPoP""#, "claim_missing"),
            (r#""active":true,"token_type":"dpop""#, "claim_missing"),
        ] {
            let answer = format!("{{{members}}}");
            let answer = Answer::parse(answer.as_bytes(), &[]);
            assert_eq!(answer.map_or_else(|error| error.code(), |_| "accepted"), expected, "{members}");
        }
    }
}
