//! What has to be set for it, and how a profile may be called.

use std::fs;

use super::{path, profile, serve};
use crate::sidecar::{Launch, Pod, read};

#[track_caller]
fn assert_refused(launch: &Launch, words: &[&str]) {
    let ended = launch.ends();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    for part in words {
        assert!(ended.stderr.contains(part), "{part:?}: {}", ended.stderr);
    }
}

#[test]
fn it_needs_a_place_and_no_cluster() {
    let pod = Pod::new();
    let launch = pod.serve().arg("--credentials-file");
    let words = "output-dir: files are asked for, and not where; set --output-dir or IRSA_SIDECAR_OUTPUT_DIR";
    assert_refused(&launch, &[words]);
    let by_variable = pod
        .serve()
        .env("IRSA_SIDECAR_OUTPUT_DIR", pod.path("out"))
        .env("IRSA_SIDECAR_CREDENTIALS_FILE", "true")
        .env("IRSA_SIDECAR_CREDENTIALS_PROFILE", "legacy app");
    let sidecar = by_variable.start();
    sidecar.wait_ready();
    let expected = profile("legacy app", &super::newest(&pod));
    assert_eq!(read(&path(&pod)), expected);
    assert!(!sidecar.log().contains("output-dir is set"));
}

#[test]
fn a_name_that_would_not_be_read_as_it_is_is_refused() {
    let pod = Pod::new();
    for name in ["]", "a]\n[b", " a", "a ", "a#b", "a;b", "[a", "a\u{1b}[2J"] {
        let launch = serve(&pod).arg(format!("--credentials-profile={name}"));
        let ended = launch.ends();
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
        assert_refused(
            &launch,
            &[
                "credentials-profile is ",
                "expected a name without",
                "IRSA_SIDECAR_CREDENTIALS_PROFILE",
            ],
        );
    }
    let all = serve(&pod).arg("--credentials-profile=DEFAULT");
    assert_refused(&all, &["holds for every profile"]);
    assert!(!pod.path("out").exists());
}

#[test]
fn what_is_set_for_nothing_is_warned_about() {
    let pod = Pod::new();
    for (launch, words) in [
        (
            pod.serve().arg("--credentials-profile=app"),
            "credentials-profile is set, and nothing is written to it",
        ),
        (
            pod.serve().arg("--output-dir").arg(pod.path("out")),
            "output-dir is set, and nothing that goes there: set eks-cluster or credentials-file",
        ),
    ] {
        let sidecar = launch.start();
        sidecar.wait_event(words, |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["level"] == "WARN" && message.contains(words)
        });
        sidecar.wait_ready();
    }
    assert!(
        fs::read_dir(pod.path("out")).is_err(),
        "nothing was asked for"
    );
}
