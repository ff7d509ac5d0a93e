//! WA, XS and HX: whose identity the harness shows, as its Workload API says.

use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose};
use tonic::Code;

use super::tls::Probed;
use super::{DOMAIN, Must, Optional, Outcome, Report, Should, Suite, ensure, peers};
use crate::mock::authority::{Authority, Issued, now, uri};
use crate::mock::wire::X509SvidResponse;
use crate::mock::{X509_SVID, X509State};

/// How often is looked before the barrier: each look is a handshake, which takes far longer than a message.
const LOOKS: usize = 10;

pub(super) async fn run(suite: &Suite, report: &mut Report) {
    report.case(Must, "XS-1", xs_01(suite)).await;
    report.case(Must, "XS-2", xs_02(suite)).await;
    report.case(Must, "XS-3", xs_03(suite)).await;
    report.case(Must, "XS-4", xs_04(suite)).await;
    report.case(Must, "XS-5", xs_05(suite)).await;
    report.case(Should, "WA-1", wa_01(suite)).await;
    for (variant, blank) in WA_02 {
        report.case(Should, &format!("WA-2/{variant}"), wa_02(suite, blank)).await;
    }
    report.case(Must, "WA-3", wa_03(suite)).await;
    report.case(Should, "WA-4", wa_04(suite)).await;
    for (index, (what, bad)) in HX.iter().enumerate() {
        report.case(Optional, &format!("HX-{}", index + 1), hx(suite, what, *bad)).await;
    }
}

async fn xs_01(suite: &Suite) -> Outcome {
    let svid = suite.ca.issue("/xs-1");
    suite.serve(&svid);
    suite.shows(&svid).await
}

async fn xs_02(suite: &Suite) -> Outcome {
    let svid = suite.ca.intermediate().issue("/xs-2");
    suite.serve(&svid);
    suite.shows(&svid).await?;
    let shown = suite.harness.probe(&suite.ca, &suite.probe).await?.chain;
    ensure(shown == svid.chain, "it shows another chain")
}

async fn xs_03(suite: &Suite) -> Outcome {
    for path in ["/xs-3-a", "/xs-3-b"] {
        let svid = suite.ca.issue(path);
        suite.serve(&svid);
        suite.shows(&svid).await?;
    }
    Ok(())
}

async fn xs_04(suite: &Suite) -> Outcome {
    let second = Authority::new(DOMAIN);
    suite.apply("xs-4", &[suite.ca.root(), second.root()], &[]).await?;
    for peer in [suite.ca.issue("/xs-4-first"), second.issue("/xs-4-second")] {
        peers::accepted_by_server(suite, &peer).await?;
    }
    Ok(())
}

async fn xs_05(suite: &Suite) -> Outcome {
    let second = Authority::new(DOMAIN);
    let (first_peer, second_peer) = (suite.ca.issue("/xs-5-first"), second.issue("/xs-5-second"));
    suite.apply("xs-5-both", &[suite.ca.root(), second.root()], &[]).await?;
    peers::accepted_by_server(suite, &second_peer).await?;
    suite.apply("xs-5-one", &[suite.ca.root()], &[]).await?;
    peers::accepted_by_server(suite, &first_peer).await?;
    peers::refused_by_server(suite, &second_peer).await
}

async fn wa_01(suite: &Suite) -> Outcome {
    let before = suite.mock.calls_of(X509_SVID).len();
    suite.mock.close_streams(Code::Unavailable);
    suite.mock.called(X509_SVID, before + 1).await;
    let svid = suite.ca.issue("/wa-1");
    suite.serve(&svid);
    suite.shows(&svid).await
}

type Blank = fn(&mut X509SvidResponse);

const WA_02: [(&str, Blank); 5] = [
    ("empty-svids", |message| message.svids.clear()),
    ("empty-spiffe-id", |message| message.svids[0].spiffe_id.clear()),
    ("empty-x509-svid", |message| message.svids[0].x509_svid.clear()),
    ("empty-key", |message| message.svids[0].x509_svid_key.clear()),
    ("empty-bundle", |message| message.svids[0].bundle.clear()),
];

