//! Every object against the schemas of Kubernetes, strictly: of the oldest version with native sidecars, and of a current one.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use super::rendered::{called, every};
use crate::clients::installed;

/// Of other people's API groups: whoever defines these kinds has their schemas.
const FOREIGN: [&str; 2] = ["PodMonitor", "PrometheusRule"];
/// Of the injection: since 1.30 and 1.36 in v1.
const ONLY_IN_CURRENT: [&str; 4] = [
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// What is in these folders, but for these kinds.
fn assert_valid(version: &str, in_folder: impl Fn(&str) -> bool, without: &[&str]) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut files = Vec::new();
    for (folder, objects) in every() {
        for object in objects {
            let kind = object["kind"].as_str().expect("a kind");
            if in_folder(folder) && !without.contains(&kind) {
                let name = format!("{folder} {}.yaml", called(object));
                let file = place.path().join(name.replace('/', " "));
                fs::write(&file, object.to_string()).expect("a file");
                files.push(file);
            }
        }
    }
    let validate = installed("kubernetes-validate/bin/kubernetes-validate");
    let output = Command::new(&validate)
        .args(["--strict", "--no-warn", "--kubernetes-version", version])
        .args(&files)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error}; run `make clients`", validate.display());
        });
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{version}:\n{said}\n{complained}");
    // Whoever looked at nothing has nothing to complain of.
    assert!(!files.is_empty());
}

#[test]
fn every_object_is_valid_where_native_sidecars_began() {
    assert_valid(
        "1.29",
        |folder| !folder.is_empty(),
        &[&FOREIGN[..], &ONLY_IN_CURRENT].concat(),
    );
}

#[test]
fn every_object_is_valid_in_a_current_kubernetes() {
    assert_valid("1.37", |folder| !folder.is_empty(), &FOREIGN);
}

#[test]
fn plain_sidecars_are_valid_before_that() {
    assert_valid("1.25", |folder| folder.ends_with("plain-sidecar"), &[]);
}

#[test]
fn what_is_not_held_to_a_schema_is_there() {
    let found: BTreeSet<&str> = every()
        .iter()
        .flat_map(|(_, objects)| objects)
        .filter_map(|object| object["kind"].as_str())
        .collect();
    for kind in FOREIGN.into_iter().chain(ONLY_IN_CURRENT) {
        assert!(found.contains(kind), "no {kind}: take it off the list");
    }
}
