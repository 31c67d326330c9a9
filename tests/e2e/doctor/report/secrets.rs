//! Nothing secret in a report with everything on, whatever becomes of it: it can be pasted into a ticket.

use emulator::{Fault, Sts, TokenRequest};
use serde_json::json;

use super::shows_nothing;
use crate::sidecar::{Finished, Launch, Pod, Sidecar, read};

const PROXY_PASSWORD: &str = "open-sesame-of-the-proxy-4711";

/// What must not be shown, by name.
type Secrets = Vec<(&'static str, String)>;

/// In the sidecar's container, with all that doctor can be given.
fn with_everything_on(pod: &Pod, sidecar: &Sidecar, how: &str) -> Launch {
    let uri = format!(
        "http://{}/v2/credentials/{}",
        sidecar.credentials,
        pod.request.pod_uid()
    );
    pod.serve()
        .with_arguments(["doctor", "--cluster-name", "demo", how])
        .env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string())
        .env("IRSA_SIDECAR_OPS_LISTEN", sidecar.ops.to_string())
        .env("AWS_ENDPOINT_URL_EKS", pod.emulator.url())
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        .env("POD_UID", pod.request.pod_uid())
        // Not on the way to anything here, but there.
        .env("NO_PROXY", "localhost")
        .env(
            "HTTPS_PROXY",
            format!("http://squid:{PROXY_PASSWORD}@10.255.255.1:3128"),
        )
}

fn secrets(pod: &Pod) -> Secrets {
    let token = read(&pod.volume.token_path());
    let mut secrets: Secrets = vec![
        (
            "the pod's UID",
            TokenRequest::default().pod_uid().to_owned(),
        ),
        ("the proxy's password", PROXY_PASSWORD.to_owned()),
        (
            "the authorization token",
            read(&pod.path("authorization-token")),
        ),
    ];
    let parts = token.split('.').map(str::to_owned);
    secrets.extend(parts.map(|part| ("a part of the token", part)));
    for one in pod.emulator.sts().issued() {
        secrets.push(("a secret access key", one.secret_access_key));
        secrets.push(("a session token", one.session_token));
    }
    assert!(secrets.iter().all(|(_, secret)| secret.len() > 16));
    secrets
}

fn assert_hidden(secrets: &Secrets, finished: &Finished) {
    for said in [&finished.stdout, &finished.stderr] {
        shows_nothing(said);
        for (name, secret) in secrets {
            // As it is, and by a piece of it, as a message that was cut would have it.
            let piece = &secret[..16];
            assert!(!said.contains(piece), "{name} in\n{said}");
        }
    }
}

/// In both forms, and as a ticket would have it.
fn hunt(pod: &Pod, sidecar: &Sidecar, exit: i32, word: &str) {
    for how in ["--json", "-v"] {
        hunt_once(pod, sidecar, how, exit, word);
    }
}

fn hunt_once(pod: &Pod, sidecar: &Sidecar, how: &str, exit: i32, word: &str) {
    let finished = with_everything_on(pod, sidecar, how).output();
    assert_eq!(finished.status.code(), Some(exit), "{finished:?}");
    // It was there to be told.
    assert!(finished.stdout.contains(word), "no {word} in {finished:?}");
    assert_hidden(&secrets(pod), &finished);
}

/// STS quotes what it does not like.
fn quoting(code: &str, secret: &str) -> Fault {
    Fault::Error {
        status: 400,
        code: code.to_owned(),
        message: format!("Value '{secret}' at 'webIdentityToken' failed to satisfy constraint"),
    }
}

