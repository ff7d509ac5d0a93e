//! go-spiffe's bundles, read from outside the repository. A test whose files are absent says so and passes.

use super::*;
use crate::support;

fn load(file: &str) -> Option<Vec<u8>> {
    let path = support::vectors()?.join("spiffe/go-spiffe").join(file);
    if !path.is_file() {
        println!("skipped: vectors not found");
        return None;
    }
    Some(std::fs::read(path).unwrap())
}

#[test]
fn go_spiffe_spiffe_bundles() {
    let mut count = 0;
    for (file, expected) in [
        ("valid_1", Ok((1, 1))),
        ("valid_2", Ok((1, 6))),
        // Two more, for WIT-SVIDs, must never verify a JWT-SVID.
        ("valid_with_wit", Ok((1, 2))),
        // Its one JWT key has no name. go-spiffe refuses the bundle for that; here the key does not count.
        ("missing_kid", Ok((1, 0))),
        // The first of two certificates counts (X509-SVID.md §6.2). go-spiffe refuses the bundle.
        ("multiple_x509", Ok((1, 1))),
        ("no_keys", Err("bundle_no_keys")),
    ] {
        let Some(document) = load(&format!("bundle/spiffebundle/testdata/spiffebundle_{file}.json")) else { return };
        let bundle = TrustBundle::from_spiffe("domain.test".parse().unwrap(), &document);
        assert_eq!(outcome(bundle.clone()), expected, "{file}");
        if let Ok(bundle) = bundle {
            println!("{file}: {bundle:?}");
        }
        count += 1;
    }
    println!("go-spiffe SPIFFE bundles: {count}");
    assert_eq!(count, 6);
}

#[test]
fn go_spiffe_jwt_bundles() {
    let mut count = 0;
    for (file, expected) in [
        ("bundle/jwtbundle/testdata/jwks_valid_1.json", 1),
        ("bundle/jwtbundle/testdata/jwks_valid_2.json", 2),
        // go-spiffe refuses the set for a key without a name; here that key does not count.
        ("bundle/jwtbundle/testdata/jwks_missing_kid.json", 1),
    ] {
        let Some(jwks) = load(file) else { return };
        let bundle = TrustBundle::new("domain.test".parse().unwrap()).with_jwt_keys_from_jwks(&jwks);
        assert_eq!(outcome(bundle), Ok((0, expected)), "{file}");
        count += 1;
    }
    println!("go-spiffe JWT bundles: {count}");
    assert_eq!(count, 3);
}

#[test]
fn go_spiffe_x509_bundles() {
    let mut count = 0;
    for (file, expected) in [
        // They are read, but certificates of version 1 do not say that they are a CA's.
        ("cert.pem", Err("bundle_no_root")),
        ("certs.pem", Err("bundle_no_root")),
        ("corrupted.pem", Err("bundle_no_root")),
        ("not-pem.pem", Err("bundle_not_pem")),
        ("key.pem", Err("bundle_not_pem")),
        ("empty.pem", Ok((0, 0))),
    ] {
        let Some(pem) = load(&format!("bundle/x509bundle/testdata/{file}")) else { return };
        assert_eq!(outcome(TrustBundle::from_pem(domain(), &pem)), expected, "{file}");
        count += 1;
    }
    println!("go-spiffe X.509 bundles: {count}");
    assert_eq!(count, 6);
}
