//! What a DPoP proof is good for (RFC 9449 §4.3 checks 8 to 12, §7, §9, §11.1), each rule by the code of its refusal:
//! the good proof of a good request, with one thing changed.

use std::sync::Arc;
use std::time::Duration;

use agentauth_core::SystemRandom;
use agentauth_core::Timestamp;
use agentauth_core::binding::dpop::{
    Dpop, DpopConfigError, DpopError, NonceKey, ProofContext, Scheme, VerifiedProof, check_scheme,
};
use agentauth_core::jose::Algorithm;
use agentauth_core::state::{MemoryReplayStore, Remember, ReplayAnswer, ReplayStore};
use http::{Method, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support;
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, encode, wait};
use crate::support::prover::{
    ORIGIN, PATH, Prover, TOKEN, at, ath, code_of, dpop, proof_claims, proof_claims_with, settings, verify_at,
};

#[test]
fn a_proof_is_for_one_method_and_one_target() {
    let prover = Prover::new(Algorithm::EdDsa);
    for (method, htm, expected) in [
        ("POST", "POST", ACCEPTED),
        ("POST", "post", "dpop_htm_mismatch"),
        ("POST", "GET", "dpop_htm_mismatch"),
        ("POST", "", "dpop_htm_mismatch"),
        ("PROPFIND", "PROPFIND", ACCEPTED),
    ] {
        let (method, uri) = (method.parse().unwrap(), Uri::from_static(PATH));
        let request = ProofContext::new(&method, &uri, TOKEN, Some(prover.thumbprint.as_bytes()));
        let proof = prover.prove(&proof_claims_with("htm", htm));
        assert_eq!(code_of(&dpop().verify(&proof, &request, at(NOW))), expected, "{method} {htm}");
    }
    for (uri, htu, expected) in [
        ("/x", "https://tools.example/x", ACCEPTED),
        ("/x?q=1", "https://tools.example/x", ACCEPTED),
        ("/x?q=1", "https://tools.example/x?q=2#f", ACCEPTED),
        ("/x", "HTTPS://TOOLS.example:443/%78", ACCEPTED),
        ("/a%2Fb", "https://tools.example/a%2fb", ACCEPTED),
        ("/", "https://tools.example", ACCEPTED),
        // The authority of the request is the sender's word.
        ("https://evil.example/x", "https://tools.example/x", ACCEPTED),
        ("https://evil.example/x", "https://evil.example/x", "dpop_htu_mismatch"),
        ("/x", "http://tools.example/x", "dpop_htu_mismatch"),
        ("/x", "https://tools.example:8443/x", "dpop_htu_mismatch"),
        ("/x", "https://tools.example.evil.example/x", "dpop_htu_mismatch"),
        ("/x", "https://tools.example/X", "dpop_htu_mismatch"),
        ("/x", "https://tools.example/x/", "dpop_htu_mismatch"),
        ("/x", "https://tools.example//x", "dpop_htu_mismatch"),
        ("/x", "https://tools.example/", "dpop_htu_mismatch"),
        ("/a/b", "https://tools.example/a%2Fb", "dpop_htu_mismatch"),
        // A client has resolved these before it sends; a server may route them as they stand.
        ("/a/../x", "https://tools.example/x", "dpop_htu_mismatch"),
        ("/a/%2e%2e/x", "https://tools.example/x", "dpop_htu_mismatch"),
        ("/a/%2e%2e/x", "https://tools.example/a/%2e%2e/x", "dpop_htu_mismatch"),
        ("*", "https://tools.example/*", "dpop_htu_mismatch"),
        ("/x", "/x", "dpop_claim_malformed"),
        ("/x", "", "dpop_claim_malformed"),
        ("/x", "https://user@tools.example/x", "dpop_claim_malformed"),
        ("/x", "https://tools.example/%zz", "dpop_claim_malformed"),
    ] {
        let (method, uri) = (Method::POST, uri.parse().unwrap());
        let request = ProofContext::new(&method, &uri, TOKEN, Some(prover.thumbprint.as_bytes()));
        let proof = prover.prove(&proof_claims_with("htu", htu));
        assert_eq!(code_of(&dpop().verify(&proof, &request, at(NOW))), expected, "{uri} {htu}");
    }
}

