//! Where the server and its CA come from: flags, this pod's own cluster, or an endpoint of EKS.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::{BAD_CONFIGURATION, FAILED, alone, assert_failed, beside, yaml};
use crate::sidecar::{Launch, Pod, read};
use crate::tls::proxy_to;

#[test]
fn a_server_that_is_named_needs_nothing_of_aws() {
    let pod = Pod::new();
    fs::write(pod.path("ca.pem"), pod.emulator.ca_pem()).expect("a CA");
    let url = pod.emulator.cluster().url();
    let launch = Launch::new([
        "kubeconfig",
        "--cluster-name",
        "demo",
        "--output-dir",
        "out",
    ])
    .arg("--server")
    .arg(url)
    .arg("--kubeconfig")
    .arg("kubeconfig")
    .env("HOME", pod.path("home"));
    let run = |launch: &Launch| {
        let output = launch.command().current_dir(pod.dir.path()).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        stderr
    };
    let words = run(&launch);
    // Whoever has a token file but not yet its content should hear of it.
    let token_file = pod.path("out/demo.eks-token");
    for part in [
        "warning: there is no ",
        token_file.to_str().expect("a path"),
        "--eks-cluster demo",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    let found = yaml(&read(&pod.path("kubeconfig")));
    assert_eq!(
        (&found["clusters"][0], &found["users"][0]),
        (
            &json!({ "name": "demo", "cluster": { "server": url } }),
            &json!({ "name": "demo", "user": { "tokenFile": token_file } })
        )
    );
    assert_eq!(found["current-context"], "demo");

    let launch = launch.arg("--certificate-authority").arg("ca.pem");
    run(&launch);
    let found = yaml(&read(&pod.path("kubeconfig")));
    assert_eq!(
        found["clusters"][0]["cluster"],
        json!({ "server": url, "certificate-authority": pod.path("ca.pem") })
    );
    assert_eq!(pod.emulator.sts().calls(), []);
    assert_eq!(pod.emulator.cluster().describes(), 0);
}

#[test]
fn in_the_cluster_the_server_is_where_every_pod_finds_it() {
    let pod = Pod::new();
    for (host, server) in [
        ("10.100.0.1", "https://10.100.0.1:443"),
        ("fd12:3456::1", "https://[fd12:3456::1]:443"),
    ] {
        let launch = Launch::new([
            "kubeconfig",
            "--cluster-name=demo",
            "--in-cluster",
            "--exec",
        ])
        .arg("--dry-run")
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", "443")
        .env("HOME", pod.path("home"));
        let ended = launch.output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let found = yaml(&ended.stdout);
        assert_eq!(
            found["clusters"][0],
            json!({ "name": "demo", "cluster": {
                "server": server,
                "certificate-authority": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            }})
        );
        // No region is known here: the sidecar's will do.
        assert_eq!(
            found["users"][0]["user"]["exec"]["args"],
            json!(["get-token", "--cluster-name", "demo"])
        );
    }
    let outside = Launch::new([
        "kubeconfig",
        "--cluster-name=demo",
        "--in-cluster",
        "--exec",
    ])
    .env("HOME", pod.path("home"));
    assert_failed(
        &outside.output(),
        FAILED,
        &["KUBERNETES_SERVICE_HOST", "--server"],
    );
}

#[test]
fn in_the_cluster_another_ca_file_can_be_named_and_one_that_is_not_there_is_warned_of() {
    let pod = Pod::new();
    let launch = || {
        Launch::new(["kubeconfig", "--cluster-name=demo", "--in-cluster"])
            .arg("--exec")
            .arg("--dry-run")
            .env("KUBERNETES_SERVICE_HOST", "10.100.0.1")
            .env("KUBERNETES_SERVICE_PORT", "443")
            .env("HOME", pod.path("home"))
    };
    let run = |launch: Launch| {
        let ended = launch.output();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let authority = &yaml(&ended.stdout)["clusters"][0]["cluster"]["certificate-authority"];
        let authority = authority.as_str().expect("a path").to_owned();
        (authority, ended.stderr)
    };
    let mounted = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
    assert!(!Path::new(mounted).exists(), "this test runs in no pod");
    let (authority, words) = run(launch());
    assert_eq!(authority, mounted);
    for part in [
        &format!("warning: there is no {mounted}"),
        "automountServiceAccountToken: false",
        "--certificate-authority",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }

    let file = pod.path("ca.pem");
    let file = file.to_str().expect("a path");
    let named = || launch().arg("--certificate-authority").arg(file);
    let (authority, words) = run(named());
    assert_eq!(authority, file);
    assert!(
        words.contains(&format!("warning: there is no {file}")),
        "{words}"
    );
    assert!(!words.contains("automount"), "{words}");
    fs::write(file, pod.emulator.ca_pem()).expect("a CA");
    assert_eq!(run(named()), (file.to_owned(), String::new()));
}

#[test]
fn an_endpoint_behind_tls_is_asked_by_its_own_certificate() {
    let pod = Pod::new();
    fs::write(pod.path("ca.pem"), pod.emulator.ca_pem()).expect("a CA");
    let launch = alone(&pod, &["--cluster-name", "demo", "--exec", "--dry-run"])
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.tls_url());
    let trusting = |path: &Path| {
        let ca_bundle = path.as_os_str().to_owned();
        alone(&pod, &["--cluster-name", "demo", "--exec", "--dry-run"])
            .env("AWS_ENDPOINT_URL_EKS", pod.emulator.tls_url())
            .env("AWS_CA_BUNDLE", ca_bundle)
    };
    assert_eq!(
        trusting(&pod.path("ca.pem")).output().status.code(),
        Some(0)
    );
    fs::write(pod.path("other.pem"), Pod::new().emulator.ca_pem()).expect("a CA");
    assert_failed(
        &trusting(&pod.path("other.pem")).output(),
        FAILED,
        &[
            "no connection to https://localhost",
            "certificate",
            "--ca-bundle (AWS_CA_BUNDLE)",
        ],
    );
    let empty = pod.path("no-roots");
    fs::create_dir(&empty).expect("a directory");
    assert_failed(
        &launch.env("SSL_CERT_DIR", &empty).output(),
        BAD_CONFIGURATION,
        &["the system has no CA certificates"],
    );
}

