//! What is counted.

use std::time::Duration;

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::{Filter, MAX_BUCKETS, MAX_NAMES, OTHER};
use serde_json::json;

use super::made::{LAWYER, Made, decision};

#[test]
fn decisions_are_counted_by_who_what_why_and_when() {
    let mut made = Made::new();
    let minute = 60_000_000;
    for number in 0..10 {
        let code = if number % 5 == 0 { "policy_not_permitted" } else { "permitted" };
        let late = made.record(number * minute, &decision(number, LAWYER, "alice", "motions:file", code));
        let mut outcome = decision(number, LAWYER, "alice", "motions:file", code);
        outcome["kind"] = "outcome".into();
        outcome["code"] = "completed".into();
        made.record(number * minute, &outcome);
        if number == 9 {
            made.own(EntryKind::Refused, number * minute, &json!({"entries": [late]}));
            made.own(
                EntryKind::Gap,
                number * minute,
                &json!({"dropped": 7, "first": "a", "last": "b", "why": "queue_full"}),
            );
            made.entry(EntryKind::Record, 0, b"no JSON", &[]);
        }
    }
    let stats = made.directory.log().stats(&Filter::new(), Duration::from_secs(300));
    assert_eq!((stats.entries, stats.records, stats.unreadable), (23, 21, 1));
    assert_eq!((stats.decisions.allowed, stats.decisions.denied), (8, 2));
    assert_eq!((stats.refused_late, stats.dropped), (1, 7));
    let only = |names: &agentauth_audit::read::Names| -> Vec<(String, u64)> {
        names.iter().map(|(name, tally)| (name.to_owned(), tally.all())).collect()
    };
    assert_eq!(only(&stats.by_kind), [("decision".to_owned(), 10), ("outcome".to_owned(), 10)]);
    assert_eq!(only(&stats.denied_by_code), [("policy_not_permitted".to_owned(), 2)]);
    assert_eq!(only(&stats.outcomes), [("completed".to_owned(), 10)]);
    assert_eq!(only(&stats.by_agent), [(LAWYER.to_owned(), 10)]);
    assert_eq!(only(&stats.by_action), [("motions:file".to_owned(), 10)]);
    let times: Vec<_> =
        stats.by_time.iter().map(|piece| (piece.seconds, piece.tally.allowed, piece.tally.denied)).collect();
    assert_eq!(times, [(300, 4, 1), (300, 4, 1)]);
}

#[test]
fn names_and_pieces_of_time_are_bounded() {
    let mut made = Made::new();
    let (names, day) = (MAX_NAMES as u64 + 5, 86_400_000_000);
    for number in 0..names {
        let agent = format!("spiffe://court.example/agent/{number}");
        made.record(number * day, &decision(number, &agent, "alice", "motions:file", "permitted"));
    }
    let stats = made.directory.log().stats(&Filter::new(), Duration::from_secs(60));
    assert_eq!(stats.by_agent.iter().count(), MAX_NAMES + 1);
    let (_, other) = stats.by_agent.iter().find(|(name, _)| *name == OTHER).unwrap();
    assert_eq!(other.allowed, 5);
    assert!(stats.by_time.len() <= MAX_BUCKETS);
    assert_eq!(stats.by_time.iter().map(|piece| piece.tally.all()).sum::<u64>(), names);
    assert!(stats.by_time.iter().all(|piece| piece.begin.secs() % piece.seconds == 0));
}
