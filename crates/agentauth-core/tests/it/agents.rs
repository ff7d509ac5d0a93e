//! Agents and their connections: bundles that are replaced while a server runs, identities that are pairs, and the rule
//! that joins a token's actor to the connection's agent.

use std::sync::{Arc, Mutex};

use agentauth_core::identity::svid::{
    BundleSource, IdentityError, IdentitySource, IdentityUnavailable, TrustBundles, X509Identity, X509Svid,
    verify_x509_svid,
};
use agentauth_core::{ActorBinding, AgentTrust, Evidence, PeerProof, SpiffeId, Timestamp};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::certs::{Ca, NOW};
use crate::support::court::{
    ACCEPTED, CLERK, Court, JUDGE, LAWYER, STS, authenticate, bound_to, chain, claims, code_of, code_over, with,
};

/// Bundles as a platform publishes them: replaced as a whole while somebody uses them.
#[derive(Debug, Clone, Default)]
struct Platform(Arc<Mutex<TrustBundles>>);

impl Platform {
    fn publish(&self, bundles: TrustBundles) {
        *self.0.lock().unwrap() = bundles;
    }
}

impl BundleSource for Platform {
    fn bundles(&self) -> TrustBundles {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn a_root_that_is_gone_ends_what_it_vouched_for() {
    let court = Court::new();
    let platform = Platform::default();
    let auth = court.engine().agents(AgentTrust::spiffe(platform.clone())).build().unwrap();
    let (lawyer, token) = (court.peer(LAWYER), court.key.mint(&claims()));
    let ours = court.ca.der();
    let other = Ca::new("court.example").der();
    let expired = Ca::root("court.example", |ca| ca.not_after = crate::support::certs::at(NOW - 1)).der();
    let bundle = |roots: &[CertificateDer<'static>]| {
        TrustBundles::new().with_der("court.example".parse().unwrap(), roots).unwrap()
    };
    for (what, bundles, expected) in [
        ("nothing has come yet", TrustBundles::new(), "svid_unknown_trust_domain"),
        ("its root", bundle(std::slice::from_ref(&ours)), ACCEPTED),
        ("its root beside a new one", bundle(&[other.clone(), ours.clone()]), ACCEPTED),
        ("only the new one", bundle(&[other]), "svid_unknown_issuer"),
        ("its root again", bundle(&[ours]), ACCEPTED),
        ("a root that has ended", bundle(&[expired]), "svid_unknown_issuer"),
        ("its trust domain is withdrawn", TrustBundles::new(), "svid_unknown_trust_domain"),
    ] {
        platform.publish(bundles);
        assert_eq!(code_over(&auth, &token, &lawyer), expected, "{what}");
    }
}

#[test]
fn a_root_counts_by_name_and_key_until_it_ends() {
    let ca = Ca::root("court.example", |ca| ca.not_after = crate::support::certs::at(NOW + 60));
    let svid = ca.peer("/agent/lawyer");
    let bundles = ca.bundles();
    let code = |now| svid.recheck(&bundles, Timestamp::from_secs(now)).map_or_else(|e| e.code(), |()| ACCEPTED);
    assert_eq!([code(NOW), code(NOW + 60), code(NOW + 61)], [ACCEPTED, ACCEPTED, "svid_unknown_issuer"]);
}

/// A leaf that outlives what it was issued under.
#[test]
fn a_path_ends_with_the_first_certificate_on_it() {
    let root = Ca::new("court.example");
    let ends_at =
        |end: u64| move |ca: &mut rcgen::CertificateParams| ca.not_after = crate::support::certs::at(NOW + end);
    let [upper, beside] = [root.below("upper", ends_at(60)), root.below("beside", ends_at(30))];
    let lower = upper.below("lower", ends_at(90));
    let chain = [lower.sign(&lower.leaf("/agent/lawyer")), beside.der(), lower.der(), upper.der()];
    let bundles = root.bundles();
    let svid = verify_x509_svid(&chain, &bundles, Timestamp::from_secs(NOW)).unwrap();
    assert_eq!(svid.not_after().secs(), NOW + 3600);
    for (now, expected) in [(NOW + 60, ACCEPTED), (NOW + 61, "svid_expired")] {
        let now = Timestamp::from_secs(now);
        let [first, again] = [verify_x509_svid(&chain, &bundles, now).map(drop), svid.recheck(&bundles, now)];
        assert_eq!([first, again].map(|found| found.map_or_else(|e| e.code(), |()| ACCEPTED)), [expected; 2], "{now}");
    }
}

#[test]
fn each_actor_binding_joins_token_and_connection_by_its_rule() {
    let court = Court::new();
    let [lawyer, clerk, gateway] = [court.peer(LAWYER), court.peer(CLERK), court.peer(JUDGE)];
    let named = with("act", chain(&["bot"]));
    let bound = |mut claims: serde_json::Value, holder: &X509Svid| {
        claims["cnf"] = bound_to(holder)["cnf"].clone();
        claims
    };
    let gateways = || ActorBinding::peer_or_gateways([JUDGE.parse().unwrap()]);
    for (rule, claims, peer, expected) in [
        (ActorBinding::PeerIfProven, claims(), None, ACCEPTED),
        (ActorBinding::PeerIfProven, claims(), Some(&lawyer), ACCEPTED),
        (ActorBinding::PeerIfProven, claims(), Some(&clerk), "actor_is_not_peer"),
        (ActorBinding::Peer, claims(), None, "peer_missing"),
        (ActorBinding::Peer, claims(), Some(&lawyer), ACCEPTED),
        (ActorBinding::Peer, claims(), Some(&clerk), "actor_is_not_peer"),
        (ActorBinding::Peer, claims(), Some(&gateway), "actor_is_not_peer"),
        (ActorBinding::Peer, named.clone(), Some(&lawyer), "actor_is_not_peer"),
        (ActorBinding::Peer, bound(named.clone(), &lawyer), Some(&lawyer), ACCEPTED),
        (gateways(), claims(), None, "peer_missing"),
        (gateways(), claims(), Some(&lawyer), ACCEPTED),
        (gateways(), claims(), Some(&gateway), ACCEPTED),
        (gateways(), claims(), Some(&clerk), "actor_is_not_peer"),
        (gateways(), named.clone(), Some(&gateway), ACCEPTED),
        // A gateway presents what it was sent; it does not hold what is bound to another's key.
        (gateways(), bound(claims(), &lawyer), Some(&gateway), "binding_certificate_mismatch"),
        (ActorBinding::TokenBound, claims(), None, "actor_not_bound"),
        (ActorBinding::TokenBound, claims(), Some(&lawyer), "actor_not_bound"),
        (ActorBinding::TokenBound, bound(claims(), &clerk), Some(&clerk), ACCEPTED),
        (ActorBinding::TokenBound, bound(claims(), &clerk), Some(&lawyer), "binding_certificate_mismatch"),
    ] {
        let auth = court.engine().actor_binding(rule.clone()).build().unwrap();
        let evidence = Evidence::bearer(&court.key.mint(&claims)).with_peer(peer.cloned());
        let found = code_of(&authenticate(&auth, evidence));
        assert_eq!(found, expected, "{rule:?}, {} over {:?}", claims["act"], peer.map(|peer| peer.id()));
    }
}

#[test]
fn the_record_says_how_the_peer_is_known() {
    let court = Court::new();
    let auth = court.auth();
    authenticate(&auth, Evidence::bearer(&court.key.mint(&claims())).with_peer(Some(court.peer(LAWYER)))).unwrap();
    let record = court.records.only();
    assert_eq!(record.peer.as_ref().map(SpiffeId::as_str), Some(LAWYER));
    assert_eq!(record.peer_proof, Some(PeerProof::MutualTls));
    assert_eq!(serde_json::to_value(&*record).unwrap()["peer_proof"], PeerProof::MutualTls.to_string());

    authenticate(&auth, Evidence::bearer(&court.key.mint(&claims()))).unwrap();
    let record = court.records.only();
    assert_eq!((&record.peer, record.peer_proof), (&None, None));
}

/// A chain and key of `id`, with a key of `algorithm`.
fn pair(ca: &Ca, algorithm: &'static rcgen::SignatureAlgorithm) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    (vec![ca.sign_with(&ca.leaf("/agent/lawyer"), &key)], key)
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).unwrap()
}

#[test]
fn a_chain_and_a_key_are_a_pair() {
    let ca = Ca::new("court.example");
    let (chain, key) = pair(&ca, &rcgen::PKCS_ECDSA_P256_SHA256);
    let (_, other) = pair(&ca, &rcgen::PKCS_ECDSA_P256_SHA256);
    let code = |chain: &[CertificateDer<'static>], key: PrivateKeyDer<'static>| {
        X509Identity::new(chain.to_vec(), key).map_or_else(|error| error.code(), |_| ACCEPTED)
    };
    let root = [ca.der()];
    let garbage = || PrivateKeyDer::try_from(vec![0x30, 0x03, 0x02, 0x01, 0x00]);
    assert_eq!(code(&chain, private(&key)), ACCEPTED);
    assert_eq!(code(&chain, private(&other)), "identity_key_mismatch");
    assert_eq!(code(&[], private(&key)), "identity_no_certificate");
    assert_eq!(code(&root, private(&key)), "svid_no_uri");
    assert_eq!(code(&[CertificateDer::from(vec![1])], private(&key)), "svid_malformed");
    if let Ok(garbage) = garbage() {
        assert_eq!(code(&chain, garbage), "identity_key_unreadable");
    }
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512, &PKCS_ED25519, &PKCS_RSA_SHA256] {
        let (chain, key) = pair(&ca, algorithm);
        assert_eq!(code(&chain, private(&key)), ACCEPTED, "{algorithm:?}");
        assert_eq!(code(&chain, private(&other)), "identity_key_mismatch", "{algorithm:?}");
    }
}

#[test]
fn an_identity_is_read_from_pem_and_shows_no_key() {
    let ca = Ca::new("court.example");
    let key = KeyPair::generate().unwrap();
    let chain = ca.sign_pem(&ca.leaf("/agent/lawyer"), &key);
    let pem = key.serialize_pem();
    let identity = X509Identity::from_pem(chain.as_bytes(), pem.as_bytes()).unwrap();
    assert_eq!((identity.id().as_str(), identity.chain().len()), (LAWYER, 1));
    for (now, expected) in [(NOW - 3601, "svid_not_yet_valid"), (NOW + 3600, ACCEPTED), (NOW + 3601, "svid_expired")] {
        let found = identity.check_validity(Timestamp::from_secs(now));
        assert_eq!(found.map_or_else(|error| error.code(), |()| ACCEPTED), expected);
    }
    let shown = format!("{identity:?}");
    assert!(!shown.contains("PRIVATE") && !shown.contains("key"), "{shown}");
    assert_eq!(X509Identity::from_pem(b"", pem.as_bytes()).unwrap_err(), IdentityError::NoCertificate);
    assert_eq!(X509Identity::from_pem(chain.as_bytes(), chain.as_bytes()).unwrap_err(), IdentityError::Key);
    let der = CertificateDer::from_pem_slice(chain.as_bytes()).unwrap();
    assert_eq!(identity.chain(), [der]);
    let source: Arc<dyn IdentitySource> = Arc::new(Arc::new(identity));
    assert_eq!(source.identity().unwrap().id().as_str(), LAWYER);
}

#[test]
fn an_identity_is_read_from_der_to_the_last_byte() {
    let ca = Ca::new("court.example");
    let (chain, key) = pair(&ca, &rcgen::PKCS_ECDSA_P256_SHA256);
    let whole = [&chain[0][..], &ca.der()].concat();
    let code =
        |chain: &[u8]| X509Identity::from_der(chain, key.serialize_der()).map_or_else(|e| e.code(), |_| ACCEPTED);
    assert_eq!(code(&chain[0]), ACCEPTED);
    assert_eq!(X509Identity::from_der(&whole, key.serialize_der()).unwrap().chain().len(), 2);
    for broken in [&[][..], &whole[..whole.len() - 1], &[&whole[..], &[0]].concat()] {
        assert_eq!(code(broken), "svid_malformed");
    }
    assert_eq!(code(&whole.repeat(200)), "svid_chain_too_long");
}

#[test]
fn a_source_without_an_identity_says_why() {
    for (why, code) in [
        (IdentityUnavailable::NotYet, "identity_not_yet"),
        (IdentityUnavailable::Withdrawn, "identity_withdrawn"),
        (IdentityUnavailable::Expired, "identity_expired"),
    ] {
        assert_eq!(why.code(), code);
    }
}

#[test]
fn bundles_that_are_fixed_are_a_source() {
    let court = Court::new();
    let source: Arc<dyn BundleSource> = Arc::new(court.ca.bundles());
    assert!(Arc::clone(&source).bundles().trusts("court.example"));
    let auth = court.engine().agents(AgentTrust::spiffe(source)).build().unwrap();
    assert_eq!(code_over(&auth, &court.key.mint(&with("iss", STS)), &court.peer(LAWYER)), ACCEPTED);
}
