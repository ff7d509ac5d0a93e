//! What a source knows, replaced as a whole.

use std::fmt;
use std::sync::Arc;

use agentauth_core::Clock;
use agentauth_core::identity::svid::{
    BundleSource, IdentitySource, IdentityUnavailable, SvidError, TrustBundles, X509Identity,
};
use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::{Changes, Snapshot, news};

/// The present snapshot of a source, shared by the source and everyone who uses it. Reading takes no lock.
#[derive(Clone)]
pub(crate) struct Live(Arc<Inner>);

struct Inner {
    current: ArcSwap<Current>,
    changes: watch::Sender<Arc<Snapshot>>,
    clock: Arc<dyn Clock>,
}

struct Current {
    snapshot: Arc<Snapshot>,
    /// The identity before the snapshot's, until that one begins.
    until_it_begins: Option<Arc<X509Identity>>,
}

impl Live {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let snapshot = Arc::new(Snapshot::empty());
        let (changes, _) = watch::channel(Arc::clone(&snapshot));
        let current = ArcSwap::from_pointee(Current { snapshot, until_it_begins: None });
        Self(Arc::new(Inner { current, changes, clock }))
    }

    /// Puts `snapshot` in the place of the present one, in one step.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let now = self.0.clock.now();
        let is_early = |identity: &Arc<X509Identity>| identity.check_validity(now) == Err(SvidError::NotYetValid);
        let until_it_begins = snapshot.identity.as_ref().ok().filter(|identity| is_early(identity)).and_then(|next| {
            // A platform that hands out a certificate ahead of its time has not taken back the one before.
            self.identity().ok().filter(|present| present.id() == next.id())
        });
        let snapshot = Arc::new(snapshot);
        let next = Arc::new(Current { snapshot: Arc::clone(&snapshot), until_it_begins });
        let old = &self.0.current.swap(next).snapshot;
        for text in [news::of_identity(old, &snapshot), news::of_bundles(old, &snapshot)].into_iter().flatten() {
            tracing::info!("{text}");
        }
        self.0.changes.send_replace(snapshot);
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.0.current.load().snapshot)
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes(self.0.changes.subscribe())
    }
}

impl IdentitySource for Live {
    fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
        let current = self.0.current.load();
        let identity = current.snapshot.identity.clone()?;
        let now = self.0.clock.now();
        match identity.check_validity(now) {
            Ok(()) => Ok(identity),
            Err(SvidError::NotYetValid) => {
                let before = current.until_it_begins.as_ref().filter(|before| before.check_validity(now).is_ok());
                before.cloned().ok_or(IdentityUnavailable::NotYet)
            }
            Err(_) => Err(IdentityUnavailable::Expired),
        }
    }
}

impl BundleSource for Live {
    fn bundles(&self) -> TrustBundles {
        self.0.current.load().snapshot.bundles.clone()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&*self.current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use agentauth_core::{ManualClock, Timestamp};
    use rcgen::{CertificateParams, DistinguishedName, IsCa, KeyPair, KeyUsagePurpose, SanType};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use time::OffsetDateTime;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    /// An identity at `path` that is valid from and to these seconds, seen from [`NOW`].
    fn identity(path: &str, from: i64, to: i64) -> Arc<X509Identity> {
        let time = |seconds| OffsetDateTime::from_unix_timestamp(NOW.cast_signed() + seconds).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://court.example{path}").try_into().unwrap())];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = (time(from), time(to));
        let key = KeyPair::generate().unwrap();
        let chain = vec![params.self_signed(&key).unwrap().der().clone()];
        Arc::new(X509Identity::new(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()).unwrap())
    }

    #[test]
    fn an_identity_counts_until_the_next_one_begins() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let live = Live::new(clock.clone());
        let publish = |identity: Result<Arc<X509Identity>, IdentityUnavailable>| {
            live.publish(Snapshot::new(identity, TrustBundles::new()));
        };
        let [present, next, later] = [identity("/a", -60, 100), identity("/a", 50, 200), identity("/a", 90, 300)];
        publish(Ok(present.clone()));
        publish(Ok(next.clone()));
        assert!(Arc::ptr_eq(&live.identity().unwrap(), &present));
        // One that comes while the one before has not begun takes its place, and not the present one's.
        publish(Ok(later.clone()));
        assert!(Arc::ptr_eq(&live.identity().unwrap(), &present));
        publish(Ok(next.clone()));
        clock.set(Timestamp::from_secs(NOW + 50));
        assert!(Arc::ptr_eq(&live.identity().unwrap(), &next));

        clock.set(Timestamp::from_secs(NOW));
        publish(Ok(present.clone()));
        publish(Ok(identity("/b", 50, 200)));
        assert_eq!(live.identity().unwrap_err(), IdentityUnavailable::NotYet, "another agent's does not stand in");
        publish(Ok(present));
        publish(Err(IdentityUnavailable::Withdrawn));
        assert_eq!(live.identity().unwrap_err(), IdentityUnavailable::Withdrawn);
        publish(Ok(later));
        assert_eq!(live.identity().unwrap_err(), IdentityUnavailable::NotYet, "what was taken back does not come back");
    }
}
