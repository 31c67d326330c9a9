//! What is asked for in a way that cannot be: bad usage, bad configuration, a sidecar that refuses.

use std::fs;

use emulator::Fault;

use super::{BAD_CONFIGURATION, BAD_USAGE, FAILED, alone, assert_failed, beside, default_path};
use crate::sidecar::{Launch, NOBODY, Pod};

#[test]
fn arguments_that_do_not_go_together_are_bad_usage() {
    let pod = Pod::new();
    let demo = ["--cluster-name", "demo"];
    let role = "arn:aws:iam::111122223333:role/x";
    for (arguments, words) in [
        (&["--exec"] as &[&str], "--cluster-name <NAME>"),
        (
            &["--cluster-name", "", "--exec"],
            "the cluster name is empty",
        ),
        (&["--cluster-name", "a\nb", "--exec"], "control character"),
        (
            &["--cluster-name", "demo"],
            "set --output-dir as the sidecar's is set",
        ),
        (
            &[
                "--cluster-name",
                "demo",
                "--output-dir",
                "/out",
                "--role-arn",
                role,
            ],
            "--role-arn needs --exec",
        ),
        (
            &["--cluster-name", "demo", "--exec", "--region", "mars-1"],
            "\"mars-1\" is not the name of an AWS region",
        ),
        (
            &[
                "--cluster-name",
                "demo",
                "--exec",
                "--server",
                "http://10.0.0.1",
            ],
            "expected https://HOST[:PORT]",
        ),
        (
            &["--cluster-name", "demo", "--exec", "--alias", ""],
            "--alias",
        ),
        (
            &["--cluster-name", "demo", "--exec", "--user-alias", ""],
            "--user-alias",
        ),
        (
            &[
                "--cluster-name",
                "demo",
                "--exec",
                "--server",
                "https://a",
                "--in-cluster",
            ],
            "cannot be used with",
        ),
        (
            &[
                "--cluster-name",
                "demo",
                "--exec",
                "--certificate-authority",
                "ca.pem",
            ],
            "--server <URL>|--in-cluster",
        ),
        (
            &[
                "--cluster-name",
                "demo",
                "--exec",
                "--proxy-url",
                "http://x",
            ],
            "--proxy-url",
        ),
        (&["--cluster-name", "demo", "--exec", "now"], "now"),
        (
            &[
                "--cluster-name",
                "demo",
                "--exec",
                "--role-arn",
                "arn:aws:iam::111122223333:user/bob",
            ],
            "user/bob",
        ),
    ] {
        assert_failed(&alone(&pod, arguments).output(), BAD_USAGE, &[words]);
    }
    assert_failed(
        &alone(&pod, &[&demo[..], &["--exec"]].concat())
            .arg("--use-fips-endpoint")
            .output(),
        BAD_CONFIGURATION,
        &["sts-endpoint-url names one endpoint"],
    );
    assert_eq!(pod.emulator.sts().calls(), []);
    assert!(!default_path(&pod).exists());
}

#[test]
fn a_server_is_an_https_address_and_nothing_else() {
    let pod = Pod::new();
    for (server, is_one) in [
        ("https://a", true),
        ("https://10.0.0.1:6443", true),
        ("https://[fd00::1]:443", true),
        ("https://rancher.example.com/k8s/clusters/c-1", true),
        ("https://", false),
        ("https://:443", false),
        ("https://a:", false),
        ("https://a:0", false),
        ("https://a:65536", false),
        ("https://a b", false),
        ("https://a\n", false),
        ("https://me@a", false),
        ("https://me:secret@a", false),
        ("https://a?x=y", false),
        ("https://a/#x", false),
        ("http://a", false),
        ("a:443", false),
    ] {
        let arguments = ["--cluster-name", "demo", "--exec", "--dry-run", "--server"];
        let ended = alone(&pod, &arguments).arg(server).output();
        match is_one {
            true => assert!(
                ended.stdout.contains(&format!("server: {server}\n")) || server.contains('['),
                "{ended:?}"
            ),
            false => assert_failed(&ended, BAD_USAGE, &["expected https://HOST[:PORT][/PATH]"]),
        }
        assert_eq!(ended.status.success(), is_one, "{ended:?}");
    }
}

