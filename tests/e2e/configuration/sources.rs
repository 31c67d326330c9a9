//! Where values come from: one name in three spellings, and which of them counts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use emulator::{ROLE_ARN, TokenRequest, Volume};
use serde_json::json;

use super::{assert_refused, configured};
use crate::sidecar::{Launch, Pod};

fn settings_file(pod: &Pod, content: &str) -> PathBuf {
    let path = pod.path("settings.yaml");
    std::fs::write(&path, content).expect("a file of settings");
    path
}

#[test]
fn the_region_comes_from_the_issuer_of_an_eks_token_and_is_never_guessed() {
    let pod = Pod::new();
    let sidecar = pod.serve().without("AWS_REGION").start();
    assert_eq!(
        configured(&sidecar, "region"),
        ("eu-west-1".to_owned(), "the token's issuer".to_owned())
    );
    sidecar.wait_ready();

    let elsewhere = Pod::with(TokenRequest {
        claims_patch: json!({ "iss": "https://oidc.example.com/id/eks.eu-west-1.amazonaws.com" }),
        ..TokenRequest::default()
    });
    let ended = elsewhere.serve().without("AWS_REGION").ends();
    assert_refused(
        &ended,
        &[
            "region: the token's issuer is not an EKS cluster's",
            "--region",
            "AWS_DEFAULT_REGION",
        ],
    );
}

#[test]
fn flag_beats_variable_beats_file_beats_standard_variable_beats_default() {
    let pod = Pod::new();
    let volume = |name: &str| {
        let token = pod.emulator.issuer().token(&pod.request);
        let volume = Volume::create(&pod.path(name), &token).expect("a volume");
        volume.token_path().display().to_string()
    };
    let (flag, own, file, standard) = (
        volume("flag"),
        volume("own"),
        volume("file"),
        volume("standard"),
    );
    let settings = settings_file(&pod, &format!("tokenFile: {file}\n"));
    let seen = |launch: Launch| configured(&launch.start(), "token-file");
    let default = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token".to_owned();

    let launch = || pod.serve().without("AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_eq!(seen(launch()), (default, "default".to_owned()));
    let launch = || pod.serve().env("AWS_WEB_IDENTITY_TOKEN_FILE", &standard);
    assert_eq!(
        seen(launch()),
        (
            standard.clone(),
            "variable AWS_WEB_IDENTITY_TOKEN_FILE".to_owned()
        )
    );
    let launch = || {
        pod.serve()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &standard)
            .env("IRSA_SIDECAR_CONFIG", &settings)
    };
    assert_eq!(
        seen(launch()),
        (file.clone(), format!("file {}", settings.display()))
    );
    let launch = || {
        pod.serve()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &standard)
            .env("IRSA_SIDECAR_CONFIG", &settings)
            .env("IRSA_SIDECAR_TOKEN_FILE", &own)
    };
    assert_eq!(
        seen(launch()),
        (own.clone(), "variable IRSA_SIDECAR_TOKEN_FILE".to_owned())
    );
    assert_eq!(
        seen(launch().arg("--token-file").arg(&flag)),
        (flag.clone(), "flag".to_owned())
    );
}

#[test]
fn the_specific_standard_variable_beats_the_general_one() {
    let pod = Pod::new();
    let general = pod
        .serve()
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", "https://nowhere.invalid");
    let sidecar = general.start();
    assert_eq!(configured(&sidecar, "region").1, "variable AWS_REGION");
    assert_eq!(
        configured(&sidecar, "sts-endpoint-url").1,
        "variable AWS_ENDPOINT_URL_STS"
    );
    let general = pod
        .serve()
        .without("AWS_REGION")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .without("AWS_ENDPOINT_URL_STS")
        .env("AWS_ENDPOINT_URL", pod.emulator.url());
    let sidecar = general.start();
    assert_eq!(
        configured(&sidecar, "region"),
        (
            "us-east-1".to_owned(),
            "variable AWS_DEFAULT_REGION".to_owned()
        )
    );
    assert_eq!(
        configured(&sidecar, "sts-endpoint-url").1,
        "variable AWS_ENDPOINT_URL"
    );
    sidecar.wait_ready();
}

