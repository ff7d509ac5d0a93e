//! What others got wrong, one line for each way.

use agentauth_core::scope::{Constraint, Grant, NotDelegated, Wanted};
use agentauth_core::{Authority, ResourceId, Scope, ScopeImplications, ScopeSet, Timestamp};
use serde_json::{Value, json};

fn of(grants: impl IntoIterator<Item = Grant>) -> Authority {
    Authority::new(ScopeSet::none(), grants).unwrap()
}

fn file() -> Grant {
    Grant::new("file").unwrap()
}

fn with(constraint: Constraint) -> Grant {
    file().argument("x", constraint).unwrap()
}

fn server(name: &str) -> ResourceId {
    ResourceId::new(&format!("https://{name}.example")).unwrap()
}

fn one_of(values: &[&str]) -> Constraint {
    Constraint::one_of(values.iter().copied()).unwrap()
}

#[test]
fn a_child_is_within_its_parent_only_with_each_of_its_limits() {
    let at = Timestamp::from_secs;
    let below = |prefix| Constraint::below(prefix).unwrap();
    let integers = |range| Constraint::integers(range).unwrap();
    for (child, parent, expected) in [
        // Absent is not unlimited.
        (file(), with(one_of(&["a"])), false),
        (file(), file().on("case", "1").unwrap(), false),
        (file(), file().audience(server("a")), false),
        (file(), file().valid_until(at(9)), false),
        (file(), file().valid_from(at(9)), false),
        (file(), file().depth(9), false),
        (file(), file().uses(9), false),
        (file(), file().no_other_arguments(), false),
        // A limit may be added, and not be taken away.
        (with(one_of(&["a"])), file(), true),
        (with(one_of(&["a"])).uses(1).depth(0).valid_until(at(9)).audience(server("a")), file(), true),
        (with(one_of(&["a"])), with(one_of(&["a"])).no_other_arguments(), false),
        (
            with(one_of(&["a"])).argument("y", one_of(&["b"])).unwrap().no_other_arguments(),
            with(one_of(&["a"])).no_other_arguments(),
            false,
        ),
        // Narrower is within wider, not only what is equal.
        (with(one_of(&["a"])), with(one_of(&["a", "b"])), true),
        (with(one_of(&["a", "b"])), with(one_of(&["a"])), false),
        (with(one_of(&["a", "b"])), with(one_of(&["b", "a", "a"])), true),
        (with(below("a/b")), with(below("a")), true),
        (with(below("a")), with(below("a/b")), false),
        (with(below("b/c")), with(below("b")), true),
        (with(one_of(&["a/b", "a"])), with(below("a")), true),
        (with(integers(1..=2)), with(integers(0..=5)), true),
        (with(integers(1..=6)), with(integers(0..=5)), false),
        // A prefix ends with a segment.
        (with(below("database")), with(below("data")), false),
        (with(one_of(&["database"])), with(below("data")), false),
        (file().on("case", "2026-171").unwrap(), file().below("case", "2026-17").unwrap(), false),
        (file().on("case", "2026/17/../18").unwrap(), file().below("case", "2026/17").unwrap(), false),
        (file().on("case", "2026/17").unwrap(), file().below("case", "2026/17").unwrap(), true),
        (file().on("case", "2026/17/1").unwrap(), file().below("case", "2026/17").unwrap(), true),
        (file().below("case", "2026").unwrap(), file().on_kind("case").unwrap(), true),
        (file().on("file", "2026").unwrap(), file().on_kind("case").unwrap(), false),
        // Types are not converted.
        (with(one_of(&["1"])), with(integers(1..=2)), false),
        (with(Constraint::one_of([1]).unwrap()), with(integers(1..=2)), true),
        (with(Constraint::one_of([true]).unwrap()), with(integers(0..=1)), false),
        (with(one_of(&["a"])), with(Constraint::subset_of(["a"]).unwrap()), false),
        (with(Constraint::subset_of(["a"]).unwrap()), with(one_of(&["a"])), false),
        (with(Constraint::length(..).unwrap()), with(integers(0..=1)), false),
        // Case, and what only looks alike, are other texts.
        (with(one_of(&["A"])), with(one_of(&["a"])), false),
        (with(one_of(&["\u{430}"])), with(one_of(&["a"])), false),
        (Grant::new("File").unwrap().uses(1), file(), false),
        // Times are compared in whole seconds, without leeway.
        (file().valid_until(at(9)), file().valid_until(at(9)), true),
        (file().valid_until(at(10)), file().valid_until(at(9)), false),
        (file().valid_from(at(8)), file().valid_from(at(9)), false),
        (file().valid_until(at(9).plus(std::time::Duration::from_millis(900))), file().valid_until(at(9)), true),
        (file().valid_from(at(9)), file().valid_from(at(8).plus(std::time::Duration::from_millis(1))), true),
        // Other servers, more servers.
        (file().audience(server("b")), file().audience(server("a")), false),
        (file().audiences([server("a"), server("b")]).unwrap(), file().audience(server("a")), false),
        (file().audience(server("a")), file().audiences([server("a"), server("b")]).unwrap(), true),
        (file().depth(2), file().depth(1), false),
        (file().uses(2), file().uses(1), false),
    ] {
        let (c, p) = (of([child.clone()]), of([parent.clone()]));
        assert_eq!(c.is_within(&p), expected, "{child} in {parent}");
        assert_eq!(c.meet(&p) == c, expected, "{child} and {parent}");
        assert_eq!(child.is_within(&parent), expected);
    }
}

