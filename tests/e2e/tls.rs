//! TLS to STS, whom it trusts, and the way there: endpoints by region, and the proxy in between.

mod proxy;

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use self::proxy::Proxy;
use crate::sidecar::{Launch, Pod, Sidecar};

/// The CA of the emulator in a file.
pub fn bundle(pod: &Pod) -> PathBuf {
    let path = pod.path("ca.pem");
    std::fs::write(&path, pod.emulator.ca_pem()).expect("a bundle");
    path
}

/// `serve` against the emulator's TLS, without saying whom to trust.
fn serve_over_tls(pod: &Pod) -> Launch {
    pod.serve()
        .env("AWS_ENDPOINT_URL_STS", pod.emulator.tls_url())
}

/// The regional endpoint behind a proxy, whose certificate the emulator has.
pub fn serve_through(pod: &Pod, proxy: &str) -> Launch {
    pod.serve()
        .without("AWS_ENDPOINT_URL_STS")
        .env("AWS_CA_BUNDLE", bundle(pod))
        .env("HTTPS_PROXY", proxy)
}

pub fn proxy_to(pod: &Pod) -> Proxy {
    let (_, port) = pod.emulator.tls_url().rsplit_once(':').expect("a port");
    let port: u16 = port.parse().expect("a port");
    Proxy::leading_to(SocketAddr::from(([127, 0, 0, 1], port)))
}

fn configured(sidecar: &Sidecar, setting: &str) -> Value {
    sidecar.wait_event(setting, |event| {
        event["message"] == "configuration" && event["setting"] == setting
    })
}

#[test]
fn the_bundle_is_taken_from_the_flag_and_from_the_standard_variables() {
    let pod = Pod::new();
    let bundle = bundle(&pod);
    for (launch, origin) in [
        (serve_over_tls(&pod).arg("--ca-bundle").arg(&bundle), "flag"),
        (
            serve_over_tls(&pod).env("IRSA_SIDECAR_CA_BUNDLE", &bundle),
            "variable IRSA_SIDECAR_CA_BUNDLE",
        ),
        (
            serve_over_tls(&pod)
                .env("AWS_CA_BUNDLE", &bundle)
                .env("SSL_CERT_FILE", "/nonexistent"),
            "variable AWS_CA_BUNDLE",
        ),
        (
            serve_over_tls(&pod).env("SSL_CERT_FILE", &bundle),
            "variable SSL_CERT_FILE",
        ),
    ] {
        let sidecar = launch.start();
        sidecar.wait_ready();
        let event = configured(&sidecar, "ca-bundle");
        assert_eq!(
            (&event["origin"], &event["value"]),
            (&origin.into(), &bundle.display().to_string().into())
        );
        assert_eq!(sidecar.get_credentials(&pod).status, 200);
    }
}

/// Trusts another emulator's CA instead of the system's roots, which a machine may lack.
#[test]
fn an_endpoint_that_nobody_vouches_for_is_named_and_nothing_is_sent_to_it() {
    let pod = Pod::new();
    let stranger = Pod::new();
    let mut sidecar = serve_over_tls(&pod)
        .env("AWS_CA_BUNDLE", bundle(&stranger))
        .start();
    sidecar.wait_finding("sts-tls");
    let answer = sidecar.get_credentials(&pod);
    assert_eq!(answer.status, 503);
    for part in [
        "no connection to https://localhost",
        "certificate",
        "--ca-bundle (AWS_CA_BUNDLE)",
    ] {
        assert!(
            answer.message().contains(part),
            "{part:?} is not in {answer:?}"
        );
    }
    assert!(sidecar.metric("refreshes_total{result=\"change_needed\"}") >= 1.0);
    assert!(pod.emulator.sts().calls().is_empty());
    assert!(!sidecar.has_ended());
}

#[test]
fn the_systems_roots_do_not_vouch_for_the_emulator() {
    let pod = Pod::new();
    // Found in a directory, as in an image where somebody ran c_rehash: another way than the bundle's.
    let roots = pod.path("roots");
    std::fs::create_dir(&roots).expect("a directory");
    std::fs::write(roots.join("other.pem"), Pod::new().emulator.ca_pem()).expect("a root");
    let sidecar = serve_over_tls(&pod).env("SSL_CERT_DIR", &roots).start();
    sidecar.wait_finding("sts-tls");

    std::fs::write(roots.join("right.pem"), pod.emulator.ca_pem()).expect("a root");
    let sidecar = serve_over_tls(&pod).env("SSL_CERT_DIR", &roots).start();
    sidecar.wait_ready();
}

/// An empty directory in place of the system's is how an image without the package ca-certificates looks from inside.
#[test]
fn a_system_without_roots_is_a_bad_configuration_unless_nothing_needs_them() {
    let pod = Pod::new();
    let empty = pod.path("no-roots");
    std::fs::create_dir(&empty).expect("a directory");
    let ended = serve_over_tls(&pod).env("SSL_CERT_DIR", &empty).ends();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    for part in [
        "the system has no CA certificates",
        "--ca-bundle",
        "IRSA_SIDECAR_CA_BUNDLE",
        "AWS_CA_BUNDLE",
    ] {
        assert!(
            ended.stderr.contains(part),
            "{part:?} is not in {}",
            ended.stderr
        );
    }
    let plain = pod.serve().env("SSL_CERT_DIR", &empty).start();
    plain.wait_ready();
}

