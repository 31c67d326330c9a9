//! A pod that was written for EKS Pod Identity runs unchanged: the same variables, and our door where its agent was.

use std::process::Stdio;

use emulator::Volume;

use super::link_local;
use crate::clients::Client;
use crate::namespace::in_private_network;
use crate::sidecar::{Pod, Sidecar, eventually, request};

const DOOR: &str = "169.254.170.23:80";
const FULL_URI: &str = "http://169.254.170.23/v1/credentials";

/// What the kubelet writes there is a web identity token, far longer than any token of ours.
fn web_identity_token(serial: char) -> String {
    let part = |length: usize| serial.to_string().repeat(length);
    let token = format!("eyJ{}.eyJ{}.{}", part(81), part(1068), part(342));
    assert_eq!(token.len(), 1500 - 1);
    token
}

struct PodIdentity {
    pod: Pod,
    volume: Volume,
    sidecar: Sidecar,
}

impl PodIdentity {
    fn new() -> Self {
        link_local(&["--pod-identity"]);
        let pod = Pod::new();
        let volume = pod.path("eks-pod-identity-token");
        let volume = Volume::create(&volume, &web_identity_token('a')).expect("a volume");
        pod.emulator
            .sts()
            .set_session_lifetime(Some(std::time::Duration::from_secs(10)));
        let sidecar = pod
            .serve()
            .env("IRSA_SIDECAR_LINK_LOCAL_LISTEN", DOOR)
            .env("IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE", volume.token_path())
            .start();
        sidecar.wait_ready();
        PodIdentity {
            pod,
            volume,
            sidecar,
        }
    }

    /// As the EKS Pod Identity webhook sets it.
    fn client(&self, client: Client) -> std::process::Command {
        let mut command = client.command(&self.pod);
        command
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", FULL_URI)
            .env(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                self.volume.token_path(),
            );
        command
    }

    fn status(&self, authorization: &str) -> u16 {
        let door = DOOR.parse().expect("an address");
        let headers = [("authorization", authorization)];
        request(door, "GET", "/v1/credentials", &headers).status
    }
}

#[test]
fn a_client_of_eks_pod_identity_lives_through_a_rotation_of_its_token() {
    in_private_network(|| {
        let it = PodIdentity::new();
        let mut client = it.client(Client::Python("boto3_refresh.py"));
        let client = client
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python runs");
        // Its first key, and then the kubelet's swap under it and under the sidecar.
        let signed = || {
            let calls = it.pod.emulator.sts().calls();
            calls.iter().any(|call| call.action == "GetCallerIdentity")
        };
        assert!(eventually(signed), "{}", it.sidecar.log());
        it.volume.rotate(&web_identity_token('b')).expect("a swap");
        let accepted = || it.status(&web_identity_token('b')) == 200;
        assert!(eventually(accepted), "{}", it.sidecar.log());
        let output = client.wait_with_output().expect("its output");
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{complained}\n{}",
            it.sidecar.log()
        );
        let keys: Vec<_> = said
            .lines()
            .filter_map(|line| line.split_once(' '))
            .collect();
        assert!(keys.len() == 2 && keys[0].0 != keys[1].0, "{said}");
        // Who still has the content from before is not locked out, and nobody else gets in.
        assert_eq!(it.status(&web_identity_token('a')), 200);
        assert_eq!(it.status(&web_identity_token('c')), 403);
        // A client that has seen nothing but the new content.
        let fresh = it.client(Client::Python("boto3_identity.py")).output();
        let fresh = fresh.expect("python runs");
        assert!(fresh.status.success(), "{fresh:?}");
    });
}
