//! Golden vectors, end to end: what the AWS CLI made of these keys at that second, the sidecar makes of them, on a node
//! whose clock says something else.

use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{EksToken, LIFE, ask, path, pod_at, time, whole_second};
use crate::door::holds_for_every_answer;
use crate::door::refusals::is_refused;
use crate::sidecar::{Answer, Launch, Pod, Sidecar, eventually, now};
use crate::tls;

const VECTORS: &str = include_str!("../../data/eks-token-vectors.json");
/// How many seconds before its time a vector's STS stands still, so that the sidecar can begin. A busy machine may need
/// more of them, and may miss the one second that counts.
const LEADS: [u64; 6] = [3, 5, 7, 10, 13, 16];

/// One of the file.
struct Vector(Value);

impl Vector {
    /// All that somebody with a session can have.
    fn all() -> Vec<Vector> {
        let file: Value = serde_json::from_str(VECTORS).expect("JSON");
        let vectors = file["vectors"].as_array().expect("a list").clone();
        let vectors = vectors.into_iter().map(Vector);
        vectors
            .filter(|vector| !vector.0["input"]["session_token"].is_null())
            .collect()
    }

    fn input(&self, name: &str) -> &str {
        self.0["input"][name].as_str().expect("an input")
    }

    fn output(&self, name: &str) -> &str {
        self.0["output"][name].as_str().expect("an output")
    }

    fn is_too_large(&self) -> bool {
        self.0["output"]["over_verifier_limit"] == true
    }

    fn time(&self) -> SystemTime {
        time(self.input("time"))
    }

    fn uses_fips(&self) -> bool {
        self.0["input"]["env"]["AWS_USE_FIPS_ENDPOINT"] == "true"
    }

    fn query(&self) -> String {
        let name = self.0["name"].as_str().expect("a name");
        let parameter = if name.starts_with("cluster-id-") {
            "cluster-id"
        } else {
            "cluster-name"
        };
        let (cluster, region) = (self.input("cluster"), self.input("region"));
        format!("{parameter}={cluster}&region={region}")
    }

    /// A pod in which STS has this vector's keys, and a time that is short of this vector's.
    fn pod(&self, lead: Duration) -> Pod {
        let short_of = self.time() - lead;
        let pod = pod_at(short_of);
        let sts = pod.emulator.sts();
        sts.stop_clock_at(short_of);
        sts.issue_next(
            self.input("access_key_id"),
            self.input("secret_access_key"),
            self.input("session_token"),
        );
        pod
    }

    /// FIPS is a setting, and an endpoint of one's own cannot be had with it.
    fn launch(&self, pod: &Pod) -> Launch {
        if self.uses_fips() {
            let proxy = tls::proxy_to(pod).url(None);
            tls::serve_through(pod, &proxy)
                .env("AWS_REGION", self.input("region"))
                .env("AWS_USE_FIPS_ENDPOINT", "true")
        } else {
            pod.serve()
        }
    }
}

/// Asks in this very second of corrected time; false when it is over already.
fn wait_for(second: SystemTime, sidecar: &Sidecar) -> bool {
    let offset = sidecar.metric("clock_offset_seconds");
    assert!(offset < 0.0, "the vectors are of the past: {offset}");
    let corrected = || now() - Duration::from_secs_f64(-offset);
    eventually(|| corrected() >= second + Duration::from_millis(50));
    whole_second(corrected()) == second
}

#[test]
fn a_token_is_byte_for_byte_that_of_the_aws_cli_whatever_the_node_takes_for_the_time() {
    let vectors = Vector::all();
    let sizes = vectors.iter().map(Vector::is_too_large);
    assert_eq!(sizes.filter(|too_large| !too_large).count(), 11);
    assert_eq!(
        vectors.iter().filter(|vector| vector.uses_fips()).count(),
        1
    );
    thread::scope(|scope| {
        for vector in vectors.iter().filter(|vector| !vector.is_too_large()) {
            scope.spawn(move || {
                let mut leads = LEADS.into_iter().map(Duration::from_secs);
                let on_time = leads.any(|lead| equals_the_aws_clis(vector, lead));
                assert!(on_time, "{} was always missed", vector.query());
            });
        }
    });
}

