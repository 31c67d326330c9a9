//! The query: every parameter, and every way to get one wrong.

use emulator::ROLE_ARN;

use super::{DEMO, ask, token};
use crate::door::refusals::is_refused;
use crate::sidecar::Pod;

#[test]
fn a_wrong_query_is_refused_by_the_name_of_its_parameter_and_nothing_is_sent() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let calls = pod.emulator.sts().calls().len();
    let too_long = "c".repeat(257);
    let role = |arn: &str| format!("{DEMO}&role-arn={arn}");
    let cases = [
        (
            "cluster-name",
            String::new(),
            "/v1/eks-token?cluster-name=NAME",
        ),
        ("cluster-name", "region=us-west-2".into(), "no cluster-name"),
        ("cluster-name", "cluster-name".into(), "is empty"),
        ("cluster-name", "cluster-name=".into(), "is empty"),
        ("cluster-name", "cluster-name=%20+".into(), "is empty"),
        (
            "cluster-name",
            "cluster-name=a%0Ab".into(),
            "control character",
        ),
        (
            "cluster-name",
            "cluster-name=a%00".into(),
            "control character",
        ),
        (
            "cluster-name",
            "cluster-name=%7F".into(),
            "control character",
        ),
        ("cluster-name", "cluster-name=caf%C3%A9".into(), "not ASCII"),
        ("cluster-name", "cluster-name=%ff".into(), "not UTF-8"),
        (
            "cluster-name",
            format!("cluster-name={too_long}"),
            "257 characters",
        ),
        ("cluster-name", format!("{DEMO}&{DEMO}"), "given twice"),
        ("cluster-name", format!("{DEMO}&cluster-id=x"), "both"),
        ("cluster-id", "cluster-id=".into(), "is empty"),
        ("cluster-id", "cluster-id=a%0Ab".into(), "control character"),
        (
            "cluster-id",
            "cluster-id=a&cluster-id=a".into(),
            "given twice",
        ),
        (
            "region",
            format!("{DEMO}&region="),
            "not the name of an AWS region",
        ),
        ("region", format!("{DEMO}&region=mars-1"), "\"mars-1\""),
        (
            "region",
            format!("{DEMO}&region=us-west-2a"),
            "\"us-west-2a\"",
        ),
        (
            "region",
            format!("{DEMO}&region=aws-global"),
            "\"aws-global\"",
        ),
        (
            "region",
            format!("{DEMO}&region=EU-WEST-1"),
            "\"EU-WEST-1\"",
        ),
        (
            "region",
            format!("{DEMO}&region=evil.example.com%2F"),
            "us-west-2",
        ),
        ("api-version", format!("{DEMO}&api-version=v2"), "\"v2\""),
        ("api-version", format!("{DEMO}&api-version="), "v1beta1"),
        (
            "api-version",
            format!("{DEMO}&api-version=apps/v1"),
            "\"apps/v1\"",
        ),
        ("role-arn", role(""), "six fields"),
        ("role-arn", role("app"), "six fields"),
        (
            "role-arn",
            role("arn:aws:iam::111122223333:user/bob"),
            "nobody can assume a user",
        ),
        (
            "role-arn",
            role(
                "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
            ),
            "service-linked role",
        ),
        (
            "role-arn",
            role("arn:aws:sts::111122223333:assumed-role/app/x"),
            "ARN of a session",
        ),
        (
            "role-arn",
            role("arn:aws:iam::111122223333:role/a%20b"),
            "characters",
        ),
        (
            "role-arn",
            format!("{}&role-arn={ROLE_ARN}", role(ROLE_ARN)),
            "given twice",
        ),
        ("\"cluster\"", "cluster=demo".into(), "cluster-name"),
        (
            "\"Cluster-Name\"",
            "Cluster-Name=demo".into(),
            "cluster-name",
        ),
        ("\"x-id\"", format!("{DEMO}&x-id=1"), "role-arn"),
    ];
    for (parameter, query, words) in cases {
        let answer = ask(&pod, &sidecar, &query);
        is_refused(&answer, 400, "InvalidParameter");
        for words in [parameter, words] {
            let message = answer.message();
            assert!(message.contains(words), "{words:?} of {query:?}: {message}");
        }
    }
    assert_eq!(pod.emulator.sts().calls().len(), calls);
}

/// People write user ARNs and service roles there.
#[test]
fn whoever_gives_a_user_as_the_role_is_told_what_the_parameter_is_for() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    for arn in [
        "arn:aws:iam::111122223333:user/bob",
        "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
    ] {
        let message = ask(&pod, &sidecar, &format!("{DEMO}&role-arn={arn}")).message();
        assert!(message.contains("assumed from the pod's role"), "{message}");
        assert!(message.contains("leave it out"), "{message}");
    }
}

#[test]
fn values_are_percent_decoded_and_blanks_are_those_of_the_signature() {
    let pod = Pod::new();
    let cluster = pod.emulator.add_cluster("two words", "eu-west-1");
    cluster.set_aws_auth(&format!("- rolearn: {ROLE_ARN}\n  username: job\n"), "");
    let sidecar = pod.ready_sidecar();
    for query in [
        "cluster-name=two%20words",
        "cluster-name=two+words",
        "cluster-name=%20two++words+",
        "&cluster-name=two%20words&",
        "cluster-name=%74wo%20words&region=eu%2Dwest-1",
    ] {
        let token = token(&pod, &sidecar, query);
        let reviewed = cluster.review(&token.text);
        assert!(reviewed.is_ok(), "{query}: {reviewed:?}");
    }
}

#[test]
fn the_version_of_the_answer_is_the_one_asked_for_and_v1beta1_without() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let group = "client.authentication.k8s.io";
    for (parameter, version) in [
        ("", "v1beta1"),
        ("&api-version=v1", "v1"),
        ("&api-version=v1beta1", "v1beta1"),
        ("&api-version=v1alpha1", "v1alpha1"),
        ("&api-version=client.authentication.k8s.io%2Fv1", "v1"),
        (
            "&api-version=client.authentication.k8s.io/v1beta1",
            "v1beta1",
        ),
    ] {
        let answer = ask(&pod, &sidecar, &format!("{DEMO}{parameter}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["apiVersion"], format!("{group}/{version}"));
    }
}
