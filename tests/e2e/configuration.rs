//! Configuration: all errors at once, each with what to do about it, and help that teaches.

mod files;
mod sources;

use irsa_sidecar::config::SETTINGS;

use crate::sidecar::{Finished, Launch, Pod, Sidecar};

const BAD_USAGE: i32 = 64;
const BAD_CONFIGURATION: i32 = 78;

/// Value and origin of a setting, as the start-up log has them.
fn configured(sidecar: &Sidecar, setting: &str) -> (String, String) {
    let event = sidecar.wait_event(setting, |event| {
        event["message"] == "configuration" && event["setting"] == setting
    });
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    (text("value"), text("origin"))
}

#[track_caller]
fn assert_refused(ended: &Finished, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(BAD_CONFIGURATION), "{ended:?}");
    assert_eq!(ended.stdout, "", "words go to stderr");
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "{part:?} is not in {}",
            ended.stderr
        );
    }
}

#[test]
fn all_errors_are_said_at_once_and_each_names_its_flag_and_its_variables() {
    let wrong = [
        (
            "role-arn",
            "arn:aws:sts::111122223333:assumed-role/app/x",
            "not of the role itself",
        ),
        ("role-session-name", "a/b", "2 to 64 of letters"),
        ("duration", "90", "90s or 15m"),
        ("region", "Ireland", "such as eu-west-1"),
        (
            "sts-endpoint-url",
            "http://sts.example.com",
            "the token would cross the network in clear",
        ),
        (
            "eks-endpoint-url",
            "http://eks.example.com",
            "the token would cross the network in clear",
        ),
        ("use-fips-endpoint", "perhaps", "expected true or false"),
        ("ca-bundle", "/nonexistent/ca.pem", "cannot be read"),
        ("listen", "0.0.0.0:9910", "expected a loopback address"),
        (
            "link-local-listen",
            "169.254.170.2:80,10.0.0.1:80",
            "10.0.0.1 can be reached from outside the pod",
        ),
        ("imds-listen", "169.254.169.254", "expected one such as"),
        ("imds-v1", "perhaps", "expected true or false"),
        ("ops-listen", "everywhere", "expected IP:PORT, or :PORT"),
        ("authorization", "password", "expected token, pod-uid"),
        (
            "authorization-token-mode",
            "rw-r-----",
            "expected an octal mode",
        ),
        ("eks-cluster", "../x", "names no cluster"),
        ("output-mode", "0666", "nobody else write"),
        ("kubeconfig", "perhaps", "expected true or false"),
        ("log-format", "xml", "expected json or text"),
        ("log-level", "loud", "expected error, warn, info"),
        ("drain-delay", "5", "expected a number with a unit"),
    ];
    // A cluster needs a place for its file, or that would be an error more.
    let base = Launch::new(["serve"]).env("IRSA_SIDECAR_OUTPUT_DIR", "/nonexistent");
    let launch = wrong.iter().fold(base, |launch, (name, value, _)| {
        launch.env(variable(name), value)
    });
    let ended = launch.ends();
    assert_refused(
        &ended,
        &[&format!("the configuration has {} errors", wrong.len())],
    );
    for (name, value, reason) in wrong {
        let line = ended
            .stderr
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{name} is ")));
        let line = line.unwrap_or_else(|| panic!("no line for {name} in {}", ended.stderr));
        let setting = SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .expect("a setting");
        let mut parts = vec![
            format!("{value:?}"),
            reason.to_owned(),
            format!("--{name}"),
            variable(name),
        ];
        parts.extend(setting.also.iter().map(|&also| also.to_owned()));
        for part in parts {
            assert!(line.contains(&part), "{part:?} is not in {line:?}");
        }
    }
}

/// `IRSA_SIDECAR_ROLE_ARN` for `role-arn`, spelled out here once more: it is what people have in their manifests.
fn variable(name: &str) -> String {
    format!("IRSA_SIDECAR_{}", name.to_uppercase().replace('-', "_"))
}

#[test]
fn two_doors_at_one_address_are_refused_before_anything_is_opened() {
    let pod = Pod::new();
    let launch = pod
        .serve()
        .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:9910")
        .env(
            "IRSA_SIDECAR_LINK_LOCAL_LISTEN",
            "169.254.170.2:80,169.254.170.2:80",
        )
        .env("IRSA_SIDECAR_IMDS_LISTEN", "127.0.0.1:9910");
    let words = [
        "2 errors",
        "link-local-listen is 169.254.170.2:80, and so is link-local-listen",
        "imds-listen is 127.0.0.1:9910, and so is listen",
    ];
    assert_refused(&launch.ends(), &words);
}

