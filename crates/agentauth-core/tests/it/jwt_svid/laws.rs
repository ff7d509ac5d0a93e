//! What holds for all tokens.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static SIGNER: LazyLock<SvidSigner> = LazyLock::new(|| SvidSigner::new(Algorithm::Es256, "today"));
static BUNDLES: LazyLock<TrustBundles> = LazyLock::new(|| bundles(&[&SIGNER]));

#[test]
fn one_flipped_bit_anywhere_in_a_jwt_svid_is_refused() {
    let token = SIGNER.sign(&SIGNER.header(), &claims());
    let mut count = 0;
    for at in 0..token.len() * 8 {
        let mut bytes = token.clone().into_bytes();
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(forged) = String::from_utf8(bytes) else { continue };
        assert_ne!(code(&forged, &BUNDLES), ACCEPTED, "{forged}");
        count += 1;
    }
    println!("JWT-SVID: {count} flipped bits");
    assert!(count > 1000);
}

fn seconds() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (NOW - 400..NOW + 400).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,12}".prop_map(Value::from),
    ]
}

fn addressees() -> impl Strategy<Value = Value> {
    let name = || prop_oneof![Just(AUDIENCE.to_owned()), "[a-z]{0,8}"];
    prop_oneof![
        Just(Value::Null),
        name().prop_map(Value::from),
        prop::collection::vec(name(), 0..4).prop_map(Value::from),
        Just(json!({AUDIENCE: true})),
    ]
}

/// The rules of JWT-SVID.md §3 for `claims` of the lawyer, told once more.
fn is_good(claims: &Value) -> bool {
    let second =
        |name: &str| claims.get(name).map(|value| value.as_f64().filter(|at| (0.0..253_402_300_800.0).contains(at)));
    let (now, leeway) = (NOW as f64, 10.0);
    let is_addressed = match &claims["aud"] {
        Value::String(name) => name == AUDIENCE,
        Value::Array(names) => names.iter().any(|name| name == AUDIENCE),
        _ => false,
    };
    is_addressed
        && second("exp").flatten().is_some_and(|exp| now < exp.floor() + leeway)
        && second("nbf").is_none_or(|nbf| nbf.is_some_and(|nbf| now >= nbf.floor() - leeway))
        && second("iat").is_none_or(|iat| iat.is_some())
}

proptest! {
    #[test]
    fn the_rules_for_claims_are_those_of_the_standard(
        aud in addressees(),
        exp in seconds(),
        nbf in seconds(),
        iat in seconds(),
    ) {
        let claims = but(&claims(), json!({"aud": aud, "exp": exp, "nbf": nbf, "iat": iat}));
        let found = code(&SIGNER.sign(&SIGNER.header(), &claims), &BUNDLES);
        prop_assert_eq!(found == ACCEPTED, is_good(&claims), "{}: {}", found, claims);
    }

    /// Whatever else stands in a header makes it another kind of token.
    #[test]
    fn a_header_with_another_member_is_refused(name in "[a-z0-9_]{0,6}", value in any::<bool>()) {
        prop_assume!(!["alg", "kid", "typ"].contains(&name.as_str()));
        let header = but(&SIGNER.header(), json!({ name: value }));
        prop_assert_ne!(code(&SIGNER.sign(&header, &claims()), &BUNDLES), ACCEPTED);
    }

    #[test]
    fn any_text_is_refused_in_one_short_line(text in "[ -~]{0,60}", parts in "[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,8}") {
        for token in [text, parts] {
            let error = verify_jwt_svid(&token, &BUNDLES, &audiences(), Timestamp::from_secs(NOW)).unwrap_err();
            prop_assert!(error.to_string().len() < 300 && !error.code().is_empty());
        }
    }
}
