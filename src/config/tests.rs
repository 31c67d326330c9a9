use std::collections::BTreeSet;

use super::*;
use crate::diagnosis::findings;
use crate::refresh::web_identity::RoleFrom;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn load_with(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let environment = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    load(Flags::new(), environment)
}

fn load_good(more: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let good = [
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
    ];
    load_with(&[&good, more].concat())
}

#[test]
fn two_variables_of_the_webhook_and_a_region_are_enough() {
    let config = load_good(&[]).unwrap();
    assert!(
        matches!(&config.walk.web_identity.role, RoleFrom::Setting(role) if role.as_str() == ROLE)
    );
    assert_eq!(config.walk.web_identity.audience, "sts.amazonaws.com");
    assert_eq!(config.walk.web_identity.duration, Duration::from_secs(3600));
    assert_eq!(config.doors.listen.to_string(), "127.0.0.1:9910");
    assert_eq!(config.doors.ops_listen, OpsListen::All(9911));
    assert_eq!(config.doors.authorization_token_mode, 0o640);
    assert_eq!(config.drain_delay, Duration::ZERO);
    assert_eq!(config.warnings, []);
}

#[test]
fn all_errors_come_at_once_and_name_flag_and_variable() {
    let errors = load_with(&[
        ("IRSA_SIDECAR_DURATION", "5m"),
        ("IRSA_SIDECAR_LISTEN", "0.0.0.0:9910"),
        ("IRSA_SIDECAR_CA_BUNDLE", "/nonexistent.pem"),
        ("IRSA_SIDECAR_TOKEN_FILE", "/nonexistent/token"),
    ])
    .unwrap_err()
    .to_string();
    assert!(
        errors.starts_with("the configuration has 5 errors\n"),
        "{errors}"
    );
    for part in [
        "role-arn: not set; set --role-arn or IRSA_SIDECAR_ROLE_ARN or AWS_ROLE_ARN",
        "duration is \"5m\" (variable IRSA_SIDECAR_DURATION): expected 15m to 12h",
        "region: no web identity token file at /nonexistent/token; set --region",
        "ca-bundle is \"/nonexistent.pem\"",
        "listen is \"0.0.0.0:9910\" (variable IRSA_SIDECAR_LISTEN): expected a loopback address",
    ] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn every_value_that_does_not_parse_is_an_error() {
    for (variable, values) in [
        (
            "IRSA_SIDECAR_ROLE_ARN",
            &["app", "arn:aws:iam::1:role/x"][..],
        ),
        ("IRSA_SIDECAR_ROLE_SESSION_NAME", &["x", "a b", "a/b"]),
        (
            "IRSA_SIDECAR_DURATION",
            &["3600", "1", "13h", "-1h", "1h1ms"],
        ),
        (
            "IRSA_SIDECAR_REGION",
            &["Ireland", "eu_west_1", "aws-global", "a.b-c-d", "eu--1"],
        ),
        (
            "IRSA_SIDECAR_STS_ENDPOINT_URL",
            &["http://sts.example.com", "x"],
        ),
        ("IRSA_SIDECAR_USE_FIPS_ENDPOINT", &["yes", "1"]),
        (
            "IRSA_SIDECAR_LISTEN",
            &["9910", "localhost:9910", "10.0.0.1:9910"],
        ),
        ("IRSA_SIDECAR_OPS_LISTEN", &["9911", ":x", ":70000"]),
        ("IRSA_SIDECAR_AUTHORIZATION", &["tokens", "token,none"]),
        (
            "IRSA_SIDECAR_AUTHORIZATION_TOKEN_MODE",
            &["rw-r-----", "0040", "01777", "0888", "640", "416", "0666"],
        ),
        ("IRSA_SIDECAR_LOG_FORMAT", &["xml"]),
        ("IRSA_SIDECAR_LOG_LEVEL", &["loud", "3"]),
        ("IRSA_SIDECAR_DRAIN_DELAY", &["5", "soon"]),
        (
            "HTTPS_PROXY",
            &[
                "proxy:3128",
                "socks5://proxy:1080",
                "http://proxy:99999",
                "http://user:x@[::1]:0",
                "http://proxy:http",
            ],
        ),
    ] {
        for value in values {
            let errors = load_good(&[(variable, value)]);
            assert!(errors.is_err(), "{variable}={value}");
        }
    }
}

#[test]
fn a_proxy_with_and_without_a_port_is_taken() {
    for url in [
        "http://proxy",
        "http://proxy:3128/",
        "http://user:x%40y@proxy:65535",
        "http://[::1]",
        "http://[::1]:3128",
    ] {
        load_good(&[("HTTPS_PROXY", url)]).expect(url);
    }
}

/// A token in place of its path, or a key in place of an ARN: nothing of it may come back.
#[test]
fn a_secret_in_any_setting_is_refused_and_not_repeated() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJzdHMifQ.c2lnbmF0dXJl";
    for setting in SETTINGS {
        let variable = setting.variable();
        let errors = load_good(&[(&variable, token)]).expect_err(&variable);
        let errors = errors.to_string();
        assert!(
            errors.contains("[JSON Web Token of 52 characters]"),
            "{errors}"
        );
        assert!(!errors.contains("c2ln"), "{errors}");
    }
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for name in [
        "role-arn",
        "duration",
        "region",
        "use-fips-endpoint",
        "listen",
        "link-local-listen",
        "imds-listen",
        "ops-listen",
        "authorization",
        "authorization-token-mode",
        "eks-cluster",
        "log-format",
        "log-level",
        "drain-delay",
    ] {
        let variable = settings::find(name).unwrap().variable();
        let errors = load_good(&[(&variable, key)]).expect_err(name).to_string();
        assert!(errors.contains("\"wJal… (40 characters)\""), "{errors}");
        assert!(!errors.contains("XUtn"), "{errors}");
    }
}

