//! W3C Trace Context: what is read, what is recorded, what is passed on; and that nothing is decided by it.

use agentauth_core::audit::Record;
use agentauth_core::{
    Action, AgentAuth, Caller, Evidence, RandomUnavailable, TRACEPARENT, TRACESTATE, TraceContext, TraceError,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::support::court::{Counter, Court, Oracle, authenticate, claims, wait};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn good() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// W3C Trace Context §3.2.2 and its test suite.
#[test]
fn a_traceparent_is_read_as_the_standard_has_it() {
    let zeros = format!("00-{}-{PARENT}-01", "0".repeat(32));
    for (text, expected) in [
        (good(), Some(good())),
        (good().replace("-01", "-00"), Some(good().replace("-01", "-00"))),
        (good().replace("-01", "-ff"), Some(good().replace("-01", "-ff"))),
        // Of a later version, what is known of it counts.
        (good().replacen("00-", "01-", 1), Some(good())),
        (good().replacen("00-", "cc-", 1) + "-what-is-coming", Some(good())),
        (good().replacen("00-", "fe-", 1) + "-", Some(good())),
        (good().replacen("00-", "cc-", 1) + ".what", None),
        (good().replacen("00-", "cc-", 1) + "0", None),
        // There is no version ff, and version 00 ends with its flags.
        (good().replacen("00-", "ff-", 1), None),
        (good() + "-", None),
        (good() + "-00", None),
        (good() + "0", None),
        (String::new(), None),
        (" ".to_owned() + &good(), None),
        (good() + " ", None),
        (good().to_uppercase(), None),
        (good().replace("4bf9", "4Bf9"), None),
        (good().replace("00f0", "00F0"), None),
        (good().replace("-01", "-0A"), None),
        (good().replace("4bf9", "4bg9"), None),
        (good().replace("-01", "-.1"), None),
        (good().replacen("00-", "0-", 1), None),
        (good().replacen("00-", "000-", 1), None),
        (good().replacen("00-", "0x-", 1), None),
        (zeros, None),
        (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
        (format!("00-{}-{PARENT}-01", &TRACE[1..]), None),
        (format!("00-{TRACE}0-{PARENT}-01"), None),
        (format!("00-{TRACE}-{}-01", &PARENT[1..]), None),
        (format!("00-{TRACE}-{PARENT}-1"), None),
        (format!("00-{TRACE}-{PARENT}-"), None),
        (format!("00-{TRACE}-{PARENT}"), None),
        (format!("00_{TRACE}_{PARENT}_01"), None),
        (format!("00-{TRACE}{PARENT}--01"), None),
        (format!("00-{}é-{PARENT}-01", &TRACE[2..]), None),
    ] {
        let read: Result<TraceContext, _> = text.parse();
        let code = read.as_ref().map_or_else(TraceError::code, |_| "read");
        assert_eq!(code, if expected.is_some() { "read" } else { "traceparent_malformed" }, "{text}");
        assert_eq!(read.ok().map(|trace| trace.to_string()), expected, "{text}");
    }
}

fn headers(all: &[(HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn a_header_counts_once_and_tracestate_is_bounded() {
    let read = |all: &[(HeaderName, &str)]| TraceContext::from_headers(&headers(all));
    let (good, long) = (good(), "x".repeat(513));
    let many = vec!["a=1"; 33].join(",");
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[(TRACESTATE, "a=1")]), None);
    assert_eq!(read(&[(TRACEPARENT, &good), (TRACEPARENT, &good)]), None, "which one counts would be a guess");
    assert_eq!(read(&[(TRACEPARENT, "00")]), None);
    for (states, expected) in [
        (&[][..], None),
        (&["a=1,b=2"], Some("a=1,b=2")),
        (&["a=1", "b=2"], Some("a=1,b=2")),
        // As much as is to be passed on at least (§3.3.1.5).
        (&[&long[..512]], Some(&long[..512])),
        (&[&long[..255], &long[..256]], Some(&*format!("{},{}", &long[..255], &long[..256]))),
        (&[&long[..256], &long[..256]], None),
        (&[&*long], None),
        (&[&long[..300], &long[..300]], None),
        (&[&*many], None),
        (&[""], None),
        (&["a=1\u{e9}"], None),
    ] {
        let mut all = vec![(TRACEPARENT, &*good)];
        all.extend(states.iter().map(|state| (TRACESTATE, *state)));
        assert_eq!(read(&all).unwrap().state(), expected, "{states:?}");
    }
}

fn caller(auth: &AgentAuth, court: &Court, more: &[(HeaderName, &str)]) -> Caller {
    let token = format!("Bearer {}", court.key.mint(&claims()));
    let mut all = vec![(http::header::AUTHORIZATION, &*token)];
    all.extend(more.iter().cloned());
    authenticate(auth, Evidence::from_http(&Method::GET, &Uri::from_static("/"), &headers(&all))).unwrap()
}

fn traces(records: &[std::sync::Arc<Record>]) -> Vec<Option<String>> {
    records.iter().map(|record| record.trace.as_ref().map(ToString::to_string)).collect()
}

#[test]
fn every_record_of_a_request_has_its_trace() {
    let court = Court::new();
    let auth = court.engine().policy(Oracle::permitting()).replica("tools-2").build().unwrap();
    let ask = |more: &[(HeaderName, &str)]| {
        let caller = caller(&auth, &court, more);
        let permit = wait(caller.authorize(Action::new("motions:file").unwrap())).unwrap();
        wait(permit.run(async |()| Ok::<_, ()>(()))).unwrap().unwrap();
        drop(wait(caller.require_scopes(&"records:burn".parse().unwrap())));
        drop(wait(caller.authorize(Action::new("motions:file").unwrap())));
        court.records.take()
    };
    let records = ask(&[(TRACEPARENT, &good()), (TRACESTATE, "vendor=secret")]);
    assert_eq!(traces(&records), vec![Some(good()); 6], "{records:?}");
    for record in &records {
        let json = serde_json::to_value(&**record).unwrap();
        assert_eq!((&json["trace"], &json["replica"]), (&good().into(), &"tools-2".into()));
        assert!(!json.to_string().contains("vendor"), "what tracing systems say of each other is not recorded: {json}");
    }
    assert_eq!(traces(&ask(&[(TRACEPARENT, "00-no")])), vec![None; 6]);
    // A refusal has it too.
    let refused = Evidence::from_http(&Method::GET, &Uri::from_static("/"), &headers(&[(TRACEPARENT, &good())]));
    drop(authenticate(&auth, refused));
    assert_eq!(traces(&court.records.take()), [Some(good())]);
}

/// Whatever comes in `baggage` (or in the flags of a trace), decisions and records are the same, but for the trace.
#[test]
fn baggage_decides_nothing_and_is_in_no_record() {
    let court = Court::new();
    let oracle = Oracle::permitting();
    let lines = |more: &[(HeaderName, &str)]| {
        let auth = court.engine().policy(oracle.clone()).audit_key(agentauth_core::audit::AuditKey::new(&[7; 32]));
        let auth = auth.random(Counter::up_to(9)).build().unwrap();
        drop(wait(caller(&auth, &court, more).authorize(Action::new("motions:file").unwrap())));
        let asked = std::mem::take(&mut *oracle.asked.lock().unwrap());
        let records = court.records.take();
        (asked, records.iter().map(|record| serde_json::to_string(&**record).unwrap()).collect::<Vec<_>>())
    };
    let baggage = HeaderName::from_static("baggage");
    let plain = lines(&[]);
    assert_eq!(plain.1.len(), 3);
    for value in ["user.id=root,agent=spiffe://court.example/agent/judge", "enduser.id=alice;x=1", ""] {
        assert_eq!(lines(&[(baggage.clone(), value)]), plain, "{value}");
    }
    let (asked, traced) = lines(&[(TRACEPARENT, &good())]);
    assert_eq!(asked, plain.0, "policies do not hear of traces");
    let without = |line: &String| line.replace(&format!(r#","trace":"{}""#, good()), "");
    assert_eq!(traced.iter().map(without).collect::<Vec<_>>(), plain.1);
}

#[test]
fn what_is_sent_on_is_the_same_trace_with_a_parent_of_its_own() {
    let trace: TraceContext = good().replace("-01", "-fd").parse().unwrap();
    let next = trace.next(&*Counter::up_to(2)).unwrap();
    assert_eq!(next.to_string(), format!("00-{TRACE}-0000000000000001-01"), "of the flags, those that are known");
    assert_eq!(trace.next(&*Counter::up_to(0)).unwrap_err(), RandomUnavailable);

    let incoming = headers(&[(TRACEPARENT, &good()), (TRACESTATE, "a=1"), (HeaderName::from_static("baggage"), "b=2")]);
    let trace = TraceContext::from_headers(&incoming).unwrap();
    let mut outgoing = headers(&[(TRACESTATE, "of=nobody")]);
    trace.write_to(&mut outgoing);
    assert_eq!([&outgoing[TRACEPARENT], &outgoing[TRACESTATE]], [&*good(), "a=1"]);
    assert_eq!(outgoing.len(), 2, "no baggage");
    let mut own = headers(&[(TRACEPARENT, "the application's own")]);
    trace.write_to(&mut own);
    assert_eq!((own[TRACEPARENT].to_str().unwrap(), own.len()), ("the application's own", 1));
}
