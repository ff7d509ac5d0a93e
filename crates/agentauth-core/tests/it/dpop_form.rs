//! The form of DPoP proofs (RFC 9449 §4.3 checks 1 to 7): header, key, signature and claims, each rule by the code of its
//! refusal. The good proof of a good request, with one thing changed.

use agentauth_core::binding::dpop::{DPOP, DpopError, MAX_PROOF_BYTES, NonceKey, ProofContext, proof_of};
use agentauth_core::jose::{Algorithm, CompactJws, SelfSignedJws, SigningKey, TokenType};
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, encode};
use crate::support::prover::{
    Prover, TOKEN, at, ath, code, code_of, dpop, proof_claims, proof_claims_with, settings, verify_at,
};

#[test]
fn a_good_proof_of_each_kind_of_key_is_accepted() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let prover = Prover::new(algorithm);
        let verified = verify_at(&dpop(), &prover, &prover.prove(&proof_claims()), NOW).unwrap();
        assert_eq!(verified.key(), &prover.thumbprint);
        assert_eq!(verified.remember_until(), at(NOW + 61));
        assert!(!verified.needs_new_nonce());
    }
}

#[test]
fn a_request_has_one_proof_or_none() {
    let read = |values: &[&[u8]]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(DPOP, HeaderValue::from_bytes(value).unwrap());
        }
        proof_of(&headers).map(|proof| proof.map(str::to_owned)).map_err(|error| error.code())
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[b"a.b.c"]), Ok(Some("a.b.c".into())));
    for (values, expected) in [
        (&[b"a.b.c".as_slice(), b"a.b.c"][..], "dpop_proof_repeated"),
        (&[b"a.b.c, d.e.f"], "dpop_proof_repeated"),
        (&[b"a.b.c,"], "dpop_proof_repeated"),
        (&[&[b'a'; MAX_PROOF_BYTES + 1]], "dpop_proof_oversize"),
        (&[b"a.b.\xff"], "dpop_proof_malformed"),
    ] {
        assert_eq!(read(values), Err(expected), "{values:.40?}");
    }
}

