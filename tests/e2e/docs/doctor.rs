//! The guide to `doctor`: what it shows is what is printed.

use std::time::Duration;

use emulator::{ROLE_ARN, Role};
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
    let policy: Vec<&str> = policy.take_while(|line| !line.starts_with('}')).collect();
    let policy = policy.join("\n") + "}";
    serde_json::from_str::<Value>(&policy).expect("a trust policy");
    for (name, value) in example {
        let (value, printed) = (value.as_str(), printed[name].as_str());
        let is_like = is_like(value.expect("a text"), printed.expect("a text"));
        assert!(is_like, "{name}: {value:?}, {printed:?}");
    }
}

/// Where all that can be asked of it is asked, in the sidecar's container and in the app's.
#[test]
fn what_the_guide_says_that_is_sent_is_what_is_sent() {
    const DEPLOY: &str = "arn:aws:iam::111122223333:role/deploy";
    const ASKED: [&str; 4] = ["doctor", "--cluster-name=demo", "--assume-role-arn", DEPLOY];
    let pod = Pod::new();
    let sts = pod.emulator.sts();
    sts.add_role(Role {
        max_session_duration: Duration::from_secs(3600),
        ..Role::trusting(
            ROLE_ARN,
            pod.emulator.issuer().iss(),
            "system:serviceaccount:team:app",
        )
    });
    sts.add_role(Role::assumable_by(DEPLOY, &[ROLE_ARN]));
    let sidecar = pod.ready_sidecar();
    let since = |before: usize| -> Vec<String> {
        let calls = sts.calls().into_iter().skip(before);
        calls.map(|call| call.action).collect()
    };
    let before = sts.calls().len();
    let serve = pod.serve().with_arguments(ASKED);
    serve
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env("IRSA_SIDECAR_DURATION", "4h")
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .output();
    let own = since(before);
    let before = sts.calls().len();
    pod.beside(&sidecar, ASKED)
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.url())
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .output();
    let of_the_app = since(before);
    // The bare GET first, and at the end the token's replay, by doctor and by the cluster.
    let replayed = ["GetCallerIdentity", "GetCallerIdentity"];
    let exchanged = ["AssumeRoleWithWebIdentity", "AssumeRoleWithWebIdentity"];
    let assumed = ["GetCallerIdentity", "AssumeRole"];
    assert_eq!(own, [&[""], &exchanged[..], &assumed, &replayed].concat());
    assert_eq!(of_the_app, [&[""], &assumed[..], &replayed].concat());
    let cluster = pod.emulator.cluster();
    assert_eq!((cluster.describes(), cluster.requests().len()), (2, 2));
    let guide = doc(DOCTOR);
    let (_, section) = guide.split_once("## What it sends").expect("a section");
    let (section, _) = section.split_once("\n## ").expect("another one behind it");
    for words in [
        "a bare GET, from any container",
        "one `AssumeRoleWithWebIdentity`, a second one for an hour",
        "one `GetCallerIdentity`, all of which",
        "one `AssumeRole`",
        "one `GetCallerIdentity` more where the credentials are those that a running sidecar gave",
        "a presigned `GetCallerIdentity`",
        "one `DescribeCluster`",
        "one POST of a `SelfSubjectReview`",
        "one GET of the service account",
    ] {
        assert!(section.contains(words), "{words:?} is not in {section}");
    }
}

#[test]
fn the_guide_counts_the_steps() {
    let count = format!("its {} steps", steps::ALL.len());
    assert!(doc(DOCTOR).contains(&count), "{count}");
}
