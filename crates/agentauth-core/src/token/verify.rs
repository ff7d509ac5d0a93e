//! From a compact JWS to a verified token: which principal does it speak for, and is every byte as it must be?

use std::fmt;

use super::TokenError;
use super::claims::{Claims, Confirmation, required};
use super::issuer::{CheckedIssuer, IssuerConfigError, Naming, TrustedIssuer};
use crate::identity::{AgentId, IssuerId, ResourceId};
use crate::jose::{CompactJws, TokenType};
use crate::scope::ScopeSet;
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Verifies the access tokens that several issuers address to one resource server.
#[derive(Debug)]
pub struct TokenVerifier {
    audience: ResourceId,
    issuers: Vec<CheckedIssuer>,
}

/// An access token that has passed every check that needs no connection. Only [`TokenVerifier::verify`] makes one.
///
/// It says what its issuer said. Who may do what with it is decided further on.
pub struct VerifiedToken {
    pub(crate) issuer: IssuerId,
    pub(crate) audience: ResourceId,
    pub(crate) subject: Box<str>,
    pub(crate) client: Box<str>,
    /// Which agents the issuer may name.
    pub(crate) naming: Naming,
    /// The current actor first.
    pub(crate) actors: Vec<AgentId>,
    /// Who may become the next actor (RFC 8693 §4.4). Counts where tokens are exchanged, nowhere else.
    pub(crate) may_act: Option<AgentId>,
    pub(crate) scopes: ScopeSet,
    pub(crate) confirmation: Confirmation,
    pub(crate) id: Box<str>,
    pub(crate) lifetime: Lifetime,
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// When a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// `exp`.
    pub(crate) expires: Timestamp,
    /// The first second at which it is refused here: `exp` and the issuer's leeway.
    pub(crate) refused_from: Timestamp,
}

impl TokenVerifier {
    /// A verifier of tokens for `audience`, from `issuers`.
    ///
    /// # Errors
    /// [`IssuerConfigError`], with the offending value.
    pub fn new(audience: ResourceId, issuers: Vec<TrustedIssuer>) -> Result<Self, IssuerConfigError> {
        let mut checked: Vec<CheckedIssuer> = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            let issuer = issuer.check()?;
            if checked.iter().any(|known| known.id == issuer.id) {
                return Err(IssuerConfigError::Duplicate(issuer.id));
            }
            checked.push(issuer);
        }
        Ok(Self { audience, issuers: checked })
    }

    /// The issuers that are trusted.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerId> {
        self.issuers.iter().map(|issuer| &issuer.id)
    }

    /// Verifies `token` at the time `now`: form, type, issuer, signature, times, audience, claims, actor chain.
    ///
    /// The claims are read before the signature is checked, because `iss` decides whose keys count (RFC 8725bis
    /// §3.8); nothing of them is used for anything else until it has passed.
    ///
    /// # Errors
    /// Each rule has its own [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        let jws = CompactJws::parse(token)?;
        jws.require_type(TokenType::AccessToken)?;
        let payload = jws.unverified_payload()?;
        let claims = Claims::parse(&payload)?;

        let issuer = self.issuer_of(&claims)?;
        verify_signature(&jws, issuer)?;
        let lifetime = check_times(&claims, issuer, now)?;
        self.check_audience(&claims, issuer)?;
        check_actors(&claims, issuer)?;
        self.accept(&claims, issuer, lifetime)
    }

    fn issuer_of(&self, claims: &Claims<'_>) -> Result<&CheckedIssuer, TokenError> {
        let iss = claims.iss.as_deref().ok_or(TokenError::ClaimMissing("iss"))?;
        let trusted = self.issuers.iter().find(|issuer| issuer.id.as_str() == iss);
        trusted.ok_or_else(|| TokenError::IssuerUntrusted(Excerpt::of(iss)))
    }

    /// RFC 9068 §4: `aud` must contain this server's identifier, exactly. Alone, unless the issuer's setting says otherwise.
    fn check_audience(&self, claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
        let first = claims.aud.first().ok_or(TokenError::ClaimMissing("aud"))?;
        if !claims.aud.iter().any(|aud| aud == self.audience.as_str()) {
            return Err(TokenError::AudienceWrong(Excerpt::of(first)));
        }
        if claims.aud.len() > 1 && !issuer.allows_shared_audience {
            return Err(TokenError::AudienceShared(claims.aud.len()));
        }
        Ok(())
    }

    fn accept(
        &self,
        claims: &Claims<'_>,
        issuer: &CheckedIssuer,
        lifetime: Lifetime,
    ) -> Result<VerifiedToken, TokenError> {
        let scopes = claims.scope.as_deref().unwrap_or_default().parse().map_err(TokenError::Scope)?;
        let actors = match &claims.act {
            Some(chain) => chain.agents(&issuer.id, "act")?,
            None => Vec::new(),
        };
        let may_act = match &claims.may_act {
            Some(named) => named.agents(&issuer.id, "may_act")?.into_iter().next(),
            None => None,
        };
        Ok(VerifiedToken {
            issuer: issuer.id.clone(),
            audience: self.audience.clone(),
            subject: required(claims.sub.as_deref(), "sub")?.into(),
            client: required(claims.client_id.as_deref(), "client_id")?.into(),
            naming: issuer.naming.clone(),
            actors,
            may_act,
            scopes,
            confirmation: claims.cnf.as_ref().map_or(Ok(Confirmation::Bearer), super::claims::Cnf::confirmation)?,
            id: required(claims.jti.as_deref(), "jti")?.into(),
            lifetime,
        })
    }
}

fn verify_signature(jws: &CompactJws<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
    let keys = issuer.keys.current().ok_or_else(|| TokenError::KeysUnavailable(Excerpt::of(issuer.id.as_str())))?;
    Ok(jws.verify(keys.key_for(jws)?)?)
}

/// RFC 7519 §4.1.4 to §4.1.6, in whole seconds.
fn check_times(claims: &Claims<'_>, issuer: &CheckedIssuer, now: Timestamp) -> Result<Lifetime, TokenError> {
    let exp = claims.exp.ok_or(TokenError::ClaimMissing("exp"))?;
    let iat = claims.iat.ok_or(TokenError::ClaimMissing("iat"))?;
    let (now, leeway) = (now.secs(), issuer.leeway);
    if now >= exp.saturating_add(leeway) {
        return Err(TokenError::Expired(now.saturating_sub(exp)));
    }
    let latest_start = now.saturating_add(leeway);
    if let Some(nbf) = claims.nbf.filter(|nbf| *nbf > latest_start) {
        return Err(TokenError::NotYetValid(nbf.saturating_sub(now)));
    }
    if iat > latest_start {
        return Err(TokenError::IssuedInFuture(iat.saturating_sub(now)));
    }
    Ok(Lifetime { expires: Timestamp::from_secs(exp), refused_from: Timestamp::from_secs(exp.saturating_add(leeway)) })
}

fn check_actors(claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
    match &claims.act {
        Some(_) if !issuer.may_delegate => Err(TokenError::ActUntrusted),
        Some(chain) if chain.len() > issuer.max_actors => {
            Err(TokenError::ActTooDeep { found: chain.len(), limit: issuer.max_actors })
        }
        _ => Ok(()),
    }
}
