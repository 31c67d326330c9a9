//! Apps get credentials as the examples say, with SDKs as old as the door allows, and nothing in them is changed.

use std::fs;

use serde_json::json;

use crate::namespace::Namespace;
use crate::pod::SIDECAR;

/// Each SDK of these makes a signed call, which AWS takes as that of the pod.
#[track_caller]
fn assert_identity(namespace: &Namespace, sdks: &[&str]) {
    let pod = namespace.ready_app();
    for sdk in sdks {
        pod.app(sdk)
            .call()
            .unwrap_or_else(|error| panic!("{sdk}: {error}"));
    }
    let session = format!("arn:aws:sts::111122223333:assumed-role/app/{}", pod.name);
    assert_eq!(namespace.callers(), vec![session; sdks.len()]);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn a_legacy_app_gets_credentials_by_the_uid_of_its_pod() {
    let namespace = Namespace::new("credentials-uri");
    namespace.apply_example("credentials-uri");
    let sdks = [
        "aws-sdk-go-1.8.13",
        "aws-sdk-go-1.20.21",
        "aws-sdk-go-v2-1.17.10",
        "aws-sdk-go-v2-1.32.37",
    ];
    assert_identity(&namespace, &sdks);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_static_program_resolves_the_name_of_sts_in_an_image_without_anything() {
    let namespace = Namespace::new("self-managed");
    namespace.apply_example("self-managed");
    // It is ready, and nobody else in the pod has asked for anything yet.
    let address = namespace.ready_app().address();
    assert!(
        namespace
            .cluster
            .dns
            .was_asked(address, "sts.eu-west-1.amazonaws.com")
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_of_another_user_reads_the_authorization_token_file_without_fs_group() {
    let namespace = Namespace::new("token-file");
    namespace.apply_example("token-file");
    assert_identity(&namespace, &["aws-sdk-go-1.55.6", "aws-sdk-go-v2-1.32.37"]);
    let pod = namespace.ready_app();
    let spec = pod.get()["spec"].take();
    assert_eq!(spec["securityContext"]["fsGroup"], json!(null));
    assert_eq!(spec["securityContext"]["runAsUser"], 1000);
    assert_eq!(
        spec["initContainers"][0]["securityContext"]["runAsUser"],
        65532
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_gets_credentials_by_credential_process() {
    let namespace = Namespace::new("credential-process");
    namespace.apply_example("credential-process");
    assert_identity(&namespace, &["aws-sdk-go-1.55.6", "aws-sdk-go-v2-1.17.10"]);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_gets_credentials_by_a_credentials_file() {
    let namespace = Namespace::new("credentials-file");
    namespace.apply_example("credentials-file");
    assert_identity(&namespace, &["aws-sdk-go-1.4.10", "aws-sdk-go-v2-1.32.37"]);
}

/// For those Pod Security has to make an exception: an init container with NET_ADMIN.
fn link_local(name: &'static str, sdks: &[&str]) {
    let namespace = Namespace::admitting("privileged", name);
    namespace.apply_example(name);
    assert_identity(&namespace, sdks);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_gets_credentials_by_the_relative_uri() {
    link_local(
        "relative-uri",
        &["aws-sdk-go-1.4.10", "aws-sdk-go-v2-1.17.10"],
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_gets_credentials_as_from_eks_pod_identity() {
    link_local(
        "pod-identity",
        &["aws-sdk-go-1.55.6", "aws-sdk-go-v2-1.32.37"],
    );
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn an_app_gets_credentials_as_from_instance_metadata() {
    link_local("imds", &["aws-sdk-go-1.55.6", "aws-sdk-go-v2-1.32.37"]);
}

#[test]
#[ignore = "a real Kubernetes, as root: `make pod-test`"]
fn the_sidecar_runs_on_a_read_only_root_filesystem_as_nobody() {
    let namespace = Namespace::new("read-only");
    namespace.apply_example("credentials-uri");
    let process = namespace.ready_app().process(SIDECAR);
    let read =
        |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).expect("its process");
    let mounts = read("mountinfo");
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"));
    let options = root
        .and_then(|line| line.split(' ').nth(5))
        .expect("a root filesystem");
    assert!(options.split(',').any(|option| option == "ro"), "{mounts}");
    let status = read("status");
    for line in [
        "Uid:\t65532\t65532\t65532\t65532",
        "CapEff:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
}
