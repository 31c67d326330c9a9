//! The guides for who installs and who is paged: what they have to copy works, and what they promise is so.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use emulator::{ROLE_ARN, Role};
use fastrand::Rng;
use irsa_sidecar::diagnosis::findings;
use irsa_sidecar::refresh::schedule::left_at_refresh;
use serde_json::Value;

use super::doc;
use crate::kubectl::client::{Kubectl, with_every_kubectl};
use crate::manifests::rendered::{WORKLOADS, objects, render};
use crate::sidecar::Pod;

const INSTALL: &str = "docs/install.md";
const OPERATIONS: &str = "docs/operations.md";

/// The only fenced block of this language.
pub(super) fn only(guide: &str, language: &str) -> String {
    let text = doc(guide);
    let fence = format!("```{language}\n");
    let mut blocks = text.split(&fence).skip(1);
    let block = blocks.next().and_then(|rest| rest.split("\n```").next());
    assert!(blocks.next().is_none(), "{guide} has more {language}");
    block
        .unwrap_or_else(|| panic!("{guide} has no {language}"))
        .to_owned()
}

/// A pod whose role has this trust policy; the emulator's own is gone.
pub(super) fn pod_with_trust(policy: &str) -> Pod {
    let trust = serde_json::from_str(policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
    let pod = Pod::new();
    let mut role = Role::assumable_by(ROLE_ARN, &[]);
    role.trust = trust;
    pod.emulator.sts().add_role(role);
    pod
}

/// The issuer, account, namespace and service account of the guide are those of the emulator.
#[test]
fn the_trust_policy_to_copy_lets_the_service_account_in_and_nobody_else() {
    let policy = only(INSTALL, "json");
    let pod = pod_with_trust(&policy);
    pod.ready_sidecar();
    for (right, other) in [
        (
            "system:serviceaccount:team:app",
            "system:serviceaccount:team:other",
        ),
        ("\"sts.amazonaws.com\"", "\"sts.amazon.com\""),
        ("EXAMPLE\"}", "OTHER\"}"),
    ] {
        assert!(policy.contains(right), "{right}");
        let pod = pod_with_trust(&policy.replace(right, other));
        pod.sidecar().wait_finding("sts-access-denied");
    }
}

#[test]
fn the_kustomization_to_copy_gives_every_workload_the_sidecar_and_its_role() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let (mine, clone) = (place.path().join("mine"), place.path().join("irsa-sidecar"));
    std::fs::create_dir(&mine).expect("a folder");
    symlink(env!("CARGO_MANIFEST_DIR"), clone).expect("a link");
    std::fs::write(mine.join("kustomization.yaml"), only(INSTALL, "yaml")).expect("a file");
    std::fs::write(mine.join("app.yaml"), WORKLOADS).expect("a file");
    with_every_kubectl(|kubectl| {
        let rendered = render(kubectl, &mine);
        let images: Vec<&str> = rendered.iter().flat_map(images_of_sidecars).collect();
        let pods = objects(WORKLOADS)
            .iter()
            .filter(|object| has_pods(object))
            .count();
        assert_eq!(images.len(), pods, "{kubectl}");
        let image = format!(
            "registry.example.com/irsa-sidecar:{}",
            env!("CARGO_PKG_VERSION")
        );
        assert!(
            images.iter().all(|it| *it == image),
            "{kubectl}: {images:?}"
        );
        let settings = rendered
            .iter()
            .find(|object| object["kind"] == "ConfigMap" && of_ours(object));
        let settings = settings.expect("the settings");
        assert_eq!(settings["data"]["IRSA_SIDECAR_ROLE_ARN"], ROLE_ARN);
        // The component reads it by the name that kustomize gave it.
        let name = settings["metadata"]["name"].as_str().expect("a name");
        let read = rendered.iter().filter(|object| has_pods(object));
        for object in read {
            assert!(
                object
                    .to_string()
                    .contains(&format!("\"configMapRef\":{{\"name\":\"{name}\"")),
                "{object}"
            );
        }
    });
}

fn of_ours(object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str();
    name.is_some_and(|name| name.starts_with("irsa-sidecar-") || name == "irsa-sidecar")
}

fn has_pods(object: &Value) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "CronJob",
    ]
    .contains(&kind)
}

fn images_of_sidecars(object: &Value) -> Vec<&str> {
    let paths = [
        "/spec/template/spec",
        "/spec/jobTemplate/spec/template/spec",
    ];
    let spec = paths.iter().find_map(|path| object.pointer(path));
    let containers = spec.and_then(|spec| spec["initContainers"].as_array());
    let containers = containers.into_iter().flatten();
    let sidecars = containers.filter(|container| container["name"] == "irsa-sidecar");
    sidecars
        .filter_map(|container| container["image"].as_str())
        .collect()
}

