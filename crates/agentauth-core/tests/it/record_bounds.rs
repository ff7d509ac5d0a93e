//! A record is of bounded size, whatever goes into it, and nothing personal is in its body.

use std::sync::Arc;

use agentauth_core::audit::{MAX_RECORD_BYTES, Record, RecordedLine, join_personal};
use agentauth_core::policy::{Effect, Obligation, Reason, ReasonKind, WouldFlip};
use agentauth_core::state::MemoryRevocations;
use agentauth_core::state::revocation::Revocation;
use agentauth_core::{Action, Decision, IssuerId, PrincipalId};
use serde_json::{Value, json};

use crate::support::court::{Court, LAWYER, Oracle, STS, caller, chain, claims, wait, with};

/// The two halves of a record, which are as long as a record may be at most, and are the line when they are put together.
fn halves(record: &Record) -> [String; 2] {
    let (mut body, mut personal) = (Vec::new(), Vec::new());
    record.write(&mut body, &mut personal).unwrap();
    let line = serde_json::to_vec(record).unwrap();
    assert_eq!(join_personal(&body, &personal), line);
    assert!(line.len() <= MAX_RECORD_BYTES, "{} bytes", line.len());
    if !personal.is_empty() {
        assert!(serde_json::from_slice::<Value>(&personal).unwrap().is_object());
    }
    [body, personal].map(|half| String::from_utf8(half).unwrap())
}

fn decided(decision: Decision) -> Arc<Record> {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::answering(Ok(decision))).build().unwrap();
    let caller = caller(&auth, &court.key.mint(&claims()));
    court.records.take();
    drop(wait(caller.authorize(Action::new("motions:file").unwrap())));
    court.records.only()
}

fn reason(text: impl Into<Box<str>>) -> Reason {
    Reason::new(ReasonKind::Forbidden, text)
}

/// Control characters take six bytes each in JSON.
#[test]
fn what_an_engine_says_is_cut_and_that_is_said() {
    let long = "\u{1}".repeat(2 * MAX_RECORD_BYTES);
    let deny = || Decision::deny(reason("no"));
    let many = |n: usize, decision: Decision| (0..n).fold(decision, |decision, _| decision.because(reason("again")));
    let errors = |n: usize| (0..n).fold(deny(), |decision, _| decision.with_error(Some("p"), "failed"));
    let flips = |n: usize| (0..n).fold(deny(), |decision, _| decision.with_flip(WouldFlip::new("p", Effect::Allow)));
    let allow = || Decision::allow(Reason::new(ReasonKind::Permitted, "yes"));
    let conditions =
        |n: usize| (0..n).fold(allow(), |all, _| all.on_condition_of(Obligation::Unknown("what is not known".into())));
    for (decision, cut) in [
        (deny(), false),
        (many(50, deny()), false),
        (Decision::deny(reason("x".repeat(60_000))), false),
        (Decision::deny(reason(&*long)), true),
        (Decision::deny(reason("no").of_policy(&long)), true),
        (many(100_000, deny()), true),
        (deny().with_error(Some(&long), &*long), true),
        (errors(100_000), true),
        (flips(100_000), true),
        (deny().with_flip(WouldFlip::new(&*long, Effect::Allow)), true),
        (allow().on_condition_of(Obligation::Unknown(long.clone().into())), true),
        (conditions(100_000), true),
        (deny().of_version(long.clone().into()), true),
        (many(100_000, errors(100_000)).of_version(long.clone().into()), true),
    ] {
        let record = decided(decision);
        assert_eq!(record.truncated, cut);
        let [body, _] = halves(&record);
        assert_eq!(body.contains(r#","truncated":true}"#), cut, "{body:.200}");
        let read = RecordedLine::read(&serde_json::to_vec(&*record).unwrap()).unwrap();
        assert_eq!(matches!(read, RecordedLine::Incomplete), cut, "what was cut is not decided again");
    }
}

/// Whatever a token can hold, twice over: names that must be escaped, as many actors as are taken, and details.
#[test]
fn the_largest_token_is_on_record_whole() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).record_arguments(["a", "b", "c", "d", "e", "f"]);
    let auth = auth.build().unwrap();
    let name = "\"\\".repeat(200);
    let actors: Vec<String> = (0..4).map(|n| format!("{name}{n}")).collect();
    let mut whole = with("act", chain(&actors.iter().map(String::as_str).collect::<Vec<_>>()));
    whole["sub"] = "\"\\".repeat(500).into();
    let scopes: Vec<String> = (0..100).map(|n| format!("motions:file{n:0>20}")).collect();
    whole["scope"] = format!("motions:file {}", scopes.join(" ")).into();
    let caller = caller(&auth, &court.key.mint(&whole));
    halves(&court.records.only());
    let arguments: serde_json::Map<String, Value> =
        ["a", "b", "c", "d", "e", "f", "g"].iter().map(|name| ((*name).into(), "\u{1}".repeat(160).into())).collect();
    let resource = "\"".repeat(2000);
    let action = Action::new("motions:file").unwrap().on("case", &resource).with(Value::Object(arguments)).unwrap();
    drop(wait(caller.authorize(action)));
    let record = court.records.only();
    assert!(!record.truncated);
    halves(&record);
}

