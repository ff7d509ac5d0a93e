//! What this side shows is its identity as it is now, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agentauth_core::identity::svid::{IdentitySource, IdentityUnavailable, X509Identity};
use agentauth_core::{AgentTrust, Timestamp};
use agentauth_spiffe::tls::{ClientTls, ServerIdentity, ServerTls, Servers};
use rcgen::SanType;
use rustls::{SignatureScheme, SupportedProtocolVersion};

use super::support::{
    Ca, NOW, Role, Shown, VERSIONS, Workload, at, code, incurious_server, picky_server, raw_client, raw_server, shake,
};

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The leaf that a peer is shown by the server or client of `workload`.
async fn shown(
    workload: &Configured,
    role: Role,
    peer: &Shown,
    version: &'static SupportedProtocolVersion,
) -> Result<Vec<u8>, &'static str> {
    let (ours, leaf) = match role {
        Role::Server => {
            let (ours, theirs) = shake(workload.server.clone(), raw_client(Some(peer), version)).await;
            (ours.map(|_| ()), theirs.map(|end| end.get_ref().1.peer_certificates().unwrap()[0].to_vec()))
        }
        Role::Client => {
            let (theirs, ours) = shake(raw_server(peer, version), workload.client.clone()).await;
            (ours.map(|_| ()), theirs.map(|end| end.get_ref().1.peer_certificates().unwrap()[0].to_vec()))
        }
    };
    match ours {
        Ok(()) => Ok(leaf.unwrap()),
        Err(error) => {
            assert!(leaf.is_err(), "the peer believes that it has a connection");
            Err(code(&error))
        }
    }
}

/// The configurations of a workload, made once.
struct Configured {
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
}

impl Configured {
    fn new(workload: &Workload) -> Self {
        let server = Arc::new(workload.server().config().unwrap());
        Self { server, client: Arc::new(workload.client(Servers::any()).config().unwrap()) }
    }
}

#[tokio::test]
async fn each_handshake_shows_the_identity_of_its_moment() {
    let ca = Ca::new("court.example");
    let (workload, peer) = (Workload::new(&ca, ca.bundles()), ca.mint("/peer"));
    let configured = Configured::new(&workload);
    for renewed in [ca.mint("/this/side"), ca.mint("/this/side"), ca.intermediate().mint("/this/side")] {
        workload.platform.set_identity(Ok(renewed.identity()));
        for (role, version) in ROLES.into_iter().flat_map(|role| VERSIONS.map(|version| (role, version))) {
            assert_eq!(shown(&configured, role, &peer, version).await.unwrap(), *renewed.chain[0], "{role:?}");
        }
    }
}

#[tokio::test]
async fn without_an_identity_that_is_good_now_there_is_no_handshake() {
    let ca = Ca::new("court.example");
    let (workload, peer) = (Workload::new(&ca, ca.bundles()), ca.mint("/peer"));
    let configured = Configured::new(&workload);
    let good = ca.mint("/this/side").identity();
    for (identity, expected) in [
        (Ok(good.clone()), Ok(())),
        (Err(IdentityUnavailable::NotYet), Err("identity_not_yet")),
        (Err(IdentityUnavailable::Withdrawn), Err("identity_withdrawn")),
        (Err(IdentityUnavailable::Expired), Err("identity_expired")),
        // Sources that do not look at the time.
        (Ok(ca.certify("/x", |params| params.not_after = at(NOW - 1)).identity()), Err("identity_expired")),
        (Ok(ca.certify("/x", |params| params.not_before = at(NOW + 1)).identity()), Err("identity_not_yet")),
        (Ok(good.clone()), Ok(())),
    ] {
        workload.platform.set_identity(identity);
        for (role, version) in ROLES.into_iter().flat_map(|role| VERSIONS.map(|version| (role, version))) {
            let outcome = shown(&configured, role, &peer, version).await.map(|_| ());
            assert_eq!(outcome, expected, "{role:?} {version:?}");
        }
    }
    // The one that was shown before has ended meanwhile.
    workload.clock.set(Timestamp::from_secs(NOW + 3601));
    let peer = ca.certify("/peer", |params| params.not_after = at(NOW + 7200));
    for role in ROLES {
        assert_eq!(shown(&configured, role, &peer, VERSIONS[0]).await.unwrap_err(), "identity_expired");
    }
}

