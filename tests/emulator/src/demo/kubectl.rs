//! The last step: `kubectl` in the cluster, by the files that the sidecar keeps and by the exec plugin.
//!
//! Where there is no `kubectl`, that is said and no failure: the demo is for machines with no more than Rust and make.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::Stop;
use super::events::Events;
use super::show::{Show, within};
use super::sidecar::{self, Sidecar};

const KUBECTL: &str = "kubectl";
const MAY_I: &[&str] = &["auth", "can-i", "get", "pods"];
const ASKED: [&[&str]; 3] = [&["auth", "whoami"], MAY_I, &["get", "pods"]];
const HOW_TO_GET_IT: &str = "https://kubernetes.io/docs/tasks/tools/";

impl Show<'_> {
    /// Without kubectl: the files, and whom the cluster takes the token in them for.
    pub(super) async fn kubectl(&self, sidecar: &Sidecar, events: &mut Events) -> Result<(), Stop> {
        let cluster = self.emulator.cluster().name();
        self.page.step(&format!(
            "6  kubectl in the EKS cluster {cluster}, as the pod's role"
        ));
        let kubeconfig = sidecar.output_dir().join("kubeconfig");
        let token_file = sidecar.output_dir().join(format!("{cluster}.eks-token"));
        let token = self.files(&kubeconfig, &token_file)?;
        let kubectl = on_path(KUBECTL);
        if kubectl.is_none() {
            self.without_kubectl(&token)?;
        }
        let mut run = Run {
            show: self,
            sidecar,
            events,
            kubeconfig,
        };
        self.page.line("");
        run.export();
        for arguments in ASKED {
            if let Some(kubectl) = &kubectl {
                run.shown(kubectl, KUBECTL, arguments).await?;
            }
        }
        self.page
            .step("   And with the sidecar as exec plugin, from any container of the pod");
        run.kubeconfig = self.dir.join("exec.kubeconfig");
        run.export();
        let write = [
            "kubeconfig",
            "--exec",
            "--cluster-name",
            cluster,
            "--alias",
            cluster,
        ];
        let program = sidecar.program();
        run.shown(program, "irsa-sidecar", &write).await?;
        if let Some(kubectl) = &kubectl {
            run.shown(kubectl, KUBECTL, MAY_I).await?;
        }
        Ok(())
    }

    /// What the sidecar wrote; returns the token.
    fn files(&self, kubeconfig: &Path, token_file: &Path) -> Result<String, Stop> {
        let text = fs::read_to_string(kubeconfig)?;
        let mut lines = text.lines();
        let server = lines.find_map(|line| line.trim().strip_prefix("server: "));
        let token = fs::read_to_string(token_file)?;
        let field = |name: &str, value: &str| self.page.field(name, value);
        field("kubeconfig", &kubeconfig.display().to_string());
        field("  server", server.unwrap_or("none"));
        field("  tokenFile", &token_file.display().to_string());
        field("token", &format!("{} characters, not shown", token.len()));
        Ok(token)
    }

    fn without_kubectl(&self, token: &str) -> Result<(), Stop> {
        let refused = |why| Stop::Failed(format!("the cluster refuses the token: {why}"));
        let reviewed = self.emulator.cluster().review(token).map_err(refused)?;
        let field = |name: &str, value: &str| self.page.field(name, value);
        field("IAM role", &reviewed.canonical_arn);
        field("Kubernetes user", &reviewed.username);
        field("groups", &reviewed.groups.join(", "));
        field(
            KUBECTL,
            &format!("not on the PATH; {HOW_TO_GET_IT} tells how to get it"),
        );
        let asked = ASKED.map(|arguments| format!("{KUBECTL} {}", arguments.join(" ")));
        field("not shown", &asked.join(", "));
        Ok(())
    }
}

/// Programs that are run before one's eyes.
struct Run<'a, 'b> {
    show: &'a Show<'b>,
    sidecar: &'a Sidecar,
    events: &'a mut Events,
    kubeconfig: PathBuf,
}

impl Run<'_, '_> {
    /// Says which kubeconfig what follows goes by.
    fn export(&self) {
        let kubeconfig = self.kubeconfig.display();
        self.show
            .page
            .command(&format!("export KUBECONFIG={kubeconfig}"));
    }

    /// Runs it, shows what it prints, and in the meantime what happens.
    async fn shown(&mut self, program: &Path, name: &str, arguments: &[&str]) -> Result<(), Stop> {
        let typed = format!("{name} {}", arguments.join(" "));
        self.show.page.ran(&typed);
        let running = self.command(program)?.args(arguments).output();
        let ended = async {
            tokio::pin!(running);
            loop {
                tokio::select! {
                    // What it made others do stands before what it printed.
                    biased;
                    event = self.events.next() => {
                        self.show.event(&event?, self.events, self.sidecar)?;
                    }
                    output = &mut running => return Ok(output?),
                }
            }
        };
        let late = format!("`{typed}` did not end");
        let output = within(&late, ended).await?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let (status, words) = (output.status, words.trim());
            return Err(Stop::Failed(format!("`{typed}`: {status}: {words}")));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        self.show.page.printed(&self.redacted(&printed));
        Ok(())
    }

    /// A cluster knows by which key a token was signed, and `whoami` tells.
    fn redacted(&self, printed: &str) -> String {
        let issued = self.show.emulator.sts().issued();
        let ids = issued.iter().map(|issued| &issued.access_key_id);
        ids.fold(printed.to_owned(), |text, id| {
            text.replace(id, &format!("{}…", &id[..8]))
        })
    }

    /// In the environment of an app's container, and nothing of this machine's but the PATH.
    fn command(&self, program: &Path) -> io::Result<Command> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.show.dir)
            .env("KUBECONFIG", &self.kubeconfig)
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                self.sidecar.credentials_url()?,
            )
            .env(
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                self.sidecar.authorization_token_file(),
            )
            .env("AWS_REGION", sidecar::REGION)
            .env("AWS_ENDPOINT_URL_EKS", self.show.emulator.url())
            .stdin(std::process::Stdio::null())
            // Ctrl-C is for the demo, which then stops it.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var_os("PATH")?;
    let is_program = |candidate: &PathBuf| {
        let metadata = fs::metadata(candidate);
        metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(is_program)
}
