//! What is taken away does not count any more.

use std::time::Duration;

use agentauth_core::Clock as _;
use agentauth_core::identity::svid::IdentityUnavailable;
use agentauth_spiffe::files::SvidFiles;

use super::support::{Ca, Folder, Hands, POLL, account, builder, codes, csi, pass, trusted};

#[tokio::test(start_paused = true)]
async fn what_is_taken_out_of_a_volume_is_gone_at_once() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let (svid, roots) = (ca.mint("lawyer"), ca.pem());
    let [chain, key] = svid.csi();
    let all = [chain, key, ("ca.crt", &*roots), ("other.pem", &roots)];
    let clock = Hands::new();
    let source = csi(&folder).clock(clock.clone()).bundle("other.example".parse().unwrap(), folder.path("other.pem"));
    folder.publish(&all);
    let source = source.start().unwrap();
    let mut changes = source.changes();
    source.loaded().await.unwrap();
    for (left, identity, domains, expected) in [
        (&all[..3], Ok("lawyer"), &["court.example"][..], &["files_missing"][..]),
        (&all[..], Ok("lawyer"), &["court.example", "other.example"], &[]),
        (&[chain, key, all[3]], Ok("lawyer"), &["other.example"], &["files_missing"]),
        (&[chain, all[2]], Err("identity_withdrawn"), &["court.example"], &["files_missing", "files_missing"]),
        (&[all[3]], Err("identity_withdrawn"), &["other.example"], &["files_missing", "files_missing"]),
        (
            &[chain, ("tls.key", " \n")],
            Err("identity_withdrawn"),
            &[],
            &["files_empty", "files_missing", "files_missing"],
        ),
        (&all, Ok("lawyer"), &["court.example", "other.example"], &[]),
    ] {
        changes.current();
        let before = clock.now();
        folder.publish(left);
        changes.next().await.unwrap();
        assert!(clock.now().since(before) <= POLL);
        let shown = account(&source).map_err(IdentityUnavailable::code);
        assert_eq!(
            (shown, trusted(&source)),
            (identity.map(String::from), domains.iter().map(ToString::to_string).collect())
        );
        assert_eq!(codes(&source), expected);
    }
}

/// Where files change one by one, one that is gone may be about to come back: for 30 s.
#[tokio::test(start_paused = true)]
async fn elsewhere_what_is_gone_is_gone_after_30_s() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let (svid, roots) = (ca.mint("lawyer"), ca.pem());
    let files = [("key.pem", &*svid.key), ("cert-chain.pem", &svid.chain), ("root-cert.pem", &roots)];
    let clock = Hands::new();
    folder.write(&files);
    let source = builder().svid(SvidFiles::istio(&folder.0)).clock(clock.clone()).start().unwrap();
    source.loaded().await.unwrap();

    // Someone who replaces a file by deleting and writing it is not noticed.
    for (name, text) in files {
        folder.remove(name);
        pass(Duration::from_secs(29)).await;
        folder.write(&[(name, text)]);
        pass(POLL).await;
        assert_eq!((account(&source), codes(&source)), (Ok("lawyer".into()), vec![]), "{name}");
    }
    for (name, identity, domains) in [
        ("root-cert.pem", Ok("lawyer"), &[][..]),
        ("key.pem", Err("identity_withdrawn"), &["court.example"]),
        ("cert-chain.pem", Err("identity_withdrawn"), &["court.example"]),
    ] {
        let text = files.iter().find(|file| file.0 == name).unwrap().1;
        for empty in [false, true] {
            let mut changes = source.changes();
            let before = clock.now();
            if empty {
                folder.write(&[(name, "")]);
            } else {
                folder.remove(name);
            }
            changes.next().await.unwrap();
            // The reading that found it gone was 30 s before this one, and at most 30 s after it was removed.
            let after = clock.now().since(before).as_secs();
            assert!((30..=61).contains(&after), "{name}: {after} s");
            let shown = account(&source).map_err(IdentityUnavailable::code);
            assert_eq!(
                (shown, trusted(&source)),
                (identity.map(String::from), domains.iter().map(ToString::to_string).collect())
            );
            assert_eq!(codes(&source), [if empty { "files_empty" } else { "files_missing" }]);
            folder.write(&[(name, text)]);
            pass(POLL).await;
            assert_eq!((account(&source), trusted(&source).len()), (Ok("lawyer".into()), 1));
        }
    }
}

/// A directory that is gone is as good as its files.
#[tokio::test(start_paused = true)]
async fn a_directory_may_come_later_go_and_come_back() {
    let (ca, outer) = (Ca::new("court.example"), Folder::new());
    let svid = ca.mint("lawyer");
    let source = builder().svid(SvidFiles::csi_driver(outer.path("volume")));
    let source = source.start().unwrap();
    assert_eq!(source.loaded().await.unwrap_err().code(), "files_missing");
    for _ in 0..2 {
        std::fs::create_dir(outer.path("volume")).unwrap();
        for (name, text) in svid.csi() {
            std::fs::write(outer.path("volume").join(name), text).unwrap();
        }
        pass(POLL).await;
        assert_eq!(account(&source), Ok("lawyer".into()));
        std::fs::remove_dir_all(outer.path("volume")).unwrap();
        pass(2 * POLL).await;
        assert_eq!(account(&source).unwrap_err().code(), "identity_withdrawn");
    }
}
