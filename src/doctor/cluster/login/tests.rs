use serde_json::json;

use super::*;
use crate::doctor::Verdict;
use crate::eks::AuthenticationMode;
use crate::identity::Identity;
use crate::role::RoleArn;

const TOKEN: &str = "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20v";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";

fn reply(status: u16, body: &str) -> Result<Reply, TransportError> {
    Ok(Reply {
        status,
        error_type: None,
        body: body.to_owned().into(),
    })
}

fn review(username: &str, groups: &[&str]) -> Result<Reply, TransportError> {
    let info =
        json!({ "username": username, "groups": groups, "uid": "aws-iam-authenticator:1:AROA" });
    let review = json!({ "kind": "SelfSubjectReview", "status": { "userInfo": info } });
    reply(201, &review.to_string())
}

fn status(code: u16, message: &str) -> Result<Reply, TransportError> {
    let status = json!({ "kind": "Status", "message": message, "code": code });
    reply(code, &status.to_string())
}

fn judged(outcome: &Result<Reply, TransportError>, mode: Option<AuthenticationMode>) -> Verdict {
    let server = ApiServer {
        url: "https://demo.example.com".into(),
        network: Network::default(),
        is_own: false,
    };
    let role: RoleArn = ROLE.parse().unwrap();
    let identity = Identity::of_session(&role, Some("app-0")).unwrap();
    let admission = Admission {
        identity: &identity,
        role: Some(&role),
        cluster: &"demo".parse().unwrap(),
        region: &"eu-west-1".parse().unwrap(),
        mode,
    };
    let token = Secret::new(TOKEN.to_owned());
    let entry = judge(&server, outcome, &token, &admission);
    assert_eq!(entry.step, steps::EKS_LOGIN);
    assert!(!format!("{entry:?}").contains(&TOKEN[11..]), "{entry:?}");
    entry.verdict
}

fn fine(outcome: &Result<Reply, TransportError>) -> String {
    match judged(outcome, None) {
        Verdict::Fine(found) => found,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: &Result<Reply, TransportError>, mode: Option<AuthenticationMode>) -> Diagnosis {
    match judged(outcome, mode) {
        Verdict::Failed(diagnosis) => diagnosis,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_is_let_in_is_named_with_groups_and_without_the_uid() {
    let found = fine(&review("job:app-0", &["jobs", "system:authenticated"]));
    assert_eq!(
        found,
        r#"let in as "job:app-0", in the groups "jobs", "system:authenticated", at https://demo.example.com"#
    );
    let found = fine(&review("job:app-0", &["system:authenticated"]));
    assert!(
        found.contains("in no group but those of everybody"),
        "{found}"
    );
    let many: Vec<String> = (0..30).map(|number| format!("g{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let found = fine(&review("job:app-0", &many));
    assert!(found.contains("\"g9\" and 20 more"), "{found}");
}

#[test]
fn who_may_not_ask_for_himself_is_in_all_the_same() {
    let forbidden = status(
        403,
        r#"selfsubjectreviews.authentication.k8s.io is forbidden: User "job:app-0" cannot create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope"#,
    );
    let found = fine(&forbidden);
    assert!(
        found.starts_with("let in as \"job:app-0\", who may not ask"),
        "{found}"
    );
    let old = status(404, "the server could not find the requested resource");
    assert!(fine(&old).contains("older than Kubernetes 1.28"));
}

#[test]
fn what_is_no_answer_of_kubernetes_lets_nobody_in_and_keeps_nobody_out() {
    let anonymous = r#"User "system:anonymous" cannot create resource"#;
    for outcome in [
        review("system:anonymous", &["system:unauthenticated"]),
        status(403, anonymous),
        status(403, "no"),
        status(429, "Too many requests"),
        status(500, "Internal error"),
        status(503, TOKEN),
        reply(200, "<html>"),
        reply(201, "{}"),
        reply(201, r#"{"kind":"SelfSubjectReview","status":{}}"#),
        reply(201, r#"{"kind":"SelfSubjectReview","status":null}"#),
        reply(401, "Unauthorized"),
        reply(403, "<html>"),
        reply(404, "no such page"),
        reply(307, ""),
        Err(TransportError::TimedOut),
        Err(TransportError::Unreachable("Connection refused".into())),
        Err(TransportError::Unreadable),
    ] {
        let diagnosis = failed(&outcome, None);
        assert_eq!(diagnosis.finding, findings::EKS_API_UNREACHABLE);
        assert!(diagnosis.found.starts_with("https://demo.example.com: "));
    }
    let dropped = failed(&status(403, anonymous), None);
    assert!(dropped.found.contains("Authorization"), "{dropped}");
}

#[test]
fn a_401_brings_what_the_authentication_mode_looks_at_and_nothing_else() {
    use AuthenticationMode::{Api, ApiAndConfigMap, ConfigMap};
    const ENTRY: &str = "\n\n- rolearn: arn:aws:iam::111122223333:role/app\n  username: \"app:{{SessionName}}\"\n  groups:\n  - RBAC_GROUP\n\n";
    const COMMAND: &str = "\n\naws eks create-access-entry --region eu-west-1 --cluster-name demo --principal-arn arn:aws:iam::111122223333:role/team/app --kubernetes-groups RBAC_GROUP\n";
    let unauthorized = status(401, "Unauthorized");
    for (mode, entry, command) in [
        (None, true, true),
        (Some(ApiAndConfigMap), true, true),
        (Some(ConfigMap), true, false),
        (Some(Api), false, true),
    ] {
        let Diagnosis {
            finding,
            found,
            expected,
            fix,
        } = failed(&unauthorized, mode);
        assert_eq!(finding, findings::EKS_UNAUTHORIZED);
        assert!(found.contains("You must be logged in to the server (Unauthorized)"));
        assert!(found.contains("arn:aws:sts::111122223333:assumed-role/app/app-0"));
        assert_eq!(fix.contains(ENTRY), entry, "{mode:?}: {fix}");
        assert_eq!(fix.contains(COMMAND), command, "{mode:?}: {fix}");
        assert_eq!(fix.contains("- aws-auth has to name exactly"), entry);
        assert_eq!(fix.contains("deleted and made again"), command);
        assert!(fix.contains("STS in eu-west-1"), "{fix}");
        assert_eq!(
            expected.contains("what stands in aws-auth does not count"),
            mode == Some(Api)
        );
        assert_eq!(
            expected.contains("access entries do not count"),
            mode == Some(ConfigMap)
        );
    }
}

#[test]
fn a_ca_that_is_none_is_no_panic() {
    let cluster = |data: &str| Cluster {
        arn: String::new(),
        endpoint: "https://demo.example.com".into(),
        certificate_authority_data: BASE64_STANDARD.encode(data),
        outpost_id: None,
        authentication_mode: AuthenticationMode::Api,
    };
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    for data in ["", "hello", broken] {
        let diagnosis = ApiServer::of_cluster(&cluster(data), None).unwrap_err();
        assert_eq!(diagnosis.finding, findings::EKS_API_UNREACHABLE);
        assert!(diagnosis.found.contains("the cluster's CA"), "{diagnosis}");
    }
}