/// The folders that `kubectl -k` is given.
#[test]
fn the_folders_that_the_guides_apply_are_kustomizations() {
    let mut applied = 0;
    for guide in [INSTALL, OPERATIONS] {
        let text = doc(guide);
        for rest in text.split("-k manifests/").skip(1) {
            let folder: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || "/-".contains(*c))
                .collect();
            let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
            render(&Kubectl::one(), &manifests.join(folder));
            applied += 1;
        }
    }
    assert!(applied > 2, "the commands were not found");
}

/// What it looks like when it works.
#[test]
fn a_sidecar_says_what_the_guide_expects_of_it() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let text = doc(INSTALL);
    let (_, check) = text.split_once("## Does it work?").expect("the section");
    let expected = check.split("\n```\n").nth(2).expect("what comes out");
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(expected[0], sidecar.ops_get("/readyz").body);
    // It is ready before whoever reads its log has read of it.
    sidecar.wait_message("refreshed credentials");
    let log = sidecar.log();
    let line = log
        .lines()
        .find(|line| line.contains("refreshed credentials"));
    let line = line.expect("a line");
    let without_values = |line: &str| -> Vec<String> {
        let fields: serde_json::Map<String, Value> = serde_json::from_str(line).expect("JSON");
        fields.keys().cloned().collect()
    };
    assert_eq!(without_values(expected[1]), without_values(line));
    for same in ["\"message\":\"refreshed credentials\"", ROLE_ARN, "\"ASIA"] {
        assert!(
            expected[1].contains(same) && line.contains(same),
            "{same}: {line}"
        );
    }
}

/// `| 1h | 24 to 30 min | 2 to 2.5 |`, of which the second column is the schedule's and the third follows from it.
#[test]
fn the_calls_that_operations_md_reckons_with_are_those_of_the_schedule() {
    let text = doc(OPERATIONS);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains(" min | "))
        .map(|line| {
            line.split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
        .collect();
    assert!(rows.len() > 3, "the table was not found");
    for row in rows {
        let lifetime = humantime::parse_duration(row[1]).expect("a duration");
        let after: Vec<f64> = (0..4000)
            .map(|seed| lifetime - left_at_refresh(lifetime, &mut Rng::with_seed(seed)))
            .map(|after: Duration| after.as_secs_f64() / 60.0)
            .collect();
        let soonest = after.iter().copied().fold(f64::INFINITY, f64::min);
        let latest = after.iter().copied().fold(0.0, f64::max);
        let (from, to) = range(row[2].trim_end_matches(" min"));
        let near = |found: f64, written: f64| (found - written).abs() < 0.01 * written;
        assert!(
            near(soonest, from) && near(latest, to),
            "{row:?}: {soonest} to {latest}"
        );
        let (fewest, most) = range(row[3]);
        let rounded = |calls: f64| (calls * 100.0).round() / 100.0;
        assert_eq!(
            (fewest, most),
            (rounded(60.0 / to), rounded(60.0 / from)),
            "{row:?}"
        );
    }
}

fn range(text: &str) -> (f64, f64) {
    let (from, to) = text.split_once(" to ").expect("a range");
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    (number(from), number(to))
}

#[test]
fn findings_and_alerts_that_the_guides_name_exist() {
    let metrics = doc("docs/metrics.md");
    let prefixes: Vec<&str> = findings::ALL
        .iter()
        .filter_map(|finding| finding.id.split_once('-').map(|(first, _)| first))
        .filter(|first| ["sts", "token", "claim", "eks"].contains(first))
        .collect();
    let mut named = 0;
    for guide in [INSTALL, OPERATIONS, "docs/metrics.md"] {
        let text = doc(guide);
        for code in text.split('`').skip(1).step_by(2) {
            if code.starts_with("IrsaSidecar") {
                assert!(
                    metrics.contains(&format!("\n### {code}\n")),
                    "{guide}: {code}"
                );
                named += 1;
            }
            let first = code.split('-').next().unwrap_or_default();
            let is_finding = code.contains('-') && !code.contains([' ', '…', '/', '=']);
            if is_finding
                && prefixes.contains(&first)
                && !["token-file", "eks-cluster"].contains(&code)
            {
                let known = findings::ALL.iter().any(|finding| finding.id == code);
                assert!(known, "{guide}: there is no finding {code}");
                named += 1;
            }
        }
    }
    assert!(named > 10, "they were not found");
}
