use std::collections::BTreeMap;

use super::super::tests::{container, pod, process, with};
use super::*;
use crate::diagnosis::Finding;
use crate::doctor::Verdict;

const SIDECAR: &str = "irsa-sidecar";
const ARN: &str = "arn:aws:iam::111122223333:role/app";
const BOTH: [(&str, &str); 2] = [(ROLE, ARN), (TOKEN_FILE, "/token")];

fn known() -> Known<'static> {
    Known {
        role: Role::Unnamed,
        settings: BTreeMap::new(),
        in_sidecar: false,
        asks_sidecar: false,
        has_token: false,
        prefix: "eks.amazonaws.com",
        service_account: None,
    }
}

fn fine(pod: &Pod, known: &Known<'_>) -> String {
    match webhook(pod, known).verdict {
        Verdict::Fine(found) => found,
        other => panic!("{other:?}"),
    }
}

fn found(pod: &Pod, known: &Known<'_>) -> (Finding, String) {
    match webhook(pod, known).verdict {
        Verdict::Failed(diagnosis) => {
            assert_eq!(diagnosis.finding, findings::WEBHOOK_NOT_RUN);
            (diagnosis.finding, diagnosis.to_string())
        }
        Verdict::Warned(diagnosis) => {
            assert_eq!(diagnosis.finding, findings::WEBHOOK_INCOMPLETE);
            (diagnosis.finding, diagnosis.to_string())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pod_that_the_webhook_has_changed_says_which_containers_it_reached() {
    let pod = with(&[container(SIDECAR, &BOTH), container("app", &[])].join(", "));
    let found = fine(&pod, &known());
    assert!(found.contains("set in container irsa-sidecar: arn:aws:iam::111122223333:role/app; not in container app"), "{found}");
    assert!(found.contains("not by the EKS webhook"), "{found}");
    let mounted = container(SIDECAR, &BOTH).replace(
        "\"env\"",
        "\"volumeMounts\": [{\"name\": \"aws-iam-token\"}], \"env\"",
    );
    let found = fine(&with(&mounted), &known());
    assert!(!found.contains("not by"), "{found}");
    let found = fine(&process(&BOTH), &known());
    assert!(found.contains("set in this container"), "{found}");
}

#[test]
fn where_nothing_names_a_role_the_fix_names_the_pod_and_its_service_account() {
    let (finding, words) = found(&pod(&[SIDECAR, "app"]), &known());
    assert_eq!(finding, findings::WEBHOOK_NOT_RUN);
    for words_of_it in [
        "kubectl annotate serviceaccount -n team app eks.amazonaws.com/role-arn=",
        "kubectl delete pod -n team app-1",
    ] {
        assert!(words.contains(words_of_it), "{words}");
    }
    let by_token = Known {
        service_account: Some(("payments", "worker")),
        prefix: "example.com",
        ..known()
    };
    let (_, words) = found(&process(&[]), &by_token);
    assert!(
        words.contains("kubectl annotate serviceaccount -n payments worker example.com/role-arn="),
        "{words}"
    );
    assert!(
        words.contains("kubectl delete pod -n payments POD"),
        "{words}"
    );
}

#[test]
fn a_role_that_is_named_elsewhere_needs_no_webhook() {
    for role in [
        Role::Named("variable IRSA_SIDECAR_ROLE_ARN".into()),
        Role::Annotation,
    ] {
        let known = Known { role, ..known() };
        fine(&process(&[]), &known);
        let inside = Known {
            in_sidecar: true,
            ..known.clone()
        };
        fine(&pod(&[SIDECAR, "app"]), &inside);
        // What names a role where this process runs names none in another pod.
        found(&pod(&[SIDECAR, "app"]), &known);
    }
    let named = container(SIDECAR, &[("IRSA_SIDECAR_ROLE_ARN", ARN)]);
    fine(&with(&named), &known());
    let by_flag = r#"{"name": "irsa-sidecar", "args": ["serve", "--role-arn=arn"]}"#;
    fine(&with(by_flag), &known());
    let illegible = Known {
        role: Role::Illegible,
        ..known()
    };
    let verdict = webhook(&process(&[]), &illegible).verdict;
    assert!(matches!(verdict, Verdict::Skipped(_)), "{verdict:?}");
}

#[test]
fn an_apps_container_needs_no_role_where_it_asks_a_sidecar() {
    let asks = Known {
        asks_sidecar: true,
        ..known()
    };
    fine(&process(&[]), &asks);
    fine(&process(&[(ROLE, "of the app's own")]), &asks);
    let (finding, _) = found(&process(&[(TOKEN_FILE, "/token")]), &asks);
    assert_eq!(finding, findings::WEBHOOK_INCOMPLETE);
}

#[test]
fn what_comes_by_env_from_is_judged_only_where_it_is_seen() {
    let pod = with(r#"{"name": "irsa-sidecar", "envFrom": [{"configMapRef": {"name": "c"}}]}"#);
    let verdict = webhook(&pod, &known()).verdict;
    assert!(
        matches!(verdict, Verdict::Skipped(ref why) if why.contains("envFrom")),
        "{verdict:?}"
    );
    let inside = Known {
        in_sidecar: true,
        ..known()
    };
    found(&pod, &inside);
}

#[test]
fn a_webhook_that_has_changed_the_app_alone_has_skipped_the_sidecar() {
    let pod = with(&[container(SIDECAR, &[]), container("app", &BOTH)].join(", "));
    let (_, words) = found(&pod, &known());
    assert!(
        words.contains("has changed container app, not the sidecar's"),
        "{words}"
    );
    assert!(words.contains("take irsa-sidecar out of"), "{words}");
}

#[test]
fn what_keeps_the_webhook_away_is_named() {
    let mut hidden = pod(&[SIDECAR]);
    hidden.labels.insert(UNSEEN.into(), String::new());
    let (_, words) = found(&hidden, &known());
    assert!(words.contains("hides it from the webhook"), "{words}");
    let token = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";
    let pod = with(&container(SIDECAR, &[(POD_IDENTITY_VARIABLE, token)]));
    let (_, words) = found(&pod, &known());
    assert!(words.contains("EKS Pod Identity instead"), "{words}");
}

#[test]
fn one_of_the_two_without_the_other_is_warned_about_where_it_matters() {
    let only = |name: &'static str| [(name, "x")];
    let app = |name| [container(SIDECAR, &BOTH), container("app", &only(name))].join(", ");
    let (finding, words) = found(&with(&app(TOKEN_FILE)), &known());
    assert_eq!(finding, findings::WEBHOOK_INCOMPLETE);
    assert!(
        words.contains("container app has AWS_WEB_IDENTITY_TOKEN_FILE and no AWS_ROLE_ARN"),
        "{words}"
    );
    // Apps take it for themselves, and SDKs pass it over.
    fine(&with(&app(ROLE)), &known());
    fine(&with(&container(SIDECAR, &only(ROLE))), &known());
    assert_eq!(
        found(&with(&container(SIDECAR, &only(TOKEN_FILE))), &known()).0,
        findings::WEBHOOK_INCOMPLETE
    );

    assert_eq!(
        found(&process(&only(ROLE)), &known()).0,
        findings::WEBHOOK_INCOMPLETE
    );
    assert_eq!(
        found(&process(&only(TOKEN_FILE)), &known()).0,
        findings::WEBHOOK_INCOMPLETE
    );
    let configured = Known {
        role: Role::Named("flag".into()),
        has_token: true,
        ..known()
    };
    for name in [ROLE, TOKEN_FILE] {
        fine(&process(&only(name)), &configured);
    }
}

#[test]
fn the_components_guard_is_not_one_of_the_two() {
    let guarded = r#"{"name": "app", "env": [{"name": "AWS_WEB_IDENTITY_TOKEN_FILE",
        "valueFrom": {"configMapKeyRef": {"name": "c", "key": "never-set", "optional": true}}}]}"#;
    let pod = with(&[container(SIDECAR, &BOTH), guarded.to_owned()].join(", "));
    let found = fine(&pod, &known());
    assert!(found.contains("not in container app"), "{found}");
}

#[test]
fn what_is_not_seen_may_be_the_other_one() {
    let half = r#"{"name": "app", "envFrom": [{"secretRef": {"name": "s"}}],
        "env": [{"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/token"}]}"#;
    fine(
        &with(&[container(SIDECAR, &BOTH), half.to_owned()].join(", ")),
        &known(),
    );
}

#[test]
fn odd_names_are_not_printed_to_be_pasted() {
    for (namespace, name) in [
        ("team", "$(id)"),
        ("`id`", "app"),
        ("a b", "app"),
        ("", "app"),
    ] {
        let known = Known {
            service_account: Some((namespace, name)),
            ..known()
        };
        let (_, words) = found(&process(&[]), &known);
        let command = "kubectl annotate serviceaccount -n NAMESPACE SERVICE_ACCOUNT eks";
        assert!(words.contains(command), "{words}");
    }
    let mut hostile = pod(&[SIDECAR]);
    hostile.name = Some("app-1$(id)".into());
    let (_, words) = found(&hostile, &known());
    assert!(words.contains("delete pod -n team POD\n"), "{words}");
}
