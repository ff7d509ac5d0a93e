//! The issuer on the wire: forms in, JSON out, each answer recorded before it is given; and how a client reads it.

use std::collections::BTreeSet;
use std::sync::Arc;

use agentauth_core::audit::{AuditError, AuditKey, Record, RecordKind};
use agentauth_core::binding::dpop::DpopError;
use agentauth_core::delegation::{
    AnswerError, Client, ClientError, Consent, ExchangeError, ExchangeRequest, IssuedToken, MAX_FORM_BYTES,
};
use agentauth_core::identity::svid::X509Svid;
use agentauth_core::policy::Effect;
use agentauth_core::{
    AgentId, Evidence, Excerpt, ResourceId, SpiffeId, SubjectToken, Timestamp, TokenRefusal, TokenService,
};
use form_urlencoded::Serializer;
use serde_json::{Value, json};

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, Court, Failing, LAWYER, RESOURCE, STS, authenticate, claims_of, wait};
use crate::support::reception::answer;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SCOPES: &str = "motions:file records:read";

struct Counterpart {
    court: Court,
    service: TokenService,
    lawyer: Arc<X509Svid>,
}

impl Counterpart {
    fn new() -> Self {
        let court = Court::new();
        let issuer = court.issuer().resource(RESOURCE, SCOPES).build().unwrap();
        let service = TokenService::new(issuer, court.records.clone()).unwrap().audit_key(AuditKey::new(&[7; 32]));
        let lawyer = court.peer(LAWYER);
        Self { court, service, lawyer }
    }

    fn consent(&self) -> IssuedToken {
        wait(self.service.consent(&Consent::new("alice", lawyer(), SCOPES.parse().unwrap()))).unwrap()
    }

    /// The parameters of an exchange that is granted.
    fn exchange(&self) -> Parameters {
        let consent = self.consent();
        self.court.records.take();
        Parameters(vec![
            ("grant_type".into(), EXCHANGE.into()),
            ("resource".into(), RESOURCE.into()),
            ("subject_token".into(), consent.token().into()),
            ("subject_token_type".into(), ACCESS_TOKEN.into()),
            ("scope".into(), "records:read".into()),
        ])
    }

    fn answer(&self, form: &str) -> Result<Value, TokenRefusal> {
        answer(&self.service, Some(&self.lawyer), form)
    }
}

fn lawyer() -> SpiffeId {
    LAWYER.parse().unwrap()
}

fn resource(id: &str) -> ResourceId {
    ResourceId::new(id).unwrap()
}

