//! `agentauth xfcc`.

use aws_lc_rs::digest::{SHA256, digest};
use insta::assert_snapshot;
use rcgen::Issuer;
use serde_json::json;

use crate::support::{Folder, Run};
use crate::svid::{authority, key, leaf};

const OWN: &str = "spiffe://court.example/server/tools";
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const ADMIN: &str = "spiffe://court.example/agent/admin";
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn parse(mode: &str, flags: &[&str], header: &str) -> Run {
    let arguments = [&["xfcc", "parse", "--mode", mode, "--at", "1800000000"], flags].concat();
    Folder::new().run(&arguments, header)
}

fn own(client: &str) -> String {
    format!("By={OWN};Hash={HASH};Subject=\"\";URI={client}")
}

#[test]
fn every_element_is_explained() {
    let forged = format!("By=x;Hash=00;URI={ADMIN}");
    let added = parse("append-forward", &["--by", OWN], &format!("{forged},{};DNS=a.example\n", own(LAWYER)));
    assert_snapshot!("xfcc_added", added.transcript());
    let gateway = "spiffe://court.example/proxy/edge";
    let behind = own(LAWYER).replace(OWN, gateway);
    let flags = ["--by", OWN, "--behind", gateway];
    let run = parse("append-forward", &flags, &format!("{forged},{behind},{}", own(gateway)));
    assert_snapshot!("xfcc_behind", run.transcript());
}

#[test]
fn a_mode_can_be_spelt_as_in_the_proxys_configuration() {
    for (spelling, flags) in [("SANITIZE_SET", &[][..]), ("APPEND_FORWARD", &["--by", OWN])] {
        let run = parse(spelling, flags, &own(LAWYER));
        assert_eq!((run.status, run.out.contains(spelling)), (0, true), "{}", run.err);
    }
    assert_eq!(parse("APPEND_FORWARD", &[], &own(LAWYER)).status, 2);
}

#[test]
fn what_a_name_smuggled_in_is_seen_for_what_it_is() {
    let copied = own(ADMIN);
    let header = format!("{},{copied}", own("spiffe://court.example/agent/evil"));
    assert_snapshot!("xfcc_smuggled", parse("append-forward", &["--by", OWN], &header).transcript());
    let run = parse("sanitize-set", &[], &header);
    assert_eq!(run.status, 1);
    assert!(
        run.out.contains("Refused: xfcc_not_one_element") && run.out.contains("Element 2: one too many"),
        "{}",
        run.out
    );
}

#[test]
fn a_header_that_is_broken_says_where() {
    let header = format!("Subject=\"abc;URI={ADMIN},{}", own(LAWYER));
    assert_snapshot!("xfcc_broken", parse("append-forward", &["--by", OWN], &header).transcript());
}

#[test]
fn a_certificate_that_was_passed_on_is_judged() {
    let folder = Folder::new();
    let issuer = Issuer::new(authority(), key(1));
    folder.write("ca.crt", authority().self_signed(&key(1)).unwrap().pem());
    let leaf = leaf(&[LAWYER]).signed_by(&key(2), &issuer).unwrap();
    let pem = leaf.pem().replace("\r\n", "\n");
    let encoded = [("\n", "%0A"), (" ", "%20"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")]
        .iter()
        .fold(pem, |text, (plain, encoded)| text.replace(plain, encoded));
    let hash: String = digest(&SHA256, leaf.der()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let names = format!("URI={LAWYER};DNS=lawyer.court.example");
    folder.write(
        "header.txt",
        format!("X-Forwarded-Client-Cert: Hash={hash};Cert=\"{encoded}\";Subject=\"\";{names}\r\n"),
    );
    let verify = ["xfcc", "parse", "header.txt", "--mode", "sanitize-set", "--bundle", "court.example=ca.crt"];
    let run = |at: &str| folder.run(&[&verify[..], &["--at", at]].concat(), "");
    assert_snapshot!("xfcc_verified", run("1800000000").transcript());
    let late = run("1900000000");
    assert_eq!((late.status, late.out.contains("Refused: svid_expired")), (1, true), "{}", late.out);
}

#[test]
fn programs_get_the_same_verdict_as_json() {
    for (mode, flags, header, status, verdict) in [
        (
            "sanitize-set",
            &[][..],
            own(LAWYER),
            0,
            json!({"outcome": "identity", "id": LAWYER, "sha256": HASH, "certificate_verified": false}),
        ),
        ("sanitize-set", &[], own(""), 1, json!({"outcome": "no_identity"})),
        ("waypoint", &[], "By=;URI=".into(), 1, json!({"outcome": "no_identity"})),
        (
            "waypoint",
            &[],
            format!("By={OWN};URI={LAWYER}"),
            0,
            json!({"outcome": "identity", "id": LAWYER, "sha256": null, "certificate_verified": false}),
        ),
    ] {
        let run = parse(mode, &[flags, &["--json"]].concat(), &header);
        assert_eq!((run.status, &run.json()["verdict"]), (status, &verdict), "{mode} {header}");
    }
    let two = parse("sanitize-set", &["--json"], &format!("{}\n{}\n", own(LAWYER), own(LAWYER)));
    assert_eq!((two.status, two.json()["verdict"]["code"].as_str()), (1, Some("xfcc_repeated")));
    assert_snapshot!("xfcc_json", parse("append-forward", &["--by", OWN, "--json"], &own(LAWYER)).out);
}

#[test]
fn what_cannot_be_judged_is_a_problem() {
    for (mode, flags, header, word) in [
        ("sanitize-set", &[][..], "\n", "is empty"),
        ("append-forward", &[], "URI=a", "--by <ID>"),
        ("sanitize-set", &["--by", "tools"], "URI=a", "does not begin with spiffe://"),
        ("sanitize-set", &["--by", OWN, "--behind", OWN], "URI=a", "--behind: this is for --mode append-forward"),
        (
            "waypoint",
            &["--bundle", "court.example=jwks.json"],
            "URI=a",
            "--bundle: a waypoint passes on no certificate",
        ),
        ("forward-only", &[], "URI=a", "invalid value"),
    ] {
        let run = parse(mode, flags, header);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{mode} {flags:?}");
        assert!(run.err.contains(word), "{mode} {flags:?}: {}", run.err);
    }
}

#[test]
fn what_a_header_says_cannot_drive_the_terminal() {
    for flags in [&[][..], &["--json"]] {
        let run = parse("sanitize-set", flags, "Subject=\"\u{1b}[2J\u{202e}\";URI=\u{7f}");
        assert_eq!(run.status, 1);
        assert_eq!(run.out.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}'), None, "{}", run.out);
    }
}
