//! Every rule for the form, type, key and signature of a token, proven at the engine: each case is a token that is
//! accepted, with one thing changed.

use agentauth_core::jose::{Algorithm, MAX_TOKEN_BYTES, SigningKey};
use agentauth_core::token::{KeySnapshot, KeySource, Keys};
use agentauth_core::{AgentAuth, Evidence, Mode, TrustedIssuer};
use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::support::court::{
    self, ACCEPTED, Court, Key, LAWYER, RESOURCE, STS, authenticate, claims, code, decode, encode, key_set, with,
};

/// The good header, with `name` set to `value`.
fn header_with(key: &Key, name: &str, value: impl Into<Value>) -> String {
    let mut header = key.header();
    header[name] = value.into();
    header.to_string()
}

fn header_without(key: &Key, name: &str) -> String {
    let mut header = key.header();
    header.as_object_mut().unwrap().remove(name).unwrap();
    header.to_string()
}

/// The good token, cut into its three parts.
fn parts(key: &Key) -> [String; 3] {
    let token = key.mint(&claims());
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

/// The same bits in another spelling: a bit that base64url leaves unused is set. `None` if there is no such bit.
fn respell(part: &str) -> Option<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (last, rest) = part.as_bytes().split_last()?;
    let at = ALPHABET.iter().position(|byte| byte == last)?;
    let other = (!part.len().is_multiple_of(4)).then(|| char::from(ALPHABET[at | 1]))?;
    Some(format!("{}{other}", std::str::from_utf8(rest).unwrap()))
}

#[test]
fn a_good_token_is_accepted_and_says_who_acts_for_whom() {
    let court = Court::new();
    let caller = court::caller(&court.auth(), &court.key.mint(&claims()));
    assert_eq!(caller.agent().to_string(), LAWYER);
    assert_eq!(caller.principal().to_string(), format!("alice (at {STS})"));
    assert_eq!(caller.mode(), Mode::OnBehalfOf);
    assert_eq!(caller.scopes().to_string(), "motions:file records:read");
    assert_eq!(caller.delegation().audience().as_str(), RESOURCE);
}

