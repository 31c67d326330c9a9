//! Files for `kubectl`: a token for each cluster and a kubeconfig. There before ready, whole at every moment, fresh.

pub mod disk;
pub mod failures;
mod kubeconfig;
pub mod readiness;
mod whole;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use emulator::{Cluster, ROLE_ARN};

use crate::sidecar::{Launch, Pod, Sidecar, eventually, read};

/// `serve` with a token file for each of these clusters in the pod's `out`, which is not there yet.
fn serve(pod: &Pod, clusters: &[&str]) -> Launch {
    let launch = clusters.iter().fold(pod.serve(), |launch, cluster| {
        launch.arg("--eks-cluster").arg(*cluster)
    });
    launch
        .arg("--output-dir")
        .arg(pod.path("out"))
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
}

fn token_file(pod: &Pod, cluster: &str) -> PathBuf {
    pod.path("out").join(format!("{cluster}.eks-token"))
}

fn kubeconfig(pod: &Pod) -> PathBuf {
    pod.path("out/kubeconfig")
}

/// Another cluster that lets the pod's role in.
fn add_cluster(pod: &Pod, name: &str, region: &str) -> Cluster {
    let cluster = pod.emulator.add_cluster(name, region);
    cluster.set_aws_auth(&format!("- rolearn: {ROLE_ARN}\n  username: job\n"), "");
    cluster
}

/// The URL in a token, which has to be all there.
fn url_in(token: &str) -> String {
    let encoded = token.strip_prefix("k8s-aws-v1.").expect("a token's prefix");
    let url = BASE64_URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
    let url = String::from_utf8(url).expect("a URL");
    let (_, signature) = url
        .rsplit_once("&X-Amz-Signature=")
        .expect("the signature, at the end");
    let whole = signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(whole, "half a signature: {signature}");
    url
}

pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

pub fn mode_of(path: &Path) -> u32 {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    found.mode() & 0o7777
}

#[track_caller]
fn assert_taken(cluster: &Cluster, path: &Path) {
    let reviewed = cluster.review(&read(path));
    assert!(
        reviewed.is_ok(),
        "{} refuses it: {reviewed:?}",
        cluster.name()
    );
}

#[test]
fn each_cluster_finds_a_token_in_its_own_file_and_takes_no_other() {
    let pod = Pod::new();
    let demo = pod.emulator.cluster();
    let other = add_cluster(&pod, "other", "us-west-2");
    let sidecar = serve(&pod, &["demo", "other=us-west-2"]).start();
    sidecar.wait_ready();
    assert_eq!(
        names_in(&pod.path("out")),
        ["demo.eks-token", "other.eks-token"]
    );
    for (cluster, host) in [
        (demo, "https://sts.eu-west-1.amazonaws.com/?"),
        (&other, "https://sts.us-west-2.amazonaws.com/?"),
    ] {
        let path = token_file(&pod, cluster.name());
        assert_taken(cluster, &path);
        let token = read(&path);
        assert!(url_in(&token).starts_with(host), "{}", url_in(&token));
        assert!(
            !token.contains(char::is_whitespace),
            "a newline breaks HTTP headers"
        );
    }
    let wrong = other.review(&read(&token_file(&pod, "demo")));
    assert!(
        wrong.is_err_and(|error| error.contains("SignatureDoesNotMatch")),
        "a token is good for one cluster"
    );
}