#[derive(Clone)]
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        let before = self.0.len();
        self.0.retain(|(given, _)| given != name);
        assert!(self.0.len() < before, "{name}");
        self
    }

    fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    fn encode(&self) -> String {
        Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

#[test]
fn an_exchange_is_answered_as_rfc_8693_has_it() {
    let counterpart = Counterpart::new();
    let form = counterpart.exchange();
    let answer = counterpart.answer(&form.encode()).unwrap();
    let names: BTreeSet<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    // Duty j of standards 1.7: there is no refresh token.
    assert_eq!(names, ["access_token", "expires_in", "issued_token_type", "scope", "token_type"].into());
    assert_eq!(
        (&answer["token_type"], &answer["issued_token_type"], &answer["expires_in"], &answer["scope"]),
        (&json!("Bearer"), &json!(ACCESS_TOKEN), &json!(300), &json!("records:read"))
    );
    assert_eq!(claims_of(answer["access_token"].as_str().unwrap())["sub"], "alice");
    for same in [
        form.clone().with("requested_token_type", ACCESS_TOKEN),
        form.clone().without("resource").with("audience", RESOURCE),
        form.clone().without("scope"),
        form.clone().set("scope", ""),
        form.clone().with("actor_token", "").with("actor_token_type", ""),
        form.clone().with("unknown", "1"),
    ] {
        assert!(counterpart.answer(&same.encode()).is_ok(), "{}", same.encode());
    }
}

#[test]
fn an_agent_gets_its_own_token_by_its_certificate_alone() {
    let counterpart = Counterpart::new();
    let form = Parameters(vec![("grant_type".into(), "client_credentials".into()), ("resource".into(), STS.into())]);
    let answer = counterpart.answer(&form.encode()).unwrap();
    let claims = claims_of(answer["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["aud"], &answer["scope"]), (&json!(LAWYER), &json!(STS), &json!("")));
    assert_eq!(claims.get("scope"), None);
    let code = |form: Parameters| counterpart.answer(&form.encode()).unwrap_err().error.code();
    assert_eq!(code(form.clone().without("resource")), "exchange_malformed");
    assert_eq!(code(form.set("resource", "https://evil.example")), "exchange_target_unknown");
}

#[test]
fn each_rule_for_the_form_is_its_own_refusal() {
    const MALFORMED: &str = "the request is malformed: ";
    let counterpart = Counterpart::new();
    let good = counterpart.exchange();
    let form = || good.clone();
    let pair = "a token and its type must stand together";
    let kind = "only access tokens are exchanged";
    let id_token = "urn:ietf:params:oauth:token-type:id_token";
    let many = (0..28).fold(form(), |form, n| form.with(&format!("x{n}"), ""));
    let long = form().with("x", &"x".repeat(MAX_FORM_BYTES));
    let mut cases = vec![
        (form().without("grant_type"), "no grant_type"),
        (form().set("grant_type", ""), "no grant_type"),
        (form().without("resource"), "no resource"),
        (form().with("audience", RESOURCE), "both resource and audience"),
        (form().without("subject_token").without("subject_token_type"), "no subject_token"),
        (form().without("subject_token"), pair),
        (form().without("subject_token_type"), pair),
        (form().with("actor_token", "a.b.c"), pair),
        (form().with("actor_token_type", ACCESS_TOKEN), pair),
        (form().set("subject_token_type", id_token), kind),
        (form().set("subject_token_type", "access_token"), kind),
        (form().with("actor_token", "a.b.c").with("actor_token_type", "urn:ietf:params:oauth:token-type:jwt"), kind),
        (form().with("requested_token_type", id_token), "only access tokens are issued"),
        (form().set("scope", "a  b"), "scope is malformed"),
        (form().set("scope", "\u{fffd}"), "scope is malformed"),
        (many, "more than 32 parameters"),
        (long, "the form is longer than 65536 bytes, or did not arrive whole"),
    ];
    for (name, value) in form().0 {
        cases.push((form().with(&name, &value), "a parameter stands twice"));
    }
    let twice = form().with("requested_token_type", ACCESS_TOKEN).with("requested_token_type", ACCESS_TOKEN);
    cases.push((twice, "a parameter stands twice"));
    for (form, expected) in cases {
        let refusal = counterpart.answer(&form.encode()).unwrap_err();
        assert_eq!(refusal.error.code(), "exchange_malformed");
        assert_eq!(refusal.to_string(), format!("{MALFORMED}{expected}"), "{:.300}", form.encode());
        assert_eq!(refusal.error.oauth_error(), "invalid_request");
    }
    for grant in [
        "password",
        "authorization_code",
        "refresh_token",
        "Client_Credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let refusal = counterpart.answer(&form().set("grant_type", grant).encode()).unwrap_err();
        assert_eq!(refusal.error.code(), "exchange_grant_unsupported", "{grant}");
    }
    for target in ["tools", "https://tools.example#x", "https://tools.example/"] {
        let refusal = counterpart.answer(&form().set("resource", target).encode()).unwrap_err();
        assert_eq!(refusal.error.code(), "exchange_target_unknown", "{target}");
    }
}

#[test]
fn a_client_without_a_certificate_is_refused_before_its_form_is_read() {
    let counterpart = Counterpart::new();
    for form in [counterpart.exchange().encode(), String::new(), "grant_type=password".into()] {
        let refusal = answer(&counterpart.service, None, &form).unwrap_err();
        assert_eq!(refusal.error.code(), "exchange_client_unauthenticated");
        assert_eq!(counterpart.court.records.only().evaluation_id, refusal.evaluation_id);
    }
}

#[test]
fn a_client_is_told_one_oauth_error() {
    let counterpart = Counterpart::new();
    let service = &counterpart.service;
    let bad = SubjectToken::new("x");
    let refused = |request| wait(service.exchange(&Client::from(&*counterpart.lawyer), &request)).unwrap_err().error;
    let subject = refused(ExchangeRequest::new(bad.clone(), resource(RESOURCE)));
    let own = SubjectToken::new(counterpart.consent().token());
    let actor = refused(ExchangeRequest::new(own, resource(RESOURCE)).for_actor(bad));
    let scopes = || SCOPES.parse().unwrap();
    for (error, expected) in [
        (ExchangeError::ClientUnauthenticated, "invalid_client"),
        (ClientError::Unknown.into(), "invalid_client"),
        (ClientError::Repeated.into(), "invalid_request"),
        (ClientError::ReplayUnavailable.into(), "temporarily_unavailable"),
        (ExchangeError::Dpop(DpopError::NonceRequired), "use_dpop_nonce"),
        (ExchangeError::Dpop(DpopError::ProofRepeated), "invalid_dpop_proof"),
        (ExchangeError::DpopUnsupported, "invalid_dpop_proof"),
        (ExchangeError::BindingRequired, "invalid_dpop_proof"),
        (ExchangeError::Malformed("x"), "invalid_request"),
        (ExchangeError::GrantUnsupported, "unsupported_grant_type"),
        (subject, "invalid_request"),
        (ExchangeError::SubjectTokenNotHeld, "invalid_request"),
        (actor, "invalid_request"),
        (ExchangeError::ActorTokenUnsuitable, "invalid_request"),
        (ExchangeError::ActorNotPermitted(AgentId::Spiffe(lawyer())), "invalid_request"),
        (ExchangeError::TooDeep { found: 5, limit: 4 }, "invalid_request"),
        (ExchangeError::TargetUnknown, "invalid_target"),
        (ExchangeError::ScopeWidened { asked: scopes(), held: scopes() }, "invalid_scope"),
        (ExchangeError::ScopeEmpty, "invalid_scope"),
        (ExchangeError::NoLifetime, "invalid_request"),
        (ExchangeError::Unavailable, "temporarily_unavailable"),
    ] {
        assert_eq!(error.oauth_error(), expected, "{error}");
    }
}

/// Duty k of standards 1.7: what the issuer issued and what the server accepted can be joined in the records.
#[test]
fn each_answer_leaves_exactly_one_record() {
    let counterpart = Counterpart::new();
    let records = &counterpart.court.records;
    let issued = |record: &Record| {
        let issued = record.issued.as_ref().unwrap();
        (issued.audience.to_string(), issued.scopes.to_string(), issued.expires.secs(), issued.token.clone())
    };
    let consent = counterpart.consent();
    let record = records.only();
    assert_eq!((record.kind, record.code, record.effect), (RecordKind::Issuance, "issued", Effect::Allow));
    assert_eq!((&*record.server, record.time.secs(), record.peer.as_ref()), (STS, NOW, None));
    let (audience, scopes, expires, _) = issued(&record);
    assert_eq!((&*audience, &*scopes, expires), (STS, SCOPES, NOW + 300));
    let consented = record.issued.as_ref().unwrap();
    assert_eq!((&*consented.subject, consented.actors.len()), ("alice", 0));
    assert_eq!(consented.may_act.as_ref().map(AgentId::name), Some(LAWYER));

    let request = ExchangeRequest::new(SubjectToken::new(consent.token()), resource(RESOURCE));
    let token = wait(counterpart.service.exchange(&Client::from(&*counterpart.lawyer), &request)).unwrap();
    let record = records.only();
    assert_eq!(record.peer.as_ref().map(SpiffeId::as_str), Some(LAWYER));
    let (audience, scopes, _, hash) = issued(&record);
    assert_eq!((&*audience, &*scopes), (RESOURCE, SCOPES));

    let auth = counterpart.court.engine().audit_key(AuditKey::new(&[7; 32])).build().unwrap();
    let evidence = Evidence::bearer(token.token()).with_peer(Some(counterpart.lawyer.clone()));
    assert!(authenticate(&auth, evidence).is_ok());
    assert_eq!(records.only().delegation.as_ref().unwrap().token, hash);

    assert!(wait(counterpart.service.agent_token(&Client::from(&*counterpart.lawyer), &resource(STS))).is_ok());
    assert_eq!(issued(&records.only()).0, STS);

    let clerk = counterpart.court.peer(CLERK);
    let refusal = wait(counterpart.service.exchange(&Client::from(&*clerk), &request)).unwrap_err();
    let record = records.only();
    assert_eq!((record.code, record.effect), ("exchange_actor_not_permitted", Effect::Deny));
    assert_eq!((&record.evaluation_id, record.issued.is_none()), (&refusal.evaluation_id, true));
    assert_eq!(record.reasons[0].text(), refusal.to_string());
}

#[test]
fn no_issuance_record_holds_a_token() {
    let counterpart = Counterpart::new();
    let form = counterpart.exchange();
    let answer = counterpart.answer(&form.encode()).unwrap();
    assert!(counterpart.answer(&form.set("resource", "https://evil.example").encode()).is_err());
    let consent = counterpart.consent();
    let tokens = [answer["access_token"].as_str().unwrap(), consent.token()];
    for record in counterpart.court.records.take() {
        let json = serde_json::to_string(&*record).unwrap();
        for token in tokens {
            assert!(token.split('.').all(|part| !json.contains(part)), "{json}");
            assert!(!json.contains(claims_of(token)["jti"].as_str().unwrap()), "{json}");
        }
    }
    for shown in [format!("{consent:?}"), format!("{:?}", counterpart.service)] {
        assert!(!shown.contains(consent.token()), "{shown}");
    }
}

#[test]
fn what_cannot_be_recorded_is_not_issued() {
    let counterpart = Counterpart::new();
    let service = TokenService::new(counterpart.service.issuer().clone(), Failing(AuditError::Full)).unwrap();
    let lawyer = &*counterpart.lawyer;
    let form = counterpart.exchange().encode();
    let consent = Consent::new("alice", self::lawyer(), SCOPES.parse().unwrap());
    for code in [
        wait(service.consent(&consent)).unwrap_err().error.code(),
        wait(service.agent_token(&Client::from(lawyer), &resource(STS))).unwrap_err().error.code(),
        answer(&service, Some(lawyer), &form).unwrap_err().error.code(),
        answer(&service, Some(lawyer), "").unwrap_err().error.code(),
        answer(&service, None, "").unwrap_err().error.code(),
    ] {
        assert_eq!(code, "exchange_unavailable");
    }
}

#[test]
fn a_request_and_its_answer_survive_the_wire() {
    let counterpart = Counterpart::new();
    let own = wait(counterpart.service.agent_token(&Client::from(&*counterpart.lawyer), &resource(STS))).unwrap();
    let request = ExchangeRequest::new(SubjectToken::new(counterpart.consent().token()), resource(RESOURCE))
        .for_actor(SubjectToken::new(own.token()))
        .scopes(SCOPES.parse().unwrap());
    let body = counterpart.answer(&request.to_form()).unwrap().to_string();
    let issued = request.read_answer(body.as_bytes(), Timestamp::from_secs(NOW)).unwrap();
    assert_eq!((issued.scopes().to_string(), issued.expires().secs()), (SCOPES.to_owned(), NOW + 300));
    assert_eq!(claims_of(issued.token())["act"]["sub"], LAWYER);
    assert!(!format!("{request:?}").contains(own.token()));
}

/// Standards T3: an answer is checked and not trusted, whatever the service is.
#[test]
fn each_rule_for_an_answer_has_its_code() {
    let request = ExchangeRequest::new(SubjectToken::new("a.b.c"), resource(RESOURCE)).scopes(SCOPES.parse().unwrap());
    let good = json!({
        "access_token": "x.y.z", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 60,
    });
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        answer.to_string()
    };
    let without = |name: &str| {
        let mut answer = good.clone();
        answer.as_object_mut().unwrap().remove(name).unwrap();
        answer.to_string()
    };
    for (body, expected) in [
        (good.to_string(), ACCEPTED),
        (with("token_type", json!("bearer")), ACCEPTED),
        (with("scope", json!("records:read")), ACCEPTED),
        (with("scope", json!("")), ACCEPTED),
        (without("expires_in"), ACCEPTED),
        (without("access_token"), "answer_incomplete"),
        (without("token_type"), "answer_incomplete"),
        (without("issued_token_type"), "answer_incomplete"),
        (with("error", json!("invalid_request")), "answer_refused"),
        (with("token_type", json!("N_A")), "answer_wrong_kind"),
        (with("token_type", json!("DPoP")), "answer_wrong_kind"),
        (with("issued_token_type", json!("urn:ietf:params:oauth:token-type:id_token")), "answer_wrong_kind"),
        (with("scope", json!("records:read records:seal")), "answer_widened"),
        (with("scope", json!("*")), "answer_widened"),
        (with("scope", json!("a  b")), "json_wrong_type"),
        (with("scope", json!(["records:read"])), "json_wrong_type"),
        (with("expires_in", json!("60")), "json_wrong_type"),
        (with("expires_in", json!(-1)), "json_wrong_type"),
        (with("access_token", json!(null)), "json_wrong_type"),
        (with("access_token", json!("")), "json_wrong_type"),
        (with("access_token", json!("a\r\nb")), "json_wrong_type"),
        (with("access_token", json!("a b")), "json_wrong_type"),
        (good.to_string().replacen('{', r#"{"scope":"a","scope":"records:read","#, 1), "json_duplicate_member"),
        ("<html>".into(), "json_malformed"),
        (String::new(), "json_malformed"),
    ] {
        let answer = request.read_answer(body.as_bytes(), Timestamp::from_secs(NOW));
        assert_eq!(answer.as_ref().map_or_else(AnswerError::code, |_| ACCEPTED), expected, "{body}");
    }
    let refused = request.read_answer(br#"{"error":"invalid_scope"}"#, Timestamp::from_secs(NOW));
    assert_eq!(refused.unwrap_err(), AnswerError::Refused(Excerpt::of("invalid_scope")));
}