#[test]
fn the_region_comes_from_the_issuer_of_an_eks_token_and_is_never_guessed() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let load_with_issuer = |issuer: &str| {
        let claims = format!(r#"{{"iss":"{issuer}"}}"#);
        let file = tempfile::NamedTempFile::new().unwrap();
        let jwt = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        std::fs::write(file.path(), jwt).unwrap();
        load_with(&[
            ("AWS_ROLE_ARN", ROLE),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", file.path().to_str().unwrap()),
        ])
    };
    let config = load_with_issuer("https://oidc.eks.ap-south-1.amazonaws.com/id/ABC").unwrap();
    assert_eq!(config.walk.sts.region, "ap-south-1");
    for issuer in [
        "https://issuer.example.com",
        "https://oidc.eks.not_a_region.amazonaws.com/id/ABC",
    ] {
        let errors = load_with_issuer(issuer).unwrap_err();
        assert!(
            errors.to_string().contains("not an EKS cluster's"),
            "{errors}"
        );
    }
}

#[test]
fn the_report_names_every_setting_that_has_a_value_and_no_password() {
    let config =
        load_good(&[("HTTPS_PROXY", "http://user:hunter2@proxy.example.com:3128")]).unwrap();
    let shown = format!("{:?}", config.report);
    assert!(
        !shown.contains("hunter2") && shown.contains("http://proxy.example.com:3128"),
        "{shown}"
    );
    let reported: BTreeSet<&str> = config.report.iter().map(|one| one.name.as_str()).collect();
    for setting in SETTINGS {
        assert!(reported.contains(setting.name), "{}", setting.name);
    }
    let role = config
        .report
        .iter()
        .find(|one| one.name == "role-arn")
        .unwrap();
    assert_eq!(role.origin.to_string(), "variable AWS_ROLE_ARN");
}

#[test]
fn a_password_in_an_endpoint_is_not_repeated() {
    let errors = load_good(&[(
        "AWS_ENDPOINT_URL_STS",
        "https://user:hunter2@sts.example.com",
    )])
    .unwrap_err()
    .to_string();
    assert!(
        errors.contains("sts.example.com") && !errors.contains("hunter2"),
        "{errors}"
    );
}

const FROM_ANNOTATION: (&str, &str) = ("IRSA_SIDECAR_ROLE_FROM_ANNOTATION", "true");

