//! Which files are kept, and where: clusters in three spellings, and what cannot be a file.

use super::{assert_refused, configured};
use crate::sidecar::{Launch, Pod, read};

fn writes(pod: &Pod, launch: &Launch, clusters: &[(&str, &str)]) {
    let sidecar = launch.start();
    sidecar.wait_ready();
    for (name, region) in clusters {
        let path = pod.path("out").join(format!("{name}.eks-token"));
        let reviewed = pod.emulator.add_cluster(name, region).review(&read(&path));
        // Nobody mapped the role there: it got as far as that, and so the signature is good.
        let refused = reviewed.expect_err("not mapped");
        assert!(
            !refused.contains("sts getCallerIdentity failed"),
            "{refused}"
        );
    }
    // It would write them again.
    drop(sidecar);
    std::fs::remove_dir_all(pod.path("out")).expect("a directory");
}

#[test]
fn clusters_are_a_repeated_flag_or_commas_or_a_list() {
    let pod = Pod::new();
    let base = || pod.serve().arg("--output-dir").arg(pod.path("out"));
    let flags = base()
        .arg("--eks-cluster=one")
        .arg("--eks-cluster")
        .arg("two.b_c-3=us-west-2");
    writes(
        &pod,
        &flags,
        &[("one", "eu-west-1"), ("two.b_c-3", "us-west-2")],
    );
    let variable = base().env("IRSA_SIDECAR_EKS_CLUSTER", "three, four=cn-north-1");
    writes(
        &pod,
        &variable,
        &[("three", "eu-west-1"), ("four", "cn-north-1")],
    );
    let settings = pod.path("settings.yaml");
    let content = format!(
        "eksCluster: [five, six=us-gov-west-1]\noutputDir: {}\noutputMode: \"0600\"\n",
        pod.path("out").display()
    );
    std::fs::write(&settings, content).expect("a file of settings");
    let file = pod.serve().arg("--config").arg(&settings);
    writes(
        &pod,
        &file,
        &[("five", "eu-west-1"), ("six", "us-gov-west-1")],
    );
    let sidecar = file.start();
    assert_eq!(
        configured(&sidecar, "eks-cluster").0,
        "five,six=us-gov-west-1"
    );
    assert_eq!(configured(&sidecar, "output-mode").0, "0600");
}

#[test]
fn a_name_that_is_no_clusters_is_refused_before_it_becomes_a_path() {
    let pod = Pod::new();
    for name in [
        "../x",
        "a/b",
        "/etc/passwd",
        ".",
        "..",
        ".hidden",
        "-demo",
        "a b",
        "a\nb",
        "a\u{1b}[2J",
        "dé",
        "=us-west-2",
        &"a".repeat(101),
    ] {
        let launch = pod
            .serve()
            .arg("--output-dir")
            .arg(pod.path("out"))
            .arg(format!("--eks-cluster={name}"));
        let ended = launch.ends();
        assert_refused(
            &ended,
            &[
                "eks-cluster is ",
                "names no cluster",
                "--eks-cluster",
                "IRSA_SIDECAR_EKS_CLUSTER",
            ],
        );
        assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    }
    for (clusters, words) in [
        (&["demo", "demo"] as &[&str], "\"demo\" stands there twice"),
        (
            &["demo=eu-west-1", "other", "demo=us-west-2"],
            "\"demo\" stands there twice",
        ),
        (
            &["demo=mars-1"],
            "\"mars-1\" is not the name of an AWS region",
        ),
        (&["demo="], "\"\" is not the name of an AWS region"),
        (
            &["demo=us-west-2a"],
            "\"us-west-2a\" is not the name of an AWS region",
        ),
        (&["demo,"], "names no cluster"),
    ] {
        let launch = pod.serve().arg("--output-dir").arg(pod.path("out"));
        let launch = clusters.iter().fold(launch, |launch, cluster| {
            launch.arg("--eks-cluster").arg(*cluster)
        });
        assert_refused(&launch.ends(), &[words, "--eks-cluster"]);
    }
    assert!(!pod.path("out").exists());
}

#[test]
fn a_file_needs_its_place_and_its_clusters() {
    let pod = Pod::new();
    assert_refused(
        &pod.serve().arg("--eks-cluster=demo").ends(),
        &[
            "output-dir: files are asked for, and not where; set --output-dir or IRSA_SIDECAR_OUTPUT_DIR",
        ],
    );
    let out = pod.path("out");
    assert_refused(
        &pod.serve()
            .arg("--kubeconfig")
            .arg("--output-dir")
            .arg(&out)
            .ends(),
        &[
            "eks-cluster: kubeconfig asks for a file, and not for which clusters",
            "--eks-cluster",
        ],
    );
    assert_refused(
        &pod.serve().arg("--kubeconfig").ends(),
        &[
            "the configuration has 2 errors",
            "output-dir: ",
            "eks-cluster: ",
        ],
    );
    // The token names a host of STS: a region that has none is no use.
    let launch = pod
        .serve()
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(&out);
    assert_refused(
        &launch.env("AWS_REGION", "xx-nowhere-1").ends(),
        &[
            "eks-cluster demo: ",
            "\"xx-nowhere-1\" is not the name of an AWS region",
            "demo=REGION",
        ],
    );
    for mode in ["640", "rw-r-----", "0666", "0200", "01640", ""] {
        let launch = pod.serve().arg(format!("--output-mode={mode}"));
        assert_refused(&launch.ends(), &["output-mode is ", "--output-mode"]);
    }
}

#[test]
fn the_eks_endpoint_is_its_own_setting_and_the_general_variable_is_for_both() {
    let pod = Pod::new();
    let launch = || {
        pod.serve()
            .arg("--eks-cluster=demo")
            .arg("--kubeconfig")
            .arg("--output-dir")
            .arg(pod.path("out"))
    };
    let general = launch()
        .without("AWS_ENDPOINT_URL_STS")
        .env("AWS_ENDPOINT_URL", pod.emulator.url())
        .start();
    general.wait_ready();
    assert_eq!(
        configured(&general, "eks-endpoint-url").1,
        "variable AWS_ENDPOINT_URL"
    );
    assert_eq!(pod.emulator.cluster().describes(), 1);
    let own = launch()
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .start();
    own.wait_ready();
    assert_eq!(
        configured(&own, "eks-endpoint-url").1,
        "variable AWS_ENDPOINT_URL_EKS"
    );
    // Who asks EKS for nothing needs no way to it.
    let no_roots = pod.path("no-roots");
    std::fs::create_dir(&no_roots).expect("a directory");
    let without = pod
        .serve()
        .arg("--eks-cluster=demo")
        .arg("--output-dir")
        .arg(pod.path("out"))
        .env("SSL_CERT_DIR", &no_roots)
        .start();
    without.wait_ready();
    let with = launch().env("SSL_CERT_DIR", &no_roots).ends();
    assert_refused(&with, &["the system has no CA certificates"]);
}
