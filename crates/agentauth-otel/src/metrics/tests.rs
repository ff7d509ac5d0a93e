use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use agentauth_core::Timestamp;
use agentauth_core::audit::{Acknowledgement, AuditError};
use agentauth_core::state::{MemoryReplayStore, Remember, ReplayAnswer};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, HistogramDataPoint, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};

use super::*;
use crate::court::{Court, LAWYER, NOW, at_once, authorize, run};

/// Metrics, and what they export.
struct Observatory {
    metrics: Metrics,
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

impl Observatory {
    fn new(builder: MetricsBuilder) -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        Self { metrics: builder.with(&provider.meter("test")), provider, exporter }
    }

    fn court(&self) -> Court {
        let metrics: Arc<dyn AuditSink> = Arc::new(self.metrics.clone());
        Court::new([metrics])
    }

    /// Every series, with its value, or how many values a histogram has.
    fn series(&self) -> BTreeMap<String, f64> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let mut all = BTreeMap::new();
        for resource in self.exporter.get_finished_metrics().unwrap() {
            for metric in resource.scope_metrics().flat_map(ScopeMetrics::metrics) {
                for (labels, value) in points(metric.data()) {
                    all.insert(format!("{}{{{labels}}}", metric.name()), value);
                }
            }
        }
        all
    }

    /// The sum of a histogram, over all labels.
    fn sum(&self, name: &str) -> f64 {
        let exports = self.exporter.get_finished_metrics().unwrap();
        let metrics = exports.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
        let sums = metrics.filter(|metric| metric.name() == name).map(|metric| match metric.data() {
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                histogram.data_points().map(HistogramDataPoint::sum).sum::<f64>()
            }
            other => panic!("{other:?}"),
        });
        sums.sum()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (series, value) in self.series() {
            writeln!(text, "{series} {value}").unwrap();
        }
        text
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> String {
    let mut all: Vec<String> = attributes.map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    all.sort();
    all.join(",")
}