#[test]
fn each_rule_for_the_header_has_its_code() {
    let court = Court::new();
    let auth = court.auth();
    let key = &court.key;
    let good = key.header().to_string();
    for (header, expected) in [
        (good.clone(), ACCEPTED),
        (header_without(key, "kid"), ACCEPTED),
        (header_with(key, "alg", "Ed25519"), ACCEPTED),
        (header_with(key, "x", json!({"unknown": ["members", "do not count"]})), ACCEPTED),
        (header_with(key, "b64", true), ACCEPTED),
        (header_without(key, "alg"), "alg_missing"),
        (header_with(key, "alg", "none"), "alg_none"),
        (header_with(key, "alg", "nOnE"), "alg_none"),
        (header_with(key, "alg", "HS512"), "alg_symmetric"),
        (header_with(key, "alg", "eddsa"), "alg_unsupported"),
        (header_with(key, "alg", "Ed448"), "alg_unsupported"),
        (header_with(key, "alg", ""), "alg_unsupported"),
        (header_with(key, "alg", "ES256"), "alg_not_of_key"),
        (header_with(key, "alg", "RS256"), "alg_not_of_key"),
        (header_with(key, "crit", json!(["exp"])), "crit_unsupported"),
        (header_with(key, "crit", json!(["b64"])), "crit_unsupported"),
        (header_with(key, "crit", Value::Null), "crit_unsupported"),
        (header_with(key, "b64", false), "b64_unsupported"),
        (header_with(key, "b64", "true"), "b64_unsupported"),
        (header_with(key, "kid", "k".repeat(257)), "kid_oversize"),
        (header_with(key, "x5c", "x".repeat(2048)), "header_oversize"),
        (header_with(key, "alg", json!(["EdDSA"])), "json_wrong_type"),
        (header_with(key, "typ", 1), "json_wrong_type"),
        (header_with(key, "kid", json!({"a": 1})), "json_wrong_type"),
        (good.replacen('{', r#"{"alg":"EdDSA","#, 1), "json_duplicate_member"),
        (good.replacen('{', r#"{"k\u0069d":"k","#, 1), "json_duplicate_member"),
        (good.replacen('{', r#"{"x":{"a":1,"a":1},"#, 1), "json_duplicate_member"),
        (format!("[{good}]"), "json_malformed"),
        (format!("{good} x"), "json_malformed"),
        (String::new(), "json_malformed"),
    ] {
        assert_eq!(code(&auth, &key.sign(&header, claims().to_string())), expected, "{header:.120}");
    }
}

#[test]
fn only_access_tokens_are_taken() {
    let court = Court::new();
    let auth = court.auth();
    let key = &court.key;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert_eq!(code(&auth, &key.sign(&header_with(key, "typ", typ), claims().to_string())), ACCEPTED, "{typ}");
    }
    for typ in [
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "txntoken+jwt",
        "wit+jwt",
        "wpt+jwt",
        "statuslist+jwt",
        "token-introspection+jwt",
        "secevent+jwt",
        "logout+jwt",
        "JWT",
        "JOSE",
        "at",
        "at+jwt ",
        "text/at+jwt",
        "",
    ] {
        assert_eq!(code(&auth, &key.sign(&header_with(key, "typ", typ), claims().to_string())), "typ_wrong", "{typ:?}");
    }
    assert_eq!(code(&auth, &key.sign(&header_without(key, "typ"), claims().to_string())), "typ_wrong", "no typ");
}

#[test]
fn an_unsigned_token_is_refused() {
    let court = Court::new();
    let auth = court.auth();
    let [_, payload, _] = parts(&court.key);
    let header = encode(header_with(&court.key, "alg", "none"));
    assert_eq!(code(&auth, &format!("{header}.{payload}.")), "alg_none");
    let [header, payload, _] = parts(&court.key);
    assert_eq!(code(&auth, &format!("{header}.{payload}.")), "signature_invalid");
}

/// CVE-2015-9235 and its kind: everyone knows the public key, so everyone could make the HMAC.
#[test]
fn a_public_key_is_never_a_secret() {
    let court = Court::new();
    let auth = court.auth();
    let jwk = court.key.jwk.to_string();
    let raw = decode(court.key.jwk["x"].as_str().unwrap());
    for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
    {
        for secret in [jwk.as_bytes(), raw.as_slice(), court.key.id.as_bytes(), b""] {
            let input = format!("{}.{}", encode(header_with(&court.key, "alg", name)), encode(claims().to_string()));
            let mac = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
            assert_eq!(code(&auth, &format!("{input}.{}", encode(mac))), "alg_symmetric", "{name}");
        }
    }
}

/// RFC 8725bis §3.10: whoever makes a token can put a key, or a place to find one, into its header.
#[test]
fn a_key_in_the_token_is_never_used() {
    let court = Court::new();
    let auth = court.auth();
    let forger = Key::new();
    let jwks = json!({"keys": [forger.jwk]});
    for (name, value) in [
        ("jwk", forger.jwk.clone()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!(format!("data:application/json,{jwks}"))),
        ("x5u", json!("https://evil.example/leaf.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t#S256", json!(encode([7; 32]))),
    ] {
        for (kid, expected) in
            [(Some(&forger.id), "key_unknown"), (Some(&court.key.id), "signature_invalid"), (None, "signature_invalid")]
        {
            let mut header = json!({"alg": "EdDSA", "typ": "at+jwt", name: value});
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            assert_eq!(code(&auth, &forger.sign(&header.to_string(), claims().to_string())), expected, "{header}");
            let own = court.key.sign(&header.to_string(), claims().to_string());
            assert_eq!(code(&auth, &own) == ACCEPTED, kid != Some(&forger.id), "{header}");
        }
    }
}

#[test]
fn a_key_id_is_only_ever_looked_up() {
    let court = Court::new();
    let auth = court.auth();
    let key = &court.key;
    let kid = key.id.as_str();
    for kid in [
        "",
        "../",
        "../../../../dev/null",
        "/etc/ssl/private/key.pem",
        "x' UNION SELECT 'secret' --",
        "https://evil.example/jwks.json",
        "$(id)",
        "*",
        &format!("{kid}\u{0}"),
        &format!(" {kid}"),
        &format!("{kid}/../{kid}"),
        &kid[1..],
        &kid.to_ascii_uppercase(),
        &"k".repeat(256),
    ] {
        assert_eq!(
            code(&auth, &key.sign(&header_with(key, "kid", kid), claims().to_string())),
            "key_unknown",
            "{kid:?}"
        );
    }
}

#[test]
fn without_a_key_id_only_the_one_fitting_key_is_meant() {
    let court = Court::new();
    let other: Value = serde_json::from_str(SigningKey::generate(Algorithm::Es256).unwrap().public_jwk()).unwrap();
    let token = court.key.sign(&header_without(&court.key, "kid"), claims().to_string());
    for (keys, expected) in [
        (key_set(&[&other, &court.key.jwk]), ACCEPTED),
        (key_set(&[&court.key.jwk, &Key::new().jwk]), "key_not_named"),
        (key_set(&[&other]), "key_not_named"),
    ] {
        let auth = court.bare_engine().issuer(TrustedIssuer::rfc8693(STS, keys)).build().unwrap();
        assert_eq!(code(&auth, &token), expected);
    }
}

#[test]
fn a_token_has_one_form() {
    let court = Court::new();
    let auth = court.auth();
    let [header, payload, signature] = parts(&court.key);
    for (token, expected) in [
        (format!("{header}.{payload}.{signature}"), ACCEPTED),
        (String::new(), "token_not_compact"),
        ("..".into(), "json_malformed"),
        (format!("{header}.{payload}"), "token_not_compact"),
        (format!("{header}.{payload}.{signature}."), "token_not_compact"),
        (format!("{header}.{payload}.{signature}.{signature}.{signature}"), "token_encrypted"),
        (format!("{header}.{payload}.{signature}.{signature}.{signature}.{signature}"), "token_not_compact"),
        (format!(" {header}.{payload}.{signature}"), "token_not_compact"),
        (format!("{header}.{payload}.{signature}\n"), "token_not_compact"),
        (format!("{header}.{payload}.{signature}=="), "token_not_compact"),
        (format!("{header}.{payload}.{signature}\u{e9}"), "token_not_compact"),
        (json!({"protected": header, "payload": payload, "signature": signature}).to_string(), "token_not_compact"),
    ] {
        assert_eq!(code(&auth, &token), expected, "{token}");
    }
}

#[test]
fn each_part_has_one_spelling() {
    let court = Court::new();
    let auth = court.auth();
    let key = &court.key;
    // White space after the JSON makes its length one that leaves bits unused.
    let padded = |text: String| (0..3).find_map(|n| respell(&encode(format!("{text}{}", " ".repeat(n))))).unwrap();
    let [header, payload, signature] = parts(key);
    for token in [
        key.sign_parts(&padded(key.header().to_string()), &payload),
        key.sign_parts(&header, &padded(claims().to_string())),
        format!("{header}.{payload}.{}", respell(&signature).unwrap()),
        format!("{header}.{payload}.{signature}AAA"),
        key.sign_parts(&header, "A"),
    ] {
        assert_eq!(code(&auth, &token), "token_not_canonical", "{token}");
    }
}

#[test]
fn a_token_may_be_16_kib_long_and_no_longer() {
    let court = Court::new();
    let auth = court.auth();
    let padded = |bytes: usize| court.key.mint(&with("pad", "x".repeat(bytes)));
    let room = (MAX_TOKEN_BYTES - padded(0).len()) * 3 / 4;
    let longest = (0..4).map(|less| padded(room - less)).find(|token| token.len() <= MAX_TOKEN_BYTES).unwrap();
    assert!(longest.len() + 2 > MAX_TOKEN_BYTES, "{}", longest.len());
    assert_eq!(code(&auth, &longest), ACCEPTED);
    assert_eq!(code(&auth, &padded(room + 2)), "token_oversize");
    assert_eq!(code(&auth, &"A".repeat(10_000_000)), "token_oversize");
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let court = Court::new();
    let auth = court.auth();
    let good = parts(&court.key);
    for part in 0..3 {
        let bytes = decode(&good[part]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut forged = good.clone();
            forged[part] = encode(flipped);
            let code = code(&auth, &forged.join("."));
            assert_ne!(code, ACCEPTED, "part {part} bit {bit}");
            assert!(part < 2 || code == "signature_invalid", "part {part} bit {bit}: {code}");
        }
    }
    // In the other parts most flips break the JSON first; these do not.
    let forged = |part: usize, from: &str, to: &str| {
        let mut forged = good.clone();
        let text = String::from_utf8(decode(&good[part])).unwrap();
        assert!(text.contains(from));
        forged[part] = encode(text.replace(from, to));
        forged.join(".")
    };
    assert_eq!(code(&auth, &forged(0, "at+jwt", "At+jwt")), "signature_invalid");
    assert_eq!(code(&auth, &forged(1, "alice", "alicd")), "signature_invalid");
}

#[test]
fn the_keys_of_one_issuer_say_nothing_about_another() {
    const OTHER: &str = "https://sts.other.example";
    let court = Court::new();
    let rival = Key::new();
    // The rival publishes its own key under the court's key id.
    let mut jwk = rival.jwk.clone();
    jwk["kid"] = json!(court.key.id);
    let auth = court.engine().issuer(TrustedIssuer::rfc8693(OTHER, key_set(&[&jwk]))).build().unwrap();
    let header = court.key.header().to_string();
    for (key, iss, expected) in [
        (&court.key, STS, ACCEPTED),
        (&rival, OTHER, ACCEPTED),
        (&rival, STS, "signature_invalid"),
        (&court.key, OTHER, "signature_invalid"),
    ] {
        assert_eq!(code(&auth, &key.sign(&header, with("iss", iss).to_string())), expected, "{iss}");
    }
}

#[derive(Debug)]
struct NoKeys;

impl KeySource for NoKeys {
    fn current(&self) -> Option<KeySnapshot> {
        None
    }
}

#[test]
fn without_keys_the_answer_is_not_now_and_never_yes() {
    let court = Court::new();
    let unavailable = || TrustedIssuer::rfc8693(STS, Keys::from_source(NoKeys));
    let auth: AgentAuth = court.bare_engine().issuer(unavailable()).build().unwrap();
    let token = court.key.mint(&claims());
    let rejection = authenticate(&auth, Evidence::bearer(&token)).unwrap_err();
    assert_eq!(rejection.code(), "keys_unavailable");
    assert_eq!(rejection.status().as_u16(), 503);
    assert_eq!(rejection.public_error(), "temporarily_unavailable");
    assert_eq!(rejection.challenges(), [""; 0], "a better token would not help");
    // What needs no key is refused as ever.
    assert_eq!(code(&auth, &court.key.mint(&with("iss", "https://evil.example"))), "issuer_untrusted");
    assert_eq!(code(&auth, &court.key.sign(&header_with(&court.key, "alg", "none"), "{}")), "alg_none");
}
