//! What holds for all bundles.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

/// Roots and keys to put bundles together from: all usable.
static USABLE: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let roots = std::iter::repeat_with(|| x509_key(&Ca::new(DOMAIN))).take(4);
    let keys = std::iter::repeat_with(|| jwt_key(Algorithm::Es256, Some("jwt-svid"))).take(4);
    roots.chain(keys).collect()
});

/// Elements that must be ignored.
fn ignored() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-zA-Z0-9-]{0,12}".prop_map(|usage| json!({"kty": "EC", "use": format!("{usage}?"), "x5c": ["AAAA"]})),
        "[a-zA-Z0-9-]{0,12}".prop_map(|kty| json!({"kty": format!("{kty}?"), "use": "jwt-svid", "kid": "k"})),
        "[a-z]{1,8}".prop_map(|name| json!({ name: [{"deep": [null, true, 1.5]}] })),
        Just(json!({"kty": "EC", "x5c": ["AAAA"]})),
    ]
}

proptest! {
    /// Elements that are not understood change nothing, wherever they stand.
    #[test]
    fn what_is_ignored_changes_nothing(
        chosen in prop::collection::vec(any::<bool>(), 8),
        noise in prop::collection::vec((any::<prop::sample::Index>(), ignored()), 0..8),
    ) {
        let chosen = USABLE.iter().zip(&chosen).filter(|(_, is_in)| **is_in);
        let chosen: Vec<Value> = chosen.map(|(key, _)| key.clone()).collect();
        let mut noisy = chosen.clone();
        for (index, element) in noise {
            noisy.insert(index.index(noisy.len() + 1), element);
        }
        prop_assert_eq!(outcome(read(&document(&noisy))), outcome(read(&document(&chosen))));
    }

    /// No bytes make a reader panic, and what is refused says why in one short line.
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in r#"\{[ -~]{0,80}\}"#,
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            for error in [
                TrustBundle::from_spiffe(domain(), bytes).err(),
                TrustBundle::from_pem(domain(), bytes).err(),
                TrustBundle::from_concatenated_der(domain(), bytes).err(),
                TrustBundle::new(domain()).with_jwt_keys_from_jwks(bytes).err(),
                TrustBundle::new(domain()).with_crl(bytes).err(),
                TrustBundles::from_bundle_map(bytes).err(),
            ].into_iter().flatten() {
                let shown = error.to_string();
                prop_assert!(shown.len() < 300 && shown.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }
    }

    /// What the Workload API concatenates comes apart as it was.
    #[test]
    fn concatenation_is_undone(count in 1_usize..6) {
        let ders: Vec<Vec<u8>> = USABLE.iter().take(4).cycle().take(count)
            .map(|root| BASE64_STANDARD.decode(root["x5c"][0].as_str().unwrap()).unwrap())
            .collect();
        prop_assert_eq!(outcome(TrustBundle::from_concatenated_der(domain(), &ders.concat())), Ok((count, 0)));
    }
}