#[test]
fn a_server_that_gives_nonces_takes_no_proof_without_one_of_its_own() {
    let prover = Prover::new(Algorithm::EdDsa);
    let asking =
        |key: u8| settings().require_nonce(NonceKey::new(&[key; 32])).max_age(Duration::from_secs(300)).build();
    let (dpop, replica, stranger) = (asking(1).unwrap(), asking(1).unwrap(), asking(2).unwrap());
    let nonce = dpop.nonce(at(NOW)).unwrap();
    let with = |nonce: Value| prover.prove(&proof_claims_with("nonce", nonce));
    for (nonce, expected) in [
        (json!(nonce), ACCEPTED),
        (json!(replica.nonce(at(NOW))), ACCEPTED),
        (Value::Null, "dpop_nonce_required"),
        (json!(""), "dpop_nonce_refused"),
        (json!(&nonce[1..]), "dpop_nonce_refused"),
        (json!(format!("{nonce}=")), "dpop_nonce_refused"),
        (json!(encode([0; 24])), "dpop_nonce_refused"),
        (json!(stranger.nonce(at(NOW))), "dpop_nonce_refused"),
        (json!("x".repeat(4000)), "dpop_nonce_refused"),
        (json!(1), "dpop_claim_malformed"),
    ] {
        assert_eq!(code_of(&verify_at(&dpop, &prover, &with(nonce.clone()), NOW)), expected, "{nonce:.80}");
    }
    // NOW is the first second of a period.
    for (now, expected) in
        [(NOW + 59, Ok(false)), (NOW + 60, Ok(true)), (NOW + 119, Ok(true)), (NOW + 120, Err("dpop_nonce_refused"))]
    {
        let verified = verify_at(&dpop, &prover, &with(json!(nonce)), now);
        assert_eq!(verified.map(|proof| proof.needs_new_nonce()).map_err(|error| error.code()), expected, "{now}");
    }
    assert_eq!(self::dpop().nonce(at(NOW)), None);
    assert!(NonceKey::generate(&SystemRandom).is_ok());
}

#[test]
fn a_proof_is_of_the_last_minute_to_the_second() {
    let prover = Prover::new(Algorithm::EdDsa);
    let proof = prover.prove(&proof_claims());
    for (now, expected) in [
        (0, "dpop_iat_in_future"),
        (NOW - 6, "dpop_iat_in_future"),
        (NOW - 5, ACCEPTED),
        (NOW, ACCEPTED),
        (NOW + 60, ACCEPTED),
        (NOW + 61, "dpop_iat_too_old"),
        (u64::MAX, "dpop_iat_too_old"),
    ] {
        assert_eq!(code_of(&verify_at(&dpop(), &prover, &proof, now)), expected, "{now}");
    }
    let narrow = settings().max_age(Duration::from_secs(1)).max_ahead(Duration::ZERO).build().unwrap();
    for (now, expected) in
        [(NOW - 1, "dpop_iat_in_future"), (NOW, ACCEPTED), (NOW + 1, ACCEPTED), (NOW + 2, "dpop_iat_too_old")]
    {
        assert_eq!(code_of(&verify_at(&narrow, &prover, &proof, now)), expected, "{now}");
    }
}

#[test]
fn a_proof_is_for_one_token_that_is_bound_to_its_key() {
    let (prover, other) = (Prover::new(Algorithm::Es256), Prover::new(Algorithm::Es256));
    let (uri, proof) = (Uri::from_static(PATH), prover.prove(&proof_claims()));
    let verify = |token: &str, bound_to: Option<&[u8; 32]>| {
        code_of(&dpop().verify(&proof, &ProofContext::new(&Method::POST, &uri, token, bound_to), at(NOW)))
    };
    let ours = Some(prover.thumbprint.as_bytes());
    assert_eq!(verify(TOKEN, ours), ACCEPTED);
    assert_eq!(verify("another.access.token", ours), "dpop_ath_mismatch");
    assert_eq!(verify("", ours), "dpop_ath_mismatch");
    assert_eq!(verify(TOKEN, Some(other.thumbprint.as_bytes())), "dpop_key_mismatch");
    assert_eq!(verify(TOKEN, Some(&[0; 32])), "dpop_key_mismatch");
    assert_eq!(verify(TOKEN, None), "dpop_token_not_bound");
}

#[test]
fn a_token_request_needs_no_token_and_all_the_rest() {
    let prover = Prover::new(Algorithm::EdDsa);
    let uri = Uri::from_static(PATH);
    let ask = |proof: &str| dpop().verify_token_request(proof, &Method::POST, &uri, at(NOW));
    let verified = ask(&prover.prove(&proof_claims_with("ath", Value::Null))).unwrap();
    assert_eq!(verified.key(), &prover.thumbprint);
    for (claim, value, expected) in [
        ("jti", Value::Null, "dpop_claim_missing"),
        ("htm", json!("GET"), "dpop_htm_mismatch"),
        ("htu", json!(ORIGIN), "dpop_htu_mismatch"),
        ("iat", json!(NOW - 61), "dpop_iat_too_old"),
    ] {
        assert_eq!(code_of(&ask(&prover.prove(&proof_claims_with(claim, value)))), expected, "{claim}");
    }
}

