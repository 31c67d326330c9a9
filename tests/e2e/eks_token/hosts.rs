//! Which host a token is for: the regional one of the cluster's region, wherever the sidecar itself asks STS.

use emulator::{Authenticator, ROLE_ARN};

use super::{DEMO, SESSION, let_in, token};
use crate::sidecar::{Pod, Sidecar};
use crate::tls;

/// A region of each partition.
const REGIONS: [(&str, &str); 9] = [
    ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
    ("us-east-1", "sts.us-east-1.amazonaws.com"),
    ("cn-northwest-1", "sts.cn-northwest-1.amazonaws.com.cn"),
    ("us-gov-east-1", "sts.us-gov-east-1.amazonaws.com"),
    ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
    ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov"),
    ("eu-isoe-west-1", "sts.eu-isoe-west-1.cloud.adc-e.uk"),
    ("us-isof-south-1", "sts.us-isof-south-1.csp.hci.ic.gov"),
    ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
];

fn map_the_pod() -> String {
    format!("- rolearn: {ROLE_ARN}\n  username: job:{{{{SessionName}}}}\n  groups: [jobs]\n")
}

#[test]
fn the_cluster_lets_the_pod_in_under_its_role_and_its_name() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let token = token(&pod, &sidecar, DEMO);
    for authenticator in [Authenticator::Sdk1, Authenticator::Sdk2] {
        pod.emulator.cluster().set_authenticator(authenticator);
        let reviewed = let_in(&pod, &token);
        assert_eq!(reviewed.username, format!("job:{SESSION}"));
        assert_eq!(reviewed.groups, ["jobs"]);
        assert_eq!(reviewed.canonical_arn, ROLE_ARN);
        assert_eq!(reviewed.session_name, SESSION);
    }
    assert_eq!(sidecar.metric("eks_token_bytes"), token.text.len() as f64);
}

#[test]
fn a_token_opens_the_cluster_that_it_was_asked_for_and_no_other() {
    let pod = Pod::new();
    let other = pod.emulator.add_cluster("other", "us-west-2");
    other.set_aws_auth(&map_the_pod(), "");
    let demo = pod.emulator.cluster();
    let sidecar = pod.ready_sidecar();
    let for_demo = token(&pod, &sidecar, DEMO).text;
    let for_other = token(&pod, &sidecar, "cluster-name=other&region=us-west-2").text;
    let misspelt = token(&pod, &sidecar, "cluster-name=demos").text;
    demo.review(&for_demo).expect("its own token");
    other.review(&for_other).expect("its own token");
    for (cluster, token) in [(demo, &for_other), (&other, &for_demo), (demo, &misspelt)] {
        let refusal = cluster.review(token).expect_err("a token for another");
        assert!(refusal.contains("SignatureDoesNotMatch"), "{refusal}");
    }
}

#[test]
fn a_local_cluster_on_an_outpost_goes_by_its_id_and_not_by_its_name() {
    let pod = Pod::new();
    let id = "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111";
    pod.emulator.cluster().set_outpost(id);
    let sidecar = pod.ready_sidecar();
    let by_id = token(&pod, &sidecar, &format!("cluster-id={id}"));
    let_in(&pod, &by_id);
    let by_name = token(&pod, &sidecar, DEMO);
    let refusal = pod.emulator.cluster().review(&by_name.text);
    assert!(refusal.is_err(), "{refusal:?}");
}

#[test]
fn a_region_of_every_partition_has_its_host_and_its_clusters_take_the_token() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for (region, host) in REGIONS {
        let cluster = pod.emulator.add_cluster("everywhere", region);
        cluster.set_aws_auth(&map_the_pod(), "");
        let query = format!("cluster-name=everywhere&region={region}");
        let token = token(&pod, &sidecar, &query);
        assert_eq!((token.host.as_str(), token.scope.as_str()), (host, region));
        let reviewed = cluster.review(&token.text);
        assert!(reviewed.is_ok(), "{region}: {reviewed:?}");
    }
}

/// Over the real hosts of STS, by way of a proxy that leads to the emulator.
fn sidecar_with(pod: &Pod, region: &str, settings: &[&str]) -> Sidecar {
    let proxy = tls::proxy_to(pod).url(None);
    let mut launch = tls::serve_through(pod, &proxy).env("AWS_REGION", region);
    for setting in settings {
        launch = launch.env(*setting, "true");
    }
    let sidecar = launch.start();
    sidecar.wait_ready();
    sidecar
}

#[test]
fn fips_is_for_the_regions_that_have_it_and_dual_stack_is_for_no_token() {
    let (fips, dual_stack) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    for (region, settings, hosts) in [
        (
            "eu-west-1",
            &[dual_stack][..],
            [
                ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
                ("us-east-1", "sts.us-east-1.amazonaws.com"),
                ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
            ],
        ),
        (
            "us-east-1",
            &[fips, dual_stack],
            [
                ("us-east-1", "sts-fips.us-east-1.amazonaws.com"),
                ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
                ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
            ],
        ),
    ] {
        let pod = Pod::new();
        let sidecar = sidecar_with(&pod, region, settings);
        for (region, host) in hosts {
            let query = format!("cluster-name=c&region={region}");
            assert_eq!(token(&pod, &sidecar, &query).host, host, "{settings:?}");
        }
        // Without a region it is the pod's own.
        assert_eq!(token(&pod, &sidecar, "cluster-name=c").host, hosts[0].1);
    }
}
