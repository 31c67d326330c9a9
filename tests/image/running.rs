//! The image runs: as its user, on a root that cannot be written to, with nothing but its own files.

use std::process::Output;

use crate::container::Container;
use crate::sidecar::{Launch, NOBODY, Pod, Sidecar};

fn ended(launch: &Launch) -> Output {
    let container = Container::new();
    let mut command = container.command(&launch.command());
    command.output().expect("runc runs")
}

#[test]
#[ignore = "needs the image: `make image`"]
fn version_and_help_are_those_of_this_crate() {
    let version = ended(&Launch::new(["--version"]));
    assert!(version.status.success(), "{version:?}");
    let expected = concat!("irsa-sidecar ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
    let help = ended(&Launch::new(["--help"]));
    assert!(help.status.success(), "{help:?}");
    let here = Launch::new(["--help"]).output().stdout;
    assert_eq!(String::from_utf8_lossy(&help.stdout), here);
}

/// `serve` as in a pod whose sidecar shares nothing with the app, over this emulator and these tokens.
fn serve(pod: &Pod) -> Launch {
    pod.serve()
        .env("IRSA_SIDECAR_AUTHORIZATION", "pod-uid")
        .without("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE")
}

fn container(pod: &Pod) -> Container {
    Container::new().with(&pod.path("token-volume"))
}

/// The whole job: token in, credentials out. Without a command, as a manifest that names none starts it.
#[test]
#[ignore = "needs the image: `make image`"]
fn it_serves_credentials_and_ends_with_0_on_sigterm() {
    let pod = Pod::new();
    let container = container(&pod);
    let launch = serve(&pod).with_arguments([] as [&str; 0]);
    let mut sidecar = Sidecar::spawn(container.command(&launch.command()));
    assert_eq!(sidecar.ops_get("/livez").status, 200);
    sidecar.wait_ready();
    let answer = sidecar.get_credentials(&pod);
    assert_eq!(answer.status, 200, "{}", sidecar.log());
    sidecar.signal("TERM");
    assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
}

/// With an endpoint over TLS and no bundle of its own it does not start without the system's certificates.
#[test]
#[ignore = "needs the image: `make image`"]
fn it_finds_the_ca_certificates_in_the_image() {
    let pod = Pod::new();
    let container = container(&pod);
    let launch = serve(&pod).env("AWS_ENDPOINT_URL_STS", format!("https://{NOBODY}"));
    let sidecar = Sidecar::spawn(container.command(&launch.command()));
    assert_eq!(sidecar.ops_get("/livez").status, 200);
}
