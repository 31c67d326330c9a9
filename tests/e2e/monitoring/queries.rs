//! The queries of alerts and dashboard: only what a running sidecar exposes, and the labels that a PodMonitor gives.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{alerts, dashboard, list, panels, text};
use crate::sidecar::Pod;

/// Of the target, not of the sidecar: the Prometheus Operator writes them into what a PodMonitor finds.
const OF_TARGETS: [&str; 3] = ["namespace", "pod", "container"];
/// Prometheus writes it itself, for each target.
const UP: &str = "up";
/// What else stands in our queries as a bare word.
const WORDS: [&str; 5] = ["and", "or", "unless", "by", "without"];

/// A query, and where it stands.
pub struct Query {
    pub of: String,
    pub text: String,
    /// Templates beside it that name its labels: `{{ $labels.X }}`, or `{{X}}` in a legend.
    templates: Vec<String>,
}

/// Of the rules and of the panels, as Prometheus gets them.
pub fn every() -> Vec<Query> {
    let mut found = Vec::new();
    for alert in alerts() {
        let annotations = alert["annotations"].as_object().expect("annotations");
        found.push(Query {
            of: text(&alert["alert"]).to_owned(),
            text: text(&alert["expr"]).to_owned(),
            templates: annotations.values().map(|it| text(it).to_owned()).collect(),
        });
    }
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        let targets = list(&panel["targets"]);
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            found.push(Query {
                of: text(&panel["title"]).to_owned(),
                text: in_grafana(text(&target["expr"])),
                templates: vec![text(&target["legendFormat"]).to_owned()],
            });
        }
    }
    for variable in list(&dashboard["templating"]["list"]) {
        // label_values(SELECTOR, LABEL)
        if let Some(inside) = text(&variable["query"]).strip_prefix("label_values(") {
            let (selector, label) = inside.rsplit_once(", ").expect("a selector and a label");
            found.push(Query {
                of: text(&variable["name"]).to_owned(),
                text: in_grafana(selector),
                templates: vec![format!("{{{{{}}}}}", label.trim_end_matches(')'))],
            });
        }
    }
    found
}

/// With what Grafana puts in the place of its variables.
fn in_grafana(query: &str) -> String {
    let put = query.replace("$__rate_interval", "2m");
    put.replace("$namespace", ".*").replace("$pod", ".*")
}

/// The values of each label of each metric.
type Exposed = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// As a sidecar with all its doors exposes them.
fn exposed() -> Exposed {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .env("IRSA_SIDECAR_LINK_LOCAL_LISTEN", "127.0.0.1:0")
        .env("IRSA_SIDECAR_IMDS_LISTEN", "127.0.0.1:0")
        .start();
    sidecar.wait_ready();
    let mut found = Exposed::new();
    let text = sidecar.ops_get("/metrics").body;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let metric = found.entry(name.to_owned()).or_default();
        for matcher in matchers(labels.trim_end_matches('}')) {
            metric
                .entry(matcher.label)
                .or_default()
                .extend(matcher.values);
        }
    }
    assert!(found.len() > 5, "{text}");
    found
}

struct Matcher {
    label: String,
    /// Those that are spelled out.
    values: Vec<String>,
}

/// `a="x",b=~"y|z"`.
fn matchers(text: &str) -> Vec<Matcher> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some((label, after)) = rest.split_once('"') {
        let (value, after) = after.split_once('"').expect("a closed quote");
        let is_pattern = label.contains('~');
        let label = label.trim_matches(|c: char| "=!~, ".contains(c));
        let values = match is_pattern {
            true => value.split('|').filter(|value| *value != ".*").collect(),
            false => vec![value],
        };
        found.push(Matcher {
            label: label.to_owned(),
            values: values.into_iter().map(str::to_owned).collect(),
        });
        rest = after;
    }
    found
}

/// A metric and the inside of its braces.
fn selectors(query: &str) -> Vec<(&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_name) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        // `rate(…)`, and `sum by (…) (…)`.
        let next = after.trim_start();
        let call = ["(", "by (", "without ("]
            .iter()
            .any(|it| next.starts_with(it));
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        if ["by", "without"].contains(&word) || after.starts_with('{') {
            let close = after.find([')', '}']).expect("a closed bracket");
            if after.starts_with('{') {
                found.push((word, &after[1..close]));
            }
            rest = &after[close..];
        } else if !call && !number && !WORDS.contains(&word) {
            found.push((word, ""));
        }
    }
    found
}

