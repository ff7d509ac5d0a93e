//! What the profiles of several issuers ask of a token before they read it.

use super::{Reading, TokenClaims};
use crate::identity::PrincipalId;
use crate::jose::TokenType;
use crate::token::TokenError;

/// `Err` with `problem`, unless the token `is` what `profile` knows.
pub(super) const fn ensure(is: bool, profile: &'static str, problem: &'static str) -> Result<(), TokenError> {
    if is { Ok(()) } else { Err(TokenError::Shape { profile, problem }) }
}

/// The kinds under which most issuers send access tokens: `at+jwt`, and `JWT`, which says nothing.
pub(super) const fn is_access_token_or_jwt(token_type: TokenType) -> bool {
    matches!(token_type, TokenType::AccessToken | TokenType::Jwt)
}

/// A token that does not say it is an access token must have one of `claims`, which no ID token has. Of an opaque token the
/// issuer says so itself.
pub(super) fn require_any_of(
    claims: &[&'static str],
    token: &TokenClaims<'_>,
    profile: &'static str,
) -> Result<(), TokenError> {
    let is_told = token.token_type().is_none_or(|kind| kind == TokenType::AccessToken)
        || claims.iter().any(|claim| token.has(claim));
    ensure(is_told, profile, "its typ is not at+jwt, and it has no claim that tells it from an ID token, such as scope")
}

/// The client, which issuers call `client_id` or `azp`. A token that has both must mean one client.
pub(super) fn client_of<'c>(token: &TokenClaims<'c>, profile: &'static str) -> Result<&'c str, TokenError> {
    match (token.text("client_id")?, token.text("azp")?) {
        (Some(client), Some(party)) => {
            ensure(client == party, profile, "client_id and azp are two clients").map(|()| client)
        }
        (Some(client), None) | (None, Some(client)) => Ok(client),
        (None, None) => Err(TokenError::ClaimMissing("client_id")),
    }
}

/// A token without a word about delegation: of the client itself, if it is the subject, and of a principal otherwise.
pub(super) fn of_client(claims: &TokenClaims<'_>, subject: &str, client: &str) -> Reading {
    if subject == client {
        Reading::autonomous(PrincipalId::client(claims.issuer().clone(), subject), claims.client(client))
    } else {
        Reading::client_only(claims.principal(subject), claims.client(client))
    }
}
