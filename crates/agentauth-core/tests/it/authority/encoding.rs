//! Authority as `authorization_details`.

use agentauth_core::scope::{AGENT_ACTION, Constraint, DetailError, DetailType, DetailTypes, Grant, Wanted};
use agentauth_core::{Authority, ResourceId, ScopeImplications, ScopeSet, Timestamp};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::model::authorities;

fn detail(members: Value) -> Value {
    let mut detail = json!({"type": AGENT_ACTION, "actions": ["file"]});
    let Value::Object(members) = members else { panic!("{members} has no members") };
    detail.as_object_mut().unwrap().extend(members);
    detail
}

fn of(grants: impl IntoIterator<Item = Grant>) -> Authority {
    Authority::new(ScopeSet::none(), grants).unwrap()
}

fn file() -> Grant {
    Grant::new("file").unwrap()
}

#[test]
fn each_member_means_one_limit() {
    let server = ResourceId::new("https://tools.example").unwrap();
    let argument = |constraint| file().argument("x", constraint).unwrap();
    let one_of = |value: Value| json!({"arguments": {"x": value}});
    for (members, grant) in [
        (json!({"locations": ["https://tools.example"]}), file().audience(server)),
        (json!({"resource": {"kind": "case"}}), file().on_kind("case").unwrap()),
        (json!({"resource": {"kind": "case", "id": "1 2"}}), file().on("case", "1 2").unwrap()),
        (json!({"resource": {"kind": "case", "below": "1/2"}}), file().below("case", "1/2").unwrap()),
        (json!({"other_arguments": false}), file().no_other_arguments()),
        (json!({"not_before": 5}), file().valid_from(Timestamp::from_secs(5))),
        (json!({"expires": 9}), file().valid_until(Timestamp::from_secs(9))),
        (json!({"max_depth": 0}), file().depth(0)),
        (json!({"max_uses": 3}), file().uses(3)),
        (
            one_of(json!({"one_of": [true, 1, "a"]})),
            argument(Constraint::one_of([json!("a"), json!(1), json!(true)]).unwrap()),
        ),
        (one_of(json!({"integer": {"min": 0, "max": 5}})), argument(Constraint::integers(0..=5).unwrap())),
        (one_of(json!({"number": {"min": 0.5, "max": 5}})), argument(Constraint::decimals(0.5..=5.0).unwrap())),
        (one_of(json!({"text": {}})), argument(Constraint::length(..).unwrap())),
        (one_of(json!({"text": {"min_length": 1, "max_length": 9}})), argument(Constraint::length(1..=9).unwrap())),
        (one_of(json!({"text": {"below": "a/b"}})), argument(Constraint::below("a/b").unwrap())),
        (one_of(json!({"subset_of": ["a", "b"]})), argument(Constraint::subset_of(["b", "a"]).unwrap())),
    ] {
        let written = json!([detail(members)]);
        let read = DetailTypes::new().read_strictly(&written).unwrap();
        assert_eq!(read, of([grant]), "{written}");
        assert_eq!(read.to_details(), written, "what was canonical stays as it is");
        assert_eq!(read.grants().next().unwrap().to_string(), written[0].to_string());
    }
}

#[test]
fn several_actions_are_several_grants_and_one_without_limits_is_a_scope() {
    let types = DetailTypes::new();
    let details = json!([{"type": AGENT_ACTION, "actions": ["read", "file", "read"], "max_uses": 1}, {"type": AGENT_ACTION, "actions": ["seal"]}]);
    let read = types.read_strictly(&details).unwrap();
    let expected = [file().uses(1), Grant::new("read").unwrap().uses(1)];
    assert_eq!(read, Authority::new("seal".parse().unwrap(), expected).unwrap());
    assert_eq!(read.scopes().to_string(), "seal");
    assert_eq!(types.read_strictly(&json!([])), Ok(Authority::default()));
    assert_eq!(types.parse("[]"), Ok(Authority::default()));
}

