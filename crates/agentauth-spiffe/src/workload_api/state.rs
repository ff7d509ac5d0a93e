//! What is known from both streams, and published as one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agentauth_core::Clock;
use agentauth_core::identity::svid::{IdentityUnavailable, TrustBundle, TrustBundles, X509Identity};
use agentauth_core::{Excerpt, SpiffeId, TrustDomain};
use tokio::sync::watch;
use tonic::Status;
use tonic::codec::Streaming;

use super::WorkloadApiError;
use super::follow::Feed;
use super::jwt_svids::JwtSvids;
use super::rpc::{JwtBundlesResponse, Rpc, X509SvidResponse};
use super::x509::{self, Roots, Selected};
use crate::Snapshot;
use crate::live::Live;

/// The JWKS document of each trust domain.
type JwtBundles = BTreeMap<TrustDomain, Vec<u8>>;

/// What the streams, and those who use what came with them, have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) live: Live,
    pub(super) hint: Option<String>,
    pub(super) jwt_svids: JwtSvids,
    known: Mutex<Known>,
    /// What is wrong with the identity at present.
    problem: watch::Sender<Option<WorkloadApiError>>,
}

#[derive(Debug)]
struct Known {
    identity: Result<Arc<X509Identity>, IdentityUnavailable>,
    /// The SPIFFE IDs of this workload, with their hints, as they stood in the last message.
    names: Vec<(String, String)>,
    roots: Roots,
    jwt_bundles: JwtBundles,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>, hint: Option<String>, rpc: Rpc) -> Self {
        let identity = Err(IdentityUnavailable::NotYet);
        Self {
            live: Live::new(Arc::clone(&clock)),
            jwt_svids: JwtSvids::new(rpc, clock, hint.clone()),
            hint,
            known: Mutex::new(Known {
                identity,
                names: Vec::new(),
                roots: Roots::new(),
                jwt_bundles: JwtBundles::new(),
            }),
            problem: watch::Sender::new(None),
        }
    }

    pub(super) fn problems(&self) -> watch::Receiver<Option<WorkloadApiError>> {
        self.problem.subscribe()
    }

    /// Changes what is known, and publishes it if it is not what it was.
    fn change(&self, change: impl FnOnce(&mut Known) -> bool) {
        let mut known = self.lock();
        let before = known.id().cloned();
        if change(&mut known) {
            // Under the lock, so that snapshots are published in the order in which they came to be.
            self.live.publish(Snapshot::new(known.identity.clone(), known.bundles()));
        }
        // Tokens of an identity that this workload no longer has, or not as its first.
        if known.id() != before.as_ref() {
            self.jwt_svids.forget();
        }
    }

    /// No code panics while it has the lock; if it did, what is known would still be whole.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn id(&self) -> Option<&SpiffeId> {
        self.identity.as_ref().ok().map(|identity| identity.id())
    }

    /// What both streams have of each trust domain.
    fn bundles(&self) -> TrustBundles {
        let domains: BTreeSet<_> = self.roots.keys().chain(self.jwt_bundles.keys()).collect();
        let bundles = domains.into_iter().map(|domain| {
            let none = || TrustBundle::new(domain.clone());
            // Both have been read before; what is not here trusts nothing.
            let roots = self.roots.get(domain).and_then(|roots| x509::bundle(domain, roots).ok()).unwrap_or_else(none);
            match self.jwt_bundles.get(domain) {
                Some(keys) => roots.clone().with_jwt_keys_from_jwks(keys).unwrap_or(roots),
                None => roots,
            }
        });
        bundles.into_iter().try_fold(TrustBundles::new(), TrustBundles::with_bundle).unwrap_or_default()
    }

    fn set_identity(&mut self, identity: Result<Arc<X509Identity>, IdentityUnavailable>) -> bool {
        let is_same = match (&self.identity, &identity) {
            (Ok(old), Ok(new)) => old.chain() == new.chain(),
            (Err(old), Err(new)) => old == new,
            _ => false,
        };
        if !is_same {
            self.identity = identity;
        }
        !is_same
    }
}

