//! The conformance catalogue's XF: peers of other trust domains, each under its own bundle only.

use super::support::{Ca, Role, Workload, bundles, uri};

const FOREIGNER: &str = "spiffe://other.example/peer";

async fn xf_01(role: Role) {
    let (ca, other) = (Ca::new("court.example"), Ca::new("other.example"));
    Workload::new(&ca, bundles(&[&ca, &other])).accepts(role, &other.mint("/peer"), FOREIGNER).await;
}

async fn xf_02(role: Role) {
    let (ca, other) = (Ca::new("court.example"), Ca::new("other.example"));
    let workload = Workload::new(&ca, bundles(&[&ca, &other]));
    workload.accepts(role, &other.mint("/peer"), FOREIGNER).await;
    let claimed = ca.certify("/peer", |params| params.subject_alt_names = vec![uri(FOREIGNER)]);
    workload.refuses(role, &claimed, "svid_unknown_issuer").await;
}

async fn xf_03(role: Role) {
    let (ca, other) = (Ca::new("court.example"), Ca::new("other.example"));
    let workload = Workload::new(&ca, bundles(&[&ca, &other]));
    let peer = other.mint("/peer");
    workload.accepts(role, &peer, FOREIGNER).await;
    workload.platform.set_bundles(ca.bundles());
    workload.accepts(role, &ca.mint("/peer"), "spiffe://court.example/peer").await;
    workload.refuses(role, &peer, "svid_unknown_trust_domain").await;
}

#[tokio::test]
async fn xf_01_server_role() {
    xf_01(Role::Server).await;
}

#[tokio::test]
async fn xf_01_client_role() {
    xf_01(Role::Client).await;
}

#[tokio::test]
async fn xf_02_server_role() {
    xf_02(Role::Server).await;
}

#[tokio::test]
async fn xf_02_client_role() {
    xf_02(Role::Client).await;
}

#[tokio::test]
async fn xf_03_server_role() {
    xf_03(Role::Server).await;
}

#[tokio::test]
async fn xf_03_client_role() {
    xf_03(Role::Client).await;
}
