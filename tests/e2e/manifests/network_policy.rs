//! The NetworkPolicies let through what the sidecar needs, by its real ports, and hold for the pods that have it.

use serde_json::{Value, json};

use super::component::component;
use super::pods::{Pod, list};
use super::rendered::{Object, WORKLOADS, every, with_components};
use super::rules::ops_port;

fn policies() -> &'static [Object] {
    let mut folders = every().iter();
    let found = folders.find(|(folder, _)| folder == "network-policy");
    &found.expect("the policies").1
}

fn rules(direction: &str) -> Vec<&'static Value> {
    let all = policies().iter();
    let rules: Vec<_> = all
        .flat_map(|policy| list(&policy["spec"][direction]))
        .collect();
    assert!(!rules.is_empty(), "no {direction}");
    rules
}

#[test]
fn they_hold_for_the_pods_that_the_component_labels() {
    let pods = Pod::every(&with_components(WORKLOADS, &[&component()], ""));
    for policy in policies() {
        let selector = policy["spec"]["podSelector"].as_object().expect("one");
        let wanted = selector["matchLabels"].as_object().expect("labels");
        // All pods of the namespace otherwise.
        assert!(!wanted.is_empty() && selector.len() == 1, "{policy}");
        for pod in &pods {
            for (label, value) in wanted {
                let has = &pod.template["metadata"]["labels"][label];
                assert_eq!(has, value, "{label} of {}", pod.of);
            }
        }
    }
}

/// A rule for this port, and whatever is behind it: NodeLocal DNSCache is no pod, and of AWS nobody knows the addresses.
#[track_caller]
fn assert_may_reach(protocol: &str, number: u16) {
    let port = json!({"protocol": protocol, "port": number});
    let allow = |rule: &&Value| list(&rule["ports"]).contains(&port) && rule["to"].is_null();
    let rules = rules("egress");
    assert!(rules.iter().any(allow), "{port} in {rules:?}");
}

#[test]
fn names_are_asked_of_whatever_answers_by_udp_and_by_tcp() {
    assert_may_reach("UDP", 53);
    assert_may_reach("TCP", 53);
}

#[test]
fn sts_and_the_api_server_are_reached_wherever_they_are() {
    assert_may_reach("TCP", 443);
    assert_may_reach("TCP", 6443);
}

/// By its number: not every CNI finds the name of an init container's port.
#[test]
fn what_comes_in_comes_to_the_port_of_metrics_and_no_other() {
    for rule in rules("ingress") {
        let port = json!({"protocol": "TCP", "port": ops_port()});
        assert_eq!(rule["ports"], json!([port]));
        assert!(!list(&rule["from"]).is_empty(), "anybody may come: {rule}");
    }
}
