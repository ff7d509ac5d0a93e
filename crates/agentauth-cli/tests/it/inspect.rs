//! `agentauth token inspect`.

use agentauth_core::jose::TokenType;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Folder, NOW, Run, chain, claims, encode, key, mint, with};

const INSPECT: [&str; 4] = ["token", "inspect", "--at", "1800000000"];

fn inspect(token: &str) -> Run {
    Folder::new().run(&INSPECT, token)
}

fn inspect_json(token: &str) -> Value {
    Folder::new().run(&[&INSPECT[..], &["--json"]].concat(), token).json()
}

#[test]
fn a_token_is_shown_whole_but_for_its_signature() {
    let token = mint(&with(json!({
        "act": {"sub": "spiffe://court.example/agent/clerk", "act": {"sub": "lawyer", "iss": "https://idp.example"}},
        "cnf": {"x5t#S256": encode([1; 32])},
        "nbf": NOW - 60,
    })));
    assert_snapshot!("whole", inspect(&token).transcript());
}

#[test]
fn programs_get_the_same_as_json() {
    let run = Folder::new().run(&[&INSPECT[..], &["--json"]].concat(), &mint(&claims()));
    assert_snapshot!("json", run.transcript());
}

#[test]
fn the_first_words_are_that_nothing_is_verified() {
    for token in [mint(&claims()), "nonsense".into(), "a.b.c".into()] {
        assert!(inspect(&token).out.starts_with("UNVERIFIED: "));
        assert_eq!(inspect_json(&token)["verified"], json!(false));
    }
}

#[test]
fn a_token_can_be_in_a_file() {
    let folder = Folder::new();
    folder.write("token.txt", mint(&claims()) + "\n");
    let run = folder.run(&[&INSPECT[..], &["token.txt"]].concat(), "");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
}

#[test]
fn what_is_wrong_with_the_form_is_located() {
    let good = mint(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let with_header = |text: &str| format!("{}.{payload}.{signature}", encode(text));
    let with_payload = |text: &[u8]| format!("{header}.{}.{signature}", encode(text));
    let mut found = String::new();
    for (what, token) in [
        ("no token", "nonsense".into()),
        ("two parts", format!("{header}.{payload}")),
        ("encrypted", format!("{header}.AA.AA.AA.AA")),
        ("a token response", format!(r#"{{"access_token":"{good}"}}"#)),
        ("quoted", format!("\"{good}\"")),
        ("cut into lines", format!("{header}.\n{payload}.{signature}")),
        ("padded", format!("{header}=.{payload}.{signature}")),
        ("header cut short", format!("{}.{payload}.{signature}", &header[..header.len() - 2])),
        ("header is no JSON", with_header(r#"{"alg":"EdDSA",}"#)),
        ("header is a list", with_header("[]")),
        ("unsigned", format!("{}.{payload}.", encode(r#"{"alg":"none"}"#))),
        ("symmetric", with_header(r#"{"alg":"HS256"}"#)),
        ("critical", with_header(r#"{"alg":"EdDSA","crit":["x"]}"#)),
        ("a member twice", with_payload(br#"{"sub":"alice","sub":"bob"}"#)),
        ("a wrong type", with_payload(br#"{"exp":"tomorrow"}"#)),
        ("not UTF-8", with_payload(b"{\"sub\":\"\xff\"}")),
        ("claims are no JSON", with_payload(b"{\"sub\":\n  alice}")),
        ("claims are a list", with_payload(b"[1]")),
        ("a bit too many", format!("{header}.e31.{signature}")),
        ("a piece missing", format!("{header}.{payload}.{}", &signature[..85])),
        ("both", format!("{}.{}.{signature}", encode(r#"{"alg":"none"}"#), encode("[]"))),
    ] {
        let run = inspect(&token);
        assert_eq!(run.status, 1, "{what}");
        found += &format!("{what}:\n");
        for problem in inspect_json(&token)["problems"].as_array().unwrap() {
            let text = |name: &str| problem[name].as_str().unwrap_or("-").to_owned();
            found += &format!("  {}: {}\n    {}\n", text("code"), text("error"), text("place"));
        }
    }
    assert_snapshot!("problems_located", found);
}

#[test]
fn a_broken_token_still_shows_what_it_says() {
    let payload = encode(claims().to_string());
    let token = format!("{}.{payload}=.", encode(r#"{"alg":"none","kid":"k"}"#));
    assert_snapshot!("broken", inspect(&token).transcript());
}

#[test]
fn a_chain_of_any_depth_is_drawn_up_to_a_bound() {
    let token = mint(&with(json!({"act": chain(20)})));
    let run = inspect(&token);
    assert_eq!(run.status, 0);
    assert!(
        run.out.contains("agent-16 (at https://sts.example)") && run.out.contains("and 4 earlier actors"),
        "{}",
        run.out
    );
    assert!(!run.out.contains("agent-17 (at"), "{}", run.out);
    assert_eq!(inspect_json(&token)["chain"]["actors"].as_array().unwrap().len(), 20);
    let too_deep = mint(&with(json!({"act": chain(60)})));
    assert_eq!(inspect_json(&too_deep)["problems"][0]["code"], "json_too_deep");
}

#[test]
fn what_a_token_says_cannot_drive_the_terminal() {
    let token = mint(&with(json!({"sub": "\u{1b}[2J\u{9b}\u{202e}\u{430}lice", "\u{1b}x": 1, "scope": "\u{7f}"})));
    for run in [inspect(&token), Folder::new().run(&[&INSPECT[..], &["--json"]].concat(), &token)] {
        let strange = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202e}' | '\u{430}');
        assert_eq!(run.out.chars().find(strange), None);
    }
}

#[test]
fn who_may_use_a_token_is_said_in_words() {
    let print = encode([1; 32]);
    for (cnf, words) in [
        (Value::Null, "not bound to a key"),
        (json!({"jkt": print}), "the holder of the DPoP key"),
        (json!({"x5t#S256": print}), "the holder of the TLS client certificate"),
        (json!({"jwk": {}}), "cnf uses jwk, which is not supported"),
        (json!({"jkt": print, "x5t#S256": print}), "cnf uses several methods (jkt, x5t#S256)"),
        (json!({}), "cnf names no key"),
    ] {
        let run = inspect(&mint(&with(json!({"cnf": cnf}))));
        assert!(run.out.contains(words), "{}", run.out);
    }
}

#[test]
fn a_token_inside_a_token_is_not_shown() {
    let inner = mint(&claims());
    let token = mint(&with(json!({"deep": [{"subject_token": inner}]})));
    let run = Folder::new().run(&INSPECT, &format!("{token}\n"));
    assert!(!run.out.contains(&inner) && run.out.contains("[a token of "), "{}", run.out);
    assert!(!run.out.contains(inner.rsplit('.').next().unwrap()));
}

#[test]
fn times_that_are_none_are_shown_as_they_are() {
    for exp in [json!(-1), json!(1e300), json!("soon"), json!(253_402_300_800_u64)] {
        let token = key().sign(TokenType::AccessToken, with(json!({"exp": exp})).to_string().as_bytes()).unwrap();
        let report = inspect_json(&token);
        assert_eq!((&report["claims"]["exp"], &report["times"]["exp"]), (&exp, &Value::Null));
        assert_eq!(report["problems"][0]["code"], "json_wrong_type");
    }
}
