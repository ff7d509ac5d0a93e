//! Token services that do not all speak RFC 8693 (standards §1.8).

use super::*;
use crate::support::office::set;

const GRAPH: &str = "https://graph.example";
const APP: &str = "9d3e0f4a-1111-2222-3333-444455556666";

fn request(audience: &str, scopes: &str) -> ExchangeRequest {
    ExchangeRequest::new(SubjectToken::new("inbound"), resource(audience)).scopes(scopes.parse().unwrap())
}

fn form(profile: &StsProfile, request: &ExchangeRequest) -> Vec<(String, String)> {
    form_urlencoded::parse(profile.form(request).as_bytes()).into_owned().collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn keycloak_calls_servers_by_the_id_of_their_client() {
    let profile = StsProfile::keycloak().server(resource(RECORDS), "records-client");
    let expected = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", "records-client"),
        ("subject_token", "inbound"),
        ("subject_token_type", ACCESS_TOKEN),
        ("scope", "records:read"),
    ];
    assert_eq!(form(&profile, &request(RECORDS, "records:read")), pairs(&expected));

    let court = Court::new();
    for (aud, expected) in
        [("records-client", ACCEPTED), (RECORDS, "answer_wrong_audience"), ("other", "answer_wrong_audience")]
    {
        let body = answer(&court.key.mint(&set(onward(), "aud", aud)), 300).to_string();
        let mut sts = Sts::new(&court, move |_| body.clone());
        sts.profile = profile.clone();
        assert_eq!(code_of(&delegated(&caller(&court, "1"), &sts.delegator().build(), &hop("records:read"))), expected);
    }
}

#[test]
fn entra_is_asked_on_behalf_of_the_caller() {
    let profile = StsProfile::entra_on_behalf_of();
    let named = profile.clone().server_with_scopes(resource(RECORDS), APP, &format!("api://{APP}"));
    let own = format!("api://{APP}/Records.Read api://{APP}/Records.List");
    for (profile, audience, scope) in [
        (&profile, GRAPH, "https://graph.example/Records.List https://graph.example/Records.Read".to_owned()),
        (&profile.clone().with_default_scopes(), GRAPH, "https://graph.example/.default".to_owned()),
        (&named, RECORDS, own.split(' ').rev().collect::<Vec<_>>().join(" ")),
        (&named.clone().with_default_scopes(), RECORDS, format!("api://{APP}/.default")),
    ] {
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", "inbound"),
            ("requested_token_use", "on_behalf_of"),
            ("scope", &scope),
        ];
        assert_eq!(form(profile, &request(audience, "Records.Read Records.List")), pairs(&expected));
    }
}

/// Its answer has no `issued_token_type`, and its scopes stand below the name of the server.
#[test]
fn what_entra_answers_is_compared_like_any_answer() {
    let court = Court::new();
    let claims = |name: &str, value: Value| {
        let claims =
            json!({"aud": APP, "exp": NOW + 300, "scp": "Records.Read", "iss": "https://login.example/t/v2.0"});
        court.key.sign(&json!({"alg": "EdDSA", "typ": "JWT"}).to_string(), set(claims, name, value).to_string())
    };
    let body = |token: &str, name: &str, value: Value| {
        set(json!({"token_type": "Bearer", "expires_in": 300, "access_token": token, "scope": format!("api://{APP}/Records.Read")}), name, value).to_string()
    };
    let good = claims("ver", json!("2.0"));
    for (body, expected) in [
        (body(&good, "ext_expires_in", json!(300)), ACCEPTED),
        (body(&good, "scope", json!("Records.Read")), ACCEPTED),
        (body(&good, "scope", json!(format!("api://{APP}/Records.Read api://{APP}/Records.Seal"))), "answer_widened"),
        (body(&good, "scope", json!("api://other/Records.Read")), "answer_widened"),
        (body(&good, "issued_token_type", json!("urn:ietf:params:oauth:token-type:id_token")), "answer_wrong_kind"),
        (body(&claims("scp", json!("Records.Read Records.Seal")), "x", Value::Null), "answer_widened"),
        (
            body(&claims("aud", json!("00000003-0000-0000-c000-000000000000")), "x", Value::Null),
            "answer_wrong_audience",
        ),
        (body(&claims("nonce", json!("n")), "x", Value::Null), "answer_wrong_kind"),
        (json!({"error": "interaction_required"}).to_string(), "answer_refused"),
    ] {
        let text = body.clone();
        let mut sts = Sts::new(&court, move |_| body.clone());
        sts.profile =
            StsProfile::entra_on_behalf_of().server_with_scopes(resource(RECORDS), APP, &format!("api://{APP}"));
        let delegator = sts.delegator().build();
        let token = wait(delegator.delegate(&SubjectToken::new("inbound"), &hop("Records.Read")));
        assert_eq!(code_of(&token), expected, "{text}");
    }
}

/// RFC 6749 §5.1: silence means what was asked for, and that was all that there is.
#[test]
fn an_answer_that_is_silent_on_scopes_is_no_answer_where_all_was_asked_for() {
    let at = agentauth_core::Timestamp::from_secs(NOW);
    let (named, all) = (StsProfile::entra_on_behalf_of(), StsProfile::entra_on_behalf_of().with_default_scopes());
    let body = json!({"token_type": "Bearer", "expires_in": 300, "access_token": "x"});
    for (profile, scope, expected) in [
        (&named, Value::Null, ACCEPTED),
        (&all, json!("Records.Read"), ACCEPTED),
        (&all, Value::Null, "answer_incomplete"),
    ] {
        let body = set(body.clone(), "scope", scope).to_string();
        let answer = profile.read_answer(&request(GRAPH, "Records.Read"), &Holder::Unknown, body.as_bytes(), at);
        assert_eq!(
            answer.as_ref().map_or_else(agentauth_core::delegation::AnswerError::code, |_| ACCEPTED),
            expected,
            "{body}"
        );
    }
}

/// Also for those who read an answer without a delegator.
#[test]
fn details_beyond_those_that_were_asked_for_are_not_read() {
    let at = agentauth_core::Timestamp::from_secs(NOW);
    let grant = agentauth_core::scope::Grant::new("records:list").unwrap();
    let details = Authority::new(agentauth_core::ScopeSet::none(), [grant.below("case", "2026").unwrap()]).unwrap();
    let body = set(answer("opaque", 300), "authorization_details", details.to_details()).to_string();
    let read = |request: &ExchangeRequest| {
        request.read_answer(body.as_bytes(), at).map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    assert_eq!(read(&request(RECORDS, "records:read").details(details.clone())), ACCEPTED);
    assert_eq!(read(&request(RECORDS, "records:list")), ACCEPTED, "the scope of that name holds them");
    assert_eq!(read(&request(RECORDS, "records:read")), "answer_widened");
    assert_eq!(read(&ExchangeRequest::new(SubjectToken::new("inbound"), resource(RECORDS))), ACCEPTED);
}

#[test]
fn an_rfc_8693_answer_says_what_was_issued() {
    let body = json!({"token_type": "Bearer", "expires_in": 300, "access_token": "x", "scope": "a"}).to_string();
    let at = agentauth_core::Timestamp::from_secs(NOW);
    for profile in [StsProfile::rfc8693(), StsProfile::keycloak(), StsProfile::default()] {
        let answer = profile.read_answer(&request(RECORDS, "a"), &Holder::Unknown, body.as_bytes(), at);
        assert_eq!(answer.unwrap_err().code(), "answer_incomplete");
    }
}
