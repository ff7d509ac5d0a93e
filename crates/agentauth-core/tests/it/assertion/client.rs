//! The client's side: what is sent to whom, and which answers are taken.

use agentauth_core::delegation::{AnswerError, IdJagRequest, IdentityAssertion, JwtBearerRequest, SubjectKind};
use agentauth_core::scope::{Authority, Grant, ScopeSet};
use agentauth_core::{IssuerId, ResourceId, SubjectToken, Timestamp};
use serde_json::{Value, json};

use crate::profiles::but;
use crate::support::certs::NOW;
use crate::support::court::ACCEPTED;

const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

fn at_idp() -> IdJagRequest {
    let server = IssuerId::new("https://acme.chat.example/").unwrap();
    IdJagRequest::new(SubjectToken::new("eyJ.id.token"), server, chat())
        .scopes("chat.read chat.history".parse().unwrap())
}

fn chat() -> ResourceId {
    ResourceId::new("https://api.chat.example/").unwrap()
}

fn form(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn an_assertion_is_asked_for_as_the_draft_has_it() {
    let expected = |token, kind| {
        pairs(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", ID_JAG),
            ("audience", "https://acme.chat.example/"),
            ("resource", "https://api.chat.example/"),
            ("subject_token", token),
            ("subject_token_type", kind),
            ("scope", "chat.history chat.read"),
        ])
    };
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    assert_eq!(form(&at_idp().to_form()), expected("eyJ.id.token", id_token));
    let refresh_token = "urn:ietf:params:oauth:token-type:refresh_token";
    let with_refresh = at_idp().subject_kind(SubjectKind::RefreshToken);
    assert_eq!(form(&with_refresh.to_form()), expected("eyJ.id.token", refresh_token));
    assert_eq!(at_idp().audience().as_str(), "https://acme.chat.example/");
}

