//! What is on call: alerts, each with its entry in the guide, and a dashboard, on nothing but what a sidecar exposes.

mod judged;
mod queries;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::manifests::rendered::{Object, manifests, rendered};
use crate::sidecar::read;

const GUIDE: &str = "docs/metrics.md";

fn folder() -> Vec<Object> {
    rendered(&manifests().join("monitoring"))
}

fn only(kind: &str) -> Object {
    let mut found = folder();
    found.retain(|object| object["kind"] == kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn alerts() -> Vec<Value> {
    let rules = only("PrometheusRule");
    let groups = list(&rules["spec"]["groups"]);
    let rules = groups.iter().flat_map(|group| list(&group["rules"]));
    rules.cloned().collect()
}

fn names_of_alerts() -> Vec<String> {
    let alerts = alerts();
    assert!(alerts.len() > 5, "the alerts were not found");
    let name = |alert: &Value| text(&alert["alert"]).to_owned();
    alerts.iter().map(name).collect()
}

/// As Grafana gets it.
fn dashboard() -> Value {
    let map = only("ConfigMap");
    let files = map["data"].as_object().expect("files");
    let (name, dashboard) = files.iter().next().expect("a file");
    serde_json::from_str(text(dashboard)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn guide() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE))
}

#[test]
fn every_alert_has_its_entry_in_the_guide_and_no_entry_is_left_over() {
    let guide = guide();
    let entries: Vec<(&str, &str)> = guide
        .split("\n### ")
        .skip(1)
        .filter_map(|entry| entry.split_once('\n'))
        .collect();
    let named: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        named,
        names_of_alerts(),
        "the same alerts, in the same order"
    );
    for (name, entry) in entries {
        for part in ["**Means:**", "**Look:**", "**Do:**"] {
            assert!(entry.contains(part), "{name} lacks {part}");
        }
    }
}

#[test]
fn an_alert_says_what_it_is_where_how_bad_and_where_to_read_on() {
    for alert in alerts() {
        let name = text(&alert["alert"]);
        let severity = text(&alert["labels"]["severity"]);
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}"
        );
        let annotations = &alert["annotations"];
        assert!(text(&annotations["summary"]).len() > 10, "{name}");
        let description = text(&annotations["description"]);
        let place = "{{ $labels.namespace }}/{{ $labels.pod }}";
        assert!(description.contains(place), "{name}: {description}");
        // As forges make anchors of headings.
        let entry = format!("{GUIDE}#{}", name.to_lowercase());
        assert_eq!(annotations["runbook"], entry, "{name}");
    }
}

#[test]
fn every_alert_is_seen_to_fire_in_the_tests_of_prometheus() {
    let tests = judged::tests();
    for name in names_of_alerts() {
        let fires = [
            format!("alertname=\"{name}\",alertstate=\"firing\""),
            format!("- alertname: {name}\n"),
        ];
        assert!(fires.iter().any(|line| tests.contains(line)), "{name}");
    }
}

/// The schema of the Prometheus Operator is not at hand: these are the fields that it is known to have.
#[test]
fn the_pod_monitor_finds_the_port_of_every_pod_that_the_component_made() {
    let monitor = only("PodMonitor");
    assert_eq!(monitor["apiVersion"], "monitoring.coreos.com/v1");
    assert_eq!(
        monitor["spec"],
        json!({
            "namespaceSelector": {"any": true},
            "selector": {"matchLabels": {"irsa-sidecar/metrics": "true"}},
            "podMetricsEndpoints": [{"port": "ops", "path": "/metrics"}],
        })
    );
    let components = rendered(&manifests().join("component"));
    let templates: Vec<&Value> = components
        .iter()
        .filter_map(|object| {
            ["/spec/template", "/spec/jobTemplate/spec/template"]
                .into_iter()
                .find_map(|path| object.pointer(path))
        })
        .collect();
    assert!(templates.len() > 3, "the pods were not found");
    for template in templates {
        let labels = &template["metadata"]["labels"];
        assert_eq!(labels["irsa-sidecar/metrics"], "true", "{template}");
        let containers = [
            &template["spec"]["initContainers"],
            &template["spec"]["containers"],
        ];
        let containers = containers.into_iter().flat_map(list);
        let mut ports = containers.flat_map(|container| {
            let ports = list(&container["ports"]).iter();
            ports.map(|port| (&container["name"], &port["name"]))
        });
        let found = ports.any(|(container, port)| container == "irsa-sidecar" && port == "ops");
        assert!(found, "no port ops: {template}");
    }
}

#[test]
fn grafana_finds_the_dashboard_and_it_asks_the_data_source_of_who_looks() {
    let map = only("ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(map["metadata"]["name"], "irsa-sidecar-dashboard");
    let dashboard = dashboard();
    let variables = list(&dashboard["templating"]["list"]);
    let source = variables
        .iter()
        .find(|variable| variable["type"] == "datasource");
    let source = source.expect("a variable for the data source");
    assert_eq!(source["query"], "prometheus");
    let uid = format!("${{{}}}", text(&source["name"]));
    let ours = json!({"type": "prometheus", "uid": uid});
    let asking = variables
        .iter()
        .filter(|variable| variable["type"] == "query");
    let targets = panels(&dashboard)
        .iter()
        .flat_map(|panel| list(&panel["targets"]));
    for asks in asking.chain(panels(&dashboard)).chain(targets) {
        assert_eq!(asks["datasource"], ours, "{asks}");
    }
}

#[test]
fn every_panel_explains_itself_and_hides_no_other() {
    let dashboard = dashboard();
    let names = names_of_alerts();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = text(&panel["title"]);
        let description = text(&panel["description"]);
        assert!(description.len() > 20, "{title}: {description}");
        let words = description.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| word.starts_with("IrsaSidecar")) {
            assert!(names.iter().any(|name| name == word), "{title}: {word}");
        }
        assert!(ids.insert(panel["id"].as_u64()), "{title}: its id");
        let place = |of: &str| panel["gridPos"][of].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies on another");
            }
        }
    }
}

fn panels(dashboard: &Value) -> &[Value] {
    let panels = list(&dashboard["panels"]);
    assert!(panels.len() > 5, "the panels were not found");
    panels
}
