//! A program that prints an EKS token, in the environment that an app's container has.

use std::fmt;
use std::path::Path;
use std::process::Command;

use benches::world::{REGION, Sidecar, World};
use serde_json::Value;

use crate::Failure;

/// How it is run.
pub(crate) struct Client {
    pub(crate) arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Client {
    /// Without anything that would make it ask somebody else than the sidecar.
    pub(crate) fn new(
        world: &World,
        sidecar: &Sidecar,
        program: &Path,
        subcommand: &[&str],
    ) -> Self {
        let cluster = world.emulator.cluster().name();
        let mut arguments = vec![program.display().to_string()];
        arguments.extend(subcommand.iter().map(|&word| word.to_owned()));
        arguments.extend(["--cluster-name".to_owned(), cluster.to_owned()]);
        let uri = format!("http://{}/v1/credentials", sidecar.address);
        let token_file = world.authorization_token_file();
        let environment = vec![
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("HOME", world.dir().display().to_string()),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                token_file.display().to_string(),
            ),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Self {
            arguments,
            environment,
        }
    }

    /// `program`, which is the client or will run it, in the client's environment.
    pub(crate) fn environment_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment.clone());
        command
    }

    /// Whom the cluster takes the bearer of its token for.
    pub(crate) fn identity(&self, world: &World) -> Result<String, Failure> {
        let output = self
            .environment_of(Path::new(&self.arguments[0]))
            .args(&self.arguments[1..])
            .output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{self}: {}: {words}", output.status).into());
        }
        let document: Value = serde_json::from_slice(&output.stdout)?;
        let token = document["status"]["token"].as_str().unwrap_or_default();
        let reviewed = world.emulator.cluster().review(token);
        Ok(reviewed
            .map_err(|reason| format!("{self}: {reason}"))?
            .username)
    }
}

/// As one would type it.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = Path::new(&self.arguments[0]).file_name();
        let program = program.unwrap_or_default().to_string_lossy();
        write!(f, "{program} {}", self.arguments[1..].join(" "))
    }
}