#[test]
fn what_is_not_understood_refuses_the_whole_or_grants_nothing() {
    let types = DetailTypes::new();
    let many: Vec<String> = (0..65).map(|number| format!("a{number}")).collect();
    let arguments: serde_json::Map<String, Value> =
        (0..33).map(|number| (format!("x{number}"), json!({"one_of": [1]}))).collect();
    let argument = |constraint: Value| detail(json!({"arguments": {"x": constraint}}));
    for (detail, expected) in [
        (json!("agent_action"), "detail_malformed"),
        (json!({"actions": ["file"]}), "detail_malformed"),
        (json!({"type": 1, "actions": ["file"]}), "detail_malformed"),
        (json!({"type": "payment", "actions": ["file"]}), "detail_type_unknown"),
        (json!({"type": "Agent_action", "actions": ["file"]}), "detail_type_unknown"),
        (json!({"type": AGENT_ACTION}), "detail_member_malformed"),
        (json!({"type": AGENT_ACTION, "actions": []}), "detail_member_malformed"),
        (json!({"type": AGENT_ACTION, "actions": "file"}), "detail_member_malformed"),
        (json!({"type": AGENT_ACTION, "actions": ["file", 1]}), "detail_member_malformed"),
        (json!({"type": AGENT_ACTION, "actions": ["file", "a b"]}), "scope_malformed"),
        (json!({"type": AGENT_ACTION, "actions": many, "max_uses": 1}), "grant_too_large"),
        (detail(json!({"locations": []})), "detail_member_malformed"),
        (detail(json!({"locations": null})), "detail_member_malformed"),
        (detail(json!({"locations": ["tools"]})), "detail_member_malformed"),
        (
            detail(json!({"locations": (0..17).map(|n| format!("https://s{n}.example")).collect::<Vec<_>>()})),
            "grant_too_large",
        ),
        (detail(json!({"resource": "case"})), "detail_member_malformed"),
        (detail(json!({"resource": {}})), "detail_member_malformed"),
        (detail(json!({"resource": {"id": "1"}})), "detail_member_malformed"),
        (detail(json!({"resource": {"kind": "case", "id": 1}})), "detail_member_malformed"),
        (detail(json!({"resource": {"kind": "case", "id": "1", "below": "1"}})), "detail_member_malformed"),
        (detail(json!({"resource": {"kind": "case", "glob": "*"}})), "detail_member_malformed"),
        (detail(json!({"resource": {"kind": "case", "id": "a\nb"}})), "grant_name_malformed"),
        (detail(json!({"resource": {"kind": "", "id": "1"}})), "grant_name_malformed"),
        (detail(json!({"resource": {"kind": "case", "below": "a/../b"}})), "grant_path_malformed"),
        (detail(json!({"arguments": {}})), "detail_member_malformed"),
        (detail(json!({"arguments": {"x": 5}})), "detail_member_malformed"),
        (detail(json!({"arguments": {"": {"one_of": [1]}}})), "grant_name_malformed"),
        (detail(json!({"arguments": arguments})), "grant_too_large"),
        (argument(json!({})), "detail_member_malformed"),
        (argument(json!({"regex": ".*"})), "detail_member_malformed"),
        (argument(json!({"one_of": [1], "integer": {"min": 0, "max": 1}})), "detail_member_malformed"),
        (argument(json!({"one_of": "a"})), "detail_member_malformed"),
        (argument(json!({"one_of": []})), "grant_unsatisfiable"),
        (argument(json!({"one_of": [null]})), "grant_unsatisfiable"),
        (argument(json!({"subset_of": [["a"]]})), "grant_unsatisfiable"),
        (argument(json!({"integer": {"min": 0}})), "detail_member_malformed"),
        (argument(json!({"integer": {"min": 0, "max": "5"}})), "detail_member_malformed"),
        (argument(json!({"integer": {"min": 0, "max": 5.5}})), "detail_member_malformed"),
        (argument(json!({"integer": {"min": 0, "max": 5, "step": 2}})), "detail_member_malformed"),
        (argument(json!({"integer": {"min": 0, "max": 9_007_199_254_740_992_u64}})), "grant_number_range"),
        (argument(json!({"number": {"min": 1, "max": 0}})), "grant_unsatisfiable"),
        (argument(json!({"text": {"max_length": -1}})), "detail_member_malformed"),
        (argument(json!({"text": {"max_length": 1.5}})), "detail_member_malformed"),
        (argument(json!({"text": {"matches": "a"}})), "detail_member_malformed"),
        (argument(json!({"text": {"below": "a//b"}})), "grant_path_malformed"),
        (detail(json!({"other_arguments": true})), "detail_member_malformed"),
        (detail(json!({"not_before": "5"})), "detail_member_malformed"),
        (detail(json!({"expires": 5.5})), "detail_member_malformed"),
        (detail(json!({"expires": u64::MAX})), "detail_member_malformed"),
        (detail(json!({"expires": null})), "detail_member_malformed"),
        (detail(json!({"not_before": 5, "expires": 5})), "grant_unsatisfiable"),
        (detail(json!({"max_depth": -1})), "detail_member_malformed"),
        (detail(json!({"max_uses": 0})), "grant_unsatisfiable"),
        (detail(json!({"max_uses": 4_294_967_296_u64})), "detail_member_malformed"),
        (detail(json!({"privileges": ["admin"]})), "detail_member_unknown"),
        (detail(json!({"Expires": 5})), "detail_member_unknown"),
    ] {
        let good = json!({"type": AGENT_ACTION, "actions": ["read"], "max_uses": 1});
        let details = json!([good, detail]);
        let refused = types.read_strictly(&details).map_or_else(|error| error.code(), |_| "accepted");
        assert_eq!(refused, expected, "{detail:.200}");
        let read = types.read(&details);
        let left = |grant: &Grant| grant.action().as_str() == "read" || expected == "grant_too_large";
        assert!(read.grants().all(left) && read.grants().next().is_some() && read.scopes().is_empty(), "{read:?}");
    }
    for details in [json!({}), json!(null), json!("x"), json!({"type": AGENT_ACTION, "actions": ["file"]})] {
        assert_eq!(types.read_strictly(&details), Err(DetailError::Malformed));
        assert!(types.read(&details).is_empty());
    }
}

