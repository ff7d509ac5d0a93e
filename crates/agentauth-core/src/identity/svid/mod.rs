//! SPIFFE verifiable identity documents: the proof that a workload has its SPIFFE ID.

mod bundle;
mod der;
mod error;
mod explain;
mod jwt;
mod leaf;
mod source;
mod x509;
mod x509_identity;

pub use bundle::{BundleConcern, BundleError, MAX_BUNDLE_MAP_BYTES, TrustBundle, TrustBundles, X509RootSummary};
pub use error::SvidError;
pub use explain::{SvidOutcome, SvidRule, explain_x509_svid};
pub use jwt::{Audiences, AudiencesError, JwtSvid, JwtSvidError, verify_jwt_svid};
pub use leaf::named_spiffe_id;
pub use source::{BundleSource, IdentitySource, IdentityUnavailable};
pub use x509::{X509Svid, verify_x509_svid};
pub use x509_identity::{IdentityError, X509Identity};
