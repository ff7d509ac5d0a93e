//! What is asked for, and nothing else.

use agentauth_audit::format::EntryKind;
use agentauth_audit::read::Filter;
use agentauth_core::Timestamp;
use agentauth_core::policy::Effect;
use proptest::prelude::*;
use serde_json::json;

use super::made::{LAWYER, Made, Memory, START, decision};

fn found(memory: &Memory, filter: &Filter) -> Vec<u64> {
    memory.log().oldest_first(filter).map(|record| record.unwrap().number()).collect()
}

fn varied() -> Memory {
    let mut made = Made::new();
    made.own(EntryKind::Opened, 0, &json!({"sdk": "0.1.0", "process": 1}));
    made.record(1, &decision(1, LAWYER, "alice", "motions:file", "permitted"));
    made.record(2, &decision(2, LAWYER, "bob", "motions:withdraw", "policy_not_permitted"));
    let mut named = decision(3, LAWYER, "alice", "records:read", "permitted");
    named["delegation"]["agent"] = json!({"named": {"issuer": "https://sts.example", "name": "bot#7"}});
    made.record(3, &named);
    let mut outcome = decision(1, LAWYER, "alice", "motions:file", "permitted");
    outcome["kind"] = "outcome".into();
    made.record(4, &outcome);
    let refused = json!({
        "version": 2, "kind": "authentication", "evaluation_id": "b".repeat(32), "time": "2027-01-15T08:00:00Z",
        "server": "https://tools.example", "effect": "deny", "code": "token_expired", "reasons": [{"kind": "refused"}],
        "peer": "spiffe://court.example/agent/intruder",
    });
    made.record(5, &refused);
    made.own(EntryKind::Closed, 6, &json!({"records": 5}));
    made.directory
}

#[test]
fn each_condition_finds_what_it_is_on() {
    let memory = varied();
    let time = |micros| Timestamp::from_secs(0).plus(std::time::Duration::from_micros(START + micros));
    let all = Filter::new;
    let cases: Vec<(&str, Filter, &[u64])> = vec![
        ("all", all(), &[0, 1, 2, 3, 4, 5, 6]),
        ("agent", all().agent(LAWYER), &[1, 2, 4]),
        ("named agent", all().agent("https://sts.example#bot%237"), &[3]),
        ("agents", all().agent(LAWYER).agent("https://sts.example#bot*"), &[1, 2, 3, 4]),
        ("agents that begin so", all().agent("spiffe://court.example/*"), &[1, 2, 4, 5]),
        ("peer where nobody was verified", all().agent("spiffe://court.example/agent/intruder"), &[5]),
        ("chain", all().in_chain("spiffe://court.example/agent/clerk"), &[1, 2, 3, 4]),
        ("subject", all().principal("bob"), &[2]),
        ("principal", all().principal("https://sts.example#alice"), &[1, 3, 4]),
        ("hash", all().principal("hash-of-alice"), &[1, 3, 4]),
        ("part of a subject", all().principal("ali"), &[]),
        ("action", all().action("motions:*"), &[1, 2, 4]),
        ("effect", all().effect(Effect::Deny), &[2, 5]),
        ("code", all().code("token_expired"), &[5]),
        ("kind of reason", all().code("not_permitted"), &[2]),
        ("policy", all().policy("lawyers-file"), &[1, 2, 3, 4]),
        ("kind", all().kind("decision"), &[1, 2, 3]),
        ("kinds", all().kind("outcome").kind("closed"), &[4, 6]),
        ("records", all().kind("record"), &[1, 2, 3, 4, 5]),
        ("since", all().since(time(3)), &[3, 4, 5, 6]),
        ("until", all().until(time(3)), &[0, 1, 2]),
        ("evaluation", all().evaluation(&format!("{:032x}", 1)), &[1, 4]),
        ("text", all().text("intruder"), &[5]),
        ("text that is a name of a member", all().text("evaluation_id"), &[]),
        ("text of the log's own", all().text("0.1.0"), &[0]),
        ("several", all().agent(LAWYER).effect(Effect::Allow).kind("decision").principal("alice"), &[1]),
    ];
    for (case, filter, expected) in cases {
        assert_eq!(found(&memory, &filter), expected, "{case}");
    }
}

#[test]
fn segments_outside_of_the_times_are_not_read() {
    let mut made = Made::new();
    let hour = 3_600_000_000;
    for number in 0..40 {
        if number > 0 && number % 10 == 0 {
            made.rotate();
        }
        made.record(number * hour, &decision(number, LAWYER, "alice", "motions:file", "permitted"));
    }
    let time = |number| Timestamp::from_secs((START + number * hour) / 1_000_000);
    // Nothing behind their first entries can be read.
    for name in ["00000000000000000000.log", "00000000000000000030.log"] {
        made.directory.change(name, |bytes| *bytes.last_mut().unwrap() ^= 1);
    }
    let filter = Filter::new().since(time(12)).until(time(28));
    let expected: Vec<u64> = (12..28).collect();
    assert_eq!(found(&made.directory, &filter), expected);
    let backwards: Vec<u64> =
        made.directory.log().newest_first(&filter).map(|record| record.unwrap().number()).collect();
    assert_eq!(backwards, expected.into_iter().rev().collect::<Vec<_>>());
}