#[test]
fn no_secret_is_in_a_report_whatever_it_finds() {
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    hunt(&pod, &sidecar, 0, "111122223333");
    // The parameter that it quotes is a secret.
    let token = read(&pod.volume.token_path());
    for (code, finding) in [
        ("ValidationError", "sts-invalid-request"),
        ("InvalidIdentityToken", "sts-token-rejected"),
        ("AccessDenied", "sts-access-denied"),
        ("SomethingNew", "sts-refused"),
    ] {
        let fault = quoting(code, &token);
        pod.emulator
            .sts()
            .fail_action("AssumeRoleWithWebIdentity", fault);
        hunt(&pod, &sidecar, 1, finding);
    }
    pod.emulator.sts().clear_faults();
    // So it does with what it was to be signed, a session token among it.
    let session = "FwoGZXIvYXdzEXAMPLE".repeat(9);
    let fault = quoting("SignatureDoesNotMatch", &session);
    let again = |fault: &dyn Fn(&Sts), finding| {
        for how in ["--json", "-v"] {
            pod.emulator.sts().clear_faults();
            fault(pod.emulator.sts());
            let key = "a-secret-access-key-of-the-next-one";
            pod.emulator
                .sts()
                .issue_next("ASIAIOSFODNN7EXAMPLE", key, &session);
            hunt_once(&pod, &sidecar, how, 1, finding);
        }
    };
    again(
        &|sts| {
            // The cluster's token is signed with others then.
            sts.fail_cluster_tokens(Fault::Throttle);
            sts.fail_action("GetCallerIdentity", fault.clone());
        },
        "credentials-refused",
    );
    again(
        &|sts| sts.fail_cluster_tokens(fault.clone()),
        "eks-token-signature",
    );
    pod.emulator.sts().clear_faults();
    let of_pod_identity = TokenRequest {
        claims_patch: json!({ "aud": ["pods.eks.amazonaws.com"] }),
        ..TokenRequest::default()
    };
    let token = pod.emulator.issuer().token(&of_pod_identity);
    for (content, finding) in [
        (token.clone(), "token-is-pod-identity"),
        (token[..token.len() - 400].to_owned(), "token-not-a-jwt"),
        (token.repeat(40), "token-too-large"),
    ] {
        pod.volume.rotate(&content).expect("a rotation");
        hunt(&pod, &sidecar, 1, finding);
    }
}

#[test]
fn a_pod_and_a_kubeconfig_are_looked_at_and_their_secrets_left_out() {
    const KEY: &str = "a-secret-key-of-the-app-4711";
    let pod = Pod::new();
    let sidecar = pod.ready_sidecar();
    let token = format!("k8s-aws-v1.{}", "aHR0cHM6Ly9zdHM".repeat(9));
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "demo",
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
        "clusters": [{"name": "demo", "cluster": {"server": "http://demo.example.com"}}],
        "users": [{"name": "demo", "user": {"token": token}}],
    });
    std::fs::write(pod.path("kubeconfig"), kubeconfig.to_string()).expect("a file");
    let given = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "app", "namespace": "team", "uid": pod.request.pod_uid()},
        "spec": {"containers": [{"name": "app", "image": "app", "env": [
            {"name": "AWS_ACCESS_KEY_ID", "value": "AKIAIOSFODNN7EXAMPLE"},
            {"name": "AWS_SECRET_ACCESS_KEY", "value": KEY},
            {"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN", "value": KEY},
            {"name": "HTTP_PROXY", "value": format!("http://squid:{PROXY_PASSWORD}@10.255.255.1:3128")},
            {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
             "value": format!("http://127.0.0.1:9910/v2/credentials/{}", pod.request.pod_uid())},
        ]}]},
    });
    for how in ["--json", "-v"] {
        let finished = with_everything_on(&pod, &sidecar, how)
            .arg("--pod=-")
            .env("KUBECONFIG", pod.path("kubeconfig"))
            .given(given.to_string().as_bytes());
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        for finding in ["app-sdk-bypass", "kubeconfig-plain-http"] {
            assert!(
                finished.stdout.contains(finding),
                "no {finding} in {finished:?}"
            );
        }
        let mut secrets = secrets(&pod);
        secrets.push(("the app's key", KEY.to_owned()));
        assert_hidden(&secrets, &finished);
    }
}
