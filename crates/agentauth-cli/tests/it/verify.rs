//! `agentauth token verify`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use agentauth_core::jose::TokenType;
use aws_lc_rs::digest::{SHA256, digest};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{
    Folder, NOW, Run, STS, TOOLS, chain, claims, encode, key, mint, sign_with_header, strangers_key, with,
};

const VERIFY: [&str; 10] =
    ["token", "verify", "--issuer", STS, "--jwks", "jwks.json", "--audience", TOOLS, "--at", "1800000000"];

fn verify(token: &str) -> Run {
    verify_with(&[], token)
}

fn verify_with(more: &[&str], token: &str) -> Run {
    Folder::new().run(&[&VERIFY[..], more].concat(), token)
}

/// The codes of the checks that failed.
fn codes(run: &Run) -> Vec<String> {
    let report = run.json();
    let lists = report["check_lists"].as_array().unwrap();
    let checks = lists.iter().flat_map(|list| list["checks"].as_array().unwrap());
    checks.filter_map(|check| check["code"].as_str().map(Into::into)).collect()
}

#[test]
fn a_good_token_passes_every_check_and_says_who_acts_for_whom() {
    assert_snapshot!("good", verify(&mint(&claims())).transcript());
}

#[test]
fn every_broken_rule_is_shown_not_only_the_first() {
    let token = mint(&with(json!({"exp": NOW - 100, "aud": "https://other.example"})));
    assert_snapshot!("expired_and_for_another_audience", verify(&token).transcript());
}