#[test]
fn a_scope_is_a_grant_without_limits_and_a_grant_with_limits_is_no_scope() {
    let scope = Authority::of_scopes("file".parse().unwrap());
    assert_eq!(of([file()]), scope);
    assert_eq!(Authority::new("file".parse().unwrap(), [file().uses(1)]).unwrap(), scope);
    let limited = of([file().uses(1)]);
    assert!(limited.is_within(&scope) && !scope.is_within(&limited));
    assert_eq!(scope.meet(&limited), limited);
    let file = "file".parse().unwrap();
    assert!(scope.permits(&file, &ScopeImplications::new()) && !limited.permits(&file, &ScopeImplications::new()));
    assert!(!limited.is_empty() && limited.scopes().is_empty());
}

#[test]
fn no_grant_lies_within_another_one() {
    let (wide, narrow) = (file().uses(5), file().uses(2).on("case", "1").unwrap());
    let expected = of([wide.clone()]);
    assert_eq!(of([narrow.clone(), wide.clone()]), expected);
    assert_eq!(of([wide, narrow]), expected);
    assert_eq!(expected.grants().count(), 1);
}

#[test]
fn of_several_grants_that_allow_it_the_one_with_the_most_uses_counts() {
    let (few, many) = (file().uses(1), file().uses(3).depth(0));
    let server = server("a");
    for (one, other) in [(few, many), (file().uses(1).depth(0), file().uses(3).on("case", "1").unwrap())] {
        let authority = of([one, other]);
        let action = "file".parse().unwrap();
        let wanted = Wanted::new(&action, &server, Timestamp::from_secs(0)).on("case", "1");
        let counted = authority.check(&wanted, &ScopeImplications::new()).unwrap();
        assert_eq!(counted.and_then(Grant::max_uses), Some(3));
    }
}

#[test]
fn what_two_grants_only_cover_together_is_within_neither() {
    let halves = of([with(Constraint::integers(0..=5).unwrap()), with(Constraint::integers(6..=9).unwrap())]);
    let whole = of([with(Constraint::integers(0..=9).unwrap())]);
    assert!(!whole.is_within(&halves) && halves.is_within(&whole));
    assert_eq!(whole.meet(&halves), halves);
}

#[test]
fn what_no_one_could_use_is_left_out() {
    let at = Timestamp::from_secs;
    for grant in [file().uses(0), file().audiences([]).unwrap(), file().valid_from(at(9)).valid_until(at(9))] {
        assert!(of([grant.clone()]).is_empty(), "{grant:?}");
    }
    for (one, other) in [
        (file().on("case", "1").unwrap(), file().on("case", "2").unwrap()),
        (file().below("case", "a").unwrap(), file().below("case", "b").unwrap()),
        (with(one_of(&["a"])), with(one_of(&["b"]))),
        (with(one_of(&["1"])), with(Constraint::integers(0..=5).unwrap())),
        (file().audience(server("a")), file().audience(server("b"))),
        (file().valid_until(at(5)), file().valid_from(at(5))),
        (file().uses(1), Grant::new("read").unwrap().uses(1)),
        (file().no_other_arguments(), with(one_of(&["a"]))),
    ] {
        assert!(of([one.clone()]).meet(&of([other.clone()])).is_empty(), "{one} and {other}");
    }
}

#[test]
fn a_grant_that_may_not_be_passed_on_is_not() {
    let authority =
        Authority::new("read".parse().unwrap(), [file().depth(0), file().uses(9).depth(1), file().uses(1)]).unwrap();
    let child = authority.passed_on();
    assert_eq!(child, Authority::new("read".parse().unwrap(), [file().uses(9).depth(0), file().uses(1)]).unwrap());
    let grandchild = child.passed_on();
    assert_eq!(grandchild, Authority::new("read".parse().unwrap(), [file().uses(1)]).unwrap());
    assert_eq!(grandchild.passed_on(), grandchild);
    assert!(of([file().depth(0)]).passed_on().is_empty());
}