#[test]
fn bound_tokens_and_bearer_tokens_are_kept_apart() {
    for (scheme, has_proof, is_bound, expected) in [
        (Scheme::Bearer, false, false, ACCEPTED),
        (Scheme::Dpop, true, true, ACCEPTED),
        (Scheme::Bearer, false, true, "dpop_bound_token_as_bearer"),
        (Scheme::Bearer, true, true, "dpop_proof_with_bearer"),
        (Scheme::Bearer, true, false, "dpop_proof_with_bearer"),
        (Scheme::Dpop, false, true, "dpop_proof_missing"),
        (Scheme::Dpop, false, false, "dpop_proof_missing"),
        (Scheme::Dpop, true, false, "dpop_token_not_bound"),
    ] {
        let outcome = check_scheme(scheme, has_proof, is_bound);
        assert_eq!(code_of(&outcome), expected, "{scheme:?} {has_proof} {is_bound}");
    }
}

#[test]
fn a_proof_is_used_once() {
    let (ours, theirs) = (Prover::new(Algorithm::EdDsa), Prover::new(Algorithm::EdDsa));
    let dpop = dpop();
    let verified = |prover: &Prover, claims: Value, now| verify_at(&dpop, prover, &prover.prove(&claims), now).unwrap();
    let use_at = |proof: &VerifiedProof, now| code_of(&wait(dpop.use_once(proof, at(now))));

    let first = verified(&ours, proof_claims(), NOW);
    assert_eq!(use_at(&first, NOW), ACCEPTED);
    assert_eq!(use_at(&first, NOW), "dpop_replayed");
    assert_eq!(use_at(&first, NOW + 60), "dpop_replayed", "in the last second in which it counts");

    let elsewhere = verified(&ours, proof_claims_with("htu", "https://tools.example:443/cases/7/motions#x"), NOW);
    assert_eq!(use_at(&elsewhere, NOW), "dpop_replayed", "another spelling of the URI");
    let later = verified(&ours, proof_claims_with("iat", NOW + 5), NOW + 5);
    assert_eq!(use_at(&later, NOW + 5), "dpop_replayed", "the same jti");
    assert_eq!(use_at(&verified(&theirs, proof_claims(), NOW), NOW), ACCEPTED, "another client's jti");
    assert_eq!(use_at(&verified(&ours, proof_claims_with("jti", "jti-2"), NOW), NOW), ACCEPTED);
}

#[test]
fn a_proof_that_is_refused_is_not_used_up() {
    let prover = Prover::new(Algorithm::EdDsa);
    let dpop = dpop();
    let proof = prover.prove(&proof_claims());
    let uri = Uri::from_static("/elsewhere");
    let request = ProofContext::new(&Method::POST, &uri, TOKEN, Some(prover.thumbprint.as_bytes()));
    assert_eq!(code_of(&dpop.verify(&proof, &request, at(NOW))), "dpop_htu_mismatch");
    let verified = verify_at(&dpop, &prover, &proof, NOW).unwrap();
    assert_eq!(wait(dpop.use_once(&verified, at(NOW))), Ok(()));
}

/// Answers later, and always the same.
#[derive(Debug)]
struct Distant(ReplayAnswer);

impl ReplayStore for Distant {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        let answer = self.0;
        Remember::later(async move { answer })
    }
}

#[test]
fn without_a_replay_store_no_proof_is_accepted() {
    let prover = Prover::new(Algorithm::EdDsa);
    for (answer, expected) in [
        (ReplayAnswer::Fresh, ACCEPTED),
        (ReplayAnswer::Replayed, "dpop_replayed"),
        (ReplayAnswer::Unavailable, "dpop_replay_unavailable"),
    ] {
        let dpop = settings().replay_store(Arc::new(Distant(answer))).build().unwrap();
        let verified = verify_at(&dpop, &prover, &prover.prove(&proof_claims()), NOW).unwrap();
        assert_eq!(code_of(&wait(dpop.use_once(&verified, at(NOW)))), expected);
    }
    let dpop = settings().replay_store(Arc::new(MemoryReplayStore::with_capacity(1))).build().unwrap();
    for (jti, expected) in [("jti-1", ACCEPTED), ("jti-2", "dpop_replay_unavailable"), ("jti-1", "dpop_replayed")] {
        let verified = verify_at(&dpop, &prover, &prover.prove(&proof_claims_with("jti", jti)), NOW).unwrap();
        assert_eq!(code_of(&wait(dpop.use_once(&verified, at(NOW)))), expected, "{jti}");
    }
}

