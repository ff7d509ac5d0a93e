//! Our token service, and npm's `oauth4webapi` as its client: it finds the service by its metadata, proves itself, exchanges
//! a consent for a token that is bound to its key, and uses it. What it is granted, and what it is refused.
//!
//! `cargo test -p agentauth-examples --test it token_service -- --nocapture` prints the table.

mod world;

use serde_json::{Value, json};

use self::world::World;

/// The client, what it does otherwise than as it should, and what comes of it.
struct Case {
    name: &'static str,
    /// Members of its input that are other than usual.
    change: fn(&World) -> Value,
    /// The error that the last answer has, and its status; the reason that the record has.
    expected: Result<(), (&'static str, u16, &'static str)>,
}

const fn granted(name: &'static str, change: fn(&World) -> Value) -> Case {
    Case { name, change, expected: Ok(()) }
}

const fn misused(
    name: &'static str,
    change: fn(&World) -> Value,
    error: &'static str,
    status: u16,
    code: &'static str,
) -> Case {
    Case { name, change, expected: Err((error, status, code)) }
}

const CASES: [Case; 23] = [
    granted("private_key_jwt", |_| json!({})),
    granted("client_secret_basic", World::as_secret_client),
    granted("client_secret_post", |world| with(world.as_secret_client(), "method", "post")),
    granted("a part of what was consented to", |_| json!({"scope": "motions:file"})),
    misused("another key", |_| misuse("wrong-key"), "invalid_client", 401, "signature_invalid"),
    misused("the assertion again", |_| misuse("reused-assertion"), "invalid_client", 401, "client_assertion_replayed"),
    misused(
        "an assertion for another issuer",
        |_| misuse("wrong-audience"),
        "invalid_client",
        401,
        "client_audience_wrong",
    ),
    misused(
        "an assertion for two issuers",
        |_| misuse("many-audiences"),
        "invalid_client",
        401,
        "client_audience_wrong",
    ),
    misused(
        "an assertion for the endpoint",
        |_| misuse("endpoint-audience"),
        "invalid_client",
        401,
        "client_audience_wrong",
    ),
    misused(
        "an assertion that has expired",
        |_| misuse("old-assertion"),
        "invalid_client",
        401,
        "client_assertion_expired",
    ),
    misused("two proofs of who it is", |_| misuse("two-proofs"), "invalid_request", 400, "client_proof_repeated"),
    misused(
        "a client that does not exist",
        |_| json!({"client_id": "nobody"}),
        "invalid_client",
        401,
        "client_unknown",
    ),
    misused(
        "a wrong secret",
        |world| with(world.as_secret_client(), "secret", "not-this-secret-but-one-as-long-as-it-is"),
        "invalid_client",
        401,
        "client_secret_wrong",
    ),
    misused(
        "a secret of a client that does not exist",
        |world| with(world.as_secret_client(), "client_id", "nobody"),
        "invalid_client",
        401,
        "client_unknown",
    ),
    misused("no DPoP proof", |_| misuse("no-proof"), "invalid_dpop_proof", 400, "exchange_binding_required"),
    misused("a proof for another URL", |_| misuse("wrong-htu"), "invalid_dpop_proof", 400, "dpop_htu_mismatch"),
    misused("a wider scope", |_| json!({"scope": "records:seal"}), "invalid_scope", 400, "exchange_scope_widened"),
    misused(
        "an unknown target",
        |_| json!({"resource": "https://elsewhere.example"}),
        "invalid_target",
        400,
        "exchange_target_unknown",
    ),
    misused(
        "a consent to another agent",
        |world| json!({"subject_token": world.consent_to_another}),
        "invalid_request",
        400,
        "exchange_actor_not_permitted",
    ),
    misused(
        "a consent that has expired",
        |world| json!({"subject_token": world.expired_consent}),
        "invalid_request",
        400,
        "token_expired",
    ),
    misused("no token at all", |_| json!({"subject_token": "a.b.c"}), "invalid_request", 400, "token_not_canonical"),
    misused("its token as a bearer token", |_| misuse("bearer"), "invalid_token", 401, "dpop_bound_token_as_bearer"),
    misused(
        "its token at another server",
        |world| json!({"url": world.other_server}),
        "invalid_token",
        401,
        "audience_wrong",
    ),
];

fn misuse(how: &str) -> Value {
    json!({ "misuse": how })
}

fn with(mut input: Value, name: &str, value: &str) -> Value {
    input[name] = value.into();
    input
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_client_gets_what_it_may_have_and_nothing_else() {
    let Some(folder) = world::peer() else { return };
    let world = World::open(folder).await;
    let mut wrong = Vec::new();
    for case in CASES {
        let report = world.run(&(case.change)(&world));
        let last = report["requests"].as_array().and_then(|requests| requests.last()).cloned().unwrap_or_default();
        let found = if report["refused"].is_null() {
            check_granted(&report).map_or_else(|fault| fault, |()| "granted".into())
        } else {
            let code = world.code(&last["evaluation_id"]);
            format!(
                "{} {} ({code})",
                last["status"],
                last["error"].as_str().or(report["refused"].as_str()).unwrap_or("?")
            )
        };
        let expected = match case.expected {
            Ok(()) => "granted".into(),
            Err((error, status, code)) => format!("{status} {error} ({code})"),
        };
        println!("{:<42} {found}", case.name);
        if found != expected {
            wrong.push(format!("{}: {found}, not {expected}: {report}", case.name));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// What must be true of a client that was refused nothing.
fn check_granted(report: &Value) -> Result<(), String> {
    let token = &report["token"];
    let told = &report["introspection"];
    let kinds: Vec<&str> =
        report["requests"].as_array().into_iter().flatten().filter_map(|r| r["endpoint"].as_str()).collect();
    let client = &told["client_id"];
    let facts = [
        // The first of each two is answered with a nonce.
        ("the requests", kinds.starts_with(&["token", "token", "resource", "resource", "introspection"])),
        ("the kind of token", token["token_type"] == "dpop" && told["token_type"] == "DPoP"),
        ("the principal", told["sub"] == "alice" && told["act"]["sub"] == *client),
        ("the audience", told["aud"].as_str().is_some_and(|audience| audience.starts_with("https://127.0.0.1:"))),
        ("the binding", told["cnf"]["jkt"].is_string()),
        ("the state", told["active"] == true),
        ("the scope", told["scope"] == token["scope"]),
        ("the resource", report["resource"] == format!("{} for alice", client.as_str().unwrap_or_default())),
        ("the state after revocation", report["after_revocation"]["active"] == false),
    ];
    facts.iter().find(|(_, holds)| !holds).map_or(Ok(()), |(what, _)| Err(format!("{what} is wrong")))
}

/// What the client was told of the service, by its own reading, is what it found there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_independent_client_reads_the_metadata() {
    let Some(folder) = world::peer() else { return };
    let world = World::open(folder).await;
    let report = world.run(&json!({}));
    let metadata = &report["metadata"];
    assert_eq!(metadata["issuer"], world.issuer);
    assert_eq!(metadata["token_endpoint"], format!("{}/token", world.issuer));
    let methods = json!(["private_key_jwt", "client_secret_basic", "client_secret_post"]);
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], methods);
    assert!(
        report["requests"]
            .as_array()
            .unwrap()
            .iter()
            .all(|request| { request["endpoint"] == "resource" || request["cache_control"] == "no-store" })
    );
}
