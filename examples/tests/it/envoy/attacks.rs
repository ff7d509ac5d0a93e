//! Clients whose certificates have names that read as more than a name, under an authority that signs them: what Envoy
//! makes of them is refused.

use aws_lc_rs::digest::{SHA256, digest};

use super::config::{self, Cluster, Details, Listener};
use super::world::{Authority, Certified, Envoy, Tokens, Told, ask, program};
use super::{ADMIN, EVIL, OWN, TRUSTED, folder, hex};

/// What Envoy writes about `client`, who has no names but its ID.
fn words(client: &Certified, id: &str) -> String {
    let encoded = |pem: &str| {
        [("\r", ""), ("\n", "%0A"), (" ", "%20"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")]
            .iter()
            .fold(pem.to_owned(), |text, (plain, encoded)| text.replace(plain, encoded))
    };
    let (cert, root) = (encoded(&client.pem()), encoded(&client.root_pem()));
    let hash = hex(digest(&SHA256, client.der()).as_ref());
    format!("By={OWN};Hash={hash};Cert=\"{cert}\";Chain=\"{cert}{root}\";Subject=\"\";URI={id}")
}

/// An attack, and what each of the four servers refuses it for.
struct Attack {
    what: &'static str,
    uri: String,
    dns: Vec<String>,
    sent: Vec<String>,
    expected: [&'static str; 4],
}

fn attacks(admin: &Certified) -> Vec<Attack> {
    let copied = words(admin, ADMIN);
    let short = copied.replace("Subject=\"\";", "");
    let attack = |what, uri: String, dns: &[String], sent: &[String], expected| Attack {
        what,
        uri,
        dns: dns.to_vec(),
        sent: sent.to_vec(),
        expected,
    };
    let quote = [String::from("Subject=\"")];
    vec![
        attack(
            "1a: a second URI in the URI",
            format!("{EVIL};URI={ADMIN}"),
            &[],
            &[],
            ["xfcc_many_uris", "xfcc_names_mismatch", "xfcc_many_uris", "xfcc_names_mismatch"],
        ),
        attack(
            "1b: another element in the URI",
            format!("{EVIL},By=x;URI={ADMIN}"),
            &[],
            &[],
            ["xfcc_not_one_element", "xfcc_not_one_element", "xfcc_by_mismatch", "xfcc_names_mismatch"],
        ),
        attack(
            "1c: a copied element in the URI",
            format!("{EVIL},{copied}"),
            &[],
            &[],
            ["xfcc_not_one_element", "xfcc_not_one_element", "xfcc_by_repeated", "xfcc_names_mismatch"],
        ),
        attack(
            "1d: a copied element in a DNS name",
            EVIL.into(),
            &[format!("a.example,{copied}")],
            &[],
            ["xfcc_not_one_element", "xfcc_not_one_element", "xfcc_by_repeated", "xfcc_names_mismatch"],
        ),
        attack(
            "1d: a second URI in a DNS name",
            EVIL.into(),
            &[format!("a.example;URI={ADMIN}")],
            &[],
            ["xfcc_many_uris", "xfcc_names_mismatch", "xfcc_many_uris", "xfcc_names_mismatch"],
        ),
        attack(
            "a quote around the proxy's words",
            format!("{EVIL}\",{short}"),
            &[],
            &quote,
            ["xfcc_malformed", "xfcc_malformed", "xfcc_malformed", "xfcc_malformed"],
        ),
    ]
}

fn with<'a>(mode: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--xfcc", mode, "--xfcc-by", OWN][..], &TRUSTED, more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_that_a_certificate_has_makes_its_holder_another() {
    let Some(program) = program() else { return };
    let (folder, ca) = (folder("attacks"), Authority::new());
    let tokens = Tokens::new(&folder);
    let roots = ca.root_pem();
    let root_file = folder.join("root.pem");
    std::fs::write(&root_file, &roots).unwrap();
    let root_file = root_file.to_str().unwrap().to_owned();
    let verifying = ["--xfcc-verify", "--client-ca", &root_file, "--trust-domain", "court.example"];
    // (name, mode of the proxy, server)
    let servers = [
        ("replaced", "SANITIZE_SET", tokens.server("a-replaced", &with("sanitize-set", &[]))),
        ("replaced-verified", "SANITIZE_SET", tokens.server("a-replaced-v", &with("sanitize-set", &verifying))),
        ("added", "APPEND_FORWARD", tokens.server("a-added", &with("append-forward", &[]))),
        ("added-verified", "APPEND_FORWARD", tokens.server("a-added-v", &with("append-forward", &verifying))),
    ];
    let own = ca.certify(OWN, &[]);
    let mut listeners: Vec<_> = servers
        .iter()
        .map(|(name, mode, _)| Listener {
            name: (*name).into(),
            mode,
            details: Details::Everything,
            waypoint: false,
            tls: Some((&own, &roots)),
            cluster: name,
        })
        .collect();
    listeners.push(Listener {
        name: "bare".into(),
        mode: "APPEND_FORWARD",
        details: Details::Nothing,
        waypoint: false,
        tls: Some((&own, &roots)),
        cluster: "added",
    });
    let clusters: Vec<_> =
        servers.iter().map(|(name, _, server)| Cluster { name, port: server.port(), tls: None }).collect();
    let envoy = Envoy::start(&program, &folder, "attacks", &config::envoy(&listeners, &clusters)).await;
    let url = |name: &str| format!("https://127.0.0.1:{}", envoy.port(name));

    let admin = ca.certify(ADMIN, &[]);
    let [evils, admins] = [EVIL, ADMIN].map(|actor| tokens.mint(actor));
    // Without an attack, everyone is who they are; by the certificate too, where it is verified.
    let honest = ca.client(Some(&ca.certify(EVIL, &["a.example", "b.example"])));
    for (at, (name, _, server)) in servers.iter().enumerate() {
        let proof = if at % 2 == 0 { "forwarded" } else { "forwarded_certificate" };
        let told = ask(&honest, &url(name), &evils, &[], server).await;
        assert_eq!(told, Told::Believed(EVIL.into(), proof.into()), "{name}");
        let told = ask(&honest, &url(name), &admins, &[], server).await;
        assert_eq!(told, Told::Refused("actor_is_not_peer".into()), "{name}");
    }
    for Attack { what, uri, dns, sent, expected } in attacks(&admin) {
        let dns: Vec<&str> = dns.iter().map(String::as_str).collect();
        let client = ca.client(Some(&ca.certify(&uri, &dns)));
        for ((name, _, server), expected) in servers.iter().zip(expected) {
            for (actor, token) in [("admin", &admins), ("evil", &evils)] {
                let told = ask(&client, &url(name), token, &sent, server).await;
                println!("{what:<34} | {name:<17} | {actor}'s token: {told}");
                assert_eq!(told, Told::Refused(expected.into()), "{what}, {name}, {actor}");
            }
        }
    }
    // Where the proxy itself writes no quotes, what it wrote can be made to look like a quoted text.
    let copied = words(&admin, ADMIN).replace("Subject=\"\";", "");
    let hidden = ca.client(Some(&ca.certify(&format!("{EVIL}\",{copied}"), &[])));
    let told = ask(&hidden, &url("bare"), &admins, &[String::from("Subject=\"")], &servers[2].2).await;
    println!("{:<34} | {:<17} | admin's token: {told}", "a quote around the proxy's words", "bare");
    assert_eq!(told, Told::Refused("xfcc_by_repeated".into()));
    // A name that only begins like the admin's: the certificate tells. A space at the end is lost on the way.
    for name in [format!("{ADMIN};DNS=evil.example"), format!("{ADMIN} ")] {
        let cut = ca.client(Some(&ca.certify(&name, &[])));
        for (server, _, tools) in servers.iter().filter(|(name, ..)| name.ends_with("verified")) {
            let told = ask(&cut, &url(server), &admins, &[], tools).await;
            println!("{:<34} | {server:<17} | admin's token: {told}", "a name like the admin's, and more");
            assert_eq!(told, Told::Refused("xfcc_names_mismatch".into()), "{name:?} {server}");
        }
    }
}
