//! The checks of one token, each a rule with its own error: what [`TokenVerifier`](super::TokenVerifier) goes through.

use super::claims::Claims;
use super::issuer::CheckedIssuer;
use super::verified::Lifetime;
use super::{Keys, TokenError};
use crate::jose::{CompactJws, JoseError, TokenType};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// A token that was refused, and perhaps only because newer keys were needed.
pub(super) struct Refused<'v> {
    pub(super) error: TokenError,
    /// The keys that did not do, and their generation.
    pub(super) keys: Option<(&'v Keys, Option<u64>)>,
}

impl<E: Into<TokenError>> From<E> for Refused<'_> {
    fn from(error: E) -> Self {
        Self { error: error.into(), keys: None }
    }
}

/// A kind that `issuer` does not take; most take access tokens.
pub(super) fn wrong_type(issuer: Option<&CheckedIssuer>, found: TokenType) -> TokenError {
    let takes = |kind: &TokenType| issuer.is_none_or(|issuer| issuer.profile.accepts(*kind));
    let others = TokenType::named().map(|(_, kind)| kind);
    let expected = std::iter::once(TokenType::AccessToken).chain(others).find(takes).unwrap_or(TokenType::AccessToken);
    TokenError::Jose(JoseError::WrongType { expected, found })
}

/// The issuer's tokens are of this kind; and where that does not say it is an access token, the claims do not say
/// that it is none.
pub(super) fn check_kind(jws: &CompactJws<'_>, claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
    let found = jws.token_type();
    if !issuer.profile.accepts(found) {
        return Err(wrong_type(Some(issuer), found));
    }
    match claims.foreign {
        Some(claim) if found != TokenType::AccessToken => Err(TokenError::OtherKind(claim)),
        _ => Ok(()),
    }
}

/// Checks the signature under the issuer's keys, and says which generation of them did.
pub(super) fn verify_signature<'v>(jws: &CompactJws<'_>, issuer: &'v CheckedIssuer) -> Result<u64, Refused<'v>> {
    if issuer.keys.is_none() {
        return Err(TokenError::NotOpaque(Excerpt::of(issuer.id.as_str())).into());
    }
    let Some(snapshot) = issuer.keys.current() else {
        let error = TokenError::KeysUnavailable(Excerpt::of(issuer.id.as_str()));
        return Err(Refused { error, keys: Some((&issuer.keys, None)) });
    };
    // A key may have been replaced under its name as well as added.
    match snapshot.keys.key_for(jws).and_then(|key| jws.verify(key)) {
        Ok(()) => Ok(snapshot.generation),
        Err(error) => Err(Refused {
            keys: is_of_keys(&error).then_some((&issuer.keys, Some(snapshot.generation))),
            error: error.into(),
        }),
    }
}

const fn is_of_keys(error: &JoseError) -> bool {
    matches!(
        error,
        JoseError::KeyUnknown(_) | JoseError::KeyNotNamed | JoseError::Signature | JoseError::AlgorithmNotOfKey { .. }
    )
}

/// RFC 7519 §4.1.4 to §4.1.6, in whole seconds.
pub(super) fn check_times(claims: &Claims<'_>, issuer: &CheckedIssuer, now: Timestamp) -> Result<Lifetime, TokenError> {
    let mut lifetime = check_expiry(claims, issuer, now)?;
    lifetime.taken_from = check_start(claims, issuer, now)?.max(check_issue(claims, issuer, now)?);
    check_length(claims, issuer)?;
    Ok(lifetime)
}

pub(super) fn check_expiry(
    claims: &Claims<'_>,
    issuer: &CheckedIssuer,
    now: Timestamp,
) -> Result<Lifetime, TokenError> {
    let exp = claims.exp.ok_or(TokenError::ClaimMissing("exp"))?;
    let refused_from = exp.saturating_add(issuer.leeway);
    if now.secs() >= refused_from {
        return Err(TokenError::Expired(now.secs().saturating_sub(exp)));
    }
    Ok(Lifetime {
        taken_from: Timestamp::from_secs(0),
        expires: Timestamp::from_secs(exp),
        refused_from: Timestamp::from_secs(refused_from),
    })
}

/// Answers with the first second at which `nbf` lets the token count.
pub(super) fn check_start(
    claims: &Claims<'_>,
    issuer: &CheckedIssuer,
    now: Timestamp,
) -> Result<Timestamp, TokenError> {
    let nbf = claims.nbf.unwrap_or_default();
    let from = nbf.saturating_sub(issuer.leeway);
    if now.secs() < from {
        return Err(TokenError::NotYetValid(nbf.saturating_sub(now.secs())));
    }
    Ok(Timestamp::from_secs(from))
}

/// Answers with the first second at which `iat` lets the token count.
pub(super) fn check_issue(
    claims: &Claims<'_>,
    issuer: &CheckedIssuer,
    now: Timestamp,
) -> Result<Timestamp, TokenError> {
    let iat = claims.iat.ok_or(TokenError::ClaimMissing("iat"))?;
    let from = iat.saturating_sub(issuer.leeway);
    if now.secs() < from {
        return Err(TokenError::IssuedInFuture(iat.saturating_sub(now.secs())));
    }
    Ok(Timestamp::from_secs(from))
}

/// A token must not last longer than those of its issuer may: a stolen one counts for as long (RFC 6750 §5.3). Only an
/// answer about an opaque token may lack `iat`; that token is asked about again and again.
pub(super) fn check_length(claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
    let (Some(iat), Some(exp)) = (claims.iat, claims.exp) else { return Ok(()) };
    let length = exp.saturating_sub(iat);
    if length > issuer.max_lifetime {
        return Err(TokenError::LifetimeTooLong { length, limit: issuer.max_lifetime });
    }
    Ok(())
}

pub(super) fn check_actors(claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
    match claims.act.len() {
        0 => Ok(()),
        _ if !issuer.profile.trusts_act() => Err(TokenError::ActUntrusted),
        found if found > issuer.max_actors => Err(TokenError::ActTooDeep { found, limit: issuer.max_actors }),
        _ => Ok(()),
    }
}