#[test]
fn a_bundle_that_is_missing_empty_or_broken_is_a_bad_configuration() {
    let pod = Pod::new();
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let second_broken = format!("{}{broken}", pod.emulator.ca_pem());
    for (name, content, reason) in [
        ("missing.pem", None, "cannot be read: No such file"),
        ("empty.pem", Some(""), "holds no certificate"),
        ("no-pem.pem", Some("hello\n"), "holds no certificate"),
        ("broken.pem", Some(broken), "certificate 1 in "),
        (
            "second-broken.pem",
            Some(second_broken.as_str()),
            "certificate 2 in ",
        ),
    ] {
        let path = pod.path(name);
        if let Some(content) = content {
            std::fs::write(&path, content).expect("a bundle");
        }
        for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
            // Even where the endpoint is plain: somebody wanted it.
            let ended = pod.serve().env(variable, &path).ends();
            assert_eq!(ended.status.code(), Some(78), "{name}: {ended:?}");
            for part in [reason, name, "--ca-bundle", variable] {
                assert!(
                    ended.stderr.contains(part),
                    "{part:?} is not in {}",
                    ended.stderr
                );
            }
        }
    }
}

#[test]
fn without_an_override_the_regional_endpoint_is_asked_through_the_proxy() {
    let pod = Pod::new();
    let (fips, dual) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    for (region, switches, host) in [
        ("eu-west-1", &[] as &[&str], "sts.eu-west-1.amazonaws.com"),
        // Never the global endpoint.
        ("us-east-1", &[], "sts.us-east-1.amazonaws.com"),
        ("us-east-1", &[fips], "sts-fips.us-east-1.amazonaws.com"),
        ("eu-west-1", &[dual], "sts.eu-west-1.api.aws"),
        ("us-east-1", &[fips, dual], "sts-fips.us-east-1.api.aws"),
        ("cn-north-1", &[], "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", &[fips], "sts.us-gov-west-1.amazonaws.com"),
    ] {
        let proxy = proxy_to(&pod);
        let launch = serve_through(&pod, &proxy.url(None)).env("AWS_REGION", region);
        let launch = switches
            .iter()
            .fold(launch, |launch, switch| launch.env(*switch, "true"));
        let sidecar = launch.start();
        sidecar.wait_ready();
        let targets: Vec<String> = proxy.seen().into_iter().map(|seen| seen.target).collect();
        assert_eq!(targets, [format!("{host}:443")], "{region} {switches:?}");
    }
}

#[test]
fn loopback_never_goes_through_the_proxy() {
    let pod = Pod::new();
    let proxy = proxy_to(&pod);
    for url in [
        pod.emulator.tls_url(),
        pod.emulator.url(),
        &pod.emulator.tls_url().replace("localhost", "127.0.0.1"),
    ] {
        let sidecar = serve_through(&pod, &proxy.url(None))
            .env("HTTP_PROXY", proxy.url(None))
            .env("AWS_ENDPOINT_URL_STS", url)
            .start();
        sidecar.wait_ready();
    }
    assert_eq!(proxy.seen(), []);
}

/// `.invalid` never resolves: past the proxy there is nothing that could be reached by accident.
#[test]
fn hosts_of_no_proxy_go_around_the_proxy_and_others_do_not() {
    let pod = Pod::new();
    for (no_proxy, around) in [
        ("sts.example.invalid", true),
        ("localhost,.invalid", true),
        ("example.invalid, 10.0.0.0/8", true),
        ("sts.example.com,127.0.0.1", false),
        ("", false),
    ] {
        let proxy = proxy_to(&pod);
        let sidecar = serve_through(&pod, &proxy.url(None))
            .env("AWS_ENDPOINT_URL_STS", "https://sts.example.invalid")
            .env("NO_PROXY", no_proxy)
            .start();
        sidecar.wait_message("no credentials");
        let seen: Vec<String> = proxy.seen().into_iter().map(|seen| seen.target).collect();
        assert_eq!(seen.is_empty(), around, "NO_PROXY={no_proxy}: {seen:?}");
        assert!(
            seen.iter()
                .all(|target| target == "sts.example.invalid:443"),
            "{seen:?}"
        );
    }
}

#[test]
fn the_proxys_password_is_used_and_never_said() {
    let pod = Pod::new();
    let proxy = proxy_to(&pod);
    let launch = serve_through(&pod, &proxy.url(Some("squid:open-sesame")))
        .env("IRSA_SIDECAR_LOG_LEVEL", "trace");
    let sidecar = launch.start();
    sidecar.wait_ready();
    let authorization = format!("Basic {}", BASE64.encode("squid:open-sesame"));
    assert_eq!(
        proxy.seen()[0].authorization.as_deref(),
        Some(authorization.as_str())
    );
    let event = configured(&sidecar, "proxy");
    assert_eq!(event["value"], proxy.url(None));
    assert_eq!(event["origin"], "variable HTTPS_PROXY");
    assert!(!sidecar.log().contains("open-sesame") && !sidecar.log().contains("squid"));
}

#[test]
fn what_is_no_address_of_a_proxy_is_a_bad_configuration() {
    let pod = Pod::new();
    let ended = serve_through(&pod, "ftp://squid:open-sesame@10.0.0.1").ends();
    assert_eq!(ended.status.code(), Some(78), "{ended:?}");
    assert!(
        ended.stderr.contains("proxy (variable HTTPS_PROXY)"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("open-sesame"), "{}", ended.stderr);
}