/// The labels in `by (a, b)`.
fn grouped(query: &str) -> Vec<&str> {
    let lists = query.split("by (").skip(1);
    let lists = lists.filter_map(|rest| rest.split(')').next());
    lists
        .flat_map(|list| list.split(',').map(str::trim))
        .collect()
}

fn in_templates(query: &Query) -> Vec<&str> {
    let places = query
        .templates
        .iter()
        .flat_map(|text| text.split("{{").skip(1));
    let places = places.filter_map(|place| place.split("}}").next());
    places
        .map(str::trim)
        .filter_map(|place| match place.strip_prefix("$labels.") {
            Some(label) => Some(label),
            None => (!place.starts_with('$')).then_some(place),
        })
        .collect()
}

#[test]
fn alerts_and_dashboard_use_only_metrics_labels_and_values_that_a_sidecar_exposes() {
    let exposed = exposed();
    let mut used = BTreeSet::new();
    for query in every() {
        let of = format!("{}: {}", query.of, query.text);
        let mut labels: BTreeSet<&str> = OF_TARGETS.into();
        let selectors = selectors(&query.text);
        assert!(!selectors.is_empty(), "{of}");
        for (name, inside) in selectors {
            let metric = exposed.get(name);
            assert!(
                metric.is_some() || name == UP,
                "{of}: {name} is not exposed"
            );
            used.insert(name.to_owned());
            labels.extend(
                metric
                    .into_iter()
                    .flatten()
                    .map(|(label, _)| label.as_str()),
            );
            for matcher in matchers(inside) {
                let label = matcher.label.as_str();
                let values = metric.and_then(|metric| metric.get(label));
                let known = OF_TARGETS.contains(&label) || values.is_some();
                assert!(known, "{of}: {name} has no label {label}");
                for value in values.map(|_| matcher.values).into_iter().flatten() {
                    let exists = values.is_some_and(|values| values.contains(&value));
                    assert!(exists, "{of}: {label} is never {value}");
                }
            }
        }
        for label in grouped(&query.text).into_iter().chain(in_templates(&query)) {
            assert!(labels.contains(label), "{of}: there is no label {label}");
        }
    }
    let unused: Vec<&String> = exposed
        .keys()
        .filter(|name| !used.contains(*name))
        .collect();
    assert!(unused.is_empty(), "nobody looks at {unused:?}");
}

#[test]
fn the_reader_of_queries_finds_what_it_has_to() {
    let query = "sum by (a, b) (rate(one{x=\"1\",y!~\"2|3\"}[5m])) > 0.5 and two - time() < 300 or vector(0)";
    assert_eq!(
        selectors(query),
        [("one", "x=\"1\",y!~\"2|3\""), ("two", "")]
    );
    assert_eq!(grouped(query), ["a", "b"]);
    let found = matchers("x=\"1\",y!~\"2|3\"");
    let found: Vec<(&str, &[String])> = found
        .iter()
        .map(|matcher| (matcher.label.as_str(), matcher.values.as_slice()))
        .collect();
    let text = |text: &str| text.to_owned();
    assert_eq!(
        found,
        [("x", &[text("1")][..]), ("y", &[text("2"), text("3")][..])]
    );
}

/// What the alert on credentials takes for granted: healthy ones are always above its quarter.
#[test]
fn a_refresh_never_begins_with_less_than_the_alert_waits_for() {
    use std::time::Duration;

    use irsa_sidecar::refresh::schedule::left_at_refresh;

    let alert = alerts()
        .into_iter()
        .find(|alert| alert["alert"] == "IrsaSidecarCredentialsExpireSoon")
        .expect("the alert");
    let expression = text(&alert["expr"]);
    let share = expression
        .split_once("< ")
        .and_then(|(_, rest)| rest.split(' ').next());
    let share: f64 = share.and_then(|share| share.parse().ok()).expect("a share");
    let hold: Value = alert["for"].clone();
    let hold = humantime::parse_duration(text(&hold)).expect("a duration");
    for minutes in 15..=720 {
        let lifetime = Duration::from_secs(60 * minutes);
        for seed in 0..20 {
            let left = left_at_refresh(lifetime, &mut fastrand::Rng::with_seed(seed));
            assert!(left > lifetime.mul_f64(share) + hold, "{minutes} minutes");
        }
    }
}