#[test]
fn the_file_takes_texts_lists_and_booleans() {
    let pod = Pod::new();
    let content = format!(
        "# as in a ConfigMap\nroleArn: {ROLE_ARN}\nregion: eu-central-1\nauthorization: [pod-uid, token]\n\
         useFipsEndpoint: false\nauthorizationTokenMode: \"0600\"\ndrainDelay: 3s\nduration: 2h\n"
    );
    let sidecar = pod
        .serve()
        .without("AWS_ROLE_ARN")
        .without("AWS_REGION")
        .arg("--config")
        .arg(settings_file(&pod, &content))
        .start();
    for (setting, value) in [
        ("role-arn", ROLE_ARN),
        ("region", "eu-central-1"),
        ("authorization", "pod-uid,token"),
        ("use-fips-endpoint", "false"),
        ("authorization-token-mode", "0600"),
        ("drain-delay", "3s"),
        ("duration", "2h"),
    ] {
        let (found, origin) = configured(&sidecar, setting);
        assert_eq!(found, value, "{setting}");
        assert!(
            origin.starts_with("file ") && origin.ends_with("settings.yaml"),
            "{origin}"
        );
    }
    assert_eq!(configured(&sidecar, "config").1, "flag");
    sidecar.wait_ready();
    assert_eq!(pod.exchange_calls()[0].duration_seconds, Some(7200));
}

#[test]
fn a_file_with_what_it_cannot_hold_is_refused_with_the_key() {
    let pod = Pod::new();
    for (content, part) in [
        (
            "roleARN: x\n",
            "the key \"roleARN\" (did you mean roleArn?), which is no setting",
        ),
        (
            "role-arn: x\n",
            "the key \"role-arn\" (did you mean roleArn?), which is no setting",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\n",
            "the keys \"apiVersion\", \"kind\", which are no settings",
        ),
        (
            "config: other.yaml\n",
            "the key \"config\", which is no setting",
        ),
        ("roles: []\n", "the key \"roles\", which is no setting"),
        ("audience: {a: b}\n", "audience is not a single value"),
        (
            "authorization: {a: b}\n",
            "authorization is neither a value nor a list",
        ),
        ("- a\n", "is not a YAML mapping of settings"),
        (
            "useFipsEndpoint: maybe\n",
            "use-fips-endpoint is \"maybe\" (file ",
        ),
    ] {
        let path = settings_file(&pod, content);
        let ended = pod.serve().env("IRSA_SIDECAR_CONFIG", &path).ends();
        assert_refused(&ended, &[part, "settings.yaml"]);
    }
    let ended = pod
        .serve()
        .env("IRSA_SIDECAR_CONFIG", "/nonexistent/settings.yaml")
        .ends();
    assert_refused(
        &ended,
        &["the file /nonexistent/settings.yaml cannot be read"],
    );
}

#[test]
fn unknown_variables_of_ours_are_warned_about_and_service_links_are_not() {
    let pod = Pod::new();
    let sidecar = pod
        .serve()
        .env("IRSA_SIDECAR_ROLEARN", "x")
        .env("IRSA_SIDECAR_SERVICE_HOST", "10.0.0.1")
        .env("IRSA_SIDECAR_SERVICE_PORT", "9910")
        .env("IRSA_SIDECAR_PORT", "tcp://10.0.0.1:9910")
        .env("IRSA_SIDECAR_PORT_9910_TCP_ADDR", "10.0.0.1")
        .start();
    sidecar.wait_ready();
    let events = sidecar.events();
    let warnings: Vec<String> = events
        .iter()
        .filter(|event| event["level"] == "WARN")
        .map(|event| event["message"].to_string())
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("the variable IRSA_SIDECAR_ROLEARN is not a setting"),
        "{warnings:?}"
    );
}

#[test]
fn an_empty_variable_is_as_if_unset() {
    let pod = Pod::new();
    let launch = [
        "IRSA_SIDECAR_ROLE_ARN",
        "IRSA_SIDECAR_REGION",
        "AWS_CA_BUNDLE",
        "IRSA_SIDECAR_CONFIG",
        "HTTPS_PROXY",
        "AWS_ROLE_SESSION_NAME",
    ]
    .into_iter()
    .fold(pod.serve(), |launch, name| launch.env(name, ""));
    let sidecar = launch.start();
    sidecar.wait_ready();
    assert_eq!(configured(&sidecar, "role-arn").1, "variable AWS_ROLE_ARN");
}

#[test]
fn a_variable_that_is_not_text_is_named() {
    let pod = Pod::new();
    let bytes = OsStr::from_bytes(b"arn:\xff");
    let ended = pod.serve().env("IRSA_SIDECAR_ROLE_ARN", bytes).ends();
    assert_refused(&ended, &["the variable IRSA_SIDECAR_ROLE_ARN is not UTF-8"]);
    // What is none of our business may be anything.
    let sidecar = pod.serve().env("UNRELATED", bytes).start();
    sidecar.wait_ready();
}
