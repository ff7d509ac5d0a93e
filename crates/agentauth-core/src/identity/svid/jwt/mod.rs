//! JWT-SVID (JWT-SVID.md): a token that proves a workload's SPIFFE ID to whom it is addressed.

mod audiences;
mod error;

use std::borrow::Cow;
use std::fmt;

use serde::de::MapAccess;

pub use self::audiences::{Audiences, AudiencesError};
pub use self::error::JwtSvidError;
use super::TrustBundles;
use super::bundle::signs_svids;
use crate::identity::SpiffeId;
use crate::jose::json::{self, Members, Texts, Value};
use crate::jose::{CompactJws, JoseError, JsonError, TokenType};
use crate::time::Timestamp;

/// A workload's identity, proven by a token. Only [`verify_jwt_svid`] makes one.
///
/// Whoever holds the token can show it to any of its audiences, until it expires: it is worth less than a certificate,
/// whose key never leaves the workload.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSvid {
    id: SpiffeId,
    audiences: Vec<Box<str>>,
    expires: Timestamp,
    not_before: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    claims: Box<str>,
}

impl JwtSvid {
    /// The workload's SPIFFE ID (`sub`).
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// All whom the token is addressed to: each of them could show it to each other one.
    pub fn audiences(&self) -> impl ExactSizeIterator<Item = &str> {
        self.audiences.iter().map(|audience| &**audience)
    }

    /// The first second at which the token is no longer good (`exp`), without leeway.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The first second at which the token is good (`nbf`), if it says so.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// When the token was issued (`iat`), if it says so. Nothing is decided by it.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// All claims, as one JSON object without duplicate members: for those that the trust domain has agreed on beside
    /// these (JWT-SVID.md §3).
    #[must_use]
    pub fn claims_json(&self) -> &str {
        &self.claims
    }
}

impl fmt::Debug for JwtSvid {
    /// Shows whose it is, and no claim beyond those that are read here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvid")
            .field("id", &self.id)
            .field("audiences", &self.audiences)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Verifies that `token` is a JWT-SVID for one of `audiences` at the time `now`.
///
/// The key is one of the bundle of the trust domain that `sub` names, and of no other; one that was published without
/// an algorithm is good for those of its type and curve. The header has no members but `alg`, one of the nine of
/// JWT-SVID.md §2.1, `kid` and `typ`, which is `JWT`, `JOSE` or absent: a WIT-SVID (`wit+jwt`), which would need a
/// proof of possession, is refused like every other kind. A token without `kid` is tried with the keys that fit, if
/// there are no more than 16. Whole seconds count, with the leeway of `audiences`.
///
/// Other claims decide nothing (JWT-SVID.md §3), but for `cnf`: a token that is bound to a key is no bearer token, and
/// is refused. A token is good for as often as it is shown: `jti` is not tracked.
///
/// # Errors
/// Each rule has its own [`JwtSvidError`].
///
/// ```
/// use agentauth_core::Timestamp;
/// use agentauth_core::identity::svid::{Audiences, TrustBundle, TrustBundles, verify_jwt_svid};
/// use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
///
/// let key = SigningKey::generate(Algorithm::Es256)?;
/// let jwks = format!(r#"{{"keys":[{}]}}"#, key.public_jwk());
/// let bundle = TrustBundle::new("court.example".parse()?).with_jwt_keys_from_jwks(jwks.as_bytes())?;
/// let bundles = TrustBundles::new().with_bundle(bundle)?;
///
/// let claims = br#"{"sub":"spiffe://court.example/agent/lawyer","aud":"records","exp":1800000300}"#;
/// let token = key.sign(TokenType::Jwt, claims)?;
/// let audiences = Audiences::new(["records"])?;
/// let svid = verify_jwt_svid(&token, &bundles, &audiences, Timestamp::from_secs(1_800_000_000))?;
/// assert_eq!(svid.id().as_str(), "spiffe://court.example/agent/lawyer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_jwt_svid(
    token: &str,
    bundles: &TrustBundles,
    audiences: &Audiences,
    now: Timestamp,
) -> Result<JwtSvid, JwtSvidError> {
    let jws = CompactJws::parse_closed(token)?;
    if !signs_svids(jws.algorithm()) {
        return Err(JwtSvidError::Algorithm(jws.algorithm()));
    }
    if !matches!(jws.token_type(), TokenType::Jwt | TokenType::Jose | TokenType::Absent) {
        return Err(JoseError::WrongType { expected: TokenType::Jwt, found: jws.token_type() }.into());
    }
    let payload = jws.unverified_payload()?;
    let claims: Claims<'_> = json::read(&payload).map_err(JoseError::Claims)?;
    let id = claims.subject()?;
    let Some(bundle) = bundles.bundle(id.trust_domain_name()) else {
        return Err(JwtSvidError::UnknownTrustDomain(id.trust_domain()));
    };
    if bundle.jwt_key_count() == 0 {
        return Err(JwtSvidError::NoKeys(id.trust_domain()));
    }
    bundle.jwt_keys().verify(&jws)?;

    // Its holder would have to prove that it has the key (RFC 7800 §3), and nobody asks for that here.
    if claims.has_cnf {
        return Err(JwtSvidError::Bound);
    }
    let expires = claims.check_times(audiences.leeway().as_secs(), now)?;
    let audiences = claims.check_audience(audiences)?;
    let (not_before, issued_at) = (claims.nbf.map(Timestamp::from_secs), claims.iat.map(Timestamp::from_secs));
    let claims = String::from_utf8(payload).map_err(|_| JoseError::Claims(JsonError::Syntax))?;
    Ok(JwtSvid { id, audiences, expires, not_before, issued_at, claims: claims.into() })
}

