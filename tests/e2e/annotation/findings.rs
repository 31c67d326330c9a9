//! What is wrong is said by name, is no exit, and passes when it was put right.

use std::time::Duration;

use emulator::{API_AUDIENCE, ROLE_ARN, TokenRequest};
use serde_json::json;

use super::{Annotated, ROLE};
use crate::sidecar::{Launch, NOBODY, Sidecar, read};

/// Waits for the finding, looks for the words in what clients are told, and not in what everybody is told.
fn assert_found(annotated: &Annotated, sidecar: &Sidecar, finding: &str, words: &[&str]) {
    sidecar.wait_finding(finding);
    // A token that names no pod has no UID to show either.
    let authorization = read(&annotated.pod.path("authorization-token"));
    let answer = sidecar.get("/v1/credentials", &[("authorization", &authorization)]);
    assert_eq!(answer.status, 503);
    for part in words {
        assert!(
            answer.message().contains(part),
            "{part:?} is not in {}",
            answer.message()
        );
    }
    let said = sidecar.ops_get("/readyz").body;
    for secret in ["team", "111122223333", "arn:"] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
    assert_eq!(annotated.pod.exchange_calls(), []);
}

/// The same of a sidecar that was started so; then all is well with a new token.
fn assert_met(
    annotated: &Annotated,
    launch: &Launch,
    finding: &str,
    words: &[&str],
    cure: impl FnOnce(),
) {
    let mut sidecar = annotated.start(launch);
    assert_found(annotated, &sidecar, finding, words);
    cure();
    annotated.pod.rotate();
    sidecar.wait_ready();
    assert_eq!(annotated.role(&sidecar), ROLE_ARN);
    assert!(!sidecar.has_ended());
}

#[test]
fn a_403_prints_the_role_and_the_binding_to_apply() {
    let annotated = Annotated::new();
    let cluster = annotated.cluster();
    cluster.forbid_everything();
    let words = [
        "403 \"serviceaccounts \\\"app\\\" is forbidden: User \\\"system:serviceaccount:team:app\\\" cannot get",
        "give this to kubectl apply -f -\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n",
        "  namespace: \"team\"\nrules:\n  - apiGroups: [\"\"]\n    resources: [serviceaccounts]\n    resourceNames: [\"app\"]\n    verbs: [get]\n---\n",
        "kind: RoleBinding\n",
        "subjects:\n  - kind: ServiceAccount\n    name: \"app\"\n    namespace: \"team\"\n",
    ];
    assert_met(
        &annotated,
        &annotated.serve(),
        "service-account-forbidden",
        &words,
        || {
            cluster.allow_service_account_to_get_itself("team", "app");
        },
    );
}

#[test]
fn a_404_names_the_service_account() {
    let annotated = Annotated::new();
    annotated.cluster().delete_service_account("team", "app");
    let words = ["no service account app in namespace team"];
    assert_met(
        &annotated,
        &annotated.serve(),
        "service-account-not-found",
        &words,
        || {
            annotated.annotate(&[(ROLE, ROLE_ARN)]);
        },
    );
}

#[test]
fn a_401_is_about_the_token_for_the_api() {
    let annotated = Annotated::new();
    let request = |audience: &str, lifetime: u64, issued_ago: u64| TokenRequest {
        audiences: vec![audience.to_owned()],
        lifetime: Duration::from_secs(lifetime),
        issued_ago: Duration::from_secs(issued_ago),
        ..TokenRequest::default()
    };
    let issuer = annotated.pod.emulator.issuer();
    for wrong in [
        issuer.token(&request("sts.amazonaws.com", 3600, 0)),
        issuer.token(&request(API_AUDIENCE, 60, 120)),
        "nonsense".to_owned(),
    ] {
        annotated.mount("token", &wrong);
        let sidecar = annotated.sidecar();
        let words = ["401 \"Unauthorized\" to the pod's token"];
        assert_found(&annotated, &sidecar, "service-account-unauthorized", &words);
    }
    let words = ["serviceaccount is the pod's own token without an audience"];
    assert_met(
        &annotated,
        &annotated.serve(),
        "service-account-unauthorized",
        &words,
        || {
            annotated.mount("token", &annotated.api_token());
        },
    );
}

