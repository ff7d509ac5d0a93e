//! What goes over a connection, and that no later one makes use of it.

use std::sync::Arc;

use agentauth_spiffe::tls::Servers;
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::support::{Ca, VERSIONS, Workload, bundles, id, raw_client, raw_server, shake};

#[tokio::test]
async fn two_workloads_talk_over_http_1_1() {
    let (ca, other) = (Ca::new("court.example"), Ca::new("other.example"));
    let (here, there) = (Workload::new(&ca, bundles(&[&ca, &other])), Workload::new(&other, bundles(&[&ca, &other])));
    let (server, peer) = here.server().handshakes().unwrap().begin().unwrap();
    let client = there.client(Servers::exactly(id("spiffe://court.example/this/side"))).config().unwrap();
    let (server, client) = shake(server, Arc::new(client)).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    assert_eq!(peer.svid().unwrap().id().as_str(), "spiffe://other.example/this/side");
    for alpn in [server.get_ref().1.alpn_protocol(), client.get_ref().1.alpn_protocol()] {
        assert_eq!(alpn, Some(&b"http/1.1"[..]));
    }
    client.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

/// A resumed session would skip the checks of the certificate.
#[tokio::test]
async fn no_session_is_resumed_by_either_end() {
    let ca = Ca::new("court.example");
    let (workload, peer) = (Workload::new(&ca, ca.bundles()), ca.mint("/peer"));
    for version in VERSIONS {
        let (server, client) = (Arc::new(workload.server().config().unwrap()), raw_client(Some(&peer), version));
        let (raw, ours) = (raw_server(&peer, version), Arc::new(workload.client(Servers::any()).config().unwrap()));
        for _ in 0..2 {
            // Clients and servers remember sessions in their configurations, unless told otherwise.
            for (server, client) in [(&server, &client), (&raw, &ours)] {
                let (server, client) = shake(server.clone(), client.clone()).await;
                assert_eq!(server.unwrap().get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
                assert_eq!(client.unwrap().get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            }
        }
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_only_where_that_is_said() {
    let ca = Ca::new("court.example");
    let workload = Workload::new(&ca, ca.bundles());
    for version in VERSIONS {
        let (config, peer) = workload.server().optional_clients().handshakes().unwrap().begin().unwrap();
        assert!(shake(config, raw_client(None, version)).await.0.is_ok());
        assert_eq!(peer.svid(), None);
        let error =
            shake(Arc::new(workload.server().config().unwrap()), raw_client(None, version)).await.0.unwrap_err();
        let error = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
        assert_eq!(*error, rustls::Error::NoCertificatesPresented);
    }
}

/// What one connection has verified is not what another one has.
#[tokio::test]
async fn a_configuration_for_one_connection_is_good_for_one() {
    let ca = Ca::new("court.example");
    let workload = Workload::new(&ca, ca.bundles());
    let (config, peer) = workload.server().handshakes().unwrap().begin().unwrap();
    let client = |path| raw_client(Some(&ca.mint(path)), VERSIONS[0]);
    assert!(shake(config.clone(), client("/first")).await.0.is_ok());
    assert!(shake(config, client("/second")).await.0.is_err());
    assert_eq!(peer.svid().unwrap().id().path(), "/first");
}

/// It is a library: whoever uses it decides on the provider of the process, or does not.
#[tokio::test]
async fn no_process_wide_provider_is_installed() {
    let ca = Ca::new("court.example");
    let workload = Workload::new(&ca, ca.bundles());
    let client = Arc::new(workload.client(Servers::any()).config().unwrap());
    let (server, client) = shake(Arc::new(workload.server().config().unwrap()), client).await;
    assert!(server.is_ok() && client.is_ok());
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}
