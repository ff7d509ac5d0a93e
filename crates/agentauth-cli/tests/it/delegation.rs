//! `agentauth delegation show`.

use agentauth_core::delegation::chain::Chain;
use agentauth_core::{AgentId, Random, RandomUnavailable, Timestamp};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{Folder, NOW, Run, STS, TOOLS, key, mint, strangers_key, with};

const SHOW: [&str; 4] = ["delegation", "show", "--at", "1800000000"];
const LAWYER: &str = "spiffe://court.example/agent/lawyer";
const CLERK: &str = "spiffe://court.example/agent/clerk";
const RECORDS: &str = "https://records.example";

#[derive(Debug)]
struct Same;

impl Random for Same {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        bytes.fill(7);
        Ok(())
    }
}

fn show(tokens: &[String]) -> Run {
    Folder::new().run(&SHOW, &tokens.join("\n"))
}

fn consent() -> String {
    mint(&with(json!({"act": null, "aud": STS, "jti": "consent", "may_act": {"iss": STS, "sub": LAWYER}})))
}

fn lawyers() -> Value {
    json!({"aud": STS, "grant_id": "consent"})
}

/// What the clerk was given: of records, one case.
fn clerks() -> Value {
    json!({
        "aud": RECORDS, "client_id": CLERK, "exp": NOW + 200, "grant_id": "consent", "scope": null,
        "act": {"sub": CLERK, "act": {"sub": LAWYER}},
        "authorization_details": [{
            "type": "agent_action", "actions": ["records:read"], "resource": {"kind": "case", "id": "2026-17"},
        }],
    })
}

/// A chain that the lawyer has narrowed for the clerk, whose key is the stranger's.
fn offline() -> Chain {
    let root = mint(&with(json!({"cnf": {"jkt": key().key_id()}})));
    let clerk = AgentId::Spiffe(CLERK.parse().unwrap());
    let agents_key = strangers_key().key_id().parse().unwrap();
    Chain::read(&root)
        .unwrap()
        .attenuate(&key(), &clerk, agents_key)
        .scopes("records:read".parse().unwrap())
        .expires(Timestamp::from_secs(NOW + 60))
        .sign(Timestamp::from_secs(NOW), &Same)
        .unwrap()
}

#[test]
fn a_chain_of_exchanges_is_a_tree() {
    let run = show(&[consent(), mint(&with(lawyers())), mint(&with(clerks()))]);
    assert_eq!(run.status, 0);
    assert_snapshot!("delegation-exchanged", run.transcript());
}

#[test]
fn a_chain_that_its_holders_made_is_a_tree() {
    let run = Folder::new().run(&SHOW, offline().reveal());
    assert_eq!(run.status, 0);
    assert_snapshot!("delegation-offline", run.transcript());
}

#[test]
fn one_token_is_drawn_with_the_actors_it_names() {
    assert_snapshot!("delegation-single", show(&[mint(&with(clerks()))]).transcript());
}

#[test]
fn programs_get_the_same_as_json() {
    let tokens = [mint(&with(lawyers())), mint(&with(clerks()))].join("~");
    let run = Folder::new().run(&[&SHOW[..], &["--json"]].concat(), &tokens);
    assert_snapshot!("delegation-json", run.transcript());
}

#[test]
fn whatever_is_not_narrower_is_marked() {
    let lawyers = || mint(&with(lawyers()));
    let below = |changes: Value| {
        let mut claims = clerks();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        vec![lawyers(), mint(&with(claims))]
    };
    let chain = offline();
    let (root, link) = chain.reveal().split_once('~').unwrap();
    for (what, tokens, fault) in [
        ("another principal", below(json!({"sub": "bob"})), "for another principal"),
        ("a scope more", below(json!({"scope": "court:close"})), "more than the one before: court:close"),
        ("a longer life", below(json!({"exp": NOW + 400})), "ends 1 min 40 s later"),
        ("no end", below(json!({"exp": null})), "does not say when it ends"),
        ("another grant", below(json!({"grant_id": "other"})), "another grant"),
        ("other agents", below(json!({"act": {"sub": CLERK}})), "not among those who acted before"),
        ("a consent inside", vec![lawyers(), consent()], "a consent begins a chain"),
        (
            "for someone else",
            vec![consent(), mint(&with(json!({"aud": STS, "act": {"sub": CLERK}})))],
            "has no part in it",
        ),
        ("re-parented", vec![lawyers(), link.to_owned()], "par_hash is another token's"),
        ("malformed", vec![root.to_owned(), "a.b".to_owned()], "token_not_compact"),
    ] {
        let run = show(&tokens);
        assert!(run.out.contains(fault) && run.status == 1, "{what}: {}", run.out);
    }
}

#[test]
fn tokens_can_be_in_files_of_any_shape() {
    let folder = Folder::new();
    folder.write("consent.txt", consent() + "\n");
    folder.write("lawyer.txt", format!("Bearer {}\n", mint(&with(lawyers()))));
    let run = folder.run(&[&SHOW[..], &["consent.txt", "lawyer.txt"]].concat(), "");
    assert!(run.status == 0 && run.out.contains("each hop is within the one before"), "{}", run.out);
    assert_eq!(folder.run(&SHOW, " \n").status, 2);
    assert_eq!(folder.run(&SHOW, &"a.b.c ".repeat(33)).status, 2);
    let run = show(&[TOOLS.into()]);
    assert!(run.status == 1 && run.out.contains("this cannot be read as a token"), "{}", run.out);
    assert!(!run.out.contains("by the issuer's word"), "{}", run.out);
}