#[test]
fn the_answer_says_what_the_client_can_do() {
    for (error, expected) in [
        (DpopError::NonceRequired, "use_dpop_nonce"),
        (DpopError::NonceRefused, "use_dpop_nonce"),
        (DpopError::KeyMismatch, "invalid_token"),
        (DpopError::BoundTokenAsBearer, "invalid_token"),
        (DpopError::TokenNotBound, "invalid_token"),
        (DpopError::ReplayUnavailable, "temporarily_unavailable"),
        (DpopError::Replayed, "invalid_dpop_proof"),
        (DpopError::ProofMissing, "invalid_dpop_proof"),
        (DpopError::TooOld(61), "invalid_dpop_proof"),
    ] {
        assert_eq!(error.oauth_error(), expected, "{error}");
    }
}

#[test]
fn settings_that_would_weaken_the_check_are_refused() {
    let secs = Duration::from_secs;
    for origin in ["", "tools.example", "https://tools.example/mcp", "https://u@tools.example", "wss://tools.example"] {
        assert!(matches!(Dpop::new(origin).build(), Err(DpopConfigError::Origin(_))), "{origin}");
    }
    for (dpop, expected) in [
        (settings().algorithms([]), DpopConfigError::NoAlgorithm),
        (settings().max_age(secs(0)), DpopConfigError::MaxAge(0)),
        (settings().max_age(secs(301)), DpopConfigError::MaxAge(301)),
        (settings().max_ahead(secs(61)), DpopConfigError::MaxAhead(61)),
        (settings().nonce_period(Duration::from_millis(999)), DpopConfigError::NoncePeriod(0)),
        (settings().nonce_period(secs(3601)), DpopConfigError::NoncePeriod(3601)),
    ] {
        assert_eq!(dpop.build().unwrap_err(), expected);
    }
}

/// The proof of RFC 9449 §7.1.
const RFC_9449_7_1: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0\
    VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsIm\
    NydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9y\
    Zy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbV\
    FFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

/// The `cnf.jkt` of RFC 9449 §6.1.
const RFC_9449_JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[test]
fn the_examples_of_rfc_9449_verify() {
    let dpop = Dpop::new("https://resource.example.org").build().unwrap();
    let uri = Uri::from_static("/protectedresource");
    let jkt: [u8; 32] = support::court::decode(RFC_9449_JKT).try_into().unwrap();
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let request = ProofContext::new(&Method::GET, &uri, token, Some(&jkt));
    let verified = dpop.verify(RFC_9449_7_1, &request, at(1_562_262_618)).unwrap();
    assert_eq!(verified.key().to_string(), RFC_9449_JKT);
    assert_eq!(code_of(&dpop.verify(RFC_9449_7_1, &request, at(NOW))), "dpop_iat_too_old");

    // §4.1 and §5, the proof of a token request.
    let Some(folder) = support::vectors() else { return };
    let file = folder.join("rfc-oauth-examples/rfc9449.json");
    let examples: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let dpop = Dpop::new("https://server.example.com").build().unwrap();
    let uri = Uri::from_static("/token");
    for example in examples["proofs"].as_array().unwrap() {
        let (proof, iat) = (example["proof"].as_str().unwrap(), example["claims"]["iat"].as_u64().unwrap());
        let verified = dpop.verify_token_request(proof, &Method::POST, &uri, at(iat)).unwrap();
        assert_eq!(example["jkt"], verified.key().to_string());
    }
}

proptest! {
    /// Whatever is presented under a good key: what is accepted says exactly what it must.
    #[test]
    fn only_the_one_good_set_of_claims_is_accepted(
        jti in "[a-z]{0,2}", htm in "POST|GET", htu in r"https://tools\.example(/cases/7/motions|/x)?",
        iat in NOW - 70..NOW + 10, token in "the\\.access\\.token|x",
    ) {
        let prover = Prover::new(Algorithm::EdDsa);
        let claims = json!({"jti": jti, "htm": htm, "htu": htu, "iat": iat, "ath": ath(&token)});
        let good = !jti.is_empty() && htm == "POST" && htu.ends_with(PATH) && token == TOKEN
            && (NOW - 60..=NOW + 5).contains(&iat);
        prop_assert_eq!(verify_at(&dpop(), &prover, &prover.prove(&claims), NOW).is_ok(), good);
    }
}
