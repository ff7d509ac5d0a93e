//! From a compact JWS to a verified token: which principal does it speak for, and is every byte as it must be?

use aws_lc_rs::digest::{SHA256, digest};

use super::attempt::WaitingRoom;
use super::cache::{Keepsake, TokenCache};
use super::checks::{Refused, check_actors, check_kind, check_times, verify_signature, wrong_type};
use super::claims::{Claims, Cnf, Confirmation, required};
use super::issuer::{CheckedIssuer, IssuerConfigError, TrustedIssuer};
use super::profile::{Source, TokenClaims};
use super::revocable::Revocable;
use super::verified::{Basis, Lifetime, VerifiedToken};
use super::{StatusListError, TokenError};
use crate::identity::{IssuerId, ResourceId};
use crate::jose::{CompactJws, TokenType, base64url};
use crate::scope::{Authority, DetailTypes};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// Verifies the access tokens that several issuers address to one resource server.
#[derive(Debug)]
pub struct TokenVerifier {
    audience: ResourceId,
    pub(super) issuers: Vec<CheckedIssuer>,
    /// What the profiles of all issuers want to see: a token's claims are read before its issuer is known.
    pub(super) wanted: Vec<&'static str>,
    pub(super) cache: Option<TokenCache>,
    pub(super) waiting: WaitingRoom,
    detail_types: DetailTypes,
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
        let shared = checked.iter().find(|issuer| {
            issuer.audience.as_deref().is_some_and(|audience| checked.iter().any(|known| known.id.as_str() == audience))
        });
        if let Some(issuer) = shared {
            return Err(IssuerConfigError::Audience { issuer: issuer.id.clone() });
        }
        let mut wanted: Vec<_> = checked.iter().flat_map(|issuer| issuer.profile.claims()).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut introspected = checked.iter().filter(|issuer| issuer.introspection.is_some());
        if let Some(second) = introspected.nth(1) {
            return Err(IssuerConfigError::SecondIntrospection(second.id.clone()));
        }
        let (waiting, detail_types) = (WaitingRoom::default(), DetailTypes::new());
        Ok(Self { audience, issuers: checked, wanted, cache: None, waiting, detail_types })
    }

    /// Knows these types of `authorization_details` (RFC 9396); the built-in one unless set. Details of other types grant
    /// nothing.
    #[must_use]
    pub fn with_detail_types(mut self, types: DetailTypes) -> Self {
        self.detail_types = types;
        self
    }

    /// Keeps up to `capacity` verified tokens, rounded up by a thirtieth at most, so that a token's signature is checked
    /// once; 0 keeps none. What can change is checked each time: expiry, the issuer's keys, and
    /// [`TokenVerifier::forget`].
    #[must_use]
    pub fn with_cache(mut self, capacity: usize) -> Self {
        self.cache = (capacity > 0).then(|| TokenCache::new(capacity));
        self
    }

    /// Verifies every token anew from now on, whatever was verified before: after a revocation, for instance.
    pub fn forget(&self) {
        if let Some(cache) = &self.cache {
            cache.forget();
        }
    }

    /// The issuers that are trusted.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerId> {
        self.issuers.iter().map(|issuer| &issuer.id)
    }

    /// What a link below `token` is held to: this server's name at the issuer, and by how much clocks may differ, in
    /// seconds.
    #[cfg(feature = "unstable-chain")]
    pub(crate) fn terms_of(&self, token: &VerifiedToken) -> (&str, u64) {
        let issuer = self.issuers.get(token.place);
        let name = issuer.and_then(|issuer| issuer.audience.as_deref());
        (name.unwrap_or(self.audience.as_str()), issuer.map_or(0, |issuer| issuer.leeway))
    }

    /// Verifies `token` at the time `now`: form, type, issuer, signature, times, audience, actors, and the issuer's
    /// profile.
    ///
    /// The claims are read before the signature is checked, because `iss` decides whose keys count (RFC 8725bis
    /// §3.8); nothing of them is used for anything else until it has passed.
    ///
    /// Nobody is waited for: the status of a token that has one is taken from a list that is known already.
    ///
    /// # Errors
    /// Each rule has its own [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        let mut verified = self.try_verify(token, now).map_err(|refused| refused.error)?;
        if self.note_status(&mut verified, now)? {
            Ok(verified)
        } else {
            Err(TokenError::StatusList(StatusListError::not_known()))
        }
    }

    pub(super) fn try_verify(&self, token: &str, now: Timestamp) -> Result<VerifiedToken, Refused<'_>> {
        let jws = CompactJws::parse(token)?;
        self.check_type(jws.token_type())?;
        let payload = jws.unverified_payload()?;
        let mut claims = Claims::wanting(&self.wanted);
        claims.read(&payload)?;

        let (place, issuer) = self.issuer_of(&claims)?;
        check_kind(&jws, &claims, issuer)?;
        let generation = verify_signature(&jws, issuer)?;
        let lifetime = check_times(&claims, issuer, now)?;
        self.check_audience(&claims, issuer)?;
        check_actors(&claims, issuer)?;
        let source = Source::Token(jws.token_type());
        Ok(self.read(token, source, &claims, (place, issuer), lifetime, Basis::Keys(generation))?)
    }

    /// Some issuer's tokens must be of this kind.
    pub(super) fn check_type(&self, found: TokenType) -> Result<(), TokenError> {
        if self.issuers.iter().any(|issuer| issuer.profile.accepts(found)) {
            Ok(())
        } else {
            Err(wrong_type(self.issuers.first(), found))
        }
    }

    pub(super) fn issuer_of(&self, claims: &Claims<'_>) -> Result<(usize, &CheckedIssuer), TokenError> {
        let iss = claims.iss.as_deref().ok_or(TokenError::ClaimMissing("iss"))?;
        let trusted = self.issuers.iter().enumerate().find(|(_, issuer)| issuer.id.as_str() == iss);
        trusted.ok_or_else(|| TokenError::IssuerUntrusted(Excerpt::of(iss)))
    }

    /// RFC 9068 §4: `aud` must contain this server's identifier, or what the issuer calls it instead, exactly. Alone,
    /// unless the issuer's setting says otherwise.
    pub(super) fn check_audience(&self, claims: &Claims<'_>, issuer: &CheckedIssuer) -> Result<(), TokenError> {
        let audiences = claims.aud.as_slice();
        let first = audiences.first().ok_or(TokenError::ClaimMissing("aud"))?;
        let this_server = issuer.audience.as_deref().unwrap_or(self.audience.as_str());
        if !audiences.iter().any(|aud| aud == this_server) {
            return Err(TokenError::AudienceWrong(Excerpt::of(first)));
        }
        if audiences.len() > 1 && !issuer.allows_shared_audience {
            return Err(TokenError::AudienceShared(audiences.len()));
        }
        Ok(())
    }

    pub(super) fn read(
        &self,
        token: &str,
        source: Source,
        claims: &Claims<'_>,
        (place, issuer): (usize, &CheckedIssuer),
        lifetime: Lifetime,
        basis: Basis,
    ) -> Result<VerifiedToken, TokenError> {
        let mut reading = issuer.profile.read(&TokenClaims::new(claims, &issuer.id, source))?;
        let id = reading.token_id.take();
        let grant = claims.grant_id.as_deref().map(|grant| required(Some(grant), "grant_id")).transpose()?;
        let mut authority = Authority::of_scopes(std::mem::take(&mut reading.scopes));
        if let Some(details) = &claims.authorization_details {
            authority = authority.and(&self.detail_types.read(details));
        }
        // An issuer that was asked about the token itself has said that it is good.
        let status = match (&claims.status, source) {
            (Some(status), Source::Token(_)) => status.place(&issuer.status, issuer.id.as_str())?,
            _ => None,
        };
        Ok(VerifiedToken {
            issuer: issuer.id.clone(),
            audience: self.audience.clone(),
            reading,
            authority,
            naming: issuer.naming.clone(),
            narrowing: None,
            confirmation: claims.cnf.as_ref().map_or(Ok(Confirmation::Bearer), Cnf::confirmation)?,
            id: id.unwrap_or_else(|| digest_of(token, source)),
            lifetime,
            grant: grant.map(Into::into),
            issued: claims.iat.map(Timestamp::from_secs),
            revocable: Revocable::default(),
            status: status.map(|place| (place, None)),
            keepsake: Keepsake::default(),
            place,
            basis,
        })
    }
}

/// What stands for a token that has no identifier of its own. Of a JWT, that is what is signed: an ECDSA signature can be
/// written in two ways, and whoever holds a token could make another of it.
fn digest_of(token: &str, source: Source) -> Box<str> {
    let token = match source {
        Source::Token(_) => token.rsplit_once('.').map_or(token, |(signed, _)| signed),
        Source::Answer { .. } => token,
    };
    base64url::encode(digest(&SHA256, token.as_bytes()).as_ref()).into()
}