/// Few values, so that filters meet them; with what JSON escapes, and what stands for something in names.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("alice"),
        Just("al"),
        Just("deny"),
        Just("a\"b"),
        Just("a\\b"),
        Just("line\nend"),
        Just("\u{1b}[2J"),
        Just("b#7"),
        Just("50%"),
        Just("ü"),
        Just("\u{1f600}"),
        Just("decision"),
        Just(""),
        Just("*"),
    ]
    .prop_map(str::to_owned)
}

#[derive(Debug, Clone)]
struct Spec {
    agent: String,
    is_named: bool,
    subject: String,
    action: String,
    code: String,
    is_escaped: bool,
    micros: u64,
    is_new_segment: bool,
}

fn spec() -> impl Strategy<Value = Spec> {
    let words = (word(), word(), word(), word());
    (words, any::<[bool; 2]>(), 0..1_200_000_000_u64, proptest::bool::weighted(0.1)).prop_map(
        |((agent, subject, action, code), [is_named, is_escaped], micros, is_new_segment)| Spec {
            agent,
            is_named,
            subject,
            action,
            code,
            is_escaped,
            micros,
            is_new_segment,
        },
    )
}

#[derive(Debug, Clone)]
enum Ask {
    Agent(String),
    Principal(String),
    Action(String),
    Code(String),
    Text(String),
    Kind(String),
    Deny,
    Since(u64),
    Until(u64),
}

fn ask() -> impl Strategy<Value = Ask> {
    let pattern = || {
        (word(), 0..4_u8).prop_map(|(word, how)| match how {
            0 => format!("{word}*"),
            1 => format!("https://sts.example#{}", word.replace('%', "%25").replace('#', "%23")),
            _ => word,
        })
    };
    prop_oneof![
        pattern().prop_map(Ask::Agent),
        pattern().prop_map(Ask::Principal),
        pattern().prop_map(Ask::Action),
        pattern().prop_map(Ask::Code),
        word().prop_map(Ask::Text),
        pattern().prop_map(Ask::Kind),
        Just(Ask::Deny),
        (0..2_400_000_000_u64).prop_map(Ask::Since),
        (0..2_400_000_000_u64).prop_map(Ask::Until),
    ]
}

/// All that is not ASCII letters and digits, and some that are, as escapes: no writer here does so, and some other might.
fn escaped(json: &str) -> String {
    json.chars()
        .map(|c| {
            if c == 'a' || c == 'e' || !c.is_ascii() {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            } else {
                c.to_string()
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Searching bytes first, and passing over segments, finds exactly what reading every record finds, as long as clocks are not
    /// set back by more than ten minutes.
    #[test]
    fn what_is_found_fast_is_what_is_found_slowly(
        specs in proptest::collection::vec(spec(), 0..30),
        asks in proptest::collection::vec(ask(), 0..4),
    ) {
        let mut made = Made::new();
        let mut latest = 0_u64;
        for (number, spec) in specs.iter().enumerate() {
            if spec.is_new_segment && made.next() > 0 {
                made.rotate();
            }
            let mut record = decision(number as u64, LAWYER, &spec.subject, &spec.action, &spec.code);
            record["delegation"]["agent"] = if spec.is_named {
                json!({"named": {"issuer": "https://sts.example", "name": spec.agent}})
            } else {
                json!({"spiffe": spec.agent})
            };
            latest = latest.max(spec.micros + number as u64 * 60_000_000);
            let micros = latest.saturating_sub(spec.micros % 600_000_000);
            if spec.is_escaped {
                record.as_object_mut().unwrap().remove("personal");
                let mut values = escaped(&record.to_string());
                // Names of members and of variants stay as they are.
                for name in record.as_object().unwrap().keys().map(String::as_str).chain([
                    "agent", "spiffe", "named", "issuer", "name", "mode", "resource", "chain", "arguments", "delegation",
                    "deny", "token", "principal_hash", "policy", "text", "audience", "expires", "depth",
                ]) {
                    values = values.replace(&format!("\"{}\"", escaped(name)), &format!("\"{name}\""));
                }
                made.entry(EntryKind::Record, START + micros, values.as_bytes(), &[]);
            } else {
                made.record(micros, &record);
            }
        }
        let time = |micros| Timestamp::from_secs(0).plus(std::time::Duration::from_micros(START + micros));
        let filter = asks.iter().fold(Filter::new(), |filter, ask| match ask {
            Ask::Agent(text) => filter.agent(text),
            Ask::Principal(text) => filter.principal(text),
            Ask::Action(text) => filter.action(text),
            Ask::Code(text) => filter.code(text),
            Ask::Text(text) => filter.text(text),
            Ask::Kind(text) => filter.kind(text),
            Ask::Deny => filter.effect(Effect::Deny),
            Ask::Since(micros) => filter.since(time(*micros)),
            Ask::Until(micros) => filter.until(time(*micros)),
        });
        let log = made.directory.log();
        let all: Vec<_> = log.oldest_first(&Filter::new()).map(Result::unwrap).collect();
        prop_assert_eq!(all.len(), specs.len());
        let slowly: Vec<u64> = all.iter().filter(|record| filter.matches(record)).map(agentauth_audit::read::LogRecord::number).collect();
        prop_assert_eq!(&found(&made.directory, &filter), &slowly);
        let mut backwards: Vec<u64> = log.newest_first(&filter).map(|record| record.unwrap().number()).collect();
        backwards.reverse();
        prop_assert_eq!(&backwards, &slowly);
        prop_assert_eq!(log.stats(&filter, std::time::Duration::from_secs(60)).entries, slowly.len() as u64);
    }
}