/// What the token says, not yet believed.
#[derive(Default)]
struct Claims<'p> {
    sub: Option<Cow<'p, str>>,
    aud: Option<Texts<'p>>,
    exp: Option<u64>,
    nbf: Option<u64>,
    iat: Option<u64>,
    has_cnf: bool,
}

impl<'p> Members<'p> for Claims<'p> {
    fn member<A: MapAccess<'p>>(&mut self, name: &str, value: Value<'_, 'p, A>) -> Result<(), A::Error> {
        match name {
            "sub" => self.sub = Some(value.text()?),
            "aud" => self.aud = Some(value.texts()?),
            "exp" => self.exp = Some(value.seconds()?),
            "nbf" => self.nbf = Some(value.seconds()?),
            "iat" => self.iat = Some(value.seconds()?),
            "cnf" => {
                self.has_cnf = true;
                value.skip()?;
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

impl Claims<'_> {
    /// The workload (JWT-SVID.md §3.1). A trust domain is none, whether or not the text of the standard says so.
    fn subject(&self) -> Result<SpiffeId, JwtSvidError> {
        let id: SpiffeId = self.sub.as_deref().ok_or(JwtSvidError::NoSubject)?.parse()?;
        if id.path().is_empty() { Err(JwtSvidError::NoPath) } else { Ok(id) }
    }

    /// When the token expires (JWT-SVID.md §3.3, RFC 7519 §4.1.4, §4.1.5).
    fn check_times(&self, leeway: u64, now: Timestamp) -> Result<Timestamp, JwtSvidError> {
        let exp = self.exp.ok_or(JwtSvidError::NoExpiry)?;
        if now.secs() >= exp.saturating_add(leeway) {
            return Err(JwtSvidError::Expired);
        }
        if self.nbf.is_some_and(|nbf| now.secs() < nbf.saturating_sub(leeway)) {
            return Err(JwtSvidError::NotYetValid);
        }
        Ok(Timestamp::from_secs(exp))
    }

    /// Whom the token is for, us among them (JWT-SVID.md §3.2).
    fn check_audience(&self, ours: &Audiences) -> Result<Vec<Box<str>>, JwtSvidError> {
        let audiences = self.aud.as_ref().map(Texts::as_slice).unwrap_or_default();
        if audiences.is_empty() {
            return Err(JwtSvidError::NoAudience);
        }
        if !audiences.iter().any(|audience| ours.contains(audience)) {
            return Err(JwtSvidError::AudienceWrong);
        }
        Ok(audiences.iter().map(|audience| (**audience).into()).collect())
    }
}
