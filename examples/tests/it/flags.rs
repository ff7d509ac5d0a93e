//! What the tool server refuses to start with. No issuer is needed.

use std::process::Command;

use crate::support::HERE;

const ISSUER: &str = "https://sts.example.com";
const ENDPOINT: &str = "https://sts.example.com/introspect";

/// The exit code of the tool server, and what it says.
fn refused(flags: &[&str], secret: Option<&str>) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tool-server"));
    command.args(["--listen", "127.0.0.1:0", "--resource", HERE, "--issuer", ISSUER]).args(flags);
    command.env_remove("TOOL_SERVER_INTROSPECTION_SECRET");
    command.envs(secret.map(|secret| ("TOOL_SERVER_INTROSPECTION_SECRET", secret)));
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn flags_that_would_protect_nothing_are_refused() {
    let asking = ["--introspection", ENDPOINT, "--introspection-client", "tools"];
    let xfcc = |mode, more: &[&'static str]| [&["--trusted-proxy", "127.0.0.0/8", "--xfcc", mode], more].concat();
    let domain = ["--xfcc-trust-domain", "td"];
    let behind = [&domain[..], &["--xfcc-by", "spiffe://td/a", "--xfcc-behind", "spiffe://td/b"]].concat();
    let tls = |more: &[&'static str]| [&["--tls-cert", "x", "--tls-key", "x"], more].concat();
    let verify = ["--xfcc-verify", "--client-ca", "no-file", "--trust-domain", "td"];
    let with = |more: &[&'static str]| [&asking[..], more].concat();
    for (flags, secret, code, sentence) in [
        (vec!["--dpop-nonce"], None, 1, "--dpop-nonce needs --dpop optional or --dpop required"),
        (vec!["--dpop", "sometimes"], None, 2, "invalid value 'sometimes'"),
        (vec!["--require-binding", "/nowhere"], None, 2, "there is no route `/nowhere`"),
        (vec!["--require-binding", "/whoami"], None, 1, "--require-binding needs --dpop or --client-ca"),
        (vec!["--introspection", ENDPOINT], None, 2, "--introspection-client <ID>"),
        (vec!["--introspection-client", "tools"], None, 2, "--introspection <URL>"),
        (vec!["--introspection-signed"], None, 2, "--introspection <URL>"),
        (with(&[]), None, 1, "--introspection needs a secret: set TOOL_SERVER_INTROSPECTION_SECRET"),
        (with(&[]), Some(""), 1, "the secret for --introspection is empty"),
        (with(&["--introspection-secret-file", "/no/such/file"]), Some("unused"), 1, "/no/such/file: "),
        (
            vec!["--introspection", "http://sts.example.com/", "--introspection-client", "tools"],
            Some("a-secret"),
            1,
            "`http://sts.example.com/` is refused",
        ),
        (vec!["--client-ca", "x", "--trust-domain", "td"], None, 1, "--client-ca and --bundle need --tls-cert"),
        (vec!["--bundle", "td=x"], None, 1, "--client-ca and --bundle need --tls-cert"),
        (vec!["--trusted-proxy", "127.0.0.0/8"], None, 2, "--xfcc <MODE>"),
        (vec!["--xfcc", "sanitize-set"], None, 2, "--trusted-proxy <CIDR>"),
        (vec!["--xfcc", "forward-only", "--trusted-proxy", "127.0.0.0/8"], None, 2, "invalid value 'forward-only'"),
        (vec!["--xfcc", "sanitize-set", "--trusted-proxy", "127.0.0.1"], None, 2, "`127.0.0.1` is not a network"),
        (xfcc("sanitize-set", &[]), None, 1, "--xfcc needs --xfcc-trust-domain, or --xfcc-verify"),
        (xfcc("append-forward", &domain), None, 1, "--xfcc append-forward needs --xfcc-by"),
        (xfcc("APPEND_FORWARD", &domain), None, 1, "--xfcc append-forward needs --xfcc-by"),
        (xfcc("SANITIZE_SET", &behind), None, 1, "--xfcc-behind is for --xfcc append-forward"),
        (xfcc("append-forward", &["--xfcc-behind", "spiffe://td/a"]), None, 2, "--xfcc-by <ID>"),
        (xfcc("sanitize-set", &behind), None, 1, "--xfcc-behind is for --xfcc append-forward"),
        (xfcc("sanitize-set", &["--xfcc-verify"]), None, 1, "--xfcc-verify needs --client-ca"),
        (xfcc("waypoint", &verify), None, 1, "--xfcc-verify does not go with --xfcc waypoint"),
        (xfcc("sanitize-set", &["--xfcc-by", "td/a"]), None, 2, "`td/a` does not begin with spiffe://"),
        (vec!["--bundle", "roots.pem"], None, 2, "write it as TD=FILE"),
        (vec!["--bundle", "Court.Example=roots.pem"], None, 2, "`Court.Example` is no trust domain"),
        (tls(&["--bundle", "td=/no/such/file"]), None, 1, "/no/such/file: there is no such file"),
        (tls(&["--bundle", "td=x", "--client-ca", "y", "--trust-domain", "td"]), None, 1, "two bundle files"),
        (vec!["--svid-dir", "/no/such/directory"], None, 1, "/no/such/directory: there is no such directory"),
        (vec!["--svid-dir", "x", "--tls-cert", "x", "--tls-key", "x"], None, 2, "cannot be used with"),
        (vec!["--spiffe-socket", "unix://host/agent.sock"], None, 1, "is no endpoint of a Workload API"),
        (
            vec!["--spiffe-socket", "--tls-cert", "x", "--tls-key", "x"],
            None,
            2,
            "cannot be used with '--tls-cert <FILE>'",
        ),
        (vec!["--jwks", "http://sts.example.com/jwks"], None, 1, "`http://sts.example.com/jwks` is refused"),
    ] {
        let (found, said) = refused(&flags, secret);
        assert_eq!(found, code, "{flags:?}: {said}");
        assert!(said.contains(sentence) && !said.contains("a-secret"), "{flags:?}: {said}");
        // An error ends the log, and is not said once more for programmers.
        assert!(code != 1 || said.lines().last().unwrap().contains(" ERROR tool_server: "), "{flags:?}: {said}");
    }
}
