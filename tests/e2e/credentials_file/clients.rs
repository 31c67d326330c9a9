//! Real clients that know no other door: with nothing but the file, they are the pod's role.

use std::process::Command;

use super::{path, profile, serve, write};
use crate::clients::{AWS_CLI, BOTO3, Client, IDENTITY, JAVASCRIPT};
use crate::sidecar::{Pod, Sidecar, read};

/// The file and the profile; neither credentials nor a region from anywhere else.
fn command(client: Client, pod: &Pod, name: &str) -> Command {
    let mut command = client.command(pod);
    command
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .env("AWS_SHARED_CREDENTIALS_FILE", path(pod))
        .env("AWS_PROFILE", name);
    command
}

fn assert_identified(client: Client, pod: &Pod, name: &str, sidecar: &Sidecar) {
    let output = command(client, pod, name).output();
    let output = output.unwrap_or_else(|error| panic!("{client:?} cannot be run: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains(IDENTITY),
        "{client:?} as {name:?}: {said}{}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        read(&path(pod)),
        sidecar.log()
    );
}

fn are_identified(pod: &Pod, name: &str, clients: &[Client]) {
    let launch = serve(pod).arg("--credentials-profile").arg(name);
    let sidecar = launch.start();
    sidecar.wait_ready();
    std::thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| assert_identified(*client, pod, name, &sidecar));
        }
    });
    let calls = pod.emulator.sts().calls();
    let signed = calls
        .iter()
        .filter(|call| call.action == "GetCallerIdentity" && call.result == "Success");
    assert_eq!(signed.count(), clients.len(), "{calls:?}");
}

#[test]
fn the_aws_cli_boto3_and_javascript_find_credentials_and_region_in_it() {
    let pod = Pod::new();
    are_identified(&pod, "default", &[AWS_CLI, BOTO3, JAVASCRIPT]);
}

#[test]
fn they_find_them_among_the_profiles_of_others_with_lines_that_end_in_any_way() {
    let pod = Pod::new();
    let others = "# mine\r\n[other]\r\naws_access_key_id = AKIAOTHER\r\naws_secret_access_key = other\r\n\r\n[it] ; the pod's\r\n  output = json\r\naws_session_token = OLD\r\naws_security_token = OLD\r\n\r\n[last]\r\ns3 =\r\n  addressing_style = path\r\n";
    write(&pod, others);
    are_identified(&pod, "it", &[AWS_CLI, BOTO3, JAVASCRIPT]);
}

#[test]
fn a_profile_may_have_an_odd_name() {
    let pod = Pod::new();
    are_identified(&pod, "a.b/c@d:e=f+é'\"%s", &[AWS_CLI, BOTO3, JAVASCRIPT]);
    let newest = super::newest(&pod);
    let expected = profile("a.b/c@d:e=f+é'\"%s", &newest);
    assert_eq!(read(&path(&pod)), expected);
    // JavaScript reads no name with a blank in it.
    are_identified_with_a_blank();
}

fn are_identified_with_a_blank() {
    let pod = Pod::new();
    are_identified(&pod, "my profile", &[AWS_CLI, BOTO3]);
}