fn replace<T: PartialEq>(old: &mut T, new: T) -> bool {
    let is_new = *old != new;
    *old = new;
    is_new
}

/// The stream of X.509-SVIDs, with the bundles to verify those of others.
pub(super) struct X509Feed(pub(super) Arc<Shared>);

impl X509Feed {
    /// Says what is wrong, once, until something else is.
    fn report(&self, problem: Option<WorkloadApiError>) {
        self.0.problem.send_if_modified(|known| {
            let is_new = problem.as_ref().map(WorkloadApiError::code) != known.as_ref().map(WorkloadApiError::code);
            if is_new && let Some(problem) = &problem {
                tracing::warn!(code = problem.code(), "{problem}");
            }
            replace(known, problem) || is_new
        });
    }
}

impl Feed for X509Feed {
    type Message = X509SvidResponse;

    async fn open(rpc: &Rpc) -> Result<Streaming<Self::Message>, Status> {
        rpc.x509_svids().await
    }

    fn take(&mut self, message: Self::Message) {
        let shared = &self.0;
        let state = match x509::read(message, shared.hint.as_deref(), shared.live.clock().now()) {
            Ok(state) => state,
            Err(error) => return self.report(Some(error)),
        };
        for error in &state.left_out {
            tracing::warn!(code = error.code(), "{error}");
        }
        let (identity, problem) = match state.identity {
            Selected::Good(identity) => (Some(Ok(Arc::new(identity))), None),
            Selected::Unusable(error) => (None, Some(error)),
            Selected::Gone(error) => (Some(Err(IdentityUnavailable::Withdrawn)), Some(error)),
        };
        shared.change(|known| {
            // Among those that are kept there may be some of an identity that is gone.
            if replace(&mut known.names, state.names) {
                shared.jwt_svids.forget();
            }
            let has_identity = identity.is_some_and(|identity| known.set_identity(identity));
            replace(&mut known.roots, state.roots) || has_identity
        });
        self.report(problem);
    }

    /// Only what the other side takes back is given up: while it is away, what came last counts until its own end.
    fn end(&mut self, error: WorkloadApiError) {
        if matches!(error, WorkloadApiError::Denied { .. }) {
            self.0.change(|known| {
                let is_withdrawn = known.set_identity(Err(IdentityUnavailable::Withdrawn));
                replace(&mut known.roots, Roots::new()) || is_withdrawn
            });
        }
        self.report(Some(error));
    }
}

/// The stream of the keys that JWT-SVIDs are verified with.
pub(super) struct JwtFeed {
    pub(super) shared: Arc<Shared>,
    /// The code that was reported last.
    pub(super) reported: Option<&'static str>,
}

impl JwtFeed {
    fn report(&mut self, error: &WorkloadApiError) {
        if self.reported.replace(error.code()) != Some(error.code()) {
            tracing::warn!(code = error.code(), "the keys of JWT-SVIDs: {error}");
        }
    }
}

impl Feed for JwtFeed {
    type Message = JwtBundlesResponse;

    async fn open(rpc: &Rpc) -> Result<Streaming<Self::Message>, Status> {
        rpc.jwt_bundles().await
    }

    fn take(&mut self, message: Self::Message) {
        if message.bundles.is_empty() {
            return self.report(&WorkloadApiError::FieldEmpty("bundles"));
        }
        self.reported = None;
        let mut bundles = JwtBundles::new();
        for (name, document) in message.bundles {
            let is_readable =
                |domain: &TrustDomain| TrustBundle::new(domain.clone()).with_jwt_keys_from_jwks(&document).is_ok();
            match x509::trust_domain(&name).filter(is_readable) {
                Some(domain) => {
                    bundles.insert(domain, document);
                }
                None => self.report(&WorkloadApiError::Bundle(Excerpt::of(&name))),
            }
        }
        self.shared.change(|known| replace(&mut known.jwt_bundles, bundles));
    }

    fn end(&mut self, error: WorkloadApiError) {
        if matches!(error, WorkloadApiError::Denied { .. }) {
            self.shared.change(|known| replace(&mut known.jwt_bundles, JwtBundles::new()));
        }
        self.report(&error);
    }
}
