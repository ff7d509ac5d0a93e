//! What files say: bytes into identities and bundles, or the reason why not.

use std::path::Path;
use std::sync::Arc;

use agentauth_core::identity::svid::{BundleConcern, IdentityError, SvidError, TrustBundle, X509Identity};
use agentauth_core::{Timestamp, TrustDomain};

use super::FilesError;
use super::layout::SvidReading;
use super::part::Outcome;
use super::read::Found;

/// A bundle, and the bytes it was read from.
#[derive(Debug)]
pub(super) struct Published {
    bytes: Vec<u8>,
    pub(super) bundle: TrustBundle,
}

/// Chain and key make an identity together, and one that is good at the time `now`.
pub(super) fn identity(
    reading: SvidReading,
    held: Option<&Arc<X509Identity>>,
    now: Timestamp,
) -> Outcome<Arc<X509Identity>> {
    let is_final = reading.is_atomic;
    let (path, chain) = match reading.chain {
        Found::File { path, bytes } => (path, bytes),
        Found::Gone(error) => return Outcome::Gone { error, is_final },
        Found::Broken(error) => return Outcome::Broken(error),
    };
    let identity = match reading.key {
        None => X509Identity::from_pem(&chain, &chain),
        Some(Found::File { bytes: key, .. }) => X509Identity::from_pem(&chain, &key),
        Some(Found::Gone(error)) => return Outcome::Gone { error, is_final },
        Some(Found::Broken(error)) => return Outcome::Broken(error),
    };
    let identity = identity.and_then(|identity| {
        identity.check_validity(now)?;
        Ok(identity)
    });
    match identity {
        Err(source) => Outcome::Broken(FilesError::Identity { path, source }),
        Ok(new) if held.is_some_and(|held| is_same(held, &new)) => Outcome::Same,
        Ok(new) => Outcome::New(Arc::new(new)),
    }
}

/// The same certificate has the same key.
fn is_same(held: &X509Identity, new: &X509Identity) -> bool {
    held.chain() == new.chain()
}

/// A file is `domain`'s bundle: a SPIFFE bundle if it is JSON, else PEM certificates.
pub(super) fn bundle(
    found: Found,
    is_final: bool,
    domain: &TrustDomain,
    allows_public_roots: bool,
    held: Option<&Published>,
) -> Outcome<Published> {
    let (path, bytes) = match found {
        Found::File { path, bytes } => (path, bytes),
        Found::Gone(error) => return Outcome::Gone { error, is_final },
        Found::Broken(error) => return Outcome::Broken(error),
    };
    if held.is_some_and(|held| held.bytes == bytes && held.bundle.trust_domain() == domain) {
        return Outcome::Same;
    }
    let is_json = bytes.trim_ascii_start().starts_with(b"{");
    let read = if is_json { TrustBundle::from_spiffe } else { TrustBundle::from_pem };
    match read(domain.clone(), &bytes) {
        Err(source) => Outcome::Broken(FilesError::Bundle { path, source }),
        Ok(bundle) => match public_roots(&bundle, &path).filter(|_| !allows_public_roots) {
            Some(error) => Outcome::Broken(error),
            None => Outcome::New(Published { bytes, bundle }),
        },
    }
}

fn public_roots(bundle: &TrustBundle, path: &Path) -> Option<FilesError> {
    bundle.concerns().into_iter().find_map(|concern| match concern {
        BundleConcern::PublicRoots { count, organisation } => Some(FilesError::PublicRoots {
            path: path.into(),
            domain: bundle.trust_domain().clone(),
            count,
            organisation,
        }),
        _ => None,
    })
}

/// Whether the file, or the file beside it, may just be being written: what is whole and has had its time is not.
pub(super) fn may_be_torn<T>(outcome: &Outcome<T>) -> bool {
    match outcome {
        Outcome::Broken(FilesError::Identity { source, .. }) => {
            !matches!(source, IdentityError::Leaf(SvidError::Expired | SvidError::NotYetValid))
        }
        Outcome::Broken(FilesError::Bundle { .. }) => true,
        _ => false,
    }
}
