//! A chain on record: each hop with its key, how its name is known and what it held; and no token of it.

use serde_json::{Value, json};

use super::presented::Bench;
use crate::support::certs::NOW;
use crate::support::court::{LAWYER, authenticate};

#[test]
fn each_hop_is_on_record_with_its_key_and_its_scopes() {
    let bench = Bench::new();
    let auth = bench.auth();
    authenticate(&auth, bench.evidence(&auth, &bench.cast.chain(3))).unwrap();
    let record = serde_json::to_value(&*bench.court.records.only()).unwrap();
    let hops = record["delegation"]["chain"].as_array().unwrap();
    let agents = &bench.cast.agents;
    for (at, (hop, (agent, proof, held))) in hops
        .iter()
        .zip([
            (3, "offline_link", "records:read"),
            (2, "offline_link", "records:read"),
            (1, "offline_link", "records:list records:read"),
            (0, "token", "motions:file records:list records:read"),
        ])
        .enumerate()
    {
        assert_eq!(hop["key"], format!("jkt:{}", agents[agent].jkt), "{at}");
        assert_eq!((&hop["proof"], &hop["authority"]), (&json!(proof), &json!(held)), "{at}");
    }
    assert_eq!(hops.len(), 4);
    assert_eq!(hops[3]["agent"], json!({"spiffe": LAWYER}));
    assert_eq!(record["delegation"]["passed_on_offline"], 3);
    // Without a chain, what each held is not known.
    authenticate(&auth, bench.evidence(&auth, &[bench.cast.root()])).unwrap();
    let record = serde_json::to_value(&*bench.court.records.only()).unwrap();
    let only = json!([{"agent": {"spiffe": LAWYER}, "key": format!("jkt:{}", agents[0].jkt), "proof": "token"}]);
    assert_eq!(record["delegation"]["chain"], only);
}

/// Whether it is taken or refused, and for whatever reason.
#[test]
fn no_part_of_a_chain_is_written_anywhere() {
    let bench = Bench::new();
    let auth = bench.auth();
    let root = bench.cast.root();
    let changed = |name: &str, value: Value| {
        vec![root.clone(), bench.cast.link_but(&root, 1, |claims| claims[name] = value.clone())]
    };
    let mut chains = vec![
        bench.cast.chain(1),
        bench.cast.chain(4),
        changed("secret", json!("canary")),
        changed("sub", json!("canary-bob")),
        changed("jti", json!("canary-jti")),
        changed("exp", json!(NOW - 60)),
        changed("par_hash", json!("canary-hash")),
        changed("scope", json!("records:read records:seal")),
        changed("cnf", json!({"jkt": "canary"})),
    ];
    let mut torn = bench.cast.chain(2);
    torn[1].pop();
    chains.push(torn);
    for tokens in chains {
        let evidence = bench.evidence(&auth, &tokens);
        let mut written = format!("{evidence:?}");
        match authenticate(&auth, evidence) {
            Ok(caller) => written += &format!("{:?}", caller.subject_token()),
            Err(rejection) => written += &format!("{rejection:?} {}", rejection.refusal()),
        }
        for record in bench.court.records.take() {
            written += &serde_json::to_string(&*record).unwrap();
        }
        for part in tokens.iter().flat_map(|token| token.split('.').skip(1)) {
            assert!(!written.contains(part), "{written}");
        }
        assert!(!written.contains("canary"), "{written}");
    }
}
