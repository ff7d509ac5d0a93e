//! What the tests share: where the vectors lie, and a throw-away certificate authority.

pub(crate) mod certs;
pub(crate) mod court;

pub(crate) mod doubles;
pub(crate) mod dpop_client;
pub(crate) mod folder;
pub(crate) mod office;
pub(crate) mod prover;
pub(crate) mod reception;
pub(crate) mod statuses;
pub(crate) mod svid_signer;

use std::path::{Path, PathBuf};

/// The folder that holds the test vectors (`AGENTAUTH_VECTORS`, or `../shared/vectors` seen from the workspace
/// root), or `None` after saying that it is absent.
pub(crate) fn vectors() -> Option<PathBuf> {
    let folder = std::env::var_os("AGENTAUTH_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: vectors not found");
    None
}