#[test]
fn the_regional_endpoint_of_eks_is_asked_unless_another_is_named() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let bundle = pod.path("ca.pem");
    fs::write(&bundle, pod.emulator.ca_pem()).expect("a bundle");
    for (region, switch, host, answers) in [
        ("eu-west-1", None, "eks.eu-west-1.amazonaws.com", true),
        ("us-west-2", None, "eks.us-west-2.amazonaws.com", false),
        (
            "us-east-1",
            Some("--use-fips-endpoint"),
            "fips.eks.us-east-1.amazonaws.com",
            false,
        ),
        (
            "eu-west-1",
            Some("--use-dualstack-endpoint"),
            "eks.eu-west-1.api.aws",
            false,
        ),
        ("cn-north-1", None, "eks.cn-north-1.amazonaws.com.cn", false),
    ] {
        let proxy = proxy_to(&pod);
        let arguments = [
            "--cluster-name",
            "demo",
            "--exec",
            "--dry-run",
            "--region",
            region,
        ];
        let launch = beside(&pod, &sidecar, &arguments)
            .without("AWS_ENDPOINT_URL_EKS")
            .without("AWS_ENDPOINT_URL_STS")
            .env("AWS_CA_BUNDLE", &bundle)
            .env("HTTPS_PROXY", proxy.url(None));
        let ended = match switch {
            Some(switch) => launch.arg(switch).output(),
            None => launch.output(),
        };
        let targets: BTreeSet<String> = proxy.seen().into_iter().map(|it| it.target).collect();
        assert_eq!(
            targets,
            BTreeSet::from([format!("{host}:443")]),
            "{ended:?}"
        );
        assert_eq!(ended.status.success(), answers, "{ended:?}");
    }
}