/// False when its second was missed.
fn equals_the_aws_clis(vector: &Vector, lead: Duration) -> bool {
    let pod = vector.pod(lead);
    let sidecar = vector.launch(&pod).start();
    sidecar.wait_ready();
    if !wait_for(vector.time(), &sidecar) {
        return false;
    }
    let before = now();
    let answer = ask(&pod, &sidecar, &vector.query());
    let after = now();
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = EksToken::read(&answer);
    if token.signed_at != vector.time() {
        return false;
    }
    assert_eq!(token.text, vector.output("token"), "{}", vector.query());
    // The node's own clock is what whoever runs here compares with.
    let (earliest, latest) = (whole_second(before) + LIFE, whole_second(after) + LIFE);
    assert!(
        (earliest..=latest).contains(&token.expiration),
        "{token:?} asked between {before:?} and {after:?}"
    );
    holds_for_every_answer(&answer);
    assert_eq!(answer.body, as_the_aws_cli_prints_it(vector, &token));
    assert_eq!(bare(&pod, &sidecar, vector).body, token.text);
    cluster_takes(&pod, vector, &token);
    true
}

/// All but the time, which is that of this node.
fn as_the_aws_cli_prints_it(vector: &Vector, token: &EksToken) -> String {
    let ours = humantime::format_rfc3339_seconds(token.expiration).to_string();
    let theirs = vector.output("expiration_timestamp");
    let printed = vector.output("exec_credential_from_aws_cli");
    assert!(printed.contains(theirs));
    printed.replace(theirs, &ours)
}

fn bare(pod: &Pod, sidecar: &Sidecar, vector: &Vector) -> Answer {
    let headers = [
        ("authorization", pod.request.pod_uid()),
        ("accept", "text/plain"),
    ];
    sidecar.get(&path(&vector.query()), &headers)
}

fn cluster_takes(pod: &Pod, vector: &Vector, token: &EksToken) {
    pod.emulator.sts().stop_clock_at(vector.time());
    let (name, region) = (vector.input("cluster"), vector.input("region"));
    let cluster = pod.emulator.add_cluster(name, region);
    cluster.set_aws_auth(
        &format!("- rolearn: {}\n  username: job\n", emulator::ROLE_ARN),
        "",
    );
    let reviewed = cluster.review(&token.text).expect("somebody it knows");
    assert_eq!(reviewed.access_key_id, vector.input("access_key_id"));
}

#[test]
fn a_token_that_the_cluster_would_find_too_large_is_refused_with_both_lengths() {
    let vectors = Vector::all();
    let mut too_large = vectors.iter().filter(|vector| vector.is_too_large());
    let vector = too_large.next().expect("one of them is");
    assert_eq!(vector.input("session_token").len(), 3463);
    let pod = vector.pod(Duration::ZERO);
    let sidecar = vector.launch(&pod).start();
    sidecar.wait_ready();
    assert_eq!(sidecar.metric("eks_token_bytes"), 0.0);
    let answer = ask(&pod, &sidecar, &vector.query());
    is_refused(&answer, 422, "EksTokenTooLarge");
    let bytes = vector.output("token").len();
    for words in [
        format!("{bytes} bytes"),
        "3463 characters".to_owned(),
        "at most 4096 bytes".to_owned(),
        "session tags".to_owned(),
    ] {
        assert!(answer.message().contains(&words), "{words}: {answer:?}");
    }
    assert_eq!(sidecar.metric("eks_token_bytes"), bytes as f64);
    // Everything else that the credentials are good for goes on.
    assert_eq!(sidecar.get_credentials(&pod).status, 200);
    assert_eq!(sidecar.ops_get("/readyz").status, 200);
}
