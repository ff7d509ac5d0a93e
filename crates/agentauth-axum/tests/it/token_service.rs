//! Whose request it is that comes to a token service: the client's, or a proxy's in front of it.

use std::net::IpAddr;

use agentauth_axum::{token_service, token_service_behind};
use agentauth_core::TokenService;
use agentauth_core::binding::dpop::Dpop;
use agentauth_core::delegation::RegisteredClient;
use agentauth_core::jose::{Algorithm, SigningKey, TokenType};
use agentauth_tower::{ConnectionAddress, ConnectionPeer, TrustedProxy};
use axum::Router;
use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::support::{Answer, Court, Identity, LAWYER, NOW, STS, TOOLS, send};

const PROXY: &str = "spiffe://court.example/server/proxy";

/// Who connects, and what the request says.
#[derive(Default, Clone, Copy)]
struct Visit<'a> {
    peer: Option<&'a Identity>,
    address: Option<&'a str>,
    header: Option<(&'a str, &'a str)>,
    assertion: Option<&'a str>,
}

async fn visit(court: &Court, app: &Router, visit: Visit<'_>) -> (Answer, &'static str) {
    let mut form = format!("grant_type=client_credentials&resource={TOOLS}");
    if let Some(assertion) = visit.assertion {
        form.push_str(
            "&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion=",
        );
        form.push_str(assertion);
    }
    let mut request = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
    if let Some((name, value)) = visit.header {
        request = request.header(name, value);
    }
    let mut request = request.body(Body::from(form)).unwrap();
    if let Some(peer) = visit.peer {
        request.extensions_mut().insert(ConnectionPeer(court.verified(peer)));
    }
    if let Some(address) = visit.address {
        request.extensions_mut().insert(ConnectionAddress(address.parse().unwrap()));
    }
    let answer = send(app, request).await;
    let record = court.records.only();
    (answer, record.code)
}

#[tokio::test]
async fn a_proxy_is_never_taken_for_its_client() {
    let court = Court::new();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let app = RegisteredClient::new("app").keys(key.public_key_set().unwrap()).dangerous().allow_bearer_tokens();
    let issuer = court.issuer(STS).client(app).dpop(Dpop::new(STS)).build().unwrap();
    let service = TokenService::new(issuer, court.records.clone()).unwrap();
    let (lawyer, proxy) = (court.ca.mint(LAWYER), court.ca.mint(PROXY));
    let direct = token_service(service.clone());
    let behind = token_service_behind(service.clone(), TrustedProxy::agents([PROXY.parse().unwrap()]));
    let address: IpAddr = "10.1.2.3".parse().unwrap();
    let behind_address = token_service_behind(service, TrustedProxy::addresses([address]));
    let serial = std::cell::Cell::new(0);
    let assertion = || {
        serial.set(serial.get() + 1);
        let claims = json!({"iss": "app", "sub": "app", "aud": STS, "exp": NOW + 60, "jti": serial.get().to_string()});
        key.sign(TokenType::ClientAuthentication, claims.to_string().as_bytes()).unwrap()
    };
    let (a, b, c, d) = (assertion(), assertion(), assertion(), assertion());
    let xfcc = Some(("x-forwarded-client-cert", "Hash=00"));
    let (by_proxy, by_lawyer) = (Some(&proxy), Some(&lawyer));
    let here = Some("10.1.2.3");
    let none = Visit::default();
    for (app, request, status, code) in [
        (&direct, Visit { peer: by_lawyer, ..none }, 200, "issued"),
        (&direct, Visit { peer: by_proxy, header: xfcc, ..none }, 400, "client_forwarded"),
        (&direct, Visit { assertion: Some(&a), header: xfcc, ..none }, 400, "client_forwarded"),
        (&behind, Visit { peer: by_proxy, ..none }, 401, "exchange_client_unauthenticated"),
        (&behind, Visit { peer: by_proxy, header: xfcc, ..none }, 401, "exchange_client_unauthenticated"),
        (&behind, Visit { peer: by_proxy, assertion: Some(&b), header: xfcc, ..none }, 200, "issued"),
        (&behind, Visit { peer: by_lawyer, ..none }, 200, "issued"),
        (&behind, Visit { peer: by_lawyer, header: xfcc, ..none }, 400, "client_forwarded"),
        (&behind, Visit { peer: by_lawyer, assertion: Some(&c), ..none }, 400, "client_proof_repeated"),
        (&behind_address, Visit { peer: by_lawyer, address: here, ..none }, 401, "exchange_client_unauthenticated"),
        (&behind_address, Visit { address: here, assertion: Some(&d), ..none }, 200, "issued"),
        (&behind_address, Visit { peer: by_lawyer, address: Some("10.1.2.4"), ..none }, 200, "issued"),
    ] {
        let (answer, found) = visit(&court, app, request).await;
        assert_eq!((answer.status(), found), (status, code), "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn whoever_tries_a_secret_in_the_header_is_told_how() {
    let court = Court::new();
    let service = TokenService::new(court.issuer(STS).build().unwrap(), court.records.clone()).unwrap();
    let app = token_service(service);
    let basic = Some(("authorization", "Basic YTpi"));
    let (answer, code) = visit(&court, &app, Visit { header: basic, ..Visit::default() }).await;
    assert_eq!((answer.status(), code), (401, "client_unknown"));
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"https://sts.court.example\""));
}
