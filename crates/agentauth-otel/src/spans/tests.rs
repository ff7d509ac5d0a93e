use std::fmt::Write as _;

use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::court::{Court, at_once, authorize};

/// The spans that `work` ends, under a subscriber that exports them.
fn spans(work: impl FnOnce()) -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer =
        tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_location(false).with_threads(false);
    tracing::subscriber::with_default(Registry::default().with(layer.with_tracked_inactivity(false)), work);
    provider.force_flush().unwrap();
    exporter.get_finished_spans().unwrap()
}

fn court(semconv: Semconv) -> Court {
    Court::new([Arc::new(SpanAttributes::new(semconv)) as Arc<dyn AuditSink>])
}

/// What people see, without what differs each time.
fn text(spans: &[SpanData]) -> String {
    let shown = |pair: &KeyValue| {
        let is_id = pair.key.as_str().ends_with("_id");
        format!("{}={}", pair.key, if is_id { "...".into() } else { pair.value.to_string() })
    };
    let mut text = String::new();
    for span in spans {
        writeln!(text, "{} {:?}", span.name, span.status).unwrap();
        let ours = span.attributes.iter().filter(|pair| !["target", "level"].contains(&pair.key.as_str()));
        ours.for_each(|pair| writeln!(text, "  {}", shown(pair)).unwrap());
        for event in span.events.iter() {
            let attributes: Vec<String> = event.attributes.iter().map(shown).collect();
            writeln!(text, "  event {} {}", event.name, attributes.join(" ")).unwrap();
        }
    }
    text
}

#[test]
fn the_span_of_a_request_says_what_was_decided() {
    let court = court(Semconv::GenAi0_1);
    let permitted =
        || tracing::info_span!("permitted").in_scope(|| drop(authorize(&court.lawyer(), "permit").unwrap()));
    let denied = || tracing::info_span!("denied").in_scope(|| authorize(&court.lawyer(), "forbid").unwrap_err().code());
    let refused =
        || tracing::info_span!("refused").in_scope(|| court.authenticate("no.such.token").unwrap_err().code());
    let spans = spans(|| {
        permitted();
        denied();
        refused();
    });
    assert!(spans.iter().all(|span| span.status == Status::Unset), "a denial is no error");
    insta::assert_snapshot!(text(&spans));
}

#[test]
fn the_version_of_the_conventions_decides_what_the_agent_is_called() {
    let names = |semconv| {
        let court = court(semconv);
        let spans = spans(|| tracing::info_span!("request").in_scope(|| drop(court.lawyer())));
        let keys: Vec<String> = spans[0].attributes.iter().map(|pair| pair.key.to_string()).collect();
        ["gen_ai.agent.id", "agentauth.agent.id"].map(|name| keys.iter().filter(|key| *key == name).count())
    };
    assert_eq!(names(Semconv::V1_41), [1, 0]);
    assert_eq!(names(Semconv::GenAi0_1), [0, 1]);
    assert_eq!(Semconv::default(), Semconv::GenAi0_1);
}

#[test]
fn each_further_decision_is_an_event_and_no_key_stands_twice() {
    let court = court(Semconv::GenAi0_1);
    let spans = spans(|| {
        tracing::info_span!("request").in_scope(|| {
            let lawyer = court.lawyer();
            drop(authorize(&lawyer, "permit"));
            drop(authorize(&lawyer, "forbid"));
            drop(authorize(&court.lawyer(), "flip"));
        });
    });
    let [span] = &*spans else { panic!("{spans:?}") };
    let mut keys: Vec<&str> = span.attributes.iter().map(|pair| pair.key.as_str()).collect();
    keys.sort_unstable();
    let before = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), before, "{keys:?}");
    insta::assert_snapshot!(text(&spans));
}

#[test]
fn what_a_route_requires_is_told_only_where_it_is_not_met() {
    let court = court(Semconv::GenAi0_1);
    let require = |scopes: &str| {
        let lawyer = court.lawyer();
        at_once(lawyer.require_scopes(&scopes.parse().unwrap())).map(|()| drop(authorize(&lawyer, "permit")))
    };
    let spans = spans(|| {
        tracing::info_span!("met").in_scope(|| require("permit").unwrap());
        tracing::info_span!("not met").in_scope(|| require("judge").unwrap_err());
    });
    insta::assert_snapshot!(text(&spans));
}

#[test]
fn no_span_names_a_principal_a_token_or_an_argument() {
    let court = court(Semconv::V1_41);
    let spans = spans(|| {
        tracing::info_span!("request").in_scope(|| {
            drop(authorize(&court.lawyer(), "permit"));
            drop(authorize(&court.lawyer(), "forbid"));
        });
    });
    let all = format!("{spans:?}");
    for secret in ["alice-secret", "jti-secret", "args-secret"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn a_long_name_is_cut_where_a_character_ends() {
    let Value::String(short) = in_short("ä".repeat(200)) else { panic!() };
    assert_eq!(short.as_str(), "ä".repeat(128));
    let Value::String(short) = in_short(format!("a{}", "ä".repeat(200))) else { panic!() };
    assert_eq!(short.as_str().len(), 255);
}

/// Without a span, without a subscriber, and with one that is not OpenTelemetry's.
#[test]
fn where_nobody_exports_nothing_happens() {
    let court = court(Semconv::GenAi0_1);
    let work = || tracing::info_span!("request").in_scope(|| drop(authorize(&court.lawyer(), "permit").unwrap()));
    drop(authorize(&court.lawyer(), "permit").unwrap());
    work();
    tracing::subscriber::with_default(Registry::default(), work);
    assert_eq!(spans(|| drop(court.lawyer())).len(), 0);
}