/// A server that asks for no certificate makes no exception.
#[tokio::test]
async fn a_client_without_an_identity_speaks_to_nobody() {
    let ca = Ca::new("court.example");
    let (workload, peer) = (Workload::new(&ca, ca.bundles()), ca.mint("/peer"));
    let configured = Configured::new(&workload);
    for version in VERSIONS {
        workload.platform.set_identity(Ok(ca.mint("/this/side").identity()));
        assert!(shake(incurious_server(&peer, version), configured.client.clone()).await.1.is_ok());
        workload.platform.set_identity(Err(IdentityUnavailable::Withdrawn));
        let (theirs, ours) = shake(incurious_server(&peer, version), configured.client.clone()).await;
        assert_eq!(code(&ours.unwrap_err()), "identity_withdrawn");
        assert!(theirs.is_err());
    }
}

/// An identity that is gone when the server asks for it, and back when the server is verified: rustls asks twice.
#[tokio::test]
async fn an_identity_that_blinks_ends_the_handshake() {
    #[derive(Debug)]
    struct Blinking(AtomicUsize, Arc<X509Identity>);

    impl IdentitySource for Blinking {
        fn identity(&self) -> Result<Arc<X509Identity>, IdentityUnavailable> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => Err(IdentityUnavailable::NotYet),
                _ => Ok(self.1.clone()),
            }
        }
    }

    let ca = Ca::new("court.example");
    let workload = Workload::new(&ca, ca.bundles());
    for version in VERSIONS {
        let source = Blinking(0.into(), ca.mint("/this/side").identity());
        let client = ClientTls::new(source, ca.bundles(), Servers::any()).clock(workload.clock.clone());
        let client = Arc::new(client.config().unwrap());
        let (theirs, ours) = shake(raw_server(&ca.mint("/peer"), version), client).await;
        assert_eq!(code(&ours.unwrap_err()), "identity_not_yet");
        assert!(theirs.is_err());
    }
}

/// The peer takes Ed25519 only, this side has ECDSA: it does not go on without a certificate.
#[tokio::test]
async fn a_key_that_the_other_side_does_not_take_ends_the_handshake() {
    let ca = Ca::new("court.example");
    let (workload, peer) = (Workload::new(&ca, ca.bundles()), ca.mint("/peer"));
    for version in VERSIONS {
        let picky = picky_server(&peer, version, vec![SignatureScheme::ED25519]);
        let (theirs, ours) = shake(picky, Configured::new(&workload).client).await;
        assert_eq!(code(&ours.unwrap_err()), "identity_key_unsuitable");
        assert!(theirs.is_err());
    }
}

/// Clients that are no workloads know a server by its name.
#[tokio::test]
async fn a_fixed_certificate_of_any_kind_is_shown_as_it_is() {
    let ca = Ca::new("court.example");
    let web = ca.certify("/unused", |params| {
        params.subject_alt_names = vec![SanType::DnsName("tools.example".try_into().unwrap())];
    });
    let identity = ServerIdentity::new(web.chain.clone(), web.key.clone_key());
    let workload = Workload::new(&ca, ca.bundles());
    let server = ServerTls::new(identity, AgentTrust::spiffe(ca.bundles())).clock(workload.clock.clone());
    let configured = Configured { server: Arc::new(server.config().unwrap()), ..Configured::new(&workload) };
    for version in VERSIONS {
        let leaf = shown(&configured, Role::Server, &ca.mint("/peer"), version).await.unwrap();
        assert_eq!(leaf, *web.chain[0]);
    }
}