#[test]
fn details_are_strict_json_of_bounded_size() {
    let deep = format!("{}{}", "[".repeat(9), "]".repeat(9));
    let long = format!("[\"{}\"]", "x".repeat(8192));
    for (text, expected) in [
        ("[", "json_malformed"),
        ("[] []", "json_malformed"),
        (r#"[{"type":"agent_action","actions":["a"],"actions":["b"]}]"#, "json_duplicate_member"),
        (
            r#"[{"type":"agent_action","actions":["a"],"arguments":{"x":{"one_of":[1]},"x":{"one_of":[2]}}}]"#,
            "json_duplicate_member",
        ),
        (deep.as_str(), "json_too_deep"),
        (long.as_str(), "json_oversize"),
        (r#"[{"type":"agent_action","actions":["a"]}]"#, "accepted"),
    ] {
        let code = DetailTypes::new().parse(text).map_or_else(|error| error.code(), |_| "accepted");
        assert_eq!(code, expected, "{text:.80}");
    }
}

/// `{"type": "room", "floors": [..]}`: entering rooms on these floors.
#[derive(Debug)]
struct Rooms {
    /// Makes of two what neither has.
    widens: bool,
}

fn floors(detail: &Value) -> Option<Vec<u64>> {
    detail.get("floors")?.as_array()?.iter().map(Value::as_u64).collect()
}

impl DetailType for Rooms {
    fn name(&self) -> &str {
        "room"
    }

    fn read(&self, detail: &Value) -> Option<Value> {
        let mut floors = floors(detail).filter(|floors| !floors.is_empty())?;
        floors.sort_unstable();
        (detail.as_object()?.len() == 2).then(|| json!({"type": "room", "floors": floors}))
    }

    fn is_within(&self, detail: &Value, other: &Value) -> bool {
        floors(detail).zip(floors(other)).is_some_and(|(own, others)| own.iter().all(|floor| others.contains(floor)))
    }

    fn meet(&self, detail: &Value, other: &Value) -> Option<Value> {
        let (own, others) = floors(detail).zip(floors(other))?;
        let both: Vec<u64> = own.into_iter().filter(|floor| self.widens || others.contains(floor)).collect();
        (!both.is_empty()).then(|| json!({"type": "room", "floors": both}))
    }

    fn allows(&self, detail: &Value, wanted: &Wanted<'_>) -> bool {
        let floor = wanted.argument("floor").and_then(Value::as_u64);
        wanted.action().as_str() == "enter"
            && floors(detail).is_some_and(|floors| floor.is_some_and(|floor| floors.contains(&floor)))
    }
}

#[test]
fn a_type_of_ones_own_is_read_compared_and_met_by_its_own_rules() {
    let types = DetailTypes::new().with(Rooms { widens: false }).unwrap();
    assert_eq!(types.names().collect::<Vec<_>>(), [AGENT_ACTION, "room"]);
    let room = |floors: &[u64]| types.read_strictly(&json!([{"type": "room", "floors": floors}])).unwrap();
    let (low, all) = (room(&[2, 1]), room(&[1, 2, 3]));
    assert!(low.is_within(&all) && !all.is_within(&low) && !low.is_empty());
    assert_eq!(low.to_details(), json!([{"type": "room", "floors": [1, 2]}]));
    assert_eq!(all.meet(&room(&[3, 4])), room(&[3]));
    assert!(low.meet(&room(&[3])).is_empty());
    let other = of([Grant::new("enter").unwrap().uses(1)]);
    assert!(!low.is_within(&other) && !other.is_within(&low) && low.meet(&other).is_empty());
    assert!(low.meet(&Authority::of_scopes("enter room".parse().unwrap())).is_empty(), "no scope stands for it");

    let (enter, leave) = ("enter".parse().unwrap(), "leave".parse().unwrap());
    let server = ResourceId::new("https://tools.example").unwrap();
    for (action, floor, expected) in [(&enter, 1, true), (&enter, 3, false), (&leave, 1, false)] {
        let arguments = json!({"floor": floor});
        let wanted = Wanted::new(action, &server, Timestamp::from_secs(0)).with(&arguments);
        assert_eq!(low.allows(&wanted, &ScopeImplications::new()), expected);
    }
    let code = |details: Value| types.read_strictly(&details).unwrap_err().code();
    assert_eq!(code(json!([{"type": "room", "floors": [1], "suites": true}])), "detail_refused");
    assert!(types.read(&json!([{"type": "room", "floors": []}])).is_empty());
    assert!(DetailTypes::new().read(&low.to_details()).is_empty());
    let many: Vec<Value> = (0..17).map(|floor| json!({"type": "room", "floors": [floor]})).collect();
    assert_eq!(code(Value::Array(many)), "grant_too_large");
}

#[test]
fn a_type_of_ones_own_has_a_name_of_its_own_and_its_meet_does_not_widen() {
    let taken = |types: Result<DetailTypes, DetailError>| types.unwrap_err().code();
    let types = DetailTypes::new().with(Rooms { widens: true }).unwrap();
    assert_eq!(taken(types.clone().with(Rooms { widens: false })), "detail_type_taken");

    #[derive(Debug)]
    struct Impostor;
    impl DetailType for Impostor {
        fn name(&self) -> &str {
            AGENT_ACTION
        }
        fn read(&self, detail: &Value) -> Option<Value> {
            Some(detail.clone())
        }
        fn is_within(&self, _: &Value, _: &Value) -> bool {
            true
        }
        fn meet(&self, detail: &Value, _: &Value) -> Option<Value> {
            Some(detail.clone())
        }
        fn allows(&self, _: &Value, _: &Wanted<'_>) -> bool {
            true
        }
    }
    assert_eq!(taken(DetailTypes::new().with(Impostor)), "detail_type_taken");

    let room = |floors: &[u64]| types.read_strictly(&json!([{"type": "room", "floors": floors}])).unwrap();
    assert!(room(&[1, 2]).meet(&room(&[2, 3])).is_empty());
}

/// What mutated details are made of.
fn fragments() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        select(vec!["", "a", "agent_action", "https://a.example", "a/b"]).prop_map(Value::from),
    ];
    let names = select(vec![
        "type",
        "actions",
        "resource",
        "kind",
        "id",
        "below",
        "arguments",
        "x",
        "one_of",
        "min",
        "max",
        "integer",
        "text",
        "expires",
        "max_uses",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_detail_with_anything_unknown_in_it_grants_nothing(
        plainly in authorities(), at in any::<Index>(), what in fragments(), place in 0usize..3, name in "[a-z_]{1,12}",
    ) {
        let one_at_least = Grant::new("seal").unwrap().uses(1);
        let authority = of(plainly.real().grants().cloned().chain([one_at_least]));
        let Value::Array(mut details) = authority.to_details() else { panic!("no array") };
        let detail = at.get(&details).clone();
        let index = details.iter().position(|known| *known == detail).unwrap();
        let changed = match place {
            0 => details[index].as_object_mut().unwrap().insert(format!("x_{name}"), what).is_none(),
            1 => details[index].as_object_mut().unwrap().insert("type".into(), format!("x_{name}").into()).is_some(),
            _ => details[index].as_object_mut().unwrap()
                .insert("arguments".into(), json!({"x": {format!("x_{name}"): what}})).is_none_or(|_| true),
        };
        prop_assert!(changed);
        let changed = Value::Array(details);
        let expected = ["detail_member_unknown", "detail_type_unknown", "detail_member_malformed"][place];
        prop_assert_eq!(DetailTypes::new().read_strictly(&changed).unwrap_err().code(), expected);
        let left: Vec<Grant> = authority.grants().enumerate().filter(|(place, _)| *place != index).map(|(_, grant)| grant.clone()).collect();
        prop_assert_eq!(DetailTypes::new().read(&changed), of(left));
    }

    #[test]
    fn whatever_is_read_is_written_and_read_as_the_same(details in prop::collection::vec(fragments(), 0..3)) {
        let (types, details) = (DetailTypes::new(), Value::Array(details));
        if let Ok(read) = types.read_strictly(&details) {
            prop_assert_eq!(types.read(&details), read.clone());
            let again = types.read_strictly(&read.to_details()).unwrap();
            prop_assert_eq!(Authority::new(read.scopes().clone(), again.grants().cloned()), Ok(read));
        }
    }
}