async fn wa_02(suite: &Suite, blank: Blank) -> Outcome {
    let [good, bad, barrier] = ["/wa-2-a", "/wa-2-c", "/wa-2-b"].map(|path| suite.ca.issue(path));
    suite.serve(&good);
    suite.shows(&good).await?;
    let mut message = X509State { svids: vec![(&bad, "")], bundle: vec![suite.ca.root()], federated: vec![] }.message();
    blank(&mut message);
    suite.mock.push_message(message);
    shows_nothing_between(suite, &good, &barrier).await
}

/// Serves `barrier` after what is served now, and waits for it; until then, `good` is shown to everyone who asks, and
/// everyone is believed who was.
async fn shows_nothing_between(suite: &Suite, good: &Issued, barrier: &Issued) -> Outcome {
    let check = |probed: &Result<Probed, String>| match probed {
        Ok(probed) if probed.chain[0] != good.leaf() => Err("it shows something else".into()),
        Ok(probed) => ensure(!probed.said.is_empty(), "it believes nobody"),
        Err(error) => Err(format!("it serves nobody: {error}")),
    };
    // Time for what is served now to have its effect, if it has one.
    for _ in 0..LOOKS {
        check(&suite.harness.probe(&suite.ca, &suite.probe).await)?;
    }
    suite.serve(barrier);
    suite.harness.shows_after(&suite.ca, &suite.probe, barrier, check).await
}

async fn wa_03(suite: &Suite) -> Outcome {
    let (first, second) = (suite.ca.issue("/wa-3-a"), suite.ca.issue("/wa-3-b"));
    for svids in [vec![(&first, ""), (&second, "")], vec![(&second, ""), (&first, "")]] {
        let default = svids[0].0;
        suite.mock.push(&X509State { svids, bundle: vec![suite.ca.root()], federated: vec![] });
        suite.shows(default).await?;
    }
    Ok(())
}

async fn wa_04(suite: &Suite) -> Outcome {
    let svid = suite.ca.issue("/wa-4");
    suite.serve(&svid);
    suite.shows(&svid).await?;
    suite.mock.withdraw();
    let stopped = async { while suite.harness.probe(&suite.ca, &suite.probe).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), stopped).await.map_err(|_| "it still shows what was withdrawn")?;
    // For the cases that follow; and what was withdrawn may come again.
    suite.mock.no_more_failures();
    suite.shows(&svid).await
}

/// What makes an SVID bad that is otherwise like the first argument's.
type Bad = fn(&Suite, &str) -> Issued;

const HX: [(&str, Bad); 9] = [
    ("an invalid signature", |suite, path| {
        let mut issued = suite.ca.issue(path);
        *issued.chain[0].last_mut().unwrap() ^= 1;
        issued
    }),
    ("another authority's", |_, path| Authority::new(DOMAIN).issue(path)),
    ("expired", |suite, path| {
        changed(suite, path, |leaf| {
            leaf.not_before = now() - Duration::from_secs(7200);
            leaf.not_after = now() - Duration::from_secs(3600);
        })
    }),
    ("a CA", |suite, path| changed(suite, path, |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
    ("keyCertSign", |suite, path| changed(suite, path, |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign))),
    ("two URIs", |suite, path| {
        changed(suite, path, |leaf| leaf.subject_alt_names.push(uri("spiffe://test.example.org/hx-6-second")))
    }),
    ("a URI of another scheme", |suite, path| {
        changed(suite, path, |leaf| leaf.subject_alt_names = vec![uri("https://test.example.org/hx-7")])
    }),
    ("another key", |suite, path| Issued { key: suite.ca.issue("/x").key, ..suite.ca.issue(path) }),
    ("another ID in its message", |suite, path| {
        let issued = suite.ca.issue(path);
        Issued { id: format!("{}-claimed", issued.id), ..issued }
    }),
];

fn changed(suite: &Suite, path: &str, change: impl FnOnce(&mut CertificateParams)) -> Issued {
    suite.ca.issue_as(&suite.ca.id(path), change)
}

async fn hx(suite: &Suite, what: &str, bad: Bad) -> Outcome {
    let (good, barrier) = (suite.ca.issue("/hx-a"), suite.ca.issue("/hx-b"));
    suite.serve(&good);
    suite.shows(&good).await?;
    suite.serve(&bad(suite, "/hx-bad"));
    shows_nothing_between(suite, &good, &barrier).await.map_err(|error| format!("{what}: {error}"))
}