#[test]
fn an_assertion_is_taken_only_if_it_is_one() {
    let good = json!({
        "issued_token_type": ID_JAG, "access_token": "eyJ.the.jag", "token_type": "N_A",
        "scope": "chat.read chat.history", "expires_in": 300,
    });
    for (changes, expected) in [
        (json!({}), ACCEPTED),
        (json!({"token_type": "n_a"}), ACCEPTED),
        (json!({"scope": "chat.read"}), ACCEPTED),
        (json!({"scope": null}), ACCEPTED),
        (json!({"issued_token_type": ACCESS_TOKEN}), "answer_wrong_kind"),
        (json!({"token_type": "Bearer"}), "answer_wrong_kind"),
        (json!({"token_type": "Bearer", "issued_token_type": ACCESS_TOKEN}), "answer_wrong_kind"),
        (json!({"token_type": null}), "answer_incomplete"),
        (json!({"issued_token_type": null}), "answer_incomplete"),
        (json!({"access_token": null}), "answer_incomplete"),
        (json!({"access_token": "a b"}), "json_wrong_type"),
        (json!({"scope": "chat.read chat.write"}), "answer_widened"),
        (json!({"error": "invalid_grant"}), "answer_refused"),
    ] {
        let body = but(&good, changes.clone()).to_string();
        let answer = at_idp().read_answer(body.as_bytes(), Timestamp::from_secs(NOW));
        assert_eq!(answer.as_ref().map_or_else(AnswerError::code, |_| ACCEPTED), expected, "{changes}");
    }
    let assertion = at_idp().read_answer(good.to_string().as_bytes(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(assertion.scopes().to_string(), "chat.history chat.read");
    assert_eq!(assertion.expires().secs(), NOW + 300);
    assert!(!format!("{assertion:?}").contains("eyJ"));
}

#[test]
fn an_assertion_goes_into_a_request_for_an_access_token() {
    let request = JwtBearerRequest::new(IdentityAssertion::new("eyJ.the.jag"), chat());
    let bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let expected = [("grant_type", bearer), ("assertion", "eyJ.the.jag"), ("resource", "https://api.chat.example/")];
    assert_eq!(form(&request.to_form()), pairs(&expected));
    let narrowed = request.scopes("chat.read".parse().unwrap());
    assert_eq!(form(&narrowed.to_form()), pairs(&[expected.as_slice(), &[("scope", "chat.read")]].concat()));
    assert!(!format!("{narrowed:?}").contains("eyJ"));
}

#[test]
fn an_access_token_is_taken_only_within_what_the_assertion_holds() {
    let good = json!({"token_type": "Bearer", "access_token": "2YotnFZFEjr1zCsicMWpAA", "expires_in": 300});
    let asserted = |scope: Value| {
        let answer = json!({
            "issued_token_type": ID_JAG, "access_token": "eyJ.the.jag", "token_type": "N_A", "scope": scope,
        });
        let request = IdJagRequest::new(SubjectToken::new("t"), IssuerId::new("https://a.example").unwrap(), chat());
        let answer = but(&answer, json!({})).to_string();
        request.read_answer(answer.as_bytes(), Timestamp::from_secs(NOW)).unwrap()
    };
    let bare = || JwtBearerRequest::new(asserted(Value::Null), chat());
    let within = || JwtBearerRequest::new(asserted(json!("chat.read chat.history")), chat());
    let narrowed = || within().scopes("chat.read".parse().unwrap());
    for (request, changes, expected) in [
        (bare(), json!({}), ACCEPTED),
        (bare(), json!({"scope": "chat.read"}), ACCEPTED),
        (within(), json!({"scope": "chat.history"}), ACCEPTED),
        (within(), json!({"scope": "chat.write"}), "answer_widened"),
        (narrowed(), json!({"scope": "chat.read"}), ACCEPTED),
        (narrowed(), json!({"scope": "chat.read chat.history"}), "answer_widened"),
        (bare(), json!({"issued_token_type": ACCESS_TOKEN}), ACCEPTED),
        (bare(), json!({"issued_token_type": ID_JAG}), "answer_wrong_kind"),
        (bare(), json!({"token_type": "N_A"}), "answer_wrong_kind"),
        (bare(), json!({"token_type": null}), "answer_incomplete"),
        (bare(), json!({"access_token": null}), "answer_incomplete"),
        (bare(), json!({"error": "invalid_grant"}), "answer_refused"),
    ] {
        let body = but(&good, changes.clone()).to_string();
        let answer = request.read_answer(body.as_bytes(), Timestamp::from_secs(NOW));
        assert_eq!(answer.as_ref().map_or_else(AnswerError::code, |_| ACCEPTED), expected, "{changes}");
    }
    let issued = within().read_answer(good.to_string().as_bytes(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(
        (issued.token(), issued.scopes().to_string()),
        ("2YotnFZFEjr1zCsicMWpAA", "chat.history chat.read".into())
    );
    assert_eq!(issued.expires().secs(), NOW + 300);
}

/// What scopes cannot say is compared as scopes are, here as at other token services.
#[test]
fn details_that_an_assertion_gets_are_those_that_were_asked_for() {
    let below = |path: &str| {
        let grant = Grant::new("chat.list").unwrap().below("room", path).unwrap();
        Authority::new(ScopeSet::none(), [grant]).unwrap()
    };
    let (held, asked) = (below("2026"), below("2026/17"));
    let at_chat = || JwtBearerRequest::new(IdentityAssertion::new("eyJ.the.jag"), chat());
    let none = || at_chat().scopes(ScopeSet::none());
    let good = json!({"token_type": "Bearer", "access_token": "2YotnFZFEjr1zCsicMWpAA", "expires_in": 300});
    for (request, granted, expected) in [
        (at_chat().details(asked.clone()), asked.to_details(), ACCEPTED),
        (at_chat().details(held.clone()), asked.to_details(), ACCEPTED),
        (none().details(asked.clone()), asked.to_details(), ACCEPTED),
        (at_chat(), held.to_details(), ACCEPTED),
        (at_chat().details(asked.clone()), held.to_details(), "answer_widened"),
        (at_chat().scopes("chat.read".parse().unwrap()), held.to_details(), "answer_widened"),
        (at_chat(), json!([{"type": "payment"}]), "answer_widened"),
        // A server that knows no details takes no scope for all.
        (none().details(asked.clone()), Value::Null, "answer_incomplete"),
    ] {
        let body = but(&good, json!({"authorization_details": granted})).to_string();
        let answer = request.read_answer(body.as_bytes(), Timestamp::from_secs(NOW));
        assert_eq!(answer.as_ref().map_or_else(AnswerError::code, |_| ACCEPTED), expected, "{body}");
        if let Ok(issued) = answer {
            assert_eq!(issued.authority().to_details(), granted);
        }
    }
}
