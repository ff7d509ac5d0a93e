//! Which of a trust domain's keys verify a token, and for which algorithms.

use super::*;
use crate::support::svid_signer::NINE;

/// What becomes of `token` under the keys `jwks`, as the Workload API sends them.
fn under(jwks: &[Value], token: &str) -> &'static str {
    let jwks = json!({ "keys": jwks }).to_string();
    let bundle = TrustBundle::new(DOMAIN.parse().unwrap()).with_jwt_keys_from_jwks(jwks.as_bytes()).unwrap();
    code(token, &TrustBundles::new().with_bundle(bundle).unwrap())
}

#[test]
fn a_key_verifies_what_it_was_published_for_and_nothing_else() {
    let (mut tried, mut accepted) = (0, 0);
    for own in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512] {
        let signer = SvidSigner::new(own, "today");
        let can =
            |named: Algorithm| if own == Algorithm::Rs256 { !named.name().starts_with('E') } else { own == named };
        for published in std::iter::once(None).chain(NINE.map(Some)) {
            let jwk = but(&signer.jwk(), json!({"alg": published.map(Algorithm::name)}));
            for named in NINE {
                let token = signer.sign(&but(&signer.header(), json!({"alg": named.name()})), &claims());
                let found = under(std::slice::from_ref(&jwk), &token);
                let is_key = published.is_none_or(can);
                let expected = match (is_key, can(named) && published.is_none_or(|published| published == named)) {
                    (false, _) => "jwt_svid_no_keys",
                    (true, false) => "alg_not_of_key",
                    (true, true) => ACCEPTED,
                };
                assert_eq!(found, expected, "a key of {own}, published for {published:?}, and a token of {named}");
                tried += 1;
                accepted += usize::from(found == ACCEPTED);
            }
        }
    }
    println!("JWT-SVID keys: {accepted} of {tried} pairs accepted");
    // Without alg: six for RSA, one for each curve; with it, one each.
    assert_eq!((tried, accepted), (360, 6 + 3 + 6 + 3));
}

#[test]
fn a_token_that_names_no_key_is_tried_with_those_that_fit() {
    let signer = |kid: usize| SvidSigner::new(Algorithm::Es256, &kid.to_string());
    let signers: Vec<SvidSigner> = (0..17).map(signer).collect();
    let jwks: Vec<Value> = signers.iter().map(SvidSigner::jwk).collect();
    let token = |signer: &SvidSigner| signer.sign(&but(&signer.header(), json!({"kid": null})), &claims());

    assert_eq!(under(&jwks[..1], &token(&signers[0])), ACCEPTED);
    for signer in &signers[..16] {
        assert_eq!(under(&jwks[..16], &token(signer)), ACCEPTED);
    }
    assert_eq!(under(&jwks[..16], &token(&signers[16])), "signature_invalid");
    // More than that many are not tried, in any order.
    for signer in &signers {
        assert_eq!(under(&jwks, &token(signer)), "key_not_named");
    }
    // With a name, how many there are does not matter.
    assert_eq!(under(&jwks, &signers[16].sign(&signers[16].header(), &claims())), ACCEPTED);

    // Keys of other kinds do not count.
    let others = [Algorithm::Es384, Algorithm::Rs256].map(|algorithm| SvidSigner::new(algorithm, "other").jwk());
    let [p384, rsa] = &others;
    assert_eq!(under(&[&jwks[..16], std::slice::from_ref(p384)].concat(), &token(&signers[15])), ACCEPTED);
    assert_eq!(under(std::slice::from_ref(p384), &token(&signers[0])), "key_not_named");
    assert_eq!(under(std::slice::from_ref(rsa), &token(&signers[0])), "key_not_named");
}

#[test]
fn the_keys_of_one_trust_domain_say_nothing_about_another() {
    let (court, bank) = (SvidSigner::new(Algorithm::Es256, "today"), SvidSigner::new(Algorithm::Es256, "today"));
    let both = bundles(&[&court]).with_bundle(bundle("bank.example", &[&bank])).unwrap();
    let teller = but(&claims(), json!({"sub": "spiffe://bank.example/teller"}));
    assert_eq!(code(&court.sign(&court.header(), &claims()), &both), ACCEPTED);
    assert_eq!(code(&bank.sign(&bank.header(), &teller), &both), ACCEPTED);
    for header in [court.header(), but(&court.header(), json!({"kid": null}))] {
        assert_eq!(code(&court.sign(&header, &teller), &both), "signature_invalid");
        assert_eq!(code(&bank.sign(&header, &claims()), &both), "signature_invalid");
    }
    let gone = both.without(&"bank.example".parse().unwrap());
    assert_eq!(code(&bank.sign(&bank.header(), &teller), &gone), "jwt_svid_unknown_trust_domain");
}
