//! What is known, from one reading to the next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::identity::svid::{IdentityUnavailable, TrustBundle, TrustBundles, X509Identity, verify_x509_svid};
use agentauth_core::{Timestamp, TrustDomain};

use super::interpret::{self, Published, may_be_torn};
use super::layout::SvidReading;
use super::part::{Outcome, Part};
use super::read::{Found, Reading};
use super::{FilesError, FilesFailure, FilesPart, FilesWarning};
use crate::Snapshot;

/// The file of one trust domain's bundle.
#[derive(Debug, Clone)]
pub(super) struct BundleFile {
    pub(super) domain: TrustDomain,
    pub(super) path: PathBuf,
    pub(super) allows_public_roots: bool,
}

/// What was read at one time.
#[derive(Debug)]
pub(super) struct Readings {
    pub(super) svid: Option<SvidReading>,
    /// One file each, as many as there are bundles, in their order.
    pub(super) bundles: Vec<Reading>,
}

/// What the readings say about each part.
#[derive(Debug)]
pub(super) struct Outcomes {
    identity: Option<Outcome<Arc<X509Identity>>>,
    roots: Option<Outcome<Published>>,
    bundles: Vec<Outcome<Published>>,
    /// Something does not fit together, in files that change one by one: it may at the next look.
    pub(super) may_be_torn: bool,
}

#[derive(Debug)]
pub(super) struct State {
    identity: Part<Arc<X509Identity>>,
    roots: Part<Published>,
    bundles: Vec<(BundleFile, Part<Published>)>,
}

impl Outcomes {
    /// Nothing could be learnt about the identity, if there is to be one, nor about `bundles` bundles.
    pub(super) fn timed_out(has_identity: bool, bundles: usize) -> Self {
        Self {
            identity: has_identity.then_some(Outcome::Broken(FilesError::Timeout)),
            roots: None,
            bundles: std::iter::repeat_with(|| Outcome::Broken(FilesError::Timeout)).take(bundles).collect(),
            may_be_torn: false,
        }
    }
}

impl State {
    pub(super) fn new(bundles: &[BundleFile]) -> Self {
        let part = |file: &BundleFile| (file.clone(), Part::new(FilesPart::Bundle(file.domain.clone())));
        Self {
            identity: Part::new(FilesPart::Identity),
            roots: Part::new(FilesPart::Roots),
            bundles: bundles.iter().map(part).collect(),
        }
    }

    /// What `readings` say at the time `now`, beside what is held. Nothing changes yet.
    pub(super) fn interpret(&self, readings: Readings, now: Timestamp) -> Outcomes {
        let mut may_tear = false;
        let (mut identity, mut roots) = (None, None);
        if let Some(mut svid) = readings.svid {
            let found = std::mem::replace(&mut svid.roots, Found::Gone(FilesError::Nothing));
            let is_final = svid.is_atomic;
            let outcome = interpret::identity(svid, self.identity.good(), now);
            // Whose the roots are, the identity beside them says, or has said; and nothing else does.
            let own = match &outcome {
                Outcome::New(identity) => Some(identity),
                _ => self.identity.good(),
            };
            let own = own.map(|identity| identity.id().trust_domain());
            let own = own.or_else(|| Some(self.roots.good()?.bundle.trust_domain().clone()));
            roots = own
                .filter(|own| !self.names(own))
                .map(|own| interpret::bundle(found, is_final, &own, false, self.roots.good()));
            may_tear |= !is_final && (may_be_torn(&outcome) || roots.as_ref().is_some_and(may_be_torn));
            identity = Some(outcome);
        }
        let bundles = self.bundles.iter().zip(readings.bundles).map(|((file, part), reading)| {
            let found = reading.files.into_iter().next();
            let found = found.unwrap_or_else(|| Found::Gone(FilesError::Missing(file.path.clone())));
            let outcome =
                interpret::bundle(found, reading.is_atomic, &file.domain, file.allows_public_roots, part.good());
            may_tear |= !reading.is_atomic && may_be_torn(&outcome);
            outcome
        });
        let bundles = bundles.collect();
        Outcomes { identity, roots, bundles, may_be_torn: may_tear }
    }

