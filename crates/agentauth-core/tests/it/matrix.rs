//! Every kind of token at every verifier (RFC 8725bis §3.11): only what is meant for a verifier passes it.
//!
//! `cargo test -p agentauth-core --test it matrix -- --nocapture` prints the table.

use std::fmt::Write as _;
use std::time::Duration;

use agentauth_core::identity::svid::{Audiences, TrustBundle, TrustBundles, verify_jwt_svid};
use agentauth_core::jose::{Algorithm, TokenType};
use agentauth_core::token::{Introspection, StatusLists, TransactionTokens};
use agentauth_core::{Timestamp, TrustedIssuer};
use serde_json::{Value, json};

use crate::assertion::{Embassy, assertion};
use crate::profiles::{Desk, KNOWN, but, typed};
use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, CLERK, Court, Key, STS, claims, code};
use crate::support::doubles::Endpoint;
use crate::support::office::{Office, RECORDS, request, request_for};
use crate::support::prover::{self, Prover, proof_claims};
use crate::support::reception::Reception;
use crate::support::statuses::{Host, LIST, list_claims};
use crate::support::svid_signer::SvidSigner;

pub(crate) type Answer = Box<dyn Fn(Option<&str>, &Value) -> &'static str>;

/// One verifier: what it takes, and its answer to a token.
struct Column {
    name: String,
    /// Claims that it takes.
    claims: Value,
    /// The `typ` values with which it takes them.
    takes: Vec<Option<&'static str>>,
    /// The code with which it refuses every other `typ`, if nothing else is wrong.
    refuses_with: &'static str,
    /// Whether it looks at the claims before it looks at `typ` (RFC 9449 §4.3 has this order).
    claims_first: bool,
    /// Whether it takes whatever names a workload and is addressed to it, under a key that its trust domain has for
    /// nothing else: JWT-SVIDs may have any claims beside their own (JWT-SVID.md §3).
    takes_svids: bool,
    /// What it says to a token with this `typ` and these claims, under a good signature of the right issuer.
    answer: Answer,
}

/// All verifiers of signed tokens. A new one is a new entry here.
fn columns() -> Vec<Column> {
    let mut columns = access_tokens();
    columns.extend([
        subject_tokens(),
        actor_tokens(),
        introspection_answers(),
        status_lists(),
        dpop_proofs(),
        jwt_svids(),
    ]);
    columns.extend([identity_assertions(), transaction_tokens(), client_assertions()]);
    #[cfg(feature = "unstable-chain")]
    columns.push(links());
    columns
}

/// A resource server, once for each profile.
fn access_tokens() -> Vec<Column> {
    let column = |(number, known): (usize, &crate::profiles::Known)| {
        let desk = Desk::new(known.issuer);
        Column {
            name: format!("{number} {}", known.name),
            claims: (known.claims)(),
            takes: known.typ.to_vec(),
            refuses_with: "typ_wrong",
            claims_first: false,
            takes_svids: false,
            answer: Box::new(move |typ, claims| code(&desk.auth, &typed(&desk.court.key, typ, claims))),
        }
    };
    KNOWN.iter().enumerate().map(column).collect()
}

/// The subject token of a token exchange.
fn subject_tokens() -> Column {
    let office = Office::new();
    Column {
        name: "subject_token".into(),
        claims: office.subject(),
        takes: vec![Some("at+jwt")],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            let token = typed(&office.court.key, typ, claims);
            office.code(&office.lawyer, &request(&token, RECORDS))
        }),
    }
}

/// The actor token of a token exchange.
fn actor_tokens() -> Column {
    let office = Office::new();
    let subject = office.mint(&but(&office.subject(), json!({"may_act": {"sub": CLERK}})));
    Column {
        name: "actor_token".into(),
        claims: office.actor(),
        takes: vec![Some("at+jwt")],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            let token = typed(&office.court.key, typ, claims);
            office.code(&office.clerk, &request_for(&subject, &token, RECORDS))
        }),
    }
}

/// The signed answer of an issuer that is asked about a token (RFC 9701).
fn introspection_answers() -> Column {
    let court = Court::new();
    let endpoint = Endpoint::new();
    let introspection = Introspection::new(endpoint.clone()).require_signed_for("tool-server").keep_for(Duration::ZERO);
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).introspection(introspection);
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    let answer = but(&claims(), json!({"active": true, "token_type": "Bearer"}));
    Column {
        name: "introspection".into(),
        claims: json!({"iss": STS, "aud": "tool-server", "iat": NOW, "exp": NOW + 60, "token_introspection": answer}),
        takes: vec![Some("token-introspection+jwt")],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            endpoint.signs(typed(&court.key, typ, claims));
            code(&auth, "an-opaque-token")
        }),
    }
}

