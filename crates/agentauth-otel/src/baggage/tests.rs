use super::*;

fn stripped(values: &[&str]) -> (usize, Option<String>) {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(BAGGAGE, value.parse().unwrap());
    }
    let taken = strip_identity_baggage(&mut headers);
    assert!(headers.get_all(BAGGAGE).iter().count() <= 1);
    (taken, headers.get(BAGGAGE).map(|rest| rest.to_str().unwrap().to_owned()))
}

#[test]
fn what_names_people_agents_or_authority_is_taken_out_of_baggage() {
    for key in [
        "user",
        "User",
        "user.id",
        "userId",
        "user_name",
        "x-user-id",
        "app.user.id",
        "enduser.id",
        "sub",
        "subject",
        "principal",
        "agent",
        "agents",
        "agent-name",
        "gen_ai.agent.id",
        "agentauth.mode",
        "act",
        "scope",
        "scopes",
        "tenant",
        "tenantId",
        "mcp.session.id",
        "roles",
        "client_id",
        "email",
        "spiffe",
        "authorization",
    ] {
        assert_eq!(stripped(&[&format!("{key}=alice;p=1")]), (1, None), "{key}");
    }
}

#[test]
fn the_rest_of_baggage_stays() {
    for key in ["region", "build", "experiment", "feature.flag", "action", "users.page", "substance"] {
        let expected = if key == "users.page" { (1, None) } else { (0, Some(format!("{key}=1"))) };
        assert_eq!(stripped(&[&format!("{key}=1")]), expected, "{key}");
    }
    let (taken, rest) = stripped(&["region=eu , user=alice", "build=7;p"]);
    assert_eq!((taken, rest.as_deref()), (1, Some("region=eu,build=7;p")));
    assert_eq!(stripped(&[]), (0, None));
}

#[test]
fn malformed_and_oversized_baggage_is_taken_out() {
    assert_eq!(stripped(&["user"]), (1, None));
    assert_eq!(stripped(&["=alice,a b=1,ok=1"]), (2, Some("ok=1".to_owned())));
    let much = format!("region={}", "e".repeat(MAX_BAGGAGE_BYTES));
    assert_eq!(stripped(&[&much]), (1, None));
    let mut headers = HeaderMap::new();
    headers.insert(BAGGAGE, HeaderValue::from_bytes(b"region=\xff").unwrap());
    assert_eq!((strip_identity_baggage(&mut headers), headers.len()), (1, 0));
}
