//! What arrives, and what does not wait where nothing does.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agentauth_core::audit::{AuditSink, TracingSink};
use agentauth_otel::otlp::{MAX_SPANS, Otlp, Telemetry};
use agentauth_otel::{Metrics, SpanAttributes};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::collector::Collector;
use crate::court::{Court, authorize, run};

/// Providers are of the process: one test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn court() -> Court {
    let metrics = Metrics::builder().actions(["permit", "forbid"]).engine("bench").build();
    let sinks: [Arc<dyn AuditSink>; 3] =
        [Arc::new(metrics), Arc::new(SpanAttributes::default()), Arc::new(TracingSink)];
    Court::new(sinks)
}

fn under<T>(telemetry: &Telemetry, work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing_subscriber::registry().with(telemetry.layer()), work)
}

/// Pairs as text, sorted.
fn text(pairs: &[KeyValue]) -> BTreeSet<String> {
    let value = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| format!("{}={}", pair.key, value(&pair.value))).collect()
}

#[test]
fn metrics_and_spans_arrive_at_a_collector() {
    let _turn = turn();
    let collector = Collector::open();
    let otlp = Otlp::to(&collector.url).service("tool-server").instance("one").header("x-key", "open-sesame");
    let telemetry = otlp.install().unwrap();
    let court = court();
    under(&telemetry, || {
        let lawyer = court.lawyer();
        tracing::debug_span!("request").in_scope(|| run(&lawyer, Ok(())));
        tracing::debug_span!("request").in_scope(|| drop(authorize(&lawyer, "forbid").unwrap_err()));
        tracing::trace_span!("detail").in_scope(|| {});
        tracing::debug_span!(target: "hyper::client", "sending").in_scope(|| {});
    });
    assert!(telemetry.flush());
    drop(telemetry);
    let exports: Vec<_> = collector.exports.try_iter().collect();
    assert!(exports.iter().all(|export| export.header("x-key") == Some("open-sesame")));
    assert!(exports.iter().all(|export| export.header("content-type") == Some("application/x-protobuf")));

    let metrics: Vec<_> = exports.iter().filter(|export| export.path == "/v1/metrics").collect();
    let metrics = ExportMetricsServiceRequest::decode(&*metrics[0].body).unwrap();
    let resource = text(&metrics.resource_metrics[0].resource.as_ref().unwrap().attributes);
    assert!(resource.is_superset(&["service.name=tool-server".into(), "service.instance.id=one".into()].into()));
    let scope = &metrics.resource_metrics[0].scope_metrics[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "agentauth");
    let names: Vec<&str> = scope.metrics.iter().map(|metric| metric.name.as_str()).collect();
    for name in ["agentauth.decisions", "agentauth.authn.requests", "agentauth.outcomes", "agentauth.policy.info"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }

    let spans: Vec<_> = exports.iter().filter(|export| export.path == "/v1/traces").collect();
    let spans = ExportTraceServiceRequest::decode(&*spans[0].body).unwrap();
    let spans = &spans.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["request", "request"]);
    let permitted = text(&spans[0].attributes);
    let expected = ["agentauth.decision=allow", "gen_ai.operation.name=execute_tool", "gen_ai.tool.name=permit"];
    assert!(permitted.is_superset(&expected.map(Into::into).into()), "{permitted:?}");
    assert!(text(&spans[1].attributes).contains("agentauth.reason=policy_forbidden"));
    assert!(spans.iter().all(|span| span.status.as_ref().is_none_or(|status| status.code == 0)));

    for secret in ["alice-secret", "jti-secret", "args-secret"] {
        let is_in = |body: &[u8]| body.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!exports.iter().any(|export| is_in(&export.body)), "{secret} was sent");
    }
}

/// The export hangs before the decisions, and until after them: had one waited for it, the export would have run out of its time.
#[test]
fn no_request_waits_for_a_collector_that_hangs() {
    let _turn = turn();
    let collector = Collector::silent();
    let telemetry = Otlp::to(&collector.url).install().unwrap();
    let court = court();
    under(&telemetry, || {
        tracing::info_span!("first").in_scope(|| drop(court.lawyer()));
        std::thread::scope(|scope| {
            let flushing = scope.spawn(|| telemetry.flush());
            let paths: BTreeSet<String> =
                [(), ()].map(|()| collector.exports.recv().unwrap().path).into_iter().collect();
            assert_eq!(paths, ["/v1/metrics".into(), "/v1/traces".into()].into());
            let lawyer = court.lawyer();
            for _ in 0..MAX_SPANS + 100 {
                tracing::info_span!("request").in_scope(|| drop(authorize(&lawyer, "permit").unwrap()));
            }
            assert!(!flushing.is_finished());
            collector.answer();
            assert!(flushing.join().unwrap());
        });
    });
}

#[test]
fn a_collector_that_is_not_there_is_told_nothing_and_nothing_fails() {
    let _turn = turn();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let telemetry = Otlp::to(&format!("http://{closed}")).install().unwrap();
    let court = court();
    under(&telemetry, || tracing::info_span!("request").in_scope(|| run(&court.lawyer(), Ok(()))));
    assert!(!telemetry.flush());
}

#[tokio::test]
async fn it_can_be_installed_inside_of_a_runtime_and_dropped_there() {
    let _turn = turn();
    let collector = Collector::open();
    let telemetry = Otlp::to(&collector.url).install().unwrap();
    under(&telemetry, || tracing::info_span!("request").in_scope(|| drop(court().lawyer())));
    drop(telemetry);
    assert!(collector.exports.try_iter().any(|export| export.path == "/v1/traces"));
}
