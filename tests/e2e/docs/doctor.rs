//! The guide to `doctor`: what it shows is what is printed.

use irsa_sidecar::diagnosis::steps;
use serde_json::Value;

use super::doc;
use super::guides::{only, pod_with_trust};
use crate::sidecar::{Finished, Pod, Sidecar};

const DOCTOR: &str = "docs/doctor.md";
/// Stands for whatever is another in each run.
const ANYTHING: char = '…';

/// As `kubectl exec` runs it in the sidecar's container.
fn beside(pod: &Pod, sidecar: &Sidecar, arguments: &[&str]) -> Finished {
    let launch = pod
        .serve()
        .with_arguments(["doctor"])
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string());
    let launch = arguments.iter().fold(launch, |launch, it| launch.arg(*it));
    launch.output()
}

/// A pod whose role trusts another service account, and its sidecar.
fn distrusted() -> (Pod, Sidecar) {
    let policy = only("docs/install.md", "json");
    let other = policy.replace("serviceaccount:team:app", "serviceaccount:team:web");
    assert_ne!(policy, other);
    let pod = pod_with_trust(&other);
    let sidecar = pod.sidecar();
    sidecar.wait_finding("sts-access-denied");
    (pod, sidecar)
}

fn is_like(example: &str, line: &str) -> bool {
    let mut parts = example.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The blocks of the guide that are no code of any language.
fn examples() -> Vec<String> {
    let guide = doc(DOCTOR);
    let blocks = guide.split("\n```\n").map(str::to_owned);
    blocks.filter(|block| block.contains(" steps f")).collect()
}

fn assert_printed(example: &str, finished: &Finished) {
    let printed: Vec<&str> = finished.stdout.lines().collect();
    let lines: Vec<&str> = example.lines().collect();
    for (line, printed) in lines.iter().zip(&printed) {
        assert!(
            is_like(line, printed),
            "the guide has\n{line}\nand doctor prints\n{printed}"
        );
    }
    assert_eq!(lines.len(), printed.len(), "{}", finished.stdout);
}

#[test]
fn the_examples_of_the_guide_are_what_is_printed() {
    let examples = examples();
    let [well, ill] = &examples[..] else {
        panic!("not two examples: {examples:?}");
    };
    let pod = Pod::new();
    assert_printed(well, &beside(&pod, &pod.ready_sidecar(), &[]));
    let (pod, sidecar) = distrusted();
    assert_printed(ill, &beside(&pod, &sidecar, &[]));
}

#[test]
fn the_json_of_the_guide_is_a_finding_as_it_is_printed() {
    let example: Value = serde_json::from_str(&only(DOCTOR, "json")).expect("JSON");
    let (pod, sidecar) = distrusted();
    let finished = beside(&pod, &sidecar, &["--json"]);
    let printed: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(example["ok"], printed["ok"]);
    let example = example["findings"][0].as_object().expect("an object");
    let printed = printed["findings"].as_array().expect("a list");
    let printed = printed.iter().find(|it| it["id"] == example["id"]);
    let printed = printed
        .and_then(Value::as_object)
        .expect("the same finding");
    assert_eq!(example.len(), printed.len());
    // As the commands of the guides cut it out.
    let fix = printed["fix"].as_str().expect("a text");
    let policy = fix.lines().skip_while(|line| !line.starts_with('{'));
    let policy: Vec<&str> = policy.collect();
    serde_json::from_str::<Value>(&policy.join("\n")).expect("a trust policy");
    for (name, value) in example {
        let (value, printed) = (value.as_str(), printed[name].as_str());
        let is_like = is_like(value.expect("a text"), printed.expect("a text"));
        assert!(is_like, "{name}: {value:?}, {printed:?}");
    }
}

#[test]
fn the_guide_counts_the_steps() {
    let count = format!("its {} steps", steps::ALL.len());
    assert!(doc(DOCTOR).contains(&count), "{count}");
}