#[test]
fn instance_metadata_wants_sessions_of_half_an_hour_and_an_address() {
    let pod = Pod::new();
    let imds = "IRSA_SIDECAR_IMDS_LISTEN";
    let launch = pod.serve().env(imds, "127.0.0.1:0");
    let short = launch.env("IRSA_SIDECAR_DURATION", "29m59s").ends();
    assert_refused(&short, &["duration of 30m or more", "--duration 1h"]);
    let launch = pod.serve().env(imds, "127.0.0.1:0");
    launch
        .env("IRSA_SIDECAR_DURATION", "30m")
        .start()
        .wait_ready();
    let nowhere = pod.serve().env("IRSA_SIDECAR_IMDS_V1", "true").ends();
    assert_refused(&nowhere, &["imds-v1 is on", "--imds-listen"]);
}

#[test]
fn durations_outside_of_what_sts_takes_are_refused() {
    let pod = Pod::new();
    for duration in ["14m", "13h", "1500ms", "0s", "-1h"] {
        let ended = pod.serve().env("IRSA_SIDECAR_DURATION", duration).ends();
        assert_refused(
            &ended,
            &[
                "duration is ",
                duration,
                "--duration or IRSA_SIDECAR_DURATION",
            ],
        );
    }
    let sidecar = pod.serve().env("IRSA_SIDECAR_DURATION", "15m").start();
    sidecar.wait_event("a warning", |event| {
        event["level"] == "WARN"
            && event["message"]
                .to_string()
                .contains("duration is under 1h")
    });
    sidecar.wait_ready();
    assert_eq!(pod.exchange_calls()[0].duration_seconds, Some(900));
}

#[test]
fn no_role_and_no_region_are_named_with_all_the_places_where_they_can_be_set() {
    let ended = Launch::new(["serve"]).ends();
    assert_refused(
        &ended,
        &[
            "role-arn: not set; set --role-arn or IRSA_SIDECAR_ROLE_ARN or AWS_ROLE_ARN",
            "region: no web identity token file at /var/run/secrets/eks.amazonaws.com/serviceaccount/token",
            "set --region or IRSA_SIDECAR_REGION or AWS_REGION or AWS_DEFAULT_REGION",
        ],
    );
}

#[test]
fn an_endpoint_that_contradicts_its_switches_or_leaves_the_machine_in_clear_is_refused() {
    let pod = Pod::new();
    let ended = pod.serve().arg("--use-fips-endpoint").ends();
    assert_refused(
        &ended,
        &["sts-endpoint-url names one endpoint", "use-fips-endpoint"],
    );
    for url in [
        "http://sts.eu-west-1.amazonaws.com",
        "http://10.0.0.1:4566",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user:open-sesame@sts.example.com",
    ] {
        let ended = pod.serve().env("AWS_ENDPOINT_URL_STS", url).ends();
        assert_refused(
            &ended,
            &[
                "sts-endpoint-url is ",
                "AWS_ENDPOINT_URL_STS",
                "--sts-endpoint-url",
            ],
        );
    }
}

#[test]
fn bad_usage_is_64_with_a_hint() {
    for (arguments, hint) in [
        (&["serve", "--rol-arn", "x"] as &[&str], "--role-arn"),
        (&["sevre"], "serve"),
        (&["serve", "now"], "now"),
        (&["serve", "--region"], "--region"),
    ] {
        let ended = Launch::new(arguments.iter().copied()).ends();
        assert_eq!(ended.status.code(), Some(BAD_USAGE), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(
            ended.stderr.contains(hint),
            "{hint:?} is not in {}",
            ended.stderr
        );
    }
}

#[test]
fn help_teaches_every_setting_with_its_variables_and_default_and_gives_examples() {
    for arguments in [&["--help"] as &[&str], &["-h"], &["serve", "--help"]] {
        let ended = Launch::new(arguments.iter().copied()).ends();
        assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
        for setting in SETTINGS {
            let mut parts = vec![
                format!("--{}", setting.name),
                variable(setting.name),
                setting.default_shown().to_owned(),
            ];
            parts.extend(setting.also.iter().map(|&also| also.to_owned()));
            for part in parts {
                assert!(
                    ended.stdout.contains(&part),
                    "{part:?} is not in {}",
                    ended.stdout
                );
            }
        }
        for part in [
            "Examples:",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9910/v2/credentials/$(POD_UID)",
            "78 bad configuration",
        ] {
            assert!(
                ended.stdout.contains(part),
                "{part:?} is not in {}",
                ended.stdout
            );
        }
    }
    let version = Launch::new(["--version"]).ends();
    assert_eq!(
        (version.status.code(), version.stderr.as_str()),
        (Some(0), "")
    );
    assert_eq!(
        version.stdout.trim(),
        format!("irsa-sidecar {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn serve_is_what_runs_without_a_subcommand() {
    let pod = Pod::new();
    let sidecar = pod.serve().with_arguments(["--log-level=debug"]).start();
    sidecar.wait_ready();
    assert_eq!(
        configured(&sidecar, "log-level"),
        ("debug".to_owned(), "flag".to_owned())
    );
}
