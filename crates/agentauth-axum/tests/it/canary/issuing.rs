//! What comes to a token service: subject tokens, assertions, secrets, and codes that it knows nothing of.

use agentauth_axum::token_service;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::{Client, ClientSecret, Consent, ExchangeRequest, RegisteredClient};
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_core::state::MemoryRevocations;
use agentauth_core::{ResourceId, SpiffeId, SubjectToken, SystemRandom, TokenService};
use agentauth_tower::ConnectionPeer;
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use serde_json::json;
use tower::ServiceExt as _;

use super::watch::{Ear, PERSONAL, Watch};
use crate::support::{Court, LAWYER, NOW, SCOPES, STS, TOOLS};

/// The endpoints, and who comes to them.
struct Office {
    watch: Watch,
    app: Router,
    court: Court,
}

impl Office {
    /// Sends `form` to `path`, over the lawyer's connection if `by_lawyer`.
    async fn send(&self, path: &str, by_lawyer: bool, headers: &[(&str, &str)], form: &[(&str, &str)]) -> String {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in [("cookie", "CANARY-cookie"), ("baggage", "a=CANARY")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(form)).unwrap();
        if by_lawyer {
            let lawyer = self.court.verified(&self.court.ca.mint(LAWYER));
            request.extensions_mut().insert(ConnectionPeer(lawyer));
        }
        let (head, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let body = String::from_utf8(body.into()).unwrap();
        match head.extensions.get::<agentauth_core::TokenRefusal>() {
            Some(refusal) => {
                self.watch.say(&(head.status, &head.headers, &body));
                self.watch.error(refusal);
                self.watch.error(&refusal.error);
            }
            // What was issued is told to the client, and to nobody else.
            None => self.watch.say(&(head.status, &head.headers)),
        }
        body
    }
}

#[tokio::test]
async fn no_secret_of_a_client_is_written_anywhere() {
    let (court, watch) = (Court::new(), Watch::default());
    let _heard = tracing::subscriber::set_default(Ear::new(&watch));
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    watch.guard(&URL_SAFE_NO_PAD.encode(key.to_pkcs8().unwrap()));
    let secret = ClientSecret::generate(&SystemRandom).unwrap();
    watch.guard(secret.reveal());
    let app = RegisteredClient::new("app").keys(key.public_key_set().unwrap()).dangerous().allow_bearer_tokens();
    let old = RegisteredClient::new("old").secret(secret.hash()).dangerous().allow_bearer_tokens();
    let issuer = court.issuer(STS).client(app).client(old).dpop(Dpop::new(STS)).revocations(MemoryRevocations::new());
    let service = TokenService::new(issuer.build().unwrap(), watch.clone()).unwrap();
    let alice = format!("{PERSONAL}-alice");
    let consent = Consent::new(&alice, LAWYER.parse::<SpiffeId>().unwrap(), SCOPES.parse().unwrap());
    let consent = service.consent(&consent).await.unwrap();
    watch.guard(consent.token());
    watch.say(&(&service, &consent, &secret, &key, SubjectToken::new(consent.token())));
    let office = Office { app: token_service(service.clone()), watch: watch.clone(), court };

    let serial = std::cell::Cell::new(0);
    let assertion = |name: &str, more: u64| {
        serial.set(serial.get() + 1);
        let jti = format!("CANARY-{}", serial.get());
        let claims = json!({"iss": name, "sub": name, "aud": STS, "exp": NOW + more, "jti": jti});
        let assertion = key.sign(TokenType::ClientAuthentication, claims.to_string().as_bytes()).unwrap();
        watch.guard(&assertion);
        assertion
    };
    let of_type = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let own = [("grant_type", "client_credentials"), ("resource", TOOLS)];
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("resource", TOOLS),
    ];
    let issued = |body: &str| {
        let token = serde_json::from_str::<serde_json::Value>(body).unwrap();
        let token = token["access_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        watch.guard(&token);
        token
    };

    let with = |form: &[(&'static str, &str)], more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        form.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let send = async |path: &str, by_lawyer: bool, headers: &[(&str, &str)], form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
        office.send(path, by_lawyer, headers, &form).await
    };
    // What is granted.
    let good = send("/token", true, &[], with(&exchange, &[("subject_token", consent.token())])).await;
    let good = issued(&good);
    let signed = assertion("app", 60);
    issued(&send("/token", false, &[], with(&own, &[of_type, ("client_assertion", &signed)])).await);
    let basic = format!("Basic {}", STANDARD.encode(format!("old:{}", secret.reveal())));
    watch.guard(&basic["Basic ".len()..]);
    issued(&send("/token", false, &[("authorization", &basic)], with(&own, &[])).await);

    // And what is not.
    let [late, strange, other] = [assertion("app", 0), assertion("nobody", 60), assertion("app", 9_000)];
    for (name, value) in [
        ("client_assertion", &*signed),
        ("client_assertion", &*late),
        ("client_assertion", &*strange),
        ("client_assertion", &*other),
        ("client_assertion", "CANARY.CANARY.CANARY"),
    ] {
        send("/token", false, &[], with(&own, &[of_type, (name, value)])).await;
    }
    for secret in ["CANARY-secret", secret.reveal()] {
        send("/token", false, &[], with(&own, &[("client_id", "old"), ("client_secret", secret)])).await;
        send("/token", false, &[("authorization", "Basic CANARY")], with(&own, &[("client_secret", secret)])).await;
        send("/token", true, &[], with(&own, &[("client_id", "app"), ("client_secret", secret)])).await;
    }
    for more in [
        &[("subject_token", "CANARY-subject")][..],
        &[("subject_token", consent.token()), ("actor_token", "CANARY-actor")],
        &[("subject_token", consent.token()), ("scope", "records:seal")],
        &[("subject_token", consent.token()), ("subject_token", "CANARY")],
        &[("subject_token", &*good)],
        &[("refresh_token", "CANARY-refresh")],
        &[("code", "CANARY-code"), ("code_verifier", "CANARY-verifier"), ("assertion", "CANARY-assertion")],
        &[("subject_token", consent.token()), ("CANARY-parameter", "CANARY")],
    ] {
        send("/token", true, &[], with(&exchange, more)).await;
        send("/token", false, &[("dpop", "CANARY.CANARY.CANARY")], with(&exchange, more)).await;
    }
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "CANARY-refresh")];
    send("/token", true, &[], with(&refresh, &[])).await;
    for path in ["/introspect", "/revoke"] {
        for token in [&*good, "CANARY-token", "CANARY.CANARY.CANARY"] {
            send(path, true, &[], with(&[("token", token), ("token_type_hint", "CANARY")], &[])).await;
            send(path, false, &[("authorization", "Bearer CANARY")], with(&[("token", token)], &[])).await;
        }
    }
    // In the process.
    let lawyer = Client::from(&*office.court.verified(&office.court.ca.mint(LAWYER)));
    let request = ExchangeRequest::new(SubjectToken::new("CANARY-subject"), ResourceId::new(TOOLS).unwrap());
    watch.say(&request);
    watch.error(&service.exchange(&lawyer, &request).await.unwrap_err());

    assert!(watch.amount().iter().all(|lines| *lines > 30), "{:?}", watch.amount());
    assert_eq!(watch.leaks(), [] as [String; 0]);
    assert!(watch.personal().contains(&format!(r#"{{"subject":"{alice}"}}"#)));
}