#[test]
fn an_unsigned_token_is_refused_before_its_claims_are_looked_at() {
    let token = format!("{}.{}.", encode(r#"{"alg":"none","typ":"at+jwt"}"#), encode(claims().to_string()));
    assert_snapshot!("alg_none", verify(&token).transcript());
}

#[test]
fn a_token_under_an_unknown_key_is_refused_and_its_other_faults_are_shown() {
    let claims = with(json!({"exp": NOW - 100}));
    let token = strangers_key().sign(TokenType::AccessToken, claims.to_string().as_bytes()).unwrap();
    assert_snapshot!("unknown_key", verify(&token).transcript());
}

#[test]
fn an_id_token_is_refused_for_its_kind() {
    let claims = with(json!({"act": null, "client_id": null, "scope": null, "aud": "client-1", "nonce": "n"}));
    let token = key().sign(TokenType::Jwt, claims.to_string().as_bytes()).unwrap();
    assert_snapshot!("id_token", verify(&token).transcript());
}

#[test]
fn a_chain_that_is_too_deep_is_refused() {
    assert_snapshot!("deep_chain", verify(&mint(&with(json!({"act": chain(5)})))).transcript());
    assert_eq!(verify(&mint(&with(json!({"act": chain(4)})))).status, 0);
}

#[test]
fn programs_get_the_same_as_json() {
    assert_snapshot!("good_json", verify_with(&["--json"], &mint(&claims())).transcript());
    let token = mint(&with(json!({"exp": NOW - 100, "aud": "https://other.example"})));
    let run = verify_with(&["--json"], &token);
    assert_eq!((run.status, codes(&run)), (1, vec!["token_expired".into(), "audience_wrong".into()]));
    assert_eq!((&run.json()["accepted"], &run.json()["reading"]), (&json!(false), &Value::Null));
}

#[test]
fn without_a_utf_8_locale_or_by_wish_the_output_is_ascii() {
    let (folder, token) = (Folder::new(), mint(&with(json!({"exp": NOW - 100}))));
    let by_locale = folder.run_in(&[("LC_ALL", "C")], &VERIFY, &token);
    let by_wish = folder.run(&[&VERIFY[..], &["--ascii"]].concat(), &token);
    assert_eq!(by_locale.transcript(), by_wish.transcript());
    assert!(by_wish.out.is_ascii());
    assert_snapshot!("ascii", by_wish.transcript());
}

#[test]
fn a_pipe_gets_no_colours() {
    let run = Folder::new().run_in(&[("TERM", "xterm"), ("LC_ALL", "C.UTF-8")], &VERIFY, &mint(&claims()));
    assert!(!run.out.contains('\x1b') && !run.err.contains('\x1b'));
}

#[test]
fn what_clings_to_a_token_is_left_out_with_a_remark() {
    let run = verify(&format!("  Bearer {}\n\n", mint(&claims())));
    assert_eq!(run.status, 0);
    assert_snapshot!(run.err, @"note: `Bearer` before the token was left out: it belongs to the header, not to the token");
    let run = verify_with(&["--json"], &format!(" {}", mint(&claims())));
    assert_snapshot!(run.json()["remarks"][0].as_str().unwrap(), @"white space around the token was left out: a server would refuse it");
    assert_eq!(verify(&format!("{}\n", mint(&claims()))).err, "");
}

#[test]
fn a_bound_token_is_good_with_a_remark() {
    let token = mint(&with(json!({"cnf": {"jkt": encode([1; 32])}})));
    let run = verify(&token);
    assert_eq!(run.status, 0);
    assert_snapshot!(run.err, @"note: the token is bound to a key (cnf): a server takes it only from the holder of that key, which is not checked here");
}

#[test]
fn the_profile_decides_how_a_token_is_read() {
    let run = verify_with(&["--profile", "rfc9068", "--json"], &mint(&claims()));
    assert_eq!((run.status, codes(&run)), (1, vec!["act_untrusted".into()]));
    let plain = mint(&with(json!({"act": null, "client_id": "web-app"})));
    let run = verify_with(&["--profile", "rfc9068", "--json"], &plain);
    assert_eq!((run.status, &run.json()["reading"]["mode"]), (0, &json!("client_only")));
}

#[test]
fn every_mode_has_its_sentence() {
    let own = with(json!({"act": null, "sub": "robot", "client_id": "robot", "scope": null}));
    for (claims, profile, sentences) in [
        (claims(), "rfc8693", ["acts on behalf of", "with the scopes motions:file records:read"]),
        (own, "rfc8693", ["acts for itself", "without any scope"]),
        (
            with(json!({"act": null})),
            "rfc9068",
            ["nothing says that it may act for", "with the scopes motions:file records:read"],
        ),
    ] {
        let run = verify_with(&["--profile", profile], &mint(&claims));
        assert_eq!(run.status, 0);
        assert!(sentences.iter().all(|sentence| run.out.contains(sentence)), "{}", run.out);
    }
}

#[test]
fn leeway_is_what_is_asked_for_up_to_its_limit() {
    let token = mint(&with(json!({"exp": NOW - 40})));
    assert_eq!(verify(&token).status, 1);
    assert_eq!(verify_with(&["--leeway", "41"], &token).status, 0);
    let run = verify_with(&["--leeway", "61"], &token);
    assert_eq!(run.status, 2);
    assert_snapshot!(run.err, @"error: --leeway: issuer `https://sts.example`: a leeway of 61 s is more than the 60 s that clocks may differ");
}

#[test]
fn what_cannot_be_judged_has_status_2_and_a_sentence_that_helps() {
    let folder = Folder::new();
    folder.write("not.json", "nothing");
    folder.write(
        "private.json",
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"AA","d":"{}"}}]}}"#, encode([9; 32])),
    );
    folder.write("huge.json", vec![b' '; 300_000]);
    folder.write("bytes.txt", b"\xff\xfe");
    let token = mint(&claims());
    let setting = |option: &'static str, value: &'static str| {
        let mut arguments = VERIFY.to_vec();
        let at = arguments.iter().position(|argument| *argument == option).unwrap();
        arguments[at + 1] = value;
        arguments
    };
    let with_file = |file| [&VERIFY[..], &[file]].concat();
    let mut sentences = String::new();
    for (arguments, input) in [
        (VERIFY.to_vec(), ""),
        (VERIFY.to_vec(), " \n"),
        (with_file("absent.txt"), ""),
        (with_file("bytes.txt"), ""),
        (setting("--issuer", "sts example"), &token),
        (setting("--audience", ""), &token),
        (setting("--jwks", "not.json"), &token),
        (setting("--jwks", "private.json"), &token),
        (setting("--jwks", "huge.json"), &token),
        (setting("--jwks", "http://sts.example/jwks"), &token),
    ] {
        let run = folder.run(&arguments, input);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{arguments:?}");
        sentences += &run.err;
    }
    assert_snapshot!("problems", sentences.replace(" (os error 2)", ""));
}

/// Keycloak, Entra and others put a client id into `aud`.
#[test]
fn an_audience_may_be_a_name_that_is_no_uri() {
    let token = mint(&with(json!({"aud": "notes-server"})));
    for (audience, expected) in [("notes-server", vec![]), ("notes", vec!["audience_wrong".to_owned()])] {
        let arguments: Vec<&str> =
            VERIFY.iter().map(|argument| if *argument == TOOLS { audience } else { argument }).collect();
        let run = Folder::new().run(&[&arguments[..], &["--json"]].concat(), &token);
        assert_eq!(codes(&run), expected);
    }
}

