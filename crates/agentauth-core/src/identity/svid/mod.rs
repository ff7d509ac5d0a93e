//! SPIFFE verifiable identity documents: the proof that a workload has its SPIFFE ID.

mod bundle;
mod error;
mod x509;

pub use bundle::{BundleConcern, BundleError, MAX_BUNDLE_MAP_BYTES, TrustBundle, TrustBundles};
pub use error::SvidError;
pub use x509::{X509Svid, verify_x509_svid};