/// The list that says which tokens count still.
fn status_lists() -> Column {
    let (court, host) = (Court::new(), Host::new());
    let issuer = TrustedIssuer::rfc8693(STS, court.key.key_set()).status_lists(StatusLists::new(host.clone()));
    let auth = court.bare_engine().issuer(issuer).build().unwrap();
    let token = court.key.mint(&but(&claims(), json!({"status": {"status_list": {"idx": 0, "uri": LIST}}})));
    Column {
        name: "status_list".into(),
        claims: but(&list_claims(&[0]), json!({"ttl": 1})),
        takes: vec![Some("statuslist+jwt")],
        refuses_with: "status_list_unverified",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            host.says(typed(&court.key, typ, claims));
            let answer = code(&auth, &token);
            // What went wrong, or what was believed, is over.
            court.clock.advance(Duration::from_secs(5));
            answer
        }),
    }
}

/// The proof of possession that comes with a token (RFC 9449).
fn dpop_proofs() -> Column {
    let prover = Prover::new(Algorithm::EdDsa);
    Column {
        name: "dpop_proof".into(),
        claims: proof_claims(),
        takes: vec![Some("dpop+jwt")],
        refuses_with: "dpop_typ_wrong",
        claims_first: true,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            let header = prover.header_with("typ", typ.map_or(Value::Null, Value::from));
            prover::code(&prover, &prover.sign(&header, claims.to_string()))
        }),
    }
}

/// A workload that shows its JWT-SVID (JWT-SVID.md).
fn jwt_svids() -> Column {
    let signer = SvidSigner::new(Algorithm::Es256, "today");
    let keys = json!({ "keys": [signer.jwk()] }).to_string();
    let bundle = TrustBundle::new("court.example".parse().unwrap()).with_jwt_keys_from_jwks(keys.as_bytes());
    let bundles = TrustBundles::new().with_bundle(bundle.unwrap()).unwrap();
    let audiences = Audiences::new(["records"]).unwrap();
    Column {
        name: "jwt_svid".into(),
        claims: json!({"sub": CLERK, "aud": "records", "iat": NOW, "exp": NOW + 300}),
        takes: vec![Some("JWT"), Some("JOSE"), None],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: true,
        answer: Box::new(move |typ, claims| {
            let header = but(&signer.header(), json!({ "typ": typ }));
            let token = signer.sign(&header, claims);
            let found = verify_jwt_svid(&token, &bundles, &audiences, Timestamp::from_secs(NOW));
            found.map_or_else(|error| error.code(), |_| ACCEPTED)
        }),
    }
}

/// The assertion of another organisation's identity provider (ID-JAG).
fn identity_assertions() -> Column {
    let embassy = Embassy::with(|idp| idp.delegates().reusable());
    Column {
        name: "id_jag".into(),
        claims: assertion(),
        takes: vec![Some("oauth-id-jag+jwt")],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| embassy.code(&typed(&embassy.idp, typ, claims))),
    }
}

/// What a call is about, within a trust domain.
fn transaction_tokens() -> Column {
    let key = Key::new();
    let verifier = TransactionTokens::new("court.example", key.key_set()).build().unwrap();
    Column {
        name: "txn_token".into(),
        claims: json!({
            "iat": NOW, "aud": "court.example", "exp": NOW + 300, "txn": "t", "sub": "alice", "scope": "records:read",
            "req_wl": "gateway",
        }),
        takes: vec![Some("txntoken+jwt")],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            let found = verifier.verify(&typed(&key, typ, claims), Timestamp::from_secs(NOW));
            found.map_or_else(|error| error.code(), |_| ACCEPTED)
        }),
    }
}

/// A link of a chain, below a good root.
#[cfg(feature = "unstable-chain")]
fn links() -> Column {
    let (claims, answer) = crate::chain::one_link();
    Column {
        name: "chain_link".into(),
        claims,
        takes: vec![Some("agent-delegation+jwt")],
        refuses_with: "chain_typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer,
    }
}

/// What a client signs to prove who it is (RFC 7523 §2.2).
fn client_assertions() -> Column {
    let reception = Reception::new();
    Column {
        name: "client_assertion".into(),
        claims: reception.claims(),
        takes: vec![Some("client-authentication+jwt"), Some("JWT"), None],
        refuses_with: "typ_wrong",
        claims_first: false,
        takes_svids: false,
        answer: Box::new(move |typ, claims| {
            let mut claims = claims.clone();
            if !claims["jti"].is_null() {
                // What was used up is refused for that alone.
                claims["jti"] = reception.claims()["jti"].take();
            }
            reception.code(&reception.with_assertion(&reception.sign_as(typ, &claims)))
        }),
    }
}

/// What the claims of a row are.
#[derive(Clone, Copy, PartialEq)]
enum Claims {
    /// Those that the verifier takes.
    Good,
    /// Those of another kind of token, for some one.
    OfSomeone,
    /// Those of another kind of token, without `sub`.
    OfNoOne,
}