#[test]
fn a_name_that_cannot_be_a_file_has_no_token_file() {
    let pod = Pod::new();
    let words = "names no cluster; expected NAME, the name with up to 100 letters, digits and _.-";
    for name in ["../x", "a/b", ".hidden", "a b", &"a".repeat(101)] {
        let arguments = ["--cluster-name", name, "--output-dir", "/out"];
        assert_failed(&alone(&pod, &arguments).output(), BAD_USAGE, &[words]);
        // The plugin signs for whatever a self-hosted authenticator is called.
        let arguments = ["--cluster-name", name, "--exec", "--dry-run"];
        let plugin = alone(&pod, &arguments).arg("--server").arg("https://a");
        assert_eq!(plugin.output().status.code(), Some(0), "{name}");
    }
    assert_eq!(pod.emulator.sts().calls(), []);
}

#[test]
fn a_configuration_that_cannot_be_right_is_78_and_all_of_it_is_said() {
    let pod = Pod::new();
    let arguments = ["--cluster-name", "demo", "--exec"];
    assert_failed(
        &alone(&pod, &arguments)
            .without("AWS_ROLE_ARN")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            .output(),
        BAD_CONFIGURATION,
        &[
            &format!(
                "no sidecar answers at {NOBODY}, and to do without one the configuration has 1 error"
            ),
            "role-arn: not set",
        ],
    );
    assert_failed(
        &alone(&pod, &arguments)
            .env("AWS_ENDPOINT_URL_EKS", "http://eks.example.com")
            .output(),
        BAD_CONFIGURATION,
        &[
            "eks-endpoint-url is \"http://eks.example.com\"",
            "AWS_ENDPOINT_URL_EKS",
        ],
    );
    assert_failed(
        &alone(&pod, &arguments).without("AWS_REGION").output(),
        BAD_CONFIGURATION,
        &["the region of the cluster is not known", "--region"],
    );
    assert_failed(
        &alone(&pod, &arguments).env("AWS_REGION", "mars-1").output(),
        BAD_CONFIGURATION,
        &["mars-1", "AWS_REGION"],
    );
    assert!(!default_path(&pod).exists());
}

#[test]
fn what_a_running_sidecar_answers_is_said_and_nothing_is_done_in_its_place() {
    let pod = Pod::new();
    let arguments = ["--cluster-name", "demo", "--exec"];
    let sidecar = pod.ready_sidecar();
    let elsewhere = pod.path("no-such-token");
    let unread = beside(&pod, &sidecar, &arguments)
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &elsewhere);
    assert_failed(
        &unread.output(),
        FAILED,
        &[
            "answered 401 Unauthorized",
            elsewhere.to_str().expect("a path"),
            "mount its volume here",
        ],
    );
    fs::write(&elsewhere, "somebody-elses-authorization").expect("a file");
    assert_failed(&unread.output(), FAILED, &["answered 403 Forbidden"]);

    let poor = Pod::new();
    poor.emulator.sts().fail(Fault::error("AccessDenied"));
    let sidecar = poor.sidecar();
    sidecar.wait_finding("sts-access-denied");
    // It could do the walk by itself, and must not.
    let launch =
        alone(&poor, &arguments).env("IRSA_SIDECAR_LISTEN", sidecar.credentials.to_string());
    let calls = poor.exchange_calls().len();
    assert_failed(
        &launch.output(),
        FAILED,
        &["answered 503 CredentialsUnavailable", "AccessDenied"],
    );
    assert_eq!(poor.exchange_calls().len(), calls);
    assert!(!default_path(&poor).exists());
}

#[test]
fn nothing_secret_is_ever_said_or_written() {
    let pod = Pod::new();
    let dry = [
        "--cluster-name",
        "demo",
        "--exec",
        "--dry-run",
        "--log-level",
        "trace",
    ];
    let mut said = String::new();
    for launch in [
        alone(&pod, &dry),
        alone(&pod, &dry).env("AWS_ENDPOINT_URL_EKS", "http://127.0.0.1:9"),
    ] {
        let ended = launch.output();
        said.push_str(&ended.stdout);
        said.push_str(&ended.stderr);
    }
    pod.emulator
        .sts()
        .fail(Fault::error("ExpiredTokenException"));
    said.push_str(&alone(&pod, &dry).output().stderr);
    assert!(said.len() > 2000, "{said}");
    let issued = pod.emulator.sts().issued();
    assert_eq!(issued.len(), 2);
    for one in &issued {
        for secret in [
            &one.secret_access_key,
            &one.session_token,
            &one.access_key_id,
        ] {
            assert!(!said.contains(secret.as_str()), "{said}");
        }
    }
    let token = crate::sidecar::read(&pod.volume.token_path());
    assert!(!said.contains(&token));
    let help = Launch::new(["kubeconfig", "--help"]).output();
    assert_eq!(help.status.code(), Some(0));
}
