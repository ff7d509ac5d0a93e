//! Dashboards, alerts and guides call things by names that are emitted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use agentauth_otel::names::{AUTHORIZE_SPAN, DECISION_EVENT, METRICS, MetricKind, Semconv, attribute};
use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// Every name that Prometheus has of ours.
fn prometheus() -> BTreeSet<String> {
    let all = METRICS.iter().flat_map(|metric| {
        let name = metric.prometheus();
        match metric.kind {
            MetricKind::Histogram => ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).to_vec(),
            _ => vec![name],
        }
    });
    all.collect()
}

/// Words of `text` that begin as ours do.
fn ours(text: &str, start: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let words = text.split(|c: char| !is_part(c)).filter(|word| word.starts_with(start));
    words.map(|word| word.trim_end_matches('.').to_owned()).collect()
}

/// Every expression in it, wherever it stands.
fn expressions<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if ["expr", "query"].contains(&name.as_str()) => found.push(text),
                    _ => expressions(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_only_what_is_emitted() {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana/agentauth.json")).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() >= 15, "{found:?}");
    let known = prometheus();
    for expression in found.into_iter().filter(|expression| *expression != "prometheus") {
        let names = ours(expression, "agentauth_");
        assert!(!names.is_empty(), "{expression}");
        assert!(names.is_subset(&known), "{names:?} of {expression}");
        for [open, close] in ["()", "{}", "[]"].map(|pair| pair.split_at(1)).map(|(open, close)| [open, close]) {
            assert_eq!(expression.matches(open).count(), expression.matches(close).count(), "{expression}");
        }
    }
    let ids: Vec<u64> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn the_labels_of_the_dashboard_are_those_of_its_metrics() {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana/agentauth.json")).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    let labels: BTreeSet<String> = METRICS
        .iter()
        .flat_map(|metric| metric.labels)
        .map(|label| label.replace('.', "_"))
        .chain(["le".into(), "job".into(), "instance".into()])
        .collect();
    for expression in found {
        for by in expression.split("by (").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            for label in by.split(',').map(str::trim) {
                assert!(labels.contains(label), "{label} in {expression}");
            }
        }
    }
}

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let guide = read("docs/observability.md");
    let table: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    let section = guide.split("\n## Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: String = section.lines().filter(|line| line.starts_with("| `agentauth.")).collect::<Vec<_>>().join("\n");
    let named: BTreeSet<String> = rows.lines().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(named, table);
    for metric in METRICS {
        let row = rows.lines().find(|row| row.contains(&format!("`{}`", metric.name))).unwrap();
        for label in metric.labels {
            assert!(row.contains(&format!("`{label}`")), "{label} in {row}");
        }
    }
    let alerts = guide.split("```yaml").nth(1).unwrap().split("```").next().unwrap();
    let names: BTreeSet<String> = ours(alerts, "agentauth_");
    assert!(names.len() >= 6 && names.is_subset(&prometheus()), "{names:?}");
}

#[test]
fn the_guide_names_every_attribute() {
    let guide = read("docs/observability.md");
    let spoken = [Semconv::V1_41, Semconv::GenAi0_1]
        .map(|semconv| [semconv.agent_id(), semconv.operation_name(), semconv.tool_name()]);
    let all = attribute::ALL.into_iter().chain(spoken.into_iter().flatten()).chain([AUTHORIZE_SPAN, DECISION_EVENT]);
    for name in all {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
}