    /// Takes in what was read. The new snapshot, if anything has changed.
    pub(super) fn take(&mut self, outcomes: Outcomes, now: Timestamp) -> Option<Snapshot> {
        let mut is_changed = false;
        if let Some(outcome) = outcomes.identity {
            is_changed |= self.identity.take(outcome, now);
        }
        match outcomes.roots {
            // They are optional: what never was there is not missed.
            Some(Outcome::Gone { .. }) if self.roots.good().is_none() && !self.roots.is_withdrawn() => {}
            Some(outcome) => is_changed |= self.roots.take(outcome, now),
            None => {}
        }
        for ((_, part), outcome) in self.bundles.iter_mut().zip(outcomes.bundles) {
            is_changed |= part.take(outcome, now);
        }
        is_changed.then(|| self.snapshot())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let identity = match self.identity.good() {
            Some(identity) => Ok(Arc::clone(identity)),
            None if self.identity.is_withdrawn() => Err(IdentityUnavailable::Withdrawn),
            None => Err(IdentityUnavailable::NotYet),
        };
        // A domain that is named and has no bundle is known to trust nothing: no other source is to speak for it.
        let nothing = self.bundles.iter().filter(|(_, part)| part.good().is_none());
        let nothing = nothing.map(|(file, _)| TrustBundle::new(file.domain.clone()));
        let bundles = self
            .published()
            .cloned()
            .chain(nothing)
            .fold(TrustBundles::new(), |all, bundle| all.clone().with_bundle(bundle).unwrap_or(all));
        Snapshot::new(identity, bundles)
    }

    /// The bundles that count: of each trust domain one, and of its own the one that was named before the roots that
    /// came with the identity.
    fn published(&self) -> impl Iterator<Item = &TrustBundle> {
        let named = self.bundles.iter().filter_map(|(_, part)| part.good());
        let own = self.identity.good().map(|identity| identity.id().trust_domain_name());
        let roots = self.roots.good();
        let roots = roots.filter(move |roots| own.is_none_or(|own| roots.bundle.trust_domain().as_str() == own));
        named.chain(roots.filter(|roots| !self.names(roots.bundle.trust_domain()))).map(|found| &found.bundle)
    }

    fn names(&self, domain: &TrustDomain) -> bool {
        self.bundles.iter().any(|(file, _)| file.domain == *domain)
    }

    /// For how long the identity is still good at the time `now`.
    pub(super) fn remaining(&self, now: Timestamp) -> Option<Duration> {
        self.identity.good().map(|identity| identity.not_after().since(now)).filter(|left| !left.is_zero())
    }

    /// In how long the first file that is gone counts as taken away.
    pub(super) fn decided_in(&self, now: Timestamp) -> Option<Duration> {
        let bundles = self.bundles.iter().map(|(_, part)| part.decided_in(now));
        [self.identity.decided_in(now), self.roots.decided_in(now)].into_iter().chain(bundles).flatten().min()
    }

    pub(super) fn failures(&self) -> Vec<FilesFailure> {
        let bundles = self.bundles.iter().map(|(_, part)| part.failure());
        [self.identity.failure(), self.roots.failure()].into_iter().chain(bundles).flatten().cloned().collect()
    }

    pub(super) fn warnings(&self, now: Timestamp) -> Vec<FilesWarning> {
        let odd = self.published().flat_map(|bundle| {
            let domain = bundle.trust_domain();
            bundle.concerns().into_iter().map(|concern| FilesWarning::Bundle(domain.clone(), concern))
        });
        self.own_chain(now).into_iter().chain(odd).collect()
    }

    /// An identity that its own bundle does not prove convinces nobody, and is shown all the same: the bundle may be
    /// the one that is late.
    fn own_chain(&self, now: Timestamp) -> Option<FilesWarning> {
        let identity = self.identity.good()?;
        let own =
            self.published().find(|bundle| bundle.trust_domain().as_str() == identity.id().trust_domain_name())?;
        let bundles = TrustBundles::new().with_bundle(own.clone()).ok()?;
        verify_x509_svid(identity.chain(), &bundles, now).err().map(FilesWarning::OwnChain)
    }
}