#[test]
fn a_missing_annotation_is_named_and_so_is_one_under_another_prefix() {
    let annotated = Annotated::new();
    annotated.annotate(&[("iam.example.com/role-arn", ROLE_ARN)]);
    let words = [
        "service account team/app has no annotation eks.amazonaws.com/role-arn, but \"iam.example.com/role-arn\"",
        "kubectl annotate serviceaccount -n team app eks.amazonaws.com/role-arn=arn:aws:iam::ACCOUNT:role/NAME",
        "--annotation-prefix",
        "kOps",
    ];
    assert_met(
        &annotated,
        &annotated.serve(),
        "role-annotation-missing",
        &words,
        || {
            annotated.annotate(&[(ROLE, ROLE_ARN)]);
        },
    );
}

#[test]
fn a_name_without_an_account_is_no_role() {
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, "team/app")]);
    let words = ["is \"team/app\"", "write the whole ARN"];
    assert_met(
        &annotated,
        &annotated.serve(),
        "role-annotation-invalid",
        &words,
        || {
            annotated.annotate(&[(ROLE, ROLE_ARN)]);
        },
    );
    let annotated = Annotated::new();
    annotated.annotate(&[(ROLE, "arn:aws-cn:iam::111122223333:role/app")]);
    let words = ["in the partition aws-cn, and the region eu-west-1 in aws"];
    assert_found(
        &annotated,
        &annotated.sidecar(),
        "role-annotation-invalid",
        &words,
    );
}

#[test]
fn without_the_mounted_token_or_ca_it_is_said_how_to_mount_them() {
    for (file, content) in [
        ("token", None),
        ("ca.crt", None),
        ("ca.crt", Some("nonsense")),
        ("token", Some("")),
        ("token", Some("two\nlines")),
    ] {
        let annotated = Annotated::new();
        match content {
            None => annotated.unmount(file),
            Some(content) => annotated.mount(file, content),
        }
        let path = format!("/var/run/secrets/kubernetes.io/serviceaccount/{file}");
        let words = [
            path.as_str(),
            "automountServiceAccountToken",
            "kube-root-ca.crt",
        ];
        assert_met(
            &annotated,
            &annotated.serve(),
            "api-token-missing",
            &words,
            || {
                annotated.mount("token", &annotated.api_token());
                annotated.mount("ca.crt", annotated.pod.emulator.ca_pem());
            },
        );
    }
}

#[test]
fn outside_of_a_cluster_the_variables_are_named() {
    let annotated = Annotated::new();
    for variable in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"] {
        for launch in [
            annotated.serve().without(variable),
            annotated.serve().env(variable, "a/b"),
        ] {
            let sidecar = annotated.start(&launch);
            assert_found(
                &annotated,
                &sidecar,
                "not-in-cluster",
                &[variable, "--role-arn"],
            );
        }
    }
    assert_eq!(annotated.readings(), 0);
}

#[test]
fn an_api_that_nobody_serves_is_named_with_the_reason() {
    let annotated = Annotated::new();
    let nobody = NOBODY.rsplit_once(':').expect("a port").1;
    let launch = annotated.serve().env("KUBERNETES_SERVICE_PORT", nobody);
    let words = [
        "team/app cannot be read from https://127.0.0.1:1",
        "refused",
        "NetworkPolicy",
    ];
    assert_found(
        &annotated,
        &annotated.start(&launch),
        "api-unreachable",
        &words,
    );
    let launch = annotated
        .serve()
        .env("KUBERNETES_SERVICE_HOST", "nowhere.invalid");
    let words = ["https://nowhere.invalid:", "no connection"];
    assert_found(
        &annotated,
        &annotated.start(&launch),
        "api-unreachable",
        &words,
    );
}

#[test]
fn a_token_that_names_no_service_account_lacks_a_claim() {
    for (patch, finding) in [
        (json!({ "kubernetes.io": null }), "claim-missing"),
        (
            json!({ "kubernetes.io": { "serviceaccount": null } }),
            "claim-missing",
        ),
        (
            json!({ "kubernetes.io": { "namespace": "../.." } }),
            "claim-malformed",
        ),
    ] {
        let annotated = Annotated::with(TokenRequest {
            claims_patch: patch,
            ..TokenRequest::default()
        });
        let sidecar = annotated.sidecar();
        assert_found(&annotated, &sidecar, finding, &["kubernetes.io"]);
        assert_eq!(annotated.readings(), 0);
    }
}
