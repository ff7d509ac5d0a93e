//! Files that are replaced while they are read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use agentauth_core::identity::svid::{X509Identity, verify_x509_svid};
use agentauth_core::{ManualClock, Timestamp};
use agentauth_spiffe::files::{FileSource, SvidFiles};

use super::support::{Ca, Folder, NOW, POLL, Svid, account, builder, codes, csi, pass};

const ROTATIONS: usize = 1000;

/// Certificates, keys and roots change together, as often as the disk allows. Every reading finds a set that belongs
/// together, and every user sees one.
#[tokio::test(start_paused = true)]
async fn a_thousand_rotations_tear_nothing() {
    let folder = Arc::new(Folder::new());
    let cas = [Ca::new("court.example"), Ca::new("court.example")];
    // Keys are expensive to make; each pair is rotated in with roots of its own.
    let sets: Vec<(Svid, String)> = (0..50)
        .map(|number| (&cas[number % 2], number))
        .map(|(ca, number)| (ca.mint(&number.to_string()), ca.pem()))
        .collect();
    let pairs: BTreeMap<Vec<u8>, Vec<u8>> = sets
        .iter()
        .map(|(svid, _)| X509Identity::from_pem(svid.chain.as_bytes(), svid.key.as_bytes()).unwrap())
        .map(|identity| (identity.chain()[0].to_vec(), identity.private_key().secret_der().to_vec()))
        .collect();
    let publish = move |folder: &Folder, (svid, roots): &(Svid, String)| {
        let [chain, key] = svid.csi();
        folder.publish(&[chain, key, ("ca.crt", roots)]);
    };
    publish(&folder, &sets[0]);
    let now = Timestamp::from_secs(NOW);
    let source = csi(&folder).clock(Arc::new(ManualClock::at(now))).start().unwrap();
    source.loaded().await.unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let looks = Arc::new(AtomicUsize::new(0));
    let writer = thread::spawn({
        let (is_over, looks, folder) = (is_over.clone(), looks.clone(), folder.clone());
        move || {
            for (number, set) in (1..=ROTATIONS).zip(sets.iter().cycle().skip(1)) {
                publish(&folder, set);
                // Nobody would be disturbed by rotations that nobody sees.
                while looks.load(Ordering::SeqCst) < number / 2 {
                    thread::yield_now();
                }
            }
            is_over.store(true, Ordering::SeqCst);
        }
    });
    let reader = thread::spawn({
        let (is_over, source) = (is_over.clone(), source.clone());
        move || {
            let mut seen = 0_u64;
            while !is_over.load(Ordering::SeqCst) {
                let snapshot = source.snapshot();
                let identity = snapshot.identity.clone().unwrap();
                assert_eq!(pairs[&*identity.chain()[0]], identity.private_key().secret_der());
                verify_x509_svid(identity.chain(), &snapshot.bundles, now).unwrap();
                seen += 1;
            }
            seen
        }
    });
    let mut failed = 0;
    // Time does not pass; whenever nothing else is to be done, the timer for the next look is.
    while !is_over.load(Ordering::SeqCst) {
        pass(POLL).await;
        let status = source.status();
        failed += status.failures.len() + status.warnings.len();
        looks.fetch_add(1, Ordering::SeqCst);
    }
    writer.join().unwrap();
    let (seen, looks) = (reader.join().unwrap(), looks.load(Ordering::SeqCst));
    println!("{ROTATIONS} rotations, {looks} readings, {failed} of them failed, {seen} snapshots used, 0 of them torn");
    assert_eq!(failed, 0);
    assert!(looks >= ROTATIONS / 2);
}

/// Istio's proxy replaces the key and the chain one after the other.
#[tokio::test(start_paused = true)]
async fn half_of_a_rotation_changes_nothing() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let (old, new) = (ca.mint("old"), ca.mint("new"));
    folder.write(&[("key.pem", &old.key), ("cert-chain.pem", &old.chain), ("root-cert.pem", &ca.pem())]);
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let source = builder().svid(SvidFiles::istio(&folder.0)).clock(clock).start().unwrap();
    source.loaded().await.unwrap();
    folder.replace("key.pem", &new.key);
    pass(POLL).await;
    assert_eq!((account(&source), codes(&source)), (Ok("old".into()), vec!["identity_key_mismatch"]));
    folder.replace("cert-chain.pem", &new.chain);
    pass(POLL).await;
    assert_eq!((account(&source), codes(&source)), (Ok("new".into()), vec![]));
}

/// With the timers and the file system as they are: a rotation is noticed because the system tells of it.
#[tokio::test]
async fn a_rotation_is_noticed_when_it_happens() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let link = folder.path("link");
    std::os::unix::fs::symlink("real", &link).unwrap();
    let volume = Folder::at(folder.path("real"));
    volume.publish(&ca.mint("old").csi());
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let source = FileSource::builder().svid(SvidFiles::csi_driver(link)).clock(clock).start().unwrap();
    let mut changes = source.changes();
    // Far less than the 30 s after which a look is taken in any case.
    let limit = Duration::from_secs(20);
    for name in ["old", "new", "newer"] {
        volume.publish(&ca.mint(name).csi());
        let until = async {
            while account(&source).as_deref() != Ok(name) {
                changes.next().await.unwrap();
            }
        };
        tokio::time::timeout(limit, until).await.unwrap();
    }
    assert!(source.status().warnings.is_empty(), "{:?}", source.status());
}
