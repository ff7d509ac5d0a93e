//! Which files are read, and what they are taken for.

use agentauth_core::TrustDomain;
use agentauth_spiffe::files::{FileSource, FilesError, FilesWarning, SvidFiles};

use super::support::{Ca, Folder, POLL, account, builder, codes, csi, pass, trusted};

#[tokio::test(start_paused = true)]
async fn each_platform_has_its_layout() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let (svid, roots) = (ca.mint("lawyer"), ca.pem());
    let single = format!("{}{}", svid.key, svid.chain);
    let (chain, key, own) = (&*svid.chain, &*svid.key, &["court.example"][..]);
    let at = |name: &str| folder.path(name);
    for (name, files, layout, domains) in [
        ("csi", vec![("tls.crt", chain), ("tls.key", key)], SvidFiles::csi_driver(at("csi")), &[][..]),
        ("ca", vec![("tls.crt", chain), ("tls.key", key), ("ca.crt", &roots)], SvidFiles::csi_driver(at("ca")), own),
        (
            "helper",
            vec![("svid.pem", chain), ("svid_key.pem", key), ("bundle.pem", &roots)],
            SvidFiles::spiffe_helper(at("helper")),
            own,
        ),
        (
            "istio",
            vec![("cert-chain.pem", chain), ("key.pem", key), ("root-cert.pem", &roots)],
            SvidFiles::istio(at("istio")),
            own,
        ),
        (
            "pod",
            vec![("credentialbundle.pem", &*single)],
            SvidFiles::credential_bundle(at("pod/credentialbundle.pem")),
            &[],
        ),
        (
            "delivered",
            vec![("credential-bundle.private-key.pem", &*single)],
            SvidFiles::credential_bundle(at("delivered/credential-bundle.private-key.pem")),
            &[],
        ),
    ] {
        std::fs::create_dir(at(name)).unwrap();
        for (file, text) in files {
            std::fs::write(at(name).join(file), text).unwrap();
        }
        assert_eq!(SvidFiles::detect(at(name)).unwrap(), layout, "{name}");
        let source = builder().svid(layout).start().unwrap();
        source.loaded().await.unwrap();
        assert_eq!(
            (account(&source).unwrap(), trusted(&source)),
            ("lawyer".into(), domains.iter().map(ToString::to_string).collect()),
            "{name}"
        );
        assert!(source.status().is_good() && source.status().warnings.is_empty(), "{name}: {:?}", source.status());
    }
    let named = SvidFiles::named(&folder.0, "csi/tls.crt", "istio/key.pem").or_roots("none.pem").or_roots("ca/ca.crt");
    let source = builder().svid(named).start().unwrap();
    source.loaded().await.unwrap();
    assert_eq!((account(&source).unwrap(), trusted(&source)), ("lawyer".into(), vec!["court.example".to_owned()]));
}

#[test]
fn a_directory_that_cannot_be_looked_at_is_told_from_one_without_an_svid() {
    let folder = Folder::new();
    folder.write(&[("tls.crt", "x")]);
    let long = "x".repeat(300);
    for (name, code, sentence) in [
        ("nowhere", "files_no_directory", "there is no such directory"),
        ("tls.crt", "files_not_directory", "give the directory"),
        ("tls.crt/deeper", "files_not_directory", "give the directory"),
        (&*long, "files_unreadable", "the user of this process must be able to read it"),
    ] {
        let error = SvidFiles::detect(folder.0.join(name)).unwrap_err();
        assert_eq!(error.code(), code, "{name}");
        assert!(error.to_string().contains(sentence), "{error}");
    }
    // Every name that the refusal of an empty directory tells would have been found.
    folder.remove("tls.crt");
    let error = SvidFiles::detect(&folder.0).unwrap_err().to_string();
    let names: Vec<_> =
        error.split([' ', ',', ';']).filter(|word| word.ends_with(".pem") || word.ends_with(".crt")).collect();
    assert_eq!(names.len(), 6, "{error}");
    for name in names {
        folder.write(&[(name, "x")]);
        assert!(SvidFiles::detect(&folder.0).is_ok(), "{name}");
        folder.remove(name);
    }
}

#[test]
fn a_layout_is_told_by_its_names_or_not_at_all() {
    let folder = Folder::new();
    let detect = || SvidFiles::detect(&folder.0).map_err(|error| error.code());
    folder.write(&[("ca.crt", "x"), ("notes.txt", "x")]);
    assert_eq!(detect().unwrap_err(), "files_layout_unknown");
    folder.write(&[("svid.pem", "x")]);
    assert_eq!(detect().unwrap(), SvidFiles::spiffe_helper(&folder.0));
    folder.write(&[("key.pem", "x")]);
    assert_eq!(detect().unwrap_err(), "files_layout_ambiguous");
    folder.remove("svid.pem");
    assert_eq!(detect().unwrap(), SvidFiles::istio(&folder.0));
    folder.write(&[("credential-bundle.pem", "x")]);
    assert_eq!(detect().unwrap_err(), "files_layout_ambiguous");
}

