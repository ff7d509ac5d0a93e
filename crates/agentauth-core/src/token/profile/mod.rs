//! How the tokens of one issuer are read.
//!
//! Issuers agree on signatures and expiry, and on little else: whose authority a token carries, which agent holds it,
//! and whether anyone said that the one may act for the other stands in different claims at each of them. A
//! [`Profile`] knows one issuer's way, and turns it into the same [`Reading`]. It sees a token only after its
//! signature, times and audience have been checked, and can only narrow what is accepted.
//!
#![doc = include_str!("guide.md")]
//!
//! It is a few lines:
//!
//! ```
//! use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
//! use agentauth_core::token::{Profile, Reading, TokenClaims, TokenError, TrustedIssuer};
//!
//! /// Tokens say `typ: JWT`, name the client in `azp` and the user's tenant in `org`.
//! #[derive(Debug)]
//! struct HouseIdp;
//!
//! impl Profile for HouseIdp {
//!     fn name(&self) -> &'static str {
//!         "house-idp"
//!     }
//!
//!     fn accepts(&self, token_type: TokenType) -> bool {
//!         token_type == TokenType::Jwt
//!     }
//!
//!     fn claims(&self) -> &'static [&'static str] {
//!         &["azp", "org"]
//!     }
//!
//!     fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError> {
//!         let user = claims.principal(claims.required("sub")?).in_tenant(claims.required("org")?);
//!         Ok(Reading::client_only(user, claims.client(claims.required("azp")?)).with_scopes(claims.scopes("scope")?))
//!     }
//! }
//!
//! let keys = SigningKey::generate(Algorithm::Es256)?.public_key_set()?;
//! let issuer = TrustedIssuer::new("https://idp.example", keys, HouseIdp);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod auth0;
mod claims;
mod entra;
mod keycloak;
mod kubernetes;
mod named;
mod okta;
mod ping;
mod reading;
mod rfc;
mod shape;
mod wso2;
mod zitadel;

use std::fmt;

pub use auth0::Auth0;
pub(super) use claims::Source;
pub use claims::{Actor, TokenClaims};
pub use entra::Entra;
pub use keycloak::Keycloak;
pub use kubernetes::KubernetesActor;
pub use named::NamedProfile;
pub use okta::Okta;
pub use ping::{PingAm, PingOne};
pub use reading::Reading;
pub use rfc::{Rfc8693, Rfc9068};
pub use wso2::Wso2;
pub use zitadel::Zitadel;

use super::TokenError;
use crate::jose::TokenType;

/// How the tokens of one issuer are read. See the [module](self).
pub trait Profile: Send + Sync + fmt::Debug {
    /// What the profile is called, in configuration and explanations.
    fn name(&self) -> &'static str;

    /// Whether a token of this kind can be an access token of the issuer: `at+jwt` alone, unless the profile knows
    /// better (RFC 9068 §2.1). Tokens that do not say their kind are also refused if they have a claim that only ID
    /// tokens, logout tokens and security events have.
    fn accepts(&self, token_type: TokenType) -> bool {
        token_type == TokenType::AccessToken
    }

    /// Whether the issuer is trusted to say, in `act`, who acts for whom. A token with an `act` claim is refused
    /// where it is not.
    fn trusts_act(&self) -> bool {
        false
    }

    /// Whether the issuer may call agents by SPIFFE ID: where it may not, such a name is only a name, unless the
    /// connection proves it. It may not, unless the profile says so.
    fn names_workloads(&self) -> bool {
        false
    }

    /// The claims that [`Profile::read`] wants to see, beside `sub`, `client_id`, `jti`, `scope`, `act`, `may_act`, `cnf` and
    /// `grant_id`. Others are not kept: a claim that is not listed here is missing, whatever the token says.
    fn claims(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads who acts for whom, with what authority.
    ///
    /// # Errors
    /// [`TokenError`], for a token that does not have the issuer's shape. What a profile does not know, it refuses.
    fn read(&self, claims: &TokenClaims<'_>) -> Result<Reading, TokenError>;
}
