//! JV, and ID as far as it is about tokens: which JWT-SVIDs the harness believes.

use aws_lc_rs::digest::{Digest, SHA256, SHA384, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{AUDIENCE, DOMAIN, Must, OTHER, Outcome, Report, Suite, ensure};
use crate::mock::jwt::{JwtKey, Pair, base64, claims, jwks, seconds, signing_input};

const SUBJECT: &str = "spiffe://test.example.org/subject";

pub(super) async fn run(suite: &Suite, report: &mut Report) {
    suite.serve_jwt_bundles(&[]);
    report.case(Must, "JV-1", jv_01(suite)).await;
    for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"] {
        report.case(Must, &format!("JV-2/{alg}"), jv_02(suite, alg)).await;
    }
    suite.serve_jwt_bundles(&[]);
    report.case(Must, "JV-5", jv_05(suite)).await;
    report.case(Must, "JV-17", jv_17(suite)).await;
    suite.serve_jwt_bundles(&[]);
    for (id, is_good, token) in cases(suite) {
        report.case(Must, &id, one(suite, is_good, &token, SUBJECT)).await;
    }
    for (variant, id) in ID_01 {
        let token = suite.key.token(id, &[AUDIENCE]);
        report.case(Must, &format!("ID-1/{variant}"), one(suite, false, &token, id)).await;
    }
    for (variant, domain, path) in ID_02 {
        report.case(Must, &format!("ID-2/{variant}"), id_02(suite, domain, path)).await;
    }
    let long = format!("/{}", "a".repeat(2048 - "spiffe://test.example.org/".len()));
    report.case(Must, "ID-2/max-length", id_02(suite, DOMAIN, &long)).await;
}

/// A token that is believed, or one that is not while its counterpart is.
async fn one(suite: &Suite, is_good: bool, token: &str, id: &str) -> Outcome {
    if is_good {
        return suite.harness.accepts(token, id).await;
    }
    control(suite).await?;
    suite.harness.refuses(token).await
}

async fn control(suite: &Suite) -> Outcome {
    let id = "spiffe://test.example.org/control";
    suite.harness.accepts(&suite.key.token(id, &[AUDIENCE]), id).await
}

async fn jv_01(suite: &Suite) -> Outcome {
    suite.harness.accepts(&suite.key.token(SUBJECT, &[AUDIENCE]), SUBJECT).await
}

async fn jv_02(suite: &Suite, alg: &'static str) -> Outcome {
    let key = JwtKey::new(alg, alg);
    suite.serve_own_keys(&[suite.key.jwk_for("jwt-svid"), key.jwk_for("jwt-svid")], &[]);
    suite.harness.accepts(&key.token(SUBJECT, &[AUDIENCE]), SUBJECT).await
}

/// An Ed25519 key is there, and its tokens are none.
async fn jv_05(suite: &Suite) -> Outcome {
    let (ed25519, barrier) = (JwtKey::new("ed25519", "EdDSA"), JwtKey::new("barrier", "ES256"));
    let keys = [&suite.key, &ed25519, &barrier].map(|key| key.jwk_for("jwt-svid"));
    suite.serve_own_keys(&keys, &[]);
    suite.harness.accepts(&barrier.token(SUBJECT, &[AUDIENCE]), SUBJECT).await?;
    suite.harness.refuses(&ed25519.token(SUBJECT, &[AUDIENCE])).await
}

/// The key of one trust domain says nothing of another.
async fn jv_17(suite: &Suite) -> Outcome {
    let other = JwtKey::new("other", "ES256");
    let id = format!("spiffe://{OTHER}/jv-17");
    suite.serve_jwt_bundles(&[(OTHER, jwks(&[other.jwk_for("jwt-svid")]))]);
    suite.harness.accepts(&other.token(&id, &[AUDIENCE]), &id).await?;
    suite.harness.refuses(&suite.key.token(&id, &[AUDIENCE])).await
}

