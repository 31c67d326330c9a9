//! kubectl, as whoever set the cluster up.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A kubectl that knows the cluster.
#[derive(Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub fn new(kubeconfig: &Path) -> Self {
        Kubectl {
            program: program(),
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// A command to add arguments to.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.kubeconfig.with_file_name("home"))
            .env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Its stdout, or what it complains of.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, String> {
        self.given("", arguments)
    }

    /// The same with something on stdin.
    pub fn given<A: AsRef<OsStr>>(
        &self,
        stdin: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String, String> {
        let mut command = self.command();
        command.args(arguments);
        let piped = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
        let [a, b, c] = piped;
        let mut child = command
            .stdin(a)
            .stdout(b)
            .stderr(c)
            .spawn()
            .expect("kubectl runs");
        let mut input = child.stdin.take().expect("it is piped");
        let text = stdin.to_owned();
        // One that ended early has its reason on stderr.
        let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
        let output = child.wait_with_output().expect("our own child");
        writer.join().expect("it does not panic");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)))
        }
    }
}

/// The current one that `make clients` builds: old ones do not know the kinds that the manifests use.
pub fn program() -> PathBuf {
    let clients = std::env::var_os("IRSA_SIDECAR_TEST_CLIENTS")
        .expect("IRSA_SIDECAR_TEST_CLIENTS names the folder of the clients: use `make pod-test`");
    let program = Path::new(&clients).join("kubectl/kubectl");
    assert!(
        program.exists(),
        "no kubectl in {}; `make clients` builds it, and needs a recent Go",
        program.display()
    );
    program
}