#[test]
fn the_reason_is_that_of_the_grant_that_comes_nearest() {
    let at = Timestamp::from_secs;
    let grant = with(Constraint::integers(0..=5).unwrap())
        .on("case", "1")
        .unwrap()
        .audience(server("a"))
        .valid_from(at(5))
        .valid_until(at(9))
        .no_other_arguments();
    let authority = of([grant, file().on("other", "1").unwrap()]);
    let (action, other): (Scope, Scope) = ("file".parse().unwrap(), "seal".parse().unwrap());
    let (here, there) = (server("a"), server("b"));
    let fee = json!({"x": 5});
    let argument = |name| NotDelegated::Argument(agentauth_core::Excerpt::of(name));
    let ask = |wanted: Wanted<'_>| authority.check(&wanted, &ScopeImplications::new()).map(|_| ());
    let good = || Wanted::new(&action, &here, at(5)).on("case", "1").with(&fee);
    assert_eq!(ask(good()), Ok(()));
    assert_eq!(ask(Wanted::new(&other, &here, at(5)).on("case", "1").with(&fee)), Err(NotDelegated::Action));
    assert_eq!(ask(good().on("case", "2")), Err(NotDelegated::Resource));
    assert_eq!(ask(Wanted::new(&action, &here, at(5)).with(&fee)), Err(NotDelegated::Resource));
    // The other grant is for this server and this time, but not for this resource: it comes nearer.
    assert_eq!(ask(Wanted::new(&action, &there, at(5)).on("case", "1").with(&fee)), Err(NotDelegated::Resource));
    for (arguments, name) in [
        (json!({"x": 6}), "x"),
        (json!({}), "x"),
        (json!({"x": "5"}), "x"),
        (json!({"x": 5, "y": 1}), "y"),
        (Value::Null, "x"),
    ] {
        assert_eq!(ask(good().with(&arguments)), Err(argument(name)), "{arguments}");
    }
    let alone = of([file().audience(server("a")).valid_from(at(5)).valid_until(at(9))]);
    let ask = |wanted: Wanted<'_>| alone.check(&wanted, &ScopeImplications::new()).map(|_| ());
    assert_eq!(ask(Wanted::new(&action, &there, at(5))), Err(NotDelegated::Audience));
    for (now, expected) in [(4, Err(NotDelegated::NotNow)), (5, Ok(())), (8, Ok(())), (9, Err(NotDelegated::NotNow))] {
        assert_eq!(ask(Wanted::new(&action, &here, at(now))), expected);
    }
}

#[test]
fn an_action_that_includes_others_includes_them_within_its_limits() {
    let implications = ScopeImplications::new().includes("files", "files:read").unwrap();
    let authority = of([Grant::new("files").unwrap().on("file", "a").unwrap()]);
    let (read, write): (Scope, Scope) = ("files:read".parse().unwrap(), "files:write".parse().unwrap());
    let here = server("a");
    for (scope, id, expected) in [(&read, "a", true), (&read, "b", false), (&write, "a", false)] {
        let wanted = Wanted::new(scope, &here, Timestamp::from_secs(0)).on("file", id);
        assert_eq!(authority.allows(&wanted, &implications), expected);
        assert!(!authority.allows(&wanted, &ScopeImplications::new()));
    }
}

#[test]
fn an_authority_is_bounded_and_its_meet_does_not_outgrow_it() {
    let numbered = |name: &str, number: i64| file().argument(name, Constraint::exactly(number).unwrap()).unwrap();
    let grants = |name: &'static str, many: i64| (0..many).map(move |number| numbered(name, number));
    let code = |authority: Result<Authority, agentauth_core::scope::GrantError>| authority.unwrap_err().code();
    assert_eq!(code(Authority::new(ScopeSet::none(), grants("x", 65))), "grant_too_large");
    let scopes: Vec<Grant> = (0..257).map(|number| Grant::new(&format!("s{number}")).unwrap()).collect();
    assert_eq!(code(Authority::new(ScopeSet::none(), scopes)), "grant_too_large");
    // 64 times 64 grants would be left.
    let (one, other) = (of(grants("x", 64)), of(grants("y", 64)));
    let met = one.meet(&other);
    assert_eq!(met.grants().count(), 64);
    assert!(met.is_within(&one) && met.is_within(&other));
    // 33 arguments would be left of one grant.
    let wide = |from: i64, to| {
        (from..to).fold(file(), |grant, n| grant.argument(&format!("x{n}"), Constraint::exactly(n).unwrap()).unwrap())
    };
    assert!(of([wide(0, 32)]).meet(&of([wide(1, 33)])).is_empty());
    assert_eq!(wide(0, 32).argument("more", Constraint::exactly(1).unwrap()).unwrap_err().code(), "grant_too_large");
    let servers = (0..17).map(|number| server(&format!("s{number}")));
    assert_eq!(file().audiences(servers).unwrap_err().code(), "grant_too_large");
    assert_eq!(file().on("case", "a\nb").unwrap_err().code(), "grant_name_malformed");
}