#[test]
fn the_annotation_names_the_role_and_aws_role_arn_only_stands_in() {
    let annotations = |config: Config| match config.walk.web_identity.role {
        RoleFrom::Annotation(annotations) => annotations,
        RoleFrom::Setting(role) => panic!("{role}"),
    };
    let config = load_good(&[FROM_ANNOTATION]).unwrap();
    assert_eq!(config.warnings, []);
    let found = annotations(config);
    assert_eq!(found.stand_in.unwrap().as_str(), ROLE);
    assert_eq!(found.prefix, "eks.amazonaws.com");
    assert!(found.reads_audience);
    let set = [
        ("IRSA_SIDECAR_ANNOTATION_PREFIX", "iam.example.com"),
        ("IRSA_SIDECAR_AUDIENCE", "sts.example.com"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
        FROM_ANNOTATION,
    ];
    let found = annotations(load_with(&set).unwrap());
    assert_eq!(
        (found.stand_in, found.prefix.as_str(), found.reads_audience),
        (None, "iam.example.com", false)
    );
    // The webhook writes whatever the annotation says.
    let config = load_good(&[("AWS_ROLE_ARN", "app"), FROM_ANNOTATION]).unwrap();
    assert!(
        config.warnings[0]
            .found
            .starts_with("AWS_ROLE_ARN is \"app\"")
    );
    assert_eq!(annotations(config).stand_in, None);
}

#[test]
fn a_role_that_was_set_beats_the_annotation_and_that_is_warned_about() {
    let set = [("IRSA_SIDECAR_ROLE_ARN", ROLE), FROM_ANNOTATION];
    let config = load_good(&set).unwrap();
    assert!(matches!(
        config.walk.web_identity.role,
        RoleFrom::Setting(_)
    ));
    assert!(
        config.warnings[0]
            .found
            .starts_with("role-from-annotation has no effect, since role-arn is set"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_prefix_of_annotations_that_nobody_reads_or_that_is_none_is_an_error() {
    let prefix = |prefix| ("IRSA_SIDECAR_ANNOTATION_PREFIX", prefix);
    let error = load_good(&[prefix("iam.example.com")]).unwrap_err();
    let words = "role-from-annotation: annotation-prefix is set, and no annotation is read; set --role-from-annotation";
    assert!(error.to_string().contains(words), "{error}");
    for bad in ["eks.amazonaws.com/", "EKS", "-a", "a b", "a..b"] {
        assert!(load_good(&[prefix(bad), FROM_ANNOTATION]).is_err(), "{bad}");
    }
}

#[test]
fn a_role_of_another_partition_than_the_regions_is_warned_about() {
    let role = ("AWS_ROLE_ARN", "arn:aws-cn:iam::111122223333:role/app");
    let config = load_good(&[role]).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(config.warnings[0].finding, findings::ROLE_OUT_OF_REACH);
    assert!(
        config.warnings[0].found.contains("in the partition aws-cn"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_setting_with_two_values_is_warned_about_and_one_that_only_stands_in_is_not() {
    const OTHER: (&str, &str) = (
        "IRSA_SIDECAR_ROLE_ARN",
        "arn:aws:iam::111122223333:role/other",
    );
    let config = load_good(&[OTHER, ("IRSA_SIDECAR_REGION", "eu-central-1")]).unwrap();
    let [conflict] = config.warnings.as_slice() else {
        panic!("{:?}", config.warnings);
    };
    assert_eq!(conflict.finding, findings::CONFIGURATION_CONFLICT);
    let found: Vec<&str> = conflict.found.lines().collect();
    assert_eq!(
        found,
        [
            "role-arn is \"arn:aws:iam::111122223333:role/other\" (variable IRSA_SIDECAR_ROLE_ARN), and \"arn:aws:iam::111122223333:role/app\" (variable AWS_ROLE_ARN) is not used",
            "region is \"eu-central-1\" (variable IRSA_SIDECAR_REGION), and \"eu-west-1\" (variable AWS_REGION) is not used",
        ]
    );
    for good in [
        ("IRSA_SIDECAR_ROLE_ARN", ROLE),
        ("IRSA_SIDECAR_TOKEN_FILE", "/nonexistent/own"),
        FROM_ANNOTATION,
    ] {
        assert_eq!(load_good(&[good]).unwrap().warnings, [], "{good:?}");
    }
}

/// The webhook's own path and variable may be in every container; what the sidecar's own settings say is in one.
#[test]
fn an_apps_container_has_neither_role_nor_token_by_a_setting_of_the_sidecars_own() {
    let is_app = |variables: &[(&str, &str)]| {
        let environment = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        examine(Flags::new(), environment).is_app
    };
    assert!(is_app(&[]));
    let webhooks = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    assert!(is_app(&[webhooks]));
    assert!(is_app(&[("AWS_ROLE_ARN", ROLE)]));
    assert!(!is_app(&[("AWS_ROLE_ARN", ROLE), webhooks]));
    for own in [
        ("IRSA_SIDECAR_TOKEN_FILE", "/token"),
        ("IRSA_SIDECAR_ROLE_ARN", ROLE),
        FROM_ANNOTATION,
    ] {
        assert!(!is_app(&[own]), "{own:?}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_an_error() {
    let errors = load_good(&[("AWS_USE_FIPS_ENDPOINT", "true")]).unwrap_err();
    assert!(
        errors
            .to_string()
            .contains("sts-endpoint-url names one endpoint"),
        "{errors}"
    );
}

#[test]
fn a_short_duration_is_warned_about() {
    let config = load_good(&[("IRSA_SIDECAR_DURATION", "30m")]).unwrap();
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn in_a_subcommand_nobody_is_told_to_set_a_flag_that_is_for_something_else() {
    let environment = [(
        OsString::from("IRSA_SIDECAR_TOKEN_FILE"),
        OsString::from("/nonexistent/token"),
    )];
    let errors = walk(Flags::new(), environment, FlagsOf::Cluster)
        .unwrap_err()
        .to_string();
    assert!(
        errors.contains("role-arn: not set; set IRSA_SIDECAR_ROLE_ARN or AWS_ROLE_ARN"),
        "{errors}"
    );
    assert!(
        !errors.contains("--role-arn") && !errors.contains("--region"),
        "{errors}"
    );
}

#[test]
fn a_directory_for_files_that_nobody_asked_for_is_warned_about() {
    let warnings = |more: &[(&str, &str)]| {
        let warnings = load_good(more).unwrap().warnings;
        let found = warnings.iter().map(|warning| warning.found.as_str());
        found.collect::<String>()
    };
    let directory = ("IRSA_SIDECAR_OUTPUT_DIR", "/var/run/eks");
    assert!(warnings(&[directory]).contains("output-dir is set, and nothing"));
    assert_eq!(
        warnings(&[directory, ("IRSA_SIDECAR_EKS_CLUSTER", "demo")]),
        ""
    );
}
