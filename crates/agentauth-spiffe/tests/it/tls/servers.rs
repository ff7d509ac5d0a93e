//! A client goes on only with the server that it means.

use std::sync::Arc;

use agentauth_spiffe::tls::{Servers, TlsRefusal};
use rustls::AlertDescription;

use super::support::{Ca, VERSIONS, Workload, bundles, code, id, raw_server, shake};

const CLERK: &str = "spiffe://court.example/agent/clerk";

#[tokio::test]
async fn a_server_that_is_another_agent_is_refused() {
    let (ca, other) = (Ca::new("court.example"), Ca::new("other.example"));
    let workload = Workload::new(&ca, bundles(&[&ca, &other]));
    let clerk = || Servers::exactly(id(CLERK));
    for (servers, server, expected) in [
        (clerk(), ca.mint("/agent/clerk"), Ok(())),
        (clerk(), ca.mint("/agent/thief"), Err("server_not_expected")),
        (clerk(), ca.mint("/agent/clerk/assistant"), Err("server_not_expected")),
        (clerk(), other.mint("/agent/clerk"), Err("server_not_expected")),
        (Servers::any_of([id(CLERK), id("spiffe://other.example/agent/clerk")]), other.mint("/agent/clerk"), Ok(())),
        (Servers::any_of([]), ca.mint("/agent/clerk"), Err("server_not_expected")),
        (Servers::below(id(CLERK)), ca.mint("/agent/clerk/assistant"), Ok(())),
        (Servers::below(id(CLERK)), ca.mint("/agent/clerks"), Err("server_not_expected")),
        (Servers::in_trust_domain("court.example".parse().unwrap()), ca.mint("/agent/thief"), Ok(())),
        (Servers::in_trust_domain("court.example".parse().unwrap()), other.mint("/x"), Err("server_not_expected")),
        (Servers::any(), other.mint("/agent/thief"), Ok(())),
        // Whoever is expected must still be proven, before it is compared with anything.
        (clerk(), Ca::called("x", "court.example").mint("/agent/clerk"), Err("svid_unknown_issuer")),
        (Servers::any(), Ca::called("x", "court.example").mint("/agent/clerk"), Err("svid_unknown_issuer")),
    ] {
        let client = Arc::new(workload.client(servers.clone()).config().unwrap());
        for version in VERSIONS {
            let (_, ours) = shake(raw_server(&server, version), client.clone()).await;
            assert_eq!(ours.map(|_| ()).map_err(|error| code(&error)), expected, "{servers:?}");
        }
    }
}

/// The refusal says who was there, and the server is told no more than that its certificate was not taken.
#[tokio::test]
async fn a_refusal_can_be_read_by_a_program() {
    let ca = Ca::new("court.example");
    let workload = Workload::new(&ca, ca.bundles());
    let client = Arc::new(workload.client(Servers::exactly(id(CLERK))).config().unwrap());
    for version in VERSIONS {
        let (theirs, ours) = shake(raw_server(&ca.mint("/agent/thief"), version), client.clone()).await;
        let ours = ours.unwrap_err();
        let thief = TlsRefusal::ServerNotExpected(id("spiffe://court.example/agent/thief"));
        assert_eq!(TlsRefusal::find(&ours), Some(&thief));
        let theirs = theirs.unwrap_err();
        assert_eq!(TlsRefusal::find(&theirs), None);
        let alert = theirs.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
        assert_eq!(*alert, rustls::Error::AlertReceived(AlertDescription::CertificateUnknown));
    }
}
