//! `role-from-annotation`: the role that the service account's annotation names, read from the Kubernetes API.
//!
//! What the kubelet mounts for that API has a fixed path, so the sidecar runs in a mount namespace of its own, where that
//! path leads into the test's directory. No root is needed for it, but a kernel with user namespaces.

mod alone;
mod change;
mod findings;
mod hostile;
mod reading;
mod secrets;
mod stand_in;

use std::process::Command;

use emulator::{API_AUDIENCE, Cluster, ROLE_ARN, Role, TokenRequest};

use crate::sidecar::{Finished, Launch, Pod, Sidecar};

/// The annotation that names the role.
pub const ROLE: &str = "eks.amazonaws.com/role-arn";
pub const AUDIENCE: &str = "eks.amazonaws.com/audience";
/// What stands in `AWS_ROLE_ARN` where something does.
pub const FROZEN: &str = "arn:aws:iam::111122223333:role/frozen";
/// What an annotation is changed to.
pub const OTHER: &str = "arn:aws:iam::111122223333:role/other";

/// The program's own directory for the API, in place of the one that is there; `$0` is the test's.
const MOUNT: &str = "mount -t tmpfs tmpfs /var/run \
    && mkdir -p /var/run/secrets/kubernetes.io \
    && ln -s \"$0\" /var/run/secrets/kubernetes.io/serviceaccount \
    && exec \"$@\"";

/// A pod whose service account may read itself, and names the emulator's role.
pub struct Annotated {
    pub pod: Pod,
}

impl Annotated {
    pub fn new() -> Self {
        Annotated::with(TokenRequest::default())
    }

    pub fn with(request: TokenRequest) -> Self {
        let annotated = Annotated {
            pod: Pod::with(request),
        };
        std::fs::create_dir(annotated.pod.path("api")).expect("a directory");
        annotated.mount("ca.crt", annotated.pod.emulator.ca_pem());
        annotated.mount("token", &annotated.api_token());
        annotated
            .cluster()
            .allow_service_account_to_get_itself("team", "app");
        annotated.annotate(&[(ROLE, ROLE_ARN)]);
        let sts = annotated.pod.emulator.sts();
        let issuer = annotated.pod.emulator.issuer().iss();
        for role in [FROZEN, OTHER] {
            sts.add_role(Role::trusting(
                role,
                issuer,
                "system:serviceaccount:team:app",
            ));
        }
        annotated
    }

    pub fn cluster(&self) -> &Cluster {
        self.pod.emulator.cluster()
    }

    /// Exactly these annotations.
    pub fn annotate(&self, annotations: &[(&str, &str)]) {
        self.cluster()
            .set_service_account("team", "app", annotations);
    }

    /// A file beside the token for the Kubernetes API.
    pub fn mount(&self, name: &str, content: &str) {
        std::fs::write(self.pod.path("api").join(name), content).expect("a file");
    }

    pub fn unmount(&self, name: &str) {
        std::fs::remove_file(self.pod.path("api").join(name)).expect("a file");
    }

    fn api_token(&self) -> String {
        let request = TokenRequest {
            audiences: vec![API_AUDIENCE.to_owned()],
            ..TokenRequest::default()
        };
        self.pod.emulator.issuer().token(&request)
    }

    /// As in a pod without the webhook.
    pub fn serve(&self) -> Launch {
        let (_, port) = self.cluster().url().rsplit_once(':').expect("a port");
        self.pod
            .serve()
            .without("AWS_ROLE_ARN")
            .env("IRSA_SIDECAR_ROLE_FROM_ANNOTATION", "true")
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", port)
    }

    pub fn command(&self, launch: &Launch) -> Command {
        let directory = self.pod.path("api");
        let directory = directory.to_str().expect("a path");
        let binary = env!("CARGO_BIN_EXE_irsa-sidecar");
        let before = [
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            MOUNT,
            directory,
            binary,
        ];
        launch.wrapped("unshare", &before)
    }

    pub fn start(&self, launch: &Launch) -> Sidecar {
        Sidecar::spawn(self.command(launch))
    }

    fn sidecar(&self) -> Sidecar {
        self.start(&self.serve())
    }

    fn ready_sidecar(&self) -> Sidecar {
        let sidecar = self.sidecar();
        sidecar.wait_ready();
        sidecar
    }

    pub fn output(&self, launch: &Launch) -> Finished {
        let output = self.command(launch).output();
        let output = output.expect("unshare (of util-linux) cannot be run, and this test needs it");
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// How often the service account was asked for.
    pub fn readings(&self) -> usize {
        self.cluster().requests().len()
    }

    /// Whose credentials are served.
    fn role(&self, sidecar: &Sidecar) -> String {
        let answer = sidecar.get_credentials(&self.pod);
        assert_eq!(answer.status, 200, "{answer:?}\n{}", sidecar.log());
        answer.json()["RoleArn"]
            .as_str()
            .expect("a role")
            .to_owned()
    }

    fn wait_role(&self, sidecar: &Sidecar, role: &str) {
        let came = crate::sidecar::eventually(|| {
            let answer = sidecar.get_credentials(&self.pod);
            answer.json()["RoleArn"] == role
        });
        assert!(
            came,
            "no credentials of {role}; the log:\n{}",
            sidecar.log()
        );
    }
}