/// What a token of some kind is, beside its `typ`.
struct Row {
    name: String,
    typ: Option<&'static str>,
    /// Makes the claims of the row from those that the verifier takes.
    claims: fn(&Value) -> Value,
    kind: Claims,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (typ, _) in TokenType::named() {
        rows.push(Row { name: typ.into(), typ: Some(typ), claims: Value::clone, kind: Claims::Good });
    }
    for typ in [None, Some("x+jwt"), Some("")] {
        rows.push(Row { name: format!("typ {typ:?}"), typ, claims: Value::clone, kind: Claims::Good });
    }
    for typ in [Some("at+jwt"), Some("JWT"), None] {
        let mut add = |what: &str, claims: fn(&Value) -> Value| {
            let name = format!("{} {what}", typ.unwrap_or("none"));
            let kind = if claims(&json!({"sub": "s"}))["sub"] == "s" { Claims::OfSomeone } else { Claims::OfNoOne };
            rows.push(Row { name, typ, claims, kind });
        };
        add("ID token", id_token);
        add("logout token", logout_token);
        add("security event", security_event);
        if typ != Some("at+jwt") {
            add("all claims and a nonce", |claims| but(claims, json!({"nonce": "n"})));
            add("all claims and at_hash", |claims| but(claims, json!({"at_hash": "h"})));
            add("all claims and events", |claims| but(claims, json!({"events": {}})));
        }
    }
    for typ in [Some("JWT"), Some("JOSE"), None] {
        let name = format!("{} JWT-SVID", typ.unwrap_or("none"));
        rows.push(Row { name, typ, claims: jwt_svid, kind: Claims::OfSomeone });
    }
    rows.push(Row { name: "WIT-SVID".into(), typ: Some("wit+jwt"), claims: wit_svid, kind: Claims::OfSomeone });
    rows
}

/// The claims that all kinds share, from those of an access token.
fn envelope(claims: &Value, more: Value) -> Value {
    let mut envelope = json!({});
    for name in ["iss", "aud", "iat", "exp"] {
        envelope[name] = claims[name].clone();
    }
    but(&envelope, more)
}

/// OpenID Connect Core §2, for a client that did not send a nonce.
fn id_token(claims: &Value) -> Value {
    envelope(
        claims,
        json!({
            "sub": claims["sub"], "azp": "web", "auth_time": claims["iat"], "acr": "1", "amr": ["pwd"], "sid": "s",
            "name": "Alice", "tid": claims["tid"], "oid": claims["oid"], "ver": claims["ver"],
            "typ": claims.get("typ").map(|_| "ID"), "tokenName": claims.get("tokenName").map(|_| "id_token"),
        }),
    )
}

/// OpenID Connect Back-Channel Logout §2.4.
fn logout_token(claims: &Value) -> Value {
    let events = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    envelope(claims, json!({"sub": claims["sub"], "jti": "1", "sid": "s", "events": events}))
}

/// RFC 8417 §2.
fn security_event(claims: &Value) -> Value {
    let events = json!({"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}});
    envelope(claims, json!({"jti": "1", "txn": "t", "sub_id": {"format": "opaque", "id": "a"}, "events": events}))
}

/// JWT-SVID.md §3, from an issuer that says who it is.
fn jwt_svid(claims: &Value) -> Value {
    envelope(claims, json!({ "sub": CLERK }))
}

/// WIT-SVID.md: it has a key to be proven, and no audience.
fn wit_svid(claims: &Value) -> Value {
    let jwk = SvidSigner::new(Algorithm::Es256, "own").jwk();
    envelope(claims, json!({"sub": CLERK, "aud": null, "cnf": {"jwk": jwk}}))
}

#[test]
fn each_kind_of_token_passes_only_the_verifiers_it_is_for() {
    let (rows, columns) = (rows(), columns());
    let mut table = format!("{:<34}", "");
    for column in &columns {
        write!(table, "{:<20}", column.name).unwrap();
    }
    let mut accepted = 0;
    let mut wrong = Vec::new();
    for row in &rows {
        write!(table, "\n{:<34}", row.name).unwrap();
        for column in &columns {
            let answer = (column.answer)(row.typ, &(row.claims)(&column.claims));
            write!(table, "{answer:<20}").unwrap();
            let is_good = row.kind == Claims::Good;
            let is_svid = row.kind == Claims::OfSomeone && column.takes_svids;
            let is_for = (is_good || is_svid) && column.takes.contains(&row.typ);
            accepted += usize::from(is_for);
            if (answer == ACCEPTED) != is_for {
                wrong.push(format!("{} at {}: {answer}", row.name, column.name));
            }
            // A kind that the verifier does not take is refused for its kind, whatever else is wrong with it.
            let is_due = is_good || !column.claims_first;
            if is_due && !column.takes.contains(&row.typ) && answer != column.refuses_with {
                wrong.push(format!("{} at {}: {answer}, not {}", row.name, column.name, column.refuses_with));
            }
        }
    }
    println!("{table}");
    assert_eq!(wrong, [""; 0]);
    // For a JWT-SVID, with two kinds of `typ`, ID and logout tokens and all claims with another; and the three as such.
    assert_eq!(accepted, columns.iter().map(|column| column.takes.len()).sum::<usize>() + 2 * (2 + 3) + 3);
    assert_eq!(rows.len(), 26 + 3 + 3 * 3 + 2 * 3 + 3 + 1);
}