/// A token for each rule that one token can break or keep.
fn cases(suite: &Suite) -> Vec<(String, bool, String)> {
    let key = &suite.key;
    let good = key.token(SUBJECT, &[AUDIENCE]);
    let with_claims = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims(SUBJECT, &[AUDIENCE]);
        change(&mut claims);
        key.sign(&key.header(), &claims)
    };
    let with_header = |change: &dyn Fn(&mut Value)| {
        let mut header = key.header();
        change(&mut header);
        key.sign(&header, &claims(SUBJECT, &[AUDIENCE]))
    };
    let without = |name: &'static str| move |value: &mut Value| drop(value.as_object_mut().unwrap().remove(name));
    let mut found: Vec<(&str, bool, String)> = vec![
        ("JV-3", false, unsigned(key)),
        ("JV-4/HS256", false, symmetric(key, "HS256", hmac::HMAC_SHA256, &[7; 32])),
        ("JV-4/HS384", false, symmetric(key, "HS384", hmac::HMAC_SHA384, &[7; 32])),
        ("JV-4/HS512", false, symmetric(key, "HS512", hmac::HMAC_SHA512, &[7; 32])),
        ("JV-4/hmac-public-key", false, symmetric(key, "HS256", hmac::HMAC_SHA256, pem(key).as_bytes())),
        ("JV-6/rs256-header-ec-key", false, with_header(&|header| header["alg"] = "RS256".into())),
        ("JV-6/es384-header-p256-key", false, es384_with_p256(key)),
        ("JV-7", false, with_claims(&without("aud"))),
        ("JV-8", false, with_claims(&|claims| claims["aud"] = json!(["other"]))),
        ("JV-9", true, with_claims(&|claims| claims["aud"] = json!(["other", AUDIENCE]))),
        ("JV-10", true, with_claims(&|claims| claims["aud"] = AUDIENCE.into())),
        ("JV-11", false, with_claims(&without("exp"))),
        (
            "JV-12",
            false,
            with_claims(&|claims| {
                claims["iat"] = seconds(-600).into();
                claims["exp"] = seconds(-300).into();
            }),
        ),
        ("JV-13", false, with_claims(&|claims| claims["nbf"] = seconds(300).into())),
        ("JV-14", false, flipped(&good)),
        ("JV-15", false, resubjected(&good)),
        ("JV-16", false, JwtKey::new("unknown", "ES256").token(SUBJECT, &[AUDIENCE])),
        ("JV-18", false, key.token("spiffe://unknown.example.org/jv-18", &[AUDIENCE])),
        ("JV-19", false, key.token("https://test.example.org/jv-19", &[AUDIENCE])),
        ("JV-20/typ-JWT", true, with_header(&|header| header["typ"] = "JWT".into())),
        ("JV-20/typ-JOSE", true, with_header(&|header| header["typ"] = "JOSE".into())),
        ("JV-20/no-typ", true, with_header(&without("typ"))),
        ("JV-21", false, with_header(&|header| header["typ"] = "at+jwt".into())),
        ("JV-22", true, with_header(&without("kid"))),
        (
            "JV-23",
            false,
            with_header(&|header| {
                header["crit"] = json!(["urn:example:unknown"]);
                header["urn:example:unknown"] = true.into();
            }),
        ),
        ("JV-24", false, serialised_as_json(&good)),
        ("JV-25/two-parts", false, good.rsplit_once('.').unwrap().0.to_owned()),
    ];
    let [header, payload, _] = parts(&good);
    let (head, tail) = payload.split_at(payload.len() / 2);
    found.push(("JV-25/bad-base64", false, key.sign_text(&format!("{header}.{head}!{tail}"))));
    found.push(("JV-25/bad-json", false, key.sign_text(&format!("{header}.{}", base64(b"{\"sub\":")))));
    found.into_iter().map(|(id, is_good, token)| (id.to_owned(), is_good, token)).collect()
}

fn unsigned(key: &JwtKey) -> String {
    let header = json!({ "alg": "none", "kid": key.kid, "typ": "JWT" });
    format!("{}.", signing_input(&header, &claims(SUBJECT, &[AUDIENCE])))
}

