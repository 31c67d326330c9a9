//! Real clients that find the instance metadata by `AWS_EC2_METADATA_SERVICE_ENDPOINT`.

use std::process::{Command, Output};

use emulator::TokenRequest;

use super::Imds;
use crate::clients::{AWS_CLI, BOTO3, Client, IDENTITY, JAVASCRIPT};
use crate::namespace::{in_private_network, ip};
use crate::sidecar::Pod;

/// With the one variable, and in the form that every version takes: with a slash at the end.
fn at(client: Client, pod: &Pod, imds: &Imds) -> Command {
    let mut command = client.command(pod);
    command.env_remove("AWS_EC2_METADATA_DISABLED").env(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        format!("http://{}/", imds.address),
    );
    command
}

fn run(mut command: Command) -> Output {
    let program = command.get_program().to_owned();
    command.output().unwrap_or_else(|error| {
        panic!("{program:?} cannot be run, and this test needs it: {error}")
    })
}

#[test]
fn clients_that_find_instance_metadata_sign_with_what_they_get_there() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let clients = [BOTO3, JAVASCRIPT, AWS_CLI];
    std::thread::scope(|scope| {
        for client in clients {
            let (pod, imds) = (&pod, &imds);
            scope.spawn(move || {
                let output = run(at(client, pod, imds));
                let said = String::from_utf8_lossy(&output.stdout);
                let complained = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains(IDENTITY), "{client:?}: {said}{complained}");
            });
        }
    });
    let calls = pod.emulator.sts().calls();
    let signed = calls
        .iter()
        .filter(|call| call.action == "GetCallerIdentity" && call.result == "Success");
    assert_eq!(signed.count(), clients.len(), "{calls:?}");
    // All of them by version 2, which is the only one that is open: each asked for a token, a name and credentials.
    let answered = imds
        .sidecar
        .metric("requests_total{door=\"imds\",code=\"200\"}");
    assert!(answered >= 9.0, "{answered}");
}

#[test]
fn at_the_address_that_ec2_has_clients_need_no_variable() {
    in_private_network(|| {
        ip("addr add 169.254.169.254/32 dev lo");
        let pod = Pod::new();
        let imds = Imds::start_at("169.254.169.254:80", pod.serve());
        imds.sidecar.wait_ready();
        for client in [BOTO3, JAVASCRIPT] {
            let mut command = client.command(&pod);
            command.env_remove("AWS_EC2_METADATA_DISABLED");
            let output = run(command);
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(IDENTITY), "{client:?}: {said}{complained}");
        }
    });
}

/// botocore asks for the availability zone, with a slash at its end, to know which region it is in.
#[test]
fn a_client_that_wants_to_know_how_far_its_region_is_learns_it() {
    let pod = Pod::new();
    let imds = Imds::ready(pod.serve());
    let mut command = at(BOTO3, &pod, &imds);
    command.env("AWS_DEFAULTS_MODE", "auto");
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(IDENTITY), "{said}{complained}");
    let count = |code: u16| {
        let series = format!("requests_total{{door=\"imds\",code=\"{code}\"}}");
        imds.sidecar.metric(&series)
    };
    // A token and the zone, and then as every client a token, a name and credentials.
    assert_eq!((count(200), count(404)), (5.0, 0.0));
}

#[test]
fn a_client_that_finds_no_credentials_there_fails_and_goes_nowhere_else() {
    let pod = Pod::with(TokenRequest {
        audiences: vec!["sts.amazon.com".to_owned()],
        ..TokenRequest::default()
    });
    let imds = Imds::start(pod.serve());
    imds.sidecar.wait_finding("token-audience");
    for (client, words) in [
        (BOTO3, "Unable to locate credentials"),
        (JAVASCRIPT, "Could not load credentials"),
    ] {
        let output = run(at(client, &pod, &imds));
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{client:?} succeeded");
        assert!(complained.contains(words), "{client:?}: {complained}");
    }
    assert!(pod.emulator.sts().calls().is_empty());
}