#[test]
fn a_fetch_that_fails_says_why() {
    let arguments = VERIFY.map(|argument| if argument == "jwks.json" { "http://127.0.0.1:1/jwks" } else { argument });
    let run = Folder::new().run(&arguments, &mint(&claims()));
    assert_eq!(run.status, 2);
    assert!(run.err.contains("Connection refused") && run.err.contains("a file with the document"), "{}", run.err);
}

#[test]
fn a_token_on_the_command_line_is_refused_without_repeating_it() {
    let (folder, token) = (Folder::new(), mint(&claims()));
    let as_option = format!("--token={token}");
    for arguments in [vec!["token", "inspect", &token], [&VERIFY[..], &[as_option.as_str()]].concat()] {
        let run = folder.run(&arguments, "");
        assert_eq!(run.status, 2);
        assert!(!run.err.contains("eyJ"), "{}", run.err);
        assert_snapshot!("token_in_arguments", run.err);
    }
}

#[test]
fn a_token_is_refused_for_its_length_however_long_it_is() {
    let hidden_in_spaces = format!("{}{}x", mint(&claims()), " ".repeat(20_000));
    for token in ["A".repeat(16 * 1024 + 1), "A".repeat(1024 * 1024), hidden_in_spaces] {
        let run = verify_with(&["--json"], &token);
        assert_eq!((run.status, codes(&run)), (1, vec!["token_oversize".into()]));
    }
}

#[test]
fn a_key_that_cannot_be_used_is_mentioned() {
    let folder = Folder::new();
    folder.write("jwks.json", format!(r#"{{"keys":[{},{{"kty":"oct","k":"AAAA"}}]}}"#, key().public_jwk()));
    let run = folder.run(&VERIFY, &mint(&claims()));
    assert_eq!(run.status, 0);
    assert!(run.err.contains("(jwk_symmetric)"), "{}", run.err);
}

#[test]
fn keys_are_fetched_from_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let body = format!(r#"{{"keys":[{}]}}"#, key().public_jwk());
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
    });
    let arguments: Vec<&str> =
        VERIFY.iter().map(|argument| if *argument == "jwks.json" { url.as_str() } else { argument }).collect();
    let run = Folder::new().run(&arguments, &mint(&claims()));
    assert_eq!(run.status, 0, "{}", run.err);
    server.join().unwrap();
}

/// A DPoP proof for a GET of [`TOOLS`]`/cases` with `token`, by the stranger's key.
fn proof(token: &str, changes: &Value) -> String {
    let jwk: Value = serde_json::from_str(strangers_key().public_jwk()).unwrap();
    let key = json!({"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"]});
    let header = json!({"alg": "EdDSA", "jwk": key, "typ": "dpop+jwt"});
    let mut claims = json!({
        "ath": encode(digest(&SHA256, token.as_bytes())),
        "htm": "GET",
        "htu": format!("{TOOLS}/cases"),
        "iat": NOW,
        "jti": "proof-1",
    });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    sign_with_header(&header.to_string(), &claims.to_string())
}

#[test]
fn a_proof_is_checked_rule_by_rule() {
    let jkt = strangers_key().key_id().to_owned();
    let token = mint(&with(json!({"cnf": {"jkt": jkt}})));
    let check = |token: &str, proof: &str, method: &str| {
        let folder = Folder::new();
        folder.write("proof", proof);
        let url = format!("{TOOLS}/cases?page=2");
        let more = ["--proof", "proof", "--method", method, "--url", &url];
        folder.run(&[&VERIFY[..], &more].concat(), token)
    };
    assert_snapshot!("proof", check(&token, &proof(&token, &json!({})), "GET").transcript());
    assert_snapshot!("proof_of_another_method", check(&token, &proof(&token, &json!({})), "POST").transcript());

    let codes_of = |token: &str, proof: &str| {
        let folder = Folder::new();
        folder.write("proof", proof);
        let more = ["--json", "--proof", "proof", "--method", "GET", "--url", "https://tools.example/cases"];
        let run = folder.run(&[&VERIFY[..], &more].concat(), token);
        assert_eq!(run.status, 1);
        codes(&run)
    };
    let others = mint(&with(json!({"cnf": {"jkt": key().key_id()}})));
    assert_eq!(codes_of(&others, &proof(&others, &json!({}))), ["dpop_key_mismatch"]);
    assert_eq!(codes_of(&mint(&claims()), &proof(&mint(&claims()), &json!({}))), ["dpop_token_not_bound"]);
    assert_eq!(codes_of(&token, &proof(&token, &json!({"iat": NOW - 1000}))), ["dpop_iat_too_old"]);
    assert_eq!(codes_of(&token, &proof("another token", &json!({}))), ["dpop_ath_mismatch"]);
    assert_eq!(codes_of(&token, "no proof"), ["dpop_proof_malformed"]);
}