fn symmetric(key: &JwtKey, alg: &str, algorithm: hmac::Algorithm, secret: &[u8]) -> String {
    let header = json!({ "alg": alg, "kid": key.kid, "typ": "JWT" });
    let input = signing_input(&header, &claims(SUBJECT, &[AUDIENCE]));
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
    format!("{input}.{}", base64(tag.as_ref()))
}

/// The public key as a verifier may have it lying about, to be mistaken for a secret.
fn pem(key: &JwtKey) -> String {
    let Pair::Ecdsa(pair) = key.pair() else { panic!("the default key is ECDSA") };
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A signature that is right but for the curve: ECDSA takes the first half of a digest that is too long for it.
fn es384_with_p256(key: &JwtKey) -> String {
    let Pair::Ecdsa(pair) = key.pair() else { panic!("the default key is ECDSA") };
    let header = json!({ "alg": "ES384", "kid": key.kid, "typ": "JWT" });
    let input = signing_input(&header, &claims(SUBJECT, &[AUDIENCE]));
    let hash = digest(&SHA384, input.as_bytes());
    let hash = Digest::import_less_safe(&hash.as_ref()[..32], &SHA256).unwrap();
    format!("{input}.{}", base64(pair.sign_digest(&hash).unwrap().as_ref()))
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn decoded(part: &str) -> Vec<u8> {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn flipped(token: &str) -> String {
    let [header, payload, signature] = parts(token);
    let mut signature = decoded(&signature);
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    format!("{header}.{payload}.{}", base64(&signature))
}

fn resubjected(token: &str) -> String {
    let [header, payload, signature] = parts(token);
    let mut claims: Value = serde_json::from_slice(&decoded(&payload)).unwrap();
    claims["sub"] = "spiffe://test.example.org/admin".into();
    format!("{header}.{}.{signature}", base64(&serde_json::to_vec(&claims).unwrap()))
}

fn serialised_as_json(token: &str) -> String {
    let [protected, payload, signature] = parts(token);
    json!({ "protected": protected, "payload": payload, "signature": signature }).to_string()
}

const ID_01: [(&str, &str); 12] = [
    ("empty-trust-domain", "spiffe:///a"),
    ("port", "spiffe://test.example.org:8080/a"),
    ("userinfo", "spiffe://u@test.example.org/a"),
    ("query", "spiffe://test.example.org/a?x=1"),
    ("fragment", "spiffe://test.example.org/a#f"),
    ("percent-encoded", "spiffe://test.example.org/%41"),
    ("empty-segment", "spiffe://test.example.org/a//b"),
    ("dot-segment", "spiffe://test.example.org/a/./b"),
    ("dot-dot-segment", "spiffe://test.example.org/a/../b"),
    ("trailing-slash", "spiffe://test.example.org/a/"),
    ("invalid-path-char", "spiffe://test.example.org/a!b"),
    ("invalid-trust-domain-char", "spiffe://t$d/a"),
];

const ID_02: [(&str, &str, &str); 3] = [
    ("path-chars", DOMAIN, "/Path.With-Mixed_Case/a.b-c_D/..x/x.."),
    ("trust-domain-chars", "td_1.example-2.org", "/id-2"),
    ("ipv4-trust-domain", "192.168.1.1", "/id-2"),
];

async fn id_02(suite: &Suite, domain: &str, path: &str) -> Outcome {
    let id = format!("spiffe://{domain}{path}");
    ensure(id.len() <= 2048, "the case is wrong")?;
    if domain == DOMAIN {
        return suite.harness.accepts(&suite.key.token(&id, &[AUDIENCE]), &id).await;
    }
    let other = JwtKey::new("other", "ES256");
    suite.serve_jwt_bundles(&[(domain, jwks(&[other.jwk_for("jwt-svid")]))]);
    suite.harness.accepts(&other.token(&id, &[AUDIENCE]), &id).await
}