#[test]
fn a_file_has_the_mode_that_was_asked_for_whatever_the_umask() {
    for (mode, umask) in [
        (None, "0077"),
        (None, "0"),
        (Some("0600"), "0"),
        (Some("0444"), "0077"),
    ] {
        let pod = Pod::new();
        let launch = serve(&pod, &["demo"]).arg("--kubeconfig");
        let launch = match mode {
            Some(mode) => launch.arg("--output-mode").arg(mode),
            None => launch,
        };
        let script = format!(r#"umask {umask} && exec "$0" "$@""#);
        let binary = env!("CARGO_BIN_EXE_irsa-sidecar");
        let sidecar = Sidecar::spawn(launch.wrapped("sh", &["-c", &script, binary]));
        sidecar.wait_ready();
        let expected = mode.unwrap_or("0640");
        for path in [token_file(&pod, "demo"), kubeconfig(&pod)] {
            let found = format!("{:04o}", mode_of(&path));
            assert_eq!(found, expected, "{path:?} with umask {umask}");
        }
    }
}

#[test]
fn a_file_that_was_taken_away_comes_back() {
    let pod = Pod::new();
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    sidecar.wait_ready();
    let (token, kubeconfig) = (token_file(&pod, "demo"), kubeconfig(&pod));
    let before = (read(&token), read(&kubeconfig));
    for path in [&token, &kubeconfig] {
        fs::remove_file(path).expect("a file");
    }
    let is_back = eventually(|| token.exists() && kubeconfig.exists());
    assert!(is_back, "{}", sidecar.log());
    assert_eq!((read(&token), read(&kubeconfig)), before);
    // A whole volume may be wiped.
    fs::remove_dir_all(pod.path("out")).expect("a directory");
    let is_back = eventually(|| token.exists() && kubeconfig.exists());
    assert!(is_back, "{}", sidecar.log());
    sidecar.wait_ready();
    assert_taken(pod.emulator.cluster(), &token);
}

#[test]
fn a_symlink_in_the_place_of_a_file_is_replaced_and_what_it_leads_to_is_left_alone() {
    let pod = Pod::new();
    let victims = [pod.path("victim-token"), pod.path("victim-kubeconfig")];
    let places = [token_file(&pod, "demo"), kubeconfig(&pod)];
    let plant = || {
        for (victim, place) in victims.iter().zip(&places) {
            fs::write(victim, "mine").expect("a file");
            symlink(victim, place).expect("a symlink");
        }
    };
    let assert_replaced = |sidecar: &Sidecar| {
        let is_file = |place: &PathBuf| fs::symlink_metadata(place).is_ok_and(|it| it.is_file());
        let replaced = eventually(|| places.iter().all(is_file));
        assert!(replaced, "{}", sidecar.log());
        for victim in &victims {
            assert_eq!(read(victim), "mine");
        }
        assert_taken(pod.emulator.cluster(), &places[0]);
    };
    fs::create_dir(pod.path("out")).expect("a directory");
    plant();
    let sidecar = serve(&pod, &["demo"]).arg("--kubeconfig").start();
    sidecar.wait_ready();
    assert_replaced(&sidecar);

    for place in &places {
        fs::remove_file(place).expect("a file");
    }
    plant();
    assert_replaced(&sidecar);
}

#[test]
fn files_stay_when_the_sidecar_stops_and_are_replaced_when_it_starts_again() {
    let pod = Pod::new();
    let launch = serve(&pod, &["demo"]).arg("--kubeconfig");
    let mut sidecar = launch.start();
    sidecar.wait_ready();
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    let token = token_file(&pod, "demo");
    let before = read(&token);
    assert_taken(pod.emulator.cluster(), &token);
    assert_eq!(
        names_in(&pod.path("out")),
        ["demo.eks-token", "kubeconfig"],
        "files stay, drafts do not"
    );
    let again = launch.start();
    again.wait_ready();
    assert_ne!(read(&token), before, "a token of the first sidecar's");
    assert_taken(pod.emulator.cluster(), &token);
}

#[test]
fn nothing_is_written_unless_it_was_asked_for() {
    let pod = Pod::new();
    let none = pod.serve().arg("--output-dir").arg(pod.path("out")).start();
    none.wait_ready();
    assert!(!pod.path("out").exists(), "nobody asked for a file");
    let sidecar = serve(&pod, &["demo"]).start();
    sidecar.wait_ready();
    assert_eq!(names_in(&pod.path("out")), ["demo.eks-token"]);
    assert_eq!(pod.emulator.cluster().describes(), 0);
}

#[test]
fn what_is_written_is_never_logged() {
    let pod = Pod::new();
    let mut sidecar = serve(&pod, &["demo"])
        .arg("--kubeconfig")
        .arg("--log-level=trace")
        .start();
    sidecar.wait_ready();
    let token = read(&token_file(&pod, "demo"));
    let url = url_in(&token);
    sidecar.signal("TERM");
    let log = sidecar.whole_log();
    assert!(log.contains("the files in output-dir are fresh"), "{log}");
    let (_, signature) = url.rsplit_once('=').expect("a signature");
    let session = pod.emulator.sts().issued().remove(0);
    for secret in [
        &token[..40],
        &token[token.len() - 40..],
        signature,
        &session.session_token[..40],
        &session.secret_access_key,
    ] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}
