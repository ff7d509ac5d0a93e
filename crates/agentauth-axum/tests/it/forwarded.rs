//! A proxy on the same host that ends the callers' TLS connections: known by its address, over real connections.

use std::net::SocketAddr;
use std::time::Duration;

use agentauth_axum::{AgentAuthLayer, Caller};
use agentauth_core::identity::forwarded::Xfcc;
use agentauth_tower::{ConnectionAddress, TrustedProxy};
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{self, Court, LAWYER, claims, send};

fn app(court: &Court, proxy: TrustedProxy) -> Router {
    let who = async |caller: Caller| format!("{:?}", caller.peer().map(|peer| peer.id().path().to_owned()));
    let layer = AgentAuthLayer::new(court.auth()).forwarded_identity_from(proxy, Xfcc::sanitize_set());
    Router::new().route("/", get(who)).layer(layer)
}

fn networks(networks: &[&str]) -> TrustedProxy {
    TrustedProxy::networks(networks.iter().copied()).unwrap()
}

/// One request with that header, on a connection of its own: the status and the body.
async fn ask(address: SocketAddr, token: &str, header: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{header}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn a_proxy_is_known_by_the_address_that_axum_saw() {
    let court = Court::new();
    let token = court.mint(&claims());
    let header = format!("x-forwarded-client-cert: By=x;URI={LAWYER}\r\n");
    for (proxy, with_info, expected, code) in [
        (TrustedProxy::loopback_and_sidecar(), true, (200, "Some(\"/agent/lawyer\")"), "allowed"),
        (networks(&["127.0.0.1/32"]), true, (200, "Some(\"/agent/lawyer\")"), "allowed"),
        (networks(&["192.0.2.0/24"]), true, (400, ""), "xfcc_untrusted"),
        // Nothing is known about the connection, so that it is nobody's.
        (TrustedProxy::loopback_and_sidecar(), false, (400, ""), "xfcc_untrusted"),
    ] {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, app) = (socket.local_addr().unwrap(), app(&court, proxy));
        let server = if with_info {
            tokio::spawn(async { axum::serve(socket, app.into_make_service_with_connect_info::<SocketAddr>()).await })
        } else {
            tokio::spawn(async { axum::serve(socket, app).await })
        };
        let (status, body) = tokio::time::timeout(Duration::from_secs(5), ask(address, &token, &header)).await.unwrap();
        server.abort();
        assert_eq!(status, expected.0);
        assert!(status != 200 || body == expected.1, "{body}");
        assert_eq!(court.records.only().code, code);
    }
}

/// Our own listener has seen the connection itself.
#[tokio::test]
async fn what_our_listener_saw_comes_first() {
    let court = Court::new();
    let token = court.mint(&claims());
    let app = app(&court, TrustedProxy::loopback_and_sidecar());
    for (ours, axums, code) in [
        (Some("127.0.0.6"), None, None),
        (None, Some("127.0.0.6:1"), None),
        (Some("127.0.0.6"), Some("192.0.2.7:1"), None),
        (Some("192.0.2.7"), Some("127.0.0.6:1"), Some("xfcc_untrusted")),
        (None, None, Some("xfcc_untrusted")),
    ] {
        let mut request: Request = support::get("/", Some(&token));
        request.headers_mut().insert("x-forwarded-client-cert", format!("URI={LAWYER}").parse().unwrap());
        if let Some(address) = ours {
            request.extensions_mut().insert(ConnectionAddress(address.parse().unwrap()));
        }
        if let Some(address) = axums {
            request.extensions_mut().insert(ConnectInfo(address.parse::<SocketAddr>().unwrap()));
        }
        assert_eq!(send(&app, request).await.code, code, "{ours:?} {axums:?}");
    }
}