#[tokio::test]
async fn what_is_to_be_followed_is_named_once() {
    let court: TrustDomain = "court.example".parse().unwrap();
    let twice = FileSource::builder().bundle(court.clone(), "a.pem").bundle(court, "b.pem");
    let code = |started: Result<FileSource, FilesError>| started.unwrap_err().code();
    assert_eq!(code(FileSource::builder().start()), "files_none_named");
    assert_eq!(code(twice.start()), "files_domain_repeated");
}

#[test]
fn files_need_a_runtime() {
    let started = FileSource::builder().svid(SvidFiles::csi_driver("x")).start();
    assert_eq!(started.unwrap_err().code(), "files_no_runtime");
}

/// The driver writes the roots to `ca.crt` with each certificate, and to the name that was set when they change.
#[tokio::test(start_paused = true)]
async fn roots_are_looked_for_under_each_name_each_time() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    let (svid, roots) = (ca.mint("lawyer"), ca.pem());
    let [chain, key] = svid.csi();
    let files = SvidFiles::named(&folder.0, "tls.crt", "tls.key").or_roots("roots.pem").or_roots("ca.crt");
    let source = builder().svid(files).start().unwrap();
    for name in ["ca.crt", "roots.pem", "ca.crt"] {
        folder.publish(&[chain, key, (name, &roots)]);
        pass(POLL).await;
        assert_eq!(trusted(&source), ["court.example"], "{name}");
        assert!(source.status().is_good());
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_has_the_roots_of_its_own_file_and_no_others() {
    let (ca, other, folder) = (Ca::new("court.example"), Ca::new("court.example"), Folder::new());
    let (svid, beside) = (ca.mint("lawyer"), other.pem());
    let [chain, key] = svid.csi();
    folder.publish(&[chain, key, ("ca.crt", &beside)]);
    folder.write(&[("named.pem", &ca.pem())]);
    let source = csi(&folder).bundle(ca.domain(), folder.path("named.pem")).start().unwrap();
    source.loaded().await.unwrap();
    assert_eq!(trusted(&source), ["court.example"]);
    // By the roots beside it, the identity would not verify.
    assert_eq!(source.status().warnings, []);

    let alone = csi(&folder).start().unwrap();
    alone.loaded().await.unwrap();
    assert!(matches!(alone.status().warnings[..], [FilesWarning::OwnChain(_)]));
    assert_eq!((account(&alone).unwrap(), alone.status().warnings[0].code()), ("lawyer".into(), "files_own_chain"));
}

#[tokio::test(start_paused = true)]
async fn a_bundle_is_pem_or_spiffe_json_and_whose_it_is_is_configured() {
    let (ca, folder) = (Ca::new("court.example"), Folder::new());
    folder.write(&[("pem", &ca.pem()), ("json", r#" {"keys":[],"spiffe_sequence":1}"#)]);
    let builder = builder().bundle("any.example".parse().unwrap(), folder.path("pem"));
    let source = builder.bundle("empty.example".parse().unwrap(), folder.path("json")).start().unwrap();
    source.loaded().await.unwrap();
    assert_eq!(trusted(&source), ["any.example"]);
    // An empty bundle is a bundle; that it trusts nothing is worth a word.
    let status = source.status();
    assert!(status.is_good() && status.warnings.len() == 1, "{status:?}");
    assert_eq!(
        (status.warnings[0].code(), account(&source).unwrap_err().code()),
        ("files_bundle_odd", "identity_not_yet")
    );
}

#[tokio::test(start_paused = true)]
async fn public_roots_are_no_trust_domains() {
    let (own, public, folder) = (Ca::new("court.example"), Ca::of("DigiCert Inc", "court.example"), Folder::new());
    folder.write(&[("mixed.pem", &format!("{}{}", own.pem(), public.pem()))]);
    let source = builder().bundle(own.domain(), folder.path("mixed.pem")).start().unwrap();
    assert_eq!(source.loaded().await.unwrap_err().code(), "files_public_roots");
    assert_eq!(trusted(&source), [""; 0]);
    let weakened =
        builder().dangerous().bundle_with_public_roots(own.domain(), folder.path("mixed.pem")).start().unwrap();
    weakened.loaded().await.unwrap();
    assert_eq!((trusted(&weakened), codes(&weakened)), (vec!["court.example".to_owned()], vec![]));
}