#[allow(clippy::cast_precision_loss, reason = "small counts")]
fn points(data: &AggregatedMetrics) -> Vec<(String, f64)> {
    match data {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            sum.data_points().map(|point| (labels(point.attributes()), point.value() as f64)).collect()
        }
        AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
            gauge.data_points().map(|point| (labels(point.attributes()), point.value() as f64)).collect()
        }
        AggregatedMetrics::F64(MetricData::Sum(sum)) => {
            sum.data_points().map(|point| (labels(point.attributes()), point.value())).collect()
        }
        AggregatedMetrics::F64(MetricData::Gauge(gauge)) => {
            gauge.data_points().map(|point| (labels(point.attributes()), point.value())).collect()
        }
        AggregatedMetrics::U64(MetricData::Histogram(histogram)) => {
            histogram.data_points().map(|point| (labels(point.attributes()), point.count() as f64)).collect()
        }
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            histogram.data_points().map(|point| (labels(point.attributes()), point.count() as f64)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_recorded_is_counted() {
    let observatory = Observatory::new(Metrics::builder().actions(["permit", "forbid", "err", "flip"]).engine("bench"));
    let court = observatory.court();
    let lawyer = court.lawyer();
    run(&lawyer, Ok(()));
    run(&lawyer, Err(()));
    for action in ["forbid", "err", "flip", "elsewhere"] {
        drop(authorize(&lawyer, action));
    }
    court.authenticate("no.such.token").unwrap_err();
    insta::assert_snapshot!(observatory.text());
}

#[test]
fn the_answers_of_humans_are_counted_and_timed() {
    let observatory = Observatory::new(Metrics::builder().actions(["ask"]));
    let court = observatory.court();
    let lawyer = court.lawyer();
    let approvals = court.auth.approvals().unwrap();
    assert_eq!(authorize(&lawyer, "ask").unwrap_err().code(), "approval_required");
    court.clock.set(Timestamp::from_secs(NOW + 20));
    assert_eq!(authorize(&lawyer, "ask").unwrap_err().code(), "approval_required");
    let id = at_once(approvals.pending()).unwrap()[0].id().to_owned();
    at_once(approvals.approve(&id, LAWYER)).unwrap_err();
    court.clock.set(Timestamp::from_secs(NOW + 90));
    at_once(approvals.approve(&id, "dana")).unwrap();
    let series = observatory.series();
    assert_eq!(series["agentauth.approvals{result=approved}"], 1.0);
    assert_eq!(series["agentauth.approvals{result=approver_is_agent}"], 1.0);
    assert_eq!(series["agentauth.approvals.wait.duration{result=approved}"], 1.0);
    assert_eq!(observatory.sum("agentauth.approvals.wait.duration"), 90.0, "from when it was first asked for");
}

#[test]
fn names_that_an_attacker_invents_make_no_series() {
    let observatory = Observatory::new(Metrics::builder().actions(["permit"]));
    let court = observatory.court();
    let lawyer = court.lawyer();
    drop(authorize(&lawyer, "permit").unwrap());
    authorize(&lawyer, "invented").unwrap_err();
    let before = observatory.series().len();
    for number in 0..10_000 {
        authorize(&lawyer, &format!("invented-{number}")).unwrap_err();
    }
    for number in 0..100 {
        let token = court.token(|claims| {
            claims["sub"] = format!("principal-{number}").into();
            claims["act"]["sub"] = format!("{LAWYER}-{number}").into();
            claims["client_id"] = format!("{LAWYER}-{number}").into();
            claims["jti"] = format!("jti-{number}").into();
        });
        drop(authorize(&court.authenticate(&token).unwrap(), "permit").unwrap());
    }
    let series = observatory.series();
    assert_eq!(series.len(), before);
    let counted =
        "agentauth.decisions{action_class=_other,effect=deny,engine=none,mode=on_behalf_of,reason=insufficient_scope}";
    assert_eq!(series[counted], 10_001.0, "{series:?}");
}

#[test]
fn no_label_names_an_agent_a_principal_a_token_or_an_argument() {
    let observatory = Observatory::new(Metrics::builder().actions(["permit"]));
    let court = observatory.court();
    let lawyer = court.lawyer();
    run(&lawyer, Ok(()));
    authorize(&lawyer, "forbid").unwrap_err();
    let text = observatory.text();
    for secret in ["alice-secret", "jti-secret", "args-secret", "spiffe:", "lawyer", "court.example"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn more_actions_than_are_kept_apart_are_counted_together() {
    let many = (0..MAX_ACTIONS + 9).map(|number| format!("action-{number}"));
    let builder = Metrics::builder().actions(many.clone()).actions(many);
    assert_eq!(builder.actions.len(), MAX_ACTIONS);
}

#[test]
fn a_log_is_read_at_each_export_until_the_metrics_are_gone() {
    let observatory = Observatory::new(Metrics::builder());
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    observatory.metrics.observe_log(move || {
        let _ = &held;
        LogReading {
            queue_depth: 3,
            dropped: 2,
            unanchored: 5,
            disk_writes: 4,
            disk_time: Duration::from_millis(2500),
            is_good: true,
        }
    });
    observatory.metrics.observe_log(|| LogReading { queue_depth: 1, ..LogReading::good() });
    observatory.metrics.observe_keys(|| KeyReading::new(7, 1));
    observatory.metrics.observe_keys(|| KeyReading::new(1, 0));
    observatory.metrics.observe_revocations(|| Some(Duration::from_millis(1500)));
    observatory.metrics.observe_revocations(|| None);
    insta::assert_snapshot!(observatory.text());

    assert_eq!(Arc::strong_count(&alive), 2);
    let Observatory { metrics, provider, exporter } = observatory;
    drop(metrics);
    assert_eq!(Arc::strong_count(&alive), 1, "the meter provider keeps what is observed");
    exporter.reset();
    provider.force_flush().unwrap();
    assert!(exporter.get_finished_metrics().unwrap().iter().all(|all| all.scope_metrics().next().is_none()));
}

#[tokio::test]
async fn the_audit_log_is_observed_and_closed_with_the_metrics() {
    let folder = std::env::temp_dir().join(format!("agentauth-otel-{}", std::process::id()));
    let log = AuditLog::open(&folder).unwrap();
    let observatory = Observatory::new(Metrics::builder());
    observatory.metrics.observe(&log);
    let court = Court::new([Arc::new(observatory.metrics.timed(log.clone())) as Arc<dyn AuditSink>]);
    court.auth.authenticate(agentauth_core::Evidence::bearer("no.such.token")).await.unwrap_err();
    let series = observatory.series();
    assert_eq!(series["agentauth.audit.write.duration{result=kept}"], 1.0);
    assert_eq!((series["agentauth.audit.chain_ok{}"], series["agentauth.audit.dropped{}"]), (1.0, 0.0));
    drop(court);
    assert!(AuditLog::open(&folder).is_err(), "the metrics hold it");
    // Closed, it has counted all that it wrote.
    log.close().unwrap();
    let series = observatory.series();
    let value = |name: &str| series[&format!("agentauth.audit.{name}{{}}")];
    assert_eq!(["chain_ok", "queue.depth"].map(value), [0.0, 0.0]);
    assert!(["disk.writes", "unanchored_records"].map(value).into_iter().all(|value| value >= 1.0));
    assert!(value("disk.time") > 0.0);
    drop(observatory);
    drop(AuditLog::open(&folder).unwrap());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_log_that_panics_is_not_good_and_ends_nothing() {
    let observatory = Observatory::new(Metrics::builder());
    let is_broken = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_broken);
    observatory.metrics.observe_log(move || {
        assert!(!seen.load(Ordering::SeqCst));
        LogReading::good()
    });
    observatory.metrics.observe_log(LogReading::good);
    assert_eq!(observatory.series()["agentauth.audit.chain_ok{}"], 1.0);
    is_broken.store(true, Ordering::SeqCst);
    assert_eq!(observatory.series()["agentauth.audit.chain_ok{}"], 0.0);
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(observatory.series()["agentauth.audit.chain_ok{}"], 1.0);
}

/// A sink that answers when it is told to.
#[derive(Debug, Default)]
struct Patient(Mutex<Vec<Acknowledgement>>);

impl AuditSink for Patient {
    fn append(&self, _: Arc<Record>) -> Append {
        let (done, append) = Append::pending();
        self.0.lock().unwrap().push(done);
        append
    }
}

#[derive(Debug)]
struct Full;

impl AuditSink for Full {
    fn append(&self, _: Arc<Record>) -> Append {
        Append::done(Err(AuditError::Full))
    }
}

#[tokio::test]
async fn the_wait_for_a_record_is_measured_and_its_answer_is_passed_on() {
    let observatory = Observatory::new(Metrics::builder());
    let patient = Arc::new(Patient::default());
    let court = Court::new([Arc::new(observatory.metrics.timed(Arc::clone(&patient))) as Arc<dyn AuditSink>]);
    let token = court.token(|_| {});
    let answer = court.auth.authenticate(agentauth_core::Evidence::bearer(&token));
    assert!(!observatory.text().contains("write.duration"));
    let done = patient.0.lock().unwrap().pop().unwrap();
    assert!(done.give(Ok(())));
    answer.await.unwrap();
    assert_eq!(observatory.series()["agentauth.audit.write.duration{result=kept}"], 1.0);

    let court = Court::new([Arc::new(observatory.metrics.timed(Full)) as Arc<dyn AuditSink>]);
    let error = court.authenticate(&court.token(|_| {})).unwrap_err();
    assert_eq!(error.code(), "audit_unavailable");
    assert_eq!(observatory.series()["agentauth.audit.write.duration{result=full}"], 2.0);
}

#[derive(Debug)]
struct Later;

impl ReplayStore for Later {
    fn remember(&self, _: &[u8; 32], _: Timestamp, _: Timestamp) -> Remember {
        Remember::later(async {
            tokio::task::yield_now().await;
            ReplayAnswer::Unavailable
        })
    }
}

#[tokio::test]
async fn replay_checks_are_counted_and_answered_as_before() {
    let observatory = Observatory::new(Metrics::builder());
    let now = Timestamp::from_secs(1);
    let store = observatory.metrics.replays(MemoryReplayStore::new());
    let check = |digest: u8| at_once(store.remember(&[digest; 32], Timestamp::from_secs(9), now));
    assert_eq!([1, 1, 2].map(check), [ReplayAnswer::Fresh, ReplayAnswer::Replayed, ReplayAnswer::Fresh]);
    let elsewhere = observatory.metrics.replays(Later);
    assert_eq!(elsewhere.remember(&[1; 32], now, now).await, ReplayAnswer::Unavailable);
    let series = observatory.series();
    let counted = |result: &str| series[&format!("agentauth.replay.checks{{result={result}}}")];
    assert_eq!(["fresh", "replayed", "unavailable"].map(counted), [2.0, 1.0, 1.0]);
}

#[test]
fn every_metric_that_is_made_is_named() {
    let known: Vec<&str> = names::METRICS.iter().map(|metric| metric.name).collect();
    let mut unique = known.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), known.len());
    let table: Vec<String> = names::METRICS
        .iter()
        .map(|metric| {
            format!("{:?} {} [{}] {}", metric.kind, metric.name, metric.labels.join(" "), metric.prometheus())
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}
