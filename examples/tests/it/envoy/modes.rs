//! The five modes of forwarding, and a waypoint's filters, with and without TLS: what a client writes itself counts for
//! nothing.

use aws_lc_rs::digest::{SHA256, digest};

use super::config::{self, Cluster, Details, Listener};
use super::world::{Authority, Envoy, Tokens, Told, ask, program};
use super::{ADMIN, GATEWAY, LAWYER, OWN, TRUSTED, folder, hex};

const MODES: [&str; 6] =
    ["SANITIZE", "SANITIZE_SET", "APPEND_FORWARD", "FORWARD_ONLY", "ALWAYS_FORWARD_ONLY", "waypoint"];

/// What the client writes, and what it is called in the table.
fn headers(hash: &str) -> [(&'static str, Vec<String>); 6] {
    let forged = format!("By=spiffe://x/y;Hash=00;URI={ADMIN}");
    // All that the proxy would write about the admin.
    let copied = format!("By={OWN};Hash={hash};Subject=\"\";URI={ADMIN}");
    [
        ("nothing", vec![]),
        ("a forged header", vec![forged.clone()]),
        ("two forged lines", vec![forged, format!("URI={ADMIN}")]),
        ("an open quote", vec![format!("Subject=\"abc;URI={ADMIN}")]),
        ("the proxy's own words", vec![copied]),
        ("a waypoint's words", vec![format!("By={OWN};URI={ADMIN}")]),
    ]
}

/// What becomes of the lawyer's own token.
fn expected(mode: &str, tls: bool, sent: &str) -> Told {
    let refused = |code: &str| Told::Refused(code.into());
    match (mode, tls, sent) {
        // The proxy says nothing, or nothing that is read.
        (_, false, _) | ("SANITIZE" | "FORWARD_ONLY" | "ALWAYS_FORWARD_ONLY", _, _) => refused("peer_missing"),
        ("APPEND_FORWARD", _, "an open quote") => refused("xfcc_malformed"),
        ("APPEND_FORWARD", _, "the proxy's own words" | "a waypoint's words") => refused("xfcc_by_repeated"),
        _ => Told::Believed(LAWYER.into(), "forwarded".into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_no_mode_is_a_client_believed_that_writes_the_header_itself() {
    let Some(program) = program() else { return };
    let (folder, ca) = (folder("modes"), Authority::new());
    let tokens = Tokens::new(&folder);
    let with = |flags: &[&'static str]| [flags, &TRUSTED].concat();
    let servers = [
        ("replaced", tokens.server("replaced", &with(&["--xfcc", "sanitize-set", "--xfcc-by", OWN]))),
        ("added", tokens.server("added", &with(&["--xfcc", "append-forward", "--xfcc-by", OWN]))),
        ("waypoint", tokens.server("waypoint", &with(&["--xfcc", "waypoint", "--xfcc-by", OWN]))),
        ("unread", tokens.server("unread", &["--actor-binding", "peer"])),
    ];
    let cluster_of = |mode: &str| match mode {
        "SANITIZE" | "SANITIZE_SET" => 0,
        "APPEND_FORWARD" => 1,
        "waypoint" => 2,
        _ => 3,
    };
    let (own, roots) = (ca.certify(OWN, &[]), ca.root_pem());
    let mut listeners = Vec::new();
    for mode in MODES {
        for tls in [false, true] {
            listeners.push(Listener {
                name: format!("{mode} {tls}"),
                // A waypoint writes over whatever is there.
                mode: if mode == "waypoint" { "ALWAYS_FORWARD_ONLY" } else { mode },
                details: Details::Subject,
                waypoint: mode == "waypoint",
                tls: tls.then_some((&own, roots.as_str())),
                cluster: servers[cluster_of(mode)].0,
            });
        }
    }
    let clusters: Vec<_> =
        servers.iter().map(|(name, server)| Cluster { name, port: server.port(), tls: None }).collect();
    let envoy = Envoy::start(&program, &folder, "modes", &config::envoy(&listeners, &clusters)).await;

    let (lawyer, admin) = (ca.certify(LAWYER, &[]), ca.certify(ADMIN, &[]));
    let client = ca.client(Some(&lawyer));
    let [lawyers, admins] = [LAWYER, ADMIN].map(|actor| tokens.mint(actor));
    let mut cells = 0;
    for mode in MODES {
        let (_, server) = &servers[cluster_of(mode)];
        for tls in [false, true] {
            let url =
                format!("{}://127.0.0.1:{}", if tls { "https" } else { "http" }, envoy.port(&format!("{mode} {tls}")));
            for (what, sent) in headers(&hex(digest(&SHA256, admin.der()).as_ref())) {
                let told = ask(&client, &url, &lawyers, &sent, server).await;
                let forged = ask(&client, &url, &admins, &sent, server).await;
                let downstream = if tls { "mTLS" } else { "plain" };
                println!(
                    "{mode:<19} | {downstream:<5} | {what:<21} | lawyer's token: {told:<18} | admin's token: {forged}"
                );
                let expected = expected(mode, tls, what);
                assert_eq!(told, expected, "{mode} {downstream} {what}");
                let refused = match expected {
                    Told::Believed(..) => Told::Refused("actor_is_not_peer".into()),
                    refused => refused,
                };
                assert_eq!(forged, refused, "{mode} {downstream} {what}: the admin's token");
                cells += 1;
            }
        }
    }
    println!("Envoy: {cells} cells, each with two tokens; nobody but the lawyer was believed");
}

/// From anywhere but the trusted proxy, the header is refused: here Envoy itself is not trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envoy_that_is_not_trusted_is_not_believed() {
    let Some(program) = program() else { return };
    let (folder, ca) = (folder("untrusted"), Authority::new());
    let tokens = Tokens::new(&folder);
    let elsewhere = ["--trusted-proxy", "192.0.2.0/24", "--xfcc-trust-domain", "court.example"];
    let server = tokens.server("untrusted", &[&["--xfcc", "sanitize-set"][..], &elsewhere].concat());
    let (own, roots) = (ca.certify(OWN, &[]), ca.root_pem());
    let listener = Listener {
        name: "in".into(),
        mode: "SANITIZE_SET",
        details: Details::Subject,
        waypoint: false,
        tls: Some((&own, &roots)),
        cluster: "tools",
    };
    let cluster = Cluster { name: "tools", port: server.port(), tls: None };
    let envoy = Envoy::start(&program, &folder, "untrusted", &config::envoy(&[listener], &[cluster])).await;
    let (client, url) = (ca.client(Some(&ca.certify(LAWYER, &[]))), format!("https://127.0.0.1:{}", envoy.port("in")));
    let told = ask(&client, &url, &tokens.mint(LAWYER), &[], &server).await;
    assert_eq!(told, Told::Refused("xfcc_untrusted".into()));
}

/// A sidecar behind a gateway, both of which add to the header: what the gateway says counts from the gateway alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_gateway_only_the_gateways_clients_are_believed() {
    let Some(program) = program() else { return };
    let (folder, ca) = (folder("gateway"), Authority::new());
    let tokens = Tokens::new(&folder);
    let flags = ["--xfcc", "append-forward", "--xfcc-by", OWN, "--xfcc-behind", GATEWAY];
    let server = tokens.server("gateway", &[&flags[..], &TRUSTED].concat());
    let (own, gateway, roots) = (ca.certify(OWN, &[]), ca.certify(GATEWAY, &[]), ca.root_pem());
    let listener = |identity, cluster| Listener {
        name: "in".into(),
        mode: "APPEND_FORWARD",
        details: Details::Subject,
        waypoint: false,
        tls: Some((identity, roots.as_str())),
        cluster,
    };
    let tools = Cluster { name: "tools", port: server.port(), tls: None };
    let sidecar =
        Envoy::start(&program, &folder, "sidecar", &config::envoy(&[listener(&own, "tools")], &[tools])).await;
    let beside = Cluster { name: "sidecar", port: sidecar.port("in"), tls: Some((&gateway, OWN, &roots)) };
    let edge =
        Envoy::start(&program, &folder, "edge", &config::envoy(&[listener(&gateway, "sidecar")], &[beside])).await;

    let [edge, past] = [&edge, &sidecar].map(|envoy| format!("https://127.0.0.1:{}", envoy.port("in")));
    let client = ca.client(Some(&ca.certify(LAWYER, &[])));
    let gateways = format!("By={GATEWAY};Hash={};Subject=\"\";URI={ADMIN}", "0".repeat(64));
    let forged = format!("By=x;Hash=00;URI={ADMIN}");
    for (what, url, sent, lawyers, admins) in [
        ("through the gateway", &edge, vec![], "lawyer (forwarded)", "actor_is_not_peer"),
        ("through the gateway, forged", &edge, vec![forged.clone()], "lawyer (forwarded)", "actor_is_not_peer"),
        ("through the gateway, in its words", &edge, vec![gateways.clone()], "xfcc_by_repeated", "xfcc_by_repeated"),
        ("past the gateway", &past, vec![], "xfcc_hops_missing", "xfcc_hops_missing"),
        ("past the gateway, in its words", &past, vec![gateways], "xfcc_hop_unexpected", "xfcc_hop_unexpected"),
        ("past the gateway, forged", &past, vec![forged], "xfcc_hop_unexpected", "xfcc_hop_unexpected"),
    ] {
        for (actor, expected) in [(LAWYER, lawyers), (ADMIN, admins)] {
            let told = ask(&client, url, &tokens.mint(actor), &sent, &server).await;
            println!("{what:<34} | {:<7} | {told}", actor.rsplit('/').next().unwrap());
            assert_eq!(told.to_string(), expected, "{what}: the token of {actor}");
        }
    }
}
