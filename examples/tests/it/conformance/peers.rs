//! XV and XF, and ID as far as it is about certificates: whom the harness believes, as a server and as a client.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, IsCa, KeyUsagePurpose, SanType};

use super::harness::Answer;
use super::{DOMAIN, FEDERATED, Must, Outcome, Report, Suite, ensure, tls};
use crate::mock::authority::{Authority, Issued, now, uri};

/// Which end the harness is.
#[derive(Debug, Clone, Copy)]
enum Role {
    Server,
    Client,
}

const ROLES: [(&str, Role); 2] = [("server", Role::Server), ("client", Role::Client)];

type Peer = fn(&Authority) -> Issued;

/// The cases of XV in order, and whether each peer is to be believed.
const XV: [(bool, Peer); 15] = [
    (true, |ca| ca.issue("/xv-1")),
    (true, |ca| ca.intermediate().issue("/xv-2")),
    (true, |ca| {
        changed(ca, "/xv-3", |leaf| {
            leaf.subject_alt_names.push(SanType::DnsName("xv-3.test.example.org".try_into().unwrap()));
        })
    }),
    // Without a subject, the authority makes the alternative name critical.
    (true, |ca| changed(ca, "/xv-4", |leaf| leaf.distinguished_name = DistinguishedName::new())),
    (false, |_| Authority::new(DOMAIN).issue("/xv-5")),
    (false, |ca| {
        changed(ca, "/xv-6", |leaf| {
            leaf.not_before = now() - Duration::from_secs(7200);
            leaf.not_after = now() - Duration::from_secs(3600);
        })
    }),
    (false, |ca| {
        changed(ca, "/xv-7", |leaf| {
            leaf.not_before = now() + Duration::from_secs(3600);
            leaf.not_after = now() + Duration::from_secs(7200);
        })
    }),
    (false, |ca| changed(ca, "/xv-8", |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
    (false, |ca| changed(ca, "/xv-9", |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign))),
    (false, |ca| changed(ca, "/xv-10", |leaf| leaf.key_usages.push(KeyUsagePurpose::CrlSign))),
    (false, |ca| {
        changed(ca, "/xv-11", |leaf| leaf.subject_alt_names.push(uri("spiffe://test.example.org/xv-11-second")))
    }),
    (false, |ca| changed(ca, "/xv-12", |leaf| leaf.subject_alt_names.clear())),
    (false, |ca| changed(ca, "/xv-13", |leaf| leaf.subject_alt_names = vec![uri("https://test.example.org/xv-13")])),
    (false, |ca| ca.issue("")),
    (false, |ca| ca.issue_as("spiffe://other.example.org/xv-15", |_| {})),
];

/// IDs that are none, as far as certificates are sampled.
const ID_01: [(&str, &str); 4] = [
    ("x509-query", "spiffe://test.example.org/a?x=1"),
    ("x509-percent-encoded", "spiffe://test.example.org/%41"),
    ("x509-trailing-slash", "spiffe://test.example.org/a/"),
    ("x509-port", "spiffe://test.example.org:8080/a"),
];

fn changed(ca: &Authority, path: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
    ca.issue_as(&ca.id(path), change)
}

pub(super) async fn run(suite: &Suite, report: &mut Report) {
    suite.apply("peers", &[suite.ca.root()], &[]).await.unwrap();
    for (index, (is_good, peer)) in XV.into_iter().enumerate() {
        let peer = peer(&suite.ca);
        for (name, role) in ROLES {
            report.case(Must, &format!("XV-{}/{name}", index + 1), xv(suite, role, is_good, &peer)).await;
        }
    }
    for (name, role) in ROLES {
        report.case(Must, &format!("XF-1/{name}"), xf_01(suite, role)).await;
        report.case(Must, &format!("XF-2/{name}"), xf_02(suite, role)).await;
        report.case(Must, &format!("XF-3/{name}"), xf_03(suite, role)).await;
    }
    for (variant, id) in ID_01 {
        let peer = suite.ca.issue_as(id, |_| {});
        report.case(Must, &format!("ID-1/{variant}"), xv(suite, Role::Server, false, &peer)).await;
    }
}

async fn xv(suite: &Suite, role: Role, is_good: bool, peer: &Issued) -> Outcome {
    if is_good {
        return accepted(suite, role, peer).await;
    }
    accepted(suite, role, &suite.ca.issue("/control")).await?;
    refused(suite, role, peer).await
}

/// Serves the bundle of another trust domain too, and returns its authority.
async fn federate(suite: &Suite, name: &str) -> Result<Authority, String> {
    let other = Authority::new(FEDERATED);
    suite.apply(name, &[suite.ca.root()], &[(&format!("spiffe://{FEDERATED}"), vec![other.root()])]).await?;
    Ok(other)
}

async fn xf_01(suite: &Suite, role: Role) -> Outcome {
    let other = federate(suite, "xf-1").await?;
    accepted(suite, role, &other.issue("/xf-1")).await
}

/// Neither authority speaks for the other's trust domain.
async fn xf_02(suite: &Suite, role: Role) -> Outcome {
    let other = federate(suite, "xf-2").await?;
    accepted(suite, role, &suite.ca.issue("/control")).await?;
    accepted(suite, role, &other.issue("/xf-2-control")).await?;
    refused(suite, role, &suite.ca.issue_as(&other.id("/xf-2"), |_| {})).await?;
    refused(suite, role, &other.issue_as(&suite.ca.id("/xf-2"), |_| {})).await
}

async fn xf_03(suite: &Suite, role: Role) -> Outcome {
    let other = federate(suite, "xf-3").await?;
    let peer = other.issue("/xf-3");
    accepted(suite, role, &peer).await?;
    suite.apply("xf-3-alone", &[suite.ca.root()], &[]).await?;
    accepted(suite, role, &suite.ca.issue("/control")).await?;
    refused(suite, role, &peer).await
}

pub(super) async fn accepted_by_server(suite: &Suite, peer: &Issued) -> Outcome {
    accepted(suite, Role::Server, peer).await
}

pub(super) async fn refused_by_server(suite: &Suite, peer: &Issued) -> Outcome {
    refused(suite, Role::Server, peer).await
}

async fn accepted(suite: &Suite, role: Role, peer: &Issued) -> Outcome {
    match role {
        Role::Server => {
            let said = suite.harness.probe(&suite.ca, peer).await?.said;
            ensure(said == format!("{}\n", peer.id), format!("{} is told {said:?}", peer.id))
        }
        Role::Client => {
            let (port, served) = tls::listen(peer).await?;
            match suite.harness.dial(port).await {
                Answer::Done(answer) => ensure(answer["spiffe_id"] == peer.id, answer.to_string())?,
                other => return Err(format!("{}: {other:?}", peer.id)),
            }
            let shown = served.await.map_err(|error| error.to_string())?;
            ensure(!shown.is_empty(), "it has shown no certificate of its own")
        }
    }
}

async fn refused(suite: &Suite, role: Role, peer: &Issued) -> Outcome {
    match role {
        Role::Server => {
            let said = suite.harness.probe(&suite.ca, peer).await?.said;
            ensure(said.is_empty(), format!("{} is told {said:?}", peer.id))
        }
        Role::Client => {
            let (port, served) = tls::listen(peer).await?;
            let answer = suite.harness.dial(port).await;
            served.abort();
            // Refused for what it has shown, and not because the connection failed.
            let is_refused = matches!(&answer, Answer::Rejected(why) if why.starts_with("svid_"));
            ensure(is_refused, format!("{}: {answer:?}", peer.id))
        }
    }
}
