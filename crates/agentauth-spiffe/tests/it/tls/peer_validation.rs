//! The conformance catalogue's XV: what is demanded of a peer, by servers and by clients, in TLS 1.3 and 1.2. Each
//! refusal is beside a peer that the same side lets in.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, SanType};

use super::support::{Ca, NOW, Role, Shown, Workload, at, uri};

const PEER: &str = "spiffe://court.example/peer";

/// The peer's certificate is as SVIDs are, but for what `change` does to it.
async fn refused(role: Role, code: &str, change: impl FnOnce(&mut CertificateParams)) {
    let ca = Ca::new("court.example");
    refused_peer(role, &ca, &ca.certify("/peer", change), code).await;
}

async fn refused_peer(role: Role, ca: &Ca, peer: &Shown, code: &str) {
    let workload = Workload::new(ca, ca.bundles());
    workload.accepts(role, &ca.mint("/peer"), PEER).await;
    workload.refuses(role, peer, code).await;
}

async fn accepted(role: Role, change: impl FnOnce(&mut CertificateParams)) {
    let ca = Ca::new("court.example");
    Workload::new(&ca, ca.bundles()).accepts(role, &ca.certify("/peer", change), PEER).await;
}

async fn xv_01(role: Role) {
    accepted(role, |_| {}).await;
}

async fn xv_02(role: Role) {
    let ca = Ca::new("court.example");
    let peer = ca.intermediate().mint("/peer");
    assert_eq!(peer.chain.len(), 2);
    Workload::new(&ca, ca.bundles()).accepts(role, &peer, PEER).await;
}

async fn xv_03(role: Role) {
    let dns = || SanType::DnsName("peer.example".try_into().unwrap());
    accepted(role, |params| params.subject_alt_names.extend([dns(), dns()])).await;
}

/// rcgen marks the names of a certificate without a subject as critical (RFC 5280 §4.2.1.6).
async fn xv_04(role: Role) {
    accepted(role, |params| assert_eq!(params.distinguished_name.iter().count(), 0)).await;
}

async fn xv_05(role: Role) {
    let ca = Ca::new("court.example");
    let (other, namesake) = (Ca::called("other", "court.example"), Ca::new("court.example"));
    refused_peer(role, &ca, &other.mint("/peer"), "svid_unknown_issuer").await;
    // A path by name exists; its signature does not verify.
    refused_peer(role, &ca, &namesake.mint("/peer"), "svid_invalid_path").await;
}

async fn xv_06(role: Role) {
    refused(role, "svid_expired", |params| params.not_after = at(NOW - 1)).await;
}

async fn xv_07(role: Role) {
    refused(role, "svid_not_yet_valid", |params| params.not_before = at(NOW + 1)).await;
}

async fn xv_08(role: Role) {
    refused(role, "svid_is_ca", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).await;
}

async fn xv_09(role: Role) {
    refused(role, "svid_signs_certificates", |params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)).await;
}

async fn xv_10(role: Role) {
    refused(role, "svid_signs_certificates", |params| params.key_usages.push(KeyUsagePurpose::CrlSign)).await;
}

async fn xv_11(role: Role) {
    for second in ["spiffe://court.example/other", "https://court.example/"] {
        refused(role, "svid_many_uris", |params| params.subject_alt_names.push(uri(second))).await;
    }
}

async fn xv_12(role: Role) {
    let dns = SanType::DnsName("peer.example".try_into().unwrap());
    refused(role, "svid_no_uri", |params| params.subject_alt_names = vec![dns]).await;
    refused(role, "svid_no_uri", |params| params.subject_alt_names.clear()).await;
}

async fn xv_13(role: Role) {
    refused(role, "svid_not_spiffe_id", |params| params.subject_alt_names = vec![uri("https://court.example/peer")])
        .await;
}

async fn xv_14(role: Role) {
    refused(role, "svid_no_path", |params| params.subject_alt_names = vec![uri("spiffe://court.example")]).await;
}

async fn xv_15(role: Role) {
    let foreign = uri("spiffe://other.example/peer");
    refused(role, "svid_unknown_trust_domain", |params| params.subject_alt_names = vec![foreign]).await;
}

macro_rules! in_both_roles {
    ($($case:ident: $server:ident $client:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $server() {
                $case(Role::Server).await;
            }

            #[tokio::test]
            async fn $client() {
                $case(Role::Client).await;
            }
        )*
    };
}

in_both_roles! {
    xv_01: xv_01_server_role xv_01_client_role,
    xv_02: xv_02_server_role xv_02_client_role,
    xv_03: xv_03_server_role xv_03_client_role,
    xv_04: xv_04_server_role xv_04_client_role,
    xv_05: xv_05_server_role xv_05_client_role,
    xv_06: xv_06_server_role xv_06_client_role,
    xv_07: xv_07_server_role xv_07_client_role,
    xv_08: xv_08_server_role xv_08_client_role,
    xv_09: xv_09_server_role xv_09_client_role,
    xv_10: xv_10_server_role xv_10_client_role,
    xv_11: xv_11_server_role xv_11_client_role,
    xv_12: xv_12_server_role xv_12_client_role,
    xv_13: xv_13_server_role xv_13_client_role,
    xv_14: xv_14_server_role xv_14_client_role,
    xv_15: xv_15_server_role xv_15_client_role,
}