#[test]
fn a_revocation_of_any_length_is_recorded() {
    let court = Court::new();
    let auth = court.engine().revocations(MemoryRevocations::new()).build().unwrap();
    let alice = PrincipalId::new(IssuerId::new(STS).unwrap(), &"a".repeat(3 * MAX_RECORD_BYTES));
    let revocation = Revocation::principal(alice).by("dana").because("alice has left");
    let _ = wait(auth.revoke(&revocation));
    let record = court.records.only();
    assert!(record.truncated);
    let [body, personal] = halves(&record);
    assert!(!body.contains("dana") && !body.contains("left") && !body.contains("aaa"), "{body}");
    assert!(personal.contains(r#""by":"dana","why":"alice has left""#), "{personal:.300}");
    let hash = record.revocation.as_ref().unwrap().principal_hash.as_deref().unwrap();
    assert!(body.contains(&format!(r#""principal_hash":"{hash}""#)) && body.contains("by_hash"), "{body}");
}

/// Whoever calls themselves what they like at the application's door is refused on record, too.
#[test]
fn names_of_people_are_no_longer_than_there_is_room_for_beside_the_body() {
    for length in [3000, MAX_RECORD_BYTES / 20] {
        let name = "\u{1}".repeat(length);
        let court = Court::new();
        let auth = court.engine().revocations(MemoryRevocations::new()).build().unwrap();
        let named = PrincipalId::new(IssuerId::new(STS).unwrap(), &name).in_tenant(&name);
        let _ = wait(auth.revoke(&Revocation::principal(named)));
        let record = court.records.only();
        let [_, personal] = halves(&record);
        assert!(record.truncated && personal.len() < 32 * 1024, "{} bytes", personal.len());
    }
}

/// After the name is erased, records of the same principal still belong together.
#[test]
fn records_of_one_principal_have_one_hash() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).revocations(MemoryRevocations::new()).build().unwrap();
    let hash_of = |subject: &str| {
        caller(&auth, &court.key.mint(&with("sub", subject)));
        court.records.only().delegation.as_ref().unwrap().principal_hash.clone()
    };
    let alice = hash_of("alice");
    assert_eq!((hash_of("alice"), alice.len()), (alice.clone(), 32));
    assert_ne!(hash_of("bob"), alice);
    let named = PrincipalId::new(IssuerId::new(STS).unwrap(), "alice");
    wait(auth.revoke(&Revocation::principal(named))).unwrap();
    assert_eq!(court.records.only().revocation.as_ref().unwrap().principal_hash, Some(alice));
}

/// An engine may say whom it is about; the body of the record does not.
#[test]
fn the_names_of_principals_are_taken_out_of_what_engines_say() {
    let text = "alice@court.example: User::\"https://sts.court.example#alice\" may not; malice may";
    let record = decided(Decision::deny(reason(text).telling("alice, no")).with_error(Some("p"), "alice has no `x`"));
    let [body, personal] = halves(&record);
    assert!(body.contains("malice may") && !body.replace("malice", "").contains("alice"), "{body}");
    assert!(body.contains("[principal], no") && body.contains("[principal] has no `x`"), "{body}");
    assert_eq!(personal, r#"{"principal":{"issuer":"https://sts.court.example","kind":"subject","subject":"alice"}}"#);
}

/// Engines quote names, cut them off and show them as they like.
#[test]
fn a_name_is_taken_out_however_it_is_written() {
    for (name, written) in [
        ("o\"brien", r#"User::"https://sts#o\"brien" may not"#),
        ("o'brien", r"User::'o\'brien' may not"),
        (r"CORP\zoe", r#"User::"CORP\\zoe" may not"#),
        ("zo\u{eb}", "zo\u{eb}: no"),
        ("zo\u{eb}", "zo?: no"),
        ("zo\u{eb}", r"zo\u{eb}: no"),
        ("zo\u{eb}", r"zo\u00eb: no"),
        ("a very long name, that is longer than an excerpt is, as names in directories often are", {
            "`a very long name, that is longer than an excerpt is, as names in directories oft...`"
        }),
    ] {
        let court = Court::new();
        let auth = court.engine().policy(Oracle::answering(Ok(Decision::deny(reason(written))))).build().unwrap();
        let caller = caller(&auth, &court.key.mint(&with("sub", name)));
        court.records.take();
        let rejection = wait(caller.authorize(Action::new("motions:file").unwrap())).unwrap_err();
        let text = court.records.only().reasons[0].text().to_owned();
        assert!(text.contains("[principal]"), "{name}: {text}");
        assert!(
            !["brien", "zoe", "zo\u{eb}", "zo?", "zo\\", "very long"].iter().any(|part| text.contains(part)),
            "{text}"
        );
        assert!(rejection.to_string().contains("[principal]"), "{rejection}");
    }
}

#[test]
fn a_line_without_its_personal_half_is_no_question() {
    let record = decided(Decision::allow(Reason::new(ReasonKind::Permitted, "yes")));
    let [body, personal] = halves(&record);
    let read = |line: &[u8]| RecordedLine::read(line).unwrap();
    assert!(matches!(read(&join_personal(body.as_bytes(), personal.as_bytes())), RecordedLine::Decision(_)));
    assert!(matches!(read(body.as_bytes()), RecordedLine::Incomplete));
    let delegation = &serde_json::from_str::<Value>(&body).unwrap()["delegation"];
    assert_eq!(delegation["chain"], json!([{"agent": {"spiffe": LAWYER}, "proof": "token"}]));
}