#[test]
fn a_proof_is_a_well_formed_jwt() {
    let prover = Prover::new(Algorithm::Es256);
    let good = prover.prove(&proof_claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let text = |from: &str, to: &str| prover.header().to_string().replacen(from, to, 1);
    let claims = proof_claims().to_string();
    for (proof, expected) in [
        (good.clone(), ACCEPTED),
        (prover.sign(&prover.header(), claims.replacen('{', r#"{"other":[1,{"a":null}],"#, 1)), ACCEPTED),
        (String::new(), "dpop_proof_malformed"),
        (input.to_owned(), "dpop_proof_malformed"),
        (format!("{good}="), "dpop_proof_malformed"),
        (format!(" {good}"), "dpop_proof_malformed"),
        (format!("{good}.."), "dpop_proof_malformed"),
        (format!("{good},{good}"), "dpop_proof_malformed"),
        (format!("e31.{}.{signature}", encode(&claims)), "dpop_proof_malformed"),
        (format!("{input}.A"), "dpop_proof_malformed"),
        (prover.sign_text(&text("{", r#"{"alg":"ES256","#), &claims), "dpop_proof_malformed"),
        (prover.sign_text(&text(r#""kty":"EC""#, r#""kty":"EC","kty":"EC""#), &claims), "dpop_proof_malformed"),
        (prover.sign_text(&text("{", r#"{"jwk":{},"#), &claims), "dpop_proof_malformed"),
        (prover.sign_text("[]", &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("jwk", "key"), &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("alg", Value::Null), &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("crit", json!(["exp"])), &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("b64", false), &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header_with("x", "x".repeat(2048)), &claims), "dpop_proof_malformed"),
        (prover.sign(&prover.header(), claims.replacen('{', r#"{"jti":"jti-2","#, 1)), "dpop_proof_malformed"),
        (prover.sign(&prover.header(), format!("[{claims}]")), "dpop_proof_malformed"),
        (prover.sign(&prover.header(), format!("{claims}{{}}")), "dpop_proof_malformed"),
        (prover.sign(&prover.header(), b"{\"jti\":\"\xff\"}"), "dpop_proof_malformed"),
        (prover.sign(&prover.header(), ""), "dpop_proof_malformed"),
        (prover.prove(&proof_claims_with("x", "x".repeat(MAX_PROOF_BYTES))), "dpop_proof_oversize"),
    ] {
        assert_eq!(code(&prover, &proof), expected, "{proof:.200}");
    }
    let padded = |length: usize| prover.prove(&proof_claims_with("x", "x".repeat(length)));
    let longest = (0..MAX_PROOF_BYTES).rev().map(padded).find(|proof| proof.len() <= MAX_PROOF_BYTES).unwrap();
    assert!(longest.len() > MAX_PROOF_BYTES - 4);
    assert_eq!(code(&prover, &longest), ACCEPTED);
}

#[test]
fn each_claim_of_a_proof_is_required_and_has_its_type() {
    let prover = Prover::new(Algorithm::EdDsa);
    for claim in ["jti", "htm", "htu", "iat", "ath"] {
        let error =
            verify_at(&dpop(), &prover, &prover.prove(&proof_claims_with(claim, Value::Null)), NOW).unwrap_err();
        assert_eq!(error, DpopError::ClaimMissing(claim));
        assert_eq!(error.code(), "dpop_claim_missing");
    }
    let null = |claim: &str| proof_claims_with(claim, "?").to_string().replacen("\"?\"", "null", 1);
    for claim in ["jti", "htm", "htu", "iat", "ath", "nonce"] {
        for payload in [
            null(claim),
            proof_claims_with(claim, true).to_string(),
            proof_claims_with(claim, json!([])).to_string(),
            proof_claims_with(claim, json!({"a": 1})).to_string(),
            proof_claims_with(claim, -1).to_string(),
        ] {
            assert_eq!(code(&prover, &prover.sign(&prover.header(), &payload)), "dpop_claim_malformed", "{payload}");
        }
    }
    for (claim, value, expected) in [
        ("jti", json!(""), "dpop_claim_malformed"),
        ("jti", json!("x".repeat(257)), "dpop_claim_malformed"),
        ("jti", json!("x".repeat(256)), ACCEPTED),
        ("jti", json!(1), "dpop_claim_malformed"),
        ("iat", json!(NOW.to_string()), "dpop_claim_malformed"),
        ("iat", json!(1e300), "dpop_claim_malformed"),
        ("iat", json!(NOW as f64 + 0.5), ACCEPTED),
        ("ath", json!(""), "dpop_claim_malformed"),
        ("ath", json!(format!("{}=", ath(TOKEN))), "dpop_claim_malformed"),
        ("ath", json!(encode([0; 31])), "dpop_claim_malformed"),
        ("ath", json!(encode([0; 33])), "dpop_claim_malformed"),
        ("ath", json!(encode([0; 512])), "dpop_claim_malformed"),
        ("nonce", json!("not one of ours, and none is asked for"), ACCEPTED),
    ] {
        assert_eq!(code(&prover, &prover.prove(&proof_claims_with(claim, value.clone()))), expected, "{claim} {value}");
    }
}

#[test]
fn only_proofs_are_taken_as_proofs() {
    let prover = Prover::new(Algorithm::Es256);
    let typed = |typ: Value| prover.sign(&prover.header_with("typ", typ), proof_claims().to_string());
    for (typ, expected) in [
        (json!("dpop+jwt"), ACCEPTED),
        (json!("DPoP+JWT"), ACCEPTED),
        (json!("application/dpop+jwt"), ACCEPTED),
        (json!("at+jwt"), "dpop_typ_wrong"),
        (json!("wpt+jwt"), "dpop_typ_wrong"),
        (json!("JWT"), "dpop_typ_wrong"),
        (json!(""), "dpop_typ_wrong"),
        (Value::Null, "dpop_typ_wrong"),
        (json!(1), "dpop_proof_malformed"),
    ] {
        assert_eq!(code(&prover, &typed(typ.clone())), expected, "{typ}");
    }
}

#[test]
fn an_algorithm_is_asymmetric_supported_and_allowed() {
    let prover = Prover::new(Algorithm::Es256);
    let named = |alg: &str| prover.sign(&prover.header_with("alg", alg), proof_claims().to_string());
    for (alg, expected) in [
        ("none", "dpop_alg_none"),
        ("NONE", "dpop_alg_none"),
        ("HS256", "dpop_alg_symmetric"),
        ("HS512", "dpop_alg_symmetric"),
        ("ES256K", "dpop_alg_unsupported"),
        ("es256", "dpop_alg_unsupported"),
        ("", "dpop_alg_unsupported"),
        // Supported, and not what this key is for.
        ("ES384", "dpop_key_unusable"),
        ("EdDSA", "dpop_key_unusable"),
        ("PS256", "dpop_key_unusable"),
    ] {
        assert_eq!(code(&prover, &named(alg)), expected, "{alg}");
    }
    let strict = settings().algorithms([Algorithm::EdDsa]).build().unwrap();
    let proof = prover.prove(&proof_claims());
    assert_eq!(code_of(&verify_at(&strict, &prover, &proof, NOW)), "dpop_alg_not_allowed");
    assert_eq!(strict.algorithms(), "EdDSA Ed25519");
    assert_eq!(dpop().algorithms(), "EdDSA Ed25519 ES256 ES384 RS256 PS256");

    let prover = Prover::new(Algorithm::EdDsa);
    let fully_specified = prover.sign(&prover.header_with("alg", "Ed25519"), proof_claims().to_string());
    assert_eq!(code(&prover, &fully_specified), ACCEPTED);
}

#[test]
fn a_proof_carries_a_public_key_that_can_be_used() {
    let (ec, ed, rsa) = (Prover::new(Algorithm::Es256), Prover::new(Algorithm::EdDsa), Prover::new(Algorithm::Rs256));
    let claims = proof_claims().to_string();
    for (prover, header, expected) in [
        (&ec, ec.key_with("alg", "ES256"), ACCEPTED),
        (&ec, ec.key_with("use", "sig"), ACCEPTED),
        (&ec, ec.key_with("kid", "any name"), ACCEPTED),
        (&ec, ec.header_with("kid", "any name"), ACCEPTED),
        (&ec, ec.header_with("jku", "https://evil.example"), ACCEPTED),
        (&rsa, rsa.key_with("alg", "RS256"), ACCEPTED),
        (&ec, ec.header_with("jwk", Value::Null), "dpop_key_missing"),
        (&ec, ec.key_with("d", "AAAA"), "dpop_key_private"),
        (&ec, ec.key_with("d", 1), "dpop_key_private"),
        (&ed, ed.key_with("d", "AAAA"), "dpop_key_private"),
        (&rsa, rsa.key_with("p", "AAAA"), "dpop_key_private"),
        (&rsa, rsa.key_with("qi", "AAAA"), "dpop_key_private"),
        (&ec, ec.header_with("jwk", json!({})), "dpop_key_unusable"),
        (&ec, ec.header_with("jwk", json!({"kty": "oct", "k": "AAAA"})), "dpop_key_unusable"),
        (&ec, ec.key_with("kty", "RSA"), "dpop_key_unusable"),
        (&ec, ec.key_with("crv", "secp256k1"), "dpop_key_unusable"),
        (&ec, ec.key_with("crv", "P-384"), "dpop_key_unusable"),
        (&ec, ec.key_with("x", "AAAA"), "dpop_key_unusable"),
        (&ec, ec.key_with("y", encode([1; 32])), "dpop_key_unusable"),
        (&ec, ec.key_with("y", Value::Null), "dpop_key_unusable"),
        (&ec, ec.key_with("alg", "ES384"), "dpop_key_unusable"),
        (&ec, ec.key_with("use", "enc"), "dpop_key_unusable"),
        (&ec, ec.key_with("key_ops", json!(["sign"])), "dpop_key_unusable"),
        (&ec, ec.key_with("kid", "k".repeat(257)), "dpop_key_unusable"),
        (&ed, ed.key_with("x", "AAAA"), "dpop_key_unusable"),
        (&ed, ed.key_with("crv", "X25519"), "dpop_key_unusable"),
        (&rsa, rsa.key_with("alg", "PS256"), "dpop_key_unusable"),
        (&rsa, rsa.key_with("n", encode([0xff; 128])), "dpop_key_unusable"),
        (&rsa, rsa.key_with("e", "AQ"), "dpop_key_unusable"),
        (&rsa, rsa.key_with("n", encode([&[0], [0xff; 256].as_slice()].concat())), "dpop_key_unusable"),
    ] {
        assert_eq!(code(prover, &prover.sign(&header, &claims)), expected, "{header}");
    }
}

#[test]
fn a_proof_is_signed_by_the_key_it_carries() {
    let (ours, theirs) = (Prover::new(Algorithm::Es256), Prover::new(Algorithm::Es256));
    let foreign = theirs.sign(&ours.header(), proof_claims().to_string());
    assert_eq!(code(&ours, &foreign), "dpop_signature_invalid");

    let good = ours.prove(&proof_claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    for forged in [
        format!("{input}."),
        format!("{input}.{}", encode([0; 64])),
        format!("{input}.{}", encode([1; 2048])),
        format!("{}.{}.{signature}", encode(ours.header().to_string()), encode(proof_claims_with("x", 1).to_string())),
    ] {
        assert_eq!(code(&ours, &forged), "dpop_signature_invalid", "{forged}");
    }
}

#[test]
fn a_token_is_never_read_with_the_key_it_carries() {
    let prover = Prover::new(Algorithm::EdDsa);
    let token = prover.sign(&prover.header_with("typ", "at+jwt"), "{}");
    assert_eq!(SelfSignedJws::parse(&token).unwrap().verify(), Ok(()), "it is signed by its own key");
    let issuer = SigningKey::generate(Algorithm::EdDsa).unwrap().public_key_set().unwrap();
    let jws = CompactJws::parse(&token).unwrap();
    assert_eq!(jws.token_type(), TokenType::AccessToken);
    assert_eq!(jws.verify(issuer.key_for(&jws).unwrap()).unwrap_err().code(), "signature_invalid");
}

#[test]
fn nothing_that_is_shown_of_a_proof_or_a_request_can_be_used() {
    let prover = Prover::new(Algorithm::EdDsa);
    let proof = prover.prove(&proof_claims());
    let (uri, jkt) = (Uri::from_static("/x?secret=1"), prover.thumbprint);
    let request = ProofContext::new(&Method::POST, &uri, TOKEN, Some(jkt.as_bytes()));
    assert_eq!(format!("{request:?}"), r#"ProofContext { method: POST, path: "/x", .. }"#);
    let shown = format!("{:?}", SelfSignedJws::parse(&proof).unwrap());
    assert!(proof.split('.').all(|part| !shown.contains(part)), "{shown}");
    let elsewhere = prover.prove(&proof_claims_with("htu", "https://tools.example/y?secret=1"));
    assert!(!self::dpop().verify(&elsewhere, &request, at(NOW)).unwrap_err().to_string().contains("secret"));
    let dpop = settings().require_nonce(NonceKey::new(&[42; 32])).build().unwrap();
    assert!(!format!("{dpop:?}").contains("42, 42"), "{dpop:?}");
}
