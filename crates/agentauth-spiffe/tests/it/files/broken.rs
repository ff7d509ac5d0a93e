//! What is broken is not taken, and what was good before counts to its own end.

use std::time::Duration;

use agentauth_core::identity::svid::{BundleSource as _, IdentitySource as _, TrustBundles};
use agentauth_spiffe::BundleSources;
use agentauth_spiffe::files::FilesPart;

use super::support::{Ca, Folder, NOW, POLL, Svid, account, builder, codes, csi, pass, trusted};

fn broken_svids(ca: &Ca) -> Vec<(Svid, &'static str)> {
    let (good, other) = (ca.mint("good"), ca.mint("other"));
    let svid = |chain: &str, key: &str| Svid { chain: chain.into(), key: key.into() };
    let half = |text: &str| text[..text.len() / 2].to_owned();
    vec![
        (svid(&good.chain, &other.key), "identity_key_mismatch"),
        (svid(&good.chain, &half(&good.key)), "identity_key_unreadable"),
        (svid(&good.chain, &good.chain), "identity_key_unreadable"),
        (svid(&half(&good.chain), &good.key), "identity_no_certificate"),
        (svid(&good.key, &good.key), "identity_no_certificate"),
        (svid(&ca.pem(), &good.key), "svid_no_uri"),
        (svid(&good.chain, &" ".repeat(64 * 1024 + 1)), "files_oversize"),
        (ca.mint_from_to("old", NOW - 60, NOW - 1), "svid_expired"),
        (ca.mint_from_to("new", NOW + 3000, NOW + 3600), "svid_not_yet_valid"),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_is_no_identity_is_not_taken_for_one() {
    let ca = Ca::new("court.example");
    for (svid, code) in broken_svids(&ca) {
        let folder = Folder::new();
        folder.publish(&svid.csi());
        let source = csi(&folder).start().unwrap();
        assert_eq!(source.loaded().await.unwrap_err().code(), code);
        assert_eq!(account(&source).unwrap_err().code(), "identity_not_yet");
        assert!(!source.status().failures[0].is_kept);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_good_identity_stays_whatever_takes_its_place() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    folder.publish(&ca.mint("lawyer").csi());
    let source = csi(&folder).start().unwrap();
    source.loaded().await.unwrap();
    for (svid, code) in broken_svids(&ca) {
        folder.publish(&svid.csi());
        pass(POLL).await;
        assert_eq!((account(&source), codes(&source)), (Ok("lawyer".into()), vec![code]));
        assert!(source.status().failures[0].is_kept);
    }
    folder.publish(&ca.mint("clerk").csi());
    pass(POLL).await;
    assert_eq!((account(&source), codes(&source)), (Ok("clerk".into()), vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_identity_ends_at_its_end_to_the_second() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    folder.publish(&ca.mint_from_to("lawyer", NOW, NOW + 600).csi());
    let source = csi(&folder).start().unwrap();
    source.loaded().await.unwrap();
    folder.publish(&[("tls.crt", "broken"), ("tls.key", "broken")]);
    pass(Duration::from_micros(600_999_000)).await;
    assert_eq!(account(&source), Ok("lawyer".into()));
    pass(Duration::from_millis(1)).await;
    assert_eq!(account(&source).unwrap_err().code(), "identity_expired");
    pass(POLL).await;
    assert_eq!(source.identity().unwrap_err().code(), "identity_expired");
    // It can come back.
    folder.publish(&ca.mint("lawyer").csi());
    pass(POLL).await;
    assert_eq!((account(&source), codes(&source)), (Ok("lawyer".into()), vec![]));
}

/// A program can read how it stands: which part fails, by which code, and since when.
#[tokio::test(start_paused = true)]
async fn a_failure_is_dated_from_its_beginning() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let good = ca.mint("lawyer");
    let [chain, key] = good.csi();
    let roots = ca.pem();
    folder.publish(&[chain, key, ("ca.crt", &roots), ("other.pem", &roots)]);
    let source = csi(&folder).bundle("other.example".parse().unwrap(), folder.path("other.pem")).start().unwrap();
    source.loaded().await.unwrap();
    assert_eq!(trusted(&source), ["court.example", "other.example"]);

    folder.publish(&[chain, ("tls.key", "broken"), ("ca.crt", "broken"), ("other.pem", "broken")]);
    pass(POLL).await;
    let first = source.status();
    let parts: Vec<_> = first.failures.iter().map(|failure| failure.part.clone()).collect();
    let other = FilesPart::Bundle("other.example".parse().unwrap());
    assert_eq!(parts, [FilesPart::Identity, FilesPart::Roots, other]);
    assert_eq!(codes(&source), ["identity_key_unreadable", "bundle_not_pem", "bundle_not_pem"]);
    // What was good stays.
    assert_eq!((account(&source), trusted(&source).len()), (Ok("lawyer".into()), 2));

    folder.publish(&[("tls.crt", "broken"), key, ("ca.crt", &roots), ("other.pem", "broken again")]);
    pass(POLL).await;
    let second = source.status();
    assert_eq!(codes(&source), ["identity_no_certificate", "bundle_not_pem"]);
    assert_eq!(second.failures[0].since, first.failures[0].since);
    assert!(second.read_at > first.read_at && second.failures[0].since <= first.read_at.unwrap());
    assert!(!second.is_good() && second.failures.iter().all(|failure| failure.is_kept));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_roots_stay_while_a_bundle_is_broken() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let leaf = ca.mint("lawyer").chain;
    folder.write(&[("roots.pem", &ca.pem())]);
    let source = builder().bundle(ca.domain(), folder.path("roots.pem")).start().unwrap();
    source.loaded().await.unwrap();
    for (text, code) in [
        ("no certificate", "bundle_not_pem"),
        (&leaf, "bundle_no_root"),
        ("{", "json_malformed"),
        ("{}", "bundle_no_keys"),
        (&" ".repeat(1024 * 1024 + 1), "files_oversize"),
        (&Ca::of("Amazon", "court.example").pem(), "files_public_roots"),
    ] {
        folder.write(&[("roots.pem", text)]);
        pass(POLL).await;
        assert_eq!((trusted(&source), codes(&source)), (vec!["court.example".to_owned()], vec![code]));
    }
    // What is whole, and says that nothing is trusted, is not broken.
    folder.write(&[("roots.pem", r#"{"keys":[]}"#)]);
    pass(POLL).await;
    assert_eq!((trusted(&source), codes(&source)), (vec![], vec![]));
}

/// Who has named a trust domain speaks for it before its file is there, too.
#[tokio::test(start_paused = true)]
async fn no_other_source_speaks_for_a_domain_whose_file_is_not_there_yet() {
    let (ours, theirs, folder) = (Ca::new("court.example"), Ca::new("court.example"), Folder::new());
    let files = builder().bundle(ours.domain(), folder.path("roots.pem")).start().unwrap();
    let other = TrustBundles::new().with_pem(theirs.domain(), theirs.pem().as_bytes()).unwrap();
    let sources = BundleSources::new().or(files.clone()).or(other);
    assert!(!sources.bundles().trusts("court.example"));
    assert_eq!(files.loaded().await.unwrap_err().code(), "files_missing");
    assert!(!sources.bundles().trusts("court.example"));
    folder.write(&[("roots.pem", &ours.pem())]);
    pass(POLL).await;
    assert!(sources.bundles().trusts("court.example"));
    assert_eq!(sources.bundles().bundle("court.example").unwrap().x509_root_count(), 1);
}
