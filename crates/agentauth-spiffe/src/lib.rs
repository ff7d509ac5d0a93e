//! Live agent identity: who this workload is, and whom it believes, as the platform says at each moment.
//!
//! Every source implements [`IdentitySource`](agentauth_core::identity::svid::IdentitySource), or
//! [`BundleSource`](agentauth_core::identity::svid::BundleSource), or both. What it gives out is a whole [`Snapshot`], which is
//! replaced when the platform rotates keys. What is broken keeps the last good one, until that ends by itself; then there is none, and
//! connections are refused.
//!
//! | what | feature | where |
//! |---|---|---|
//! | SPIRE, and whoever else speaks the Workload API | `workload-api` | `WorkloadApi` |
//! | files that a platform mounts: cert-manager, Kubernetes, Istio, spiffe-helper | `files` | `FileSource` |
//! | bundles of other trust domains, from their endpoints | `federation` | `FederatedBundles` |
//! | several of these as one | | [`BundleSources`] |
//! | TLS at both ends, by what a source says in each handshake | | [`tls`] |
//! | calls to other agents over it | `client` | `SvidClient` |

mod bundle_sources;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "federation")]
pub mod federation;
#[cfg(feature = "files")]
pub mod files;
#[cfg(any(feature = "federation", feature = "files", feature = "workload-api"))]
mod live;
#[cfg(any(feature = "federation", feature = "files", feature = "workload-api"))]
mod news;
mod snapshot;
pub mod tls;
#[cfg(feature = "workload-api")]
pub mod workload_api;

pub use bundle_sources::BundleSources;
#[cfg(feature = "client")]
pub use client::SvidClient;
#[cfg(feature = "federation")]
pub use federation::FederatedBundles;
#[cfg(feature = "files")]
pub use files::FileSource;
pub use snapshot::{Changes, Snapshot};
#[cfg(feature = "workload-api")]
pub use workload_api::WorkloadApi;
