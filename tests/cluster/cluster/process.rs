//! A part of the cluster, running beside the tests. Nobody stops it: the namespaces end, and it with them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::home;

pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose words go to a log of this name.
    pub(super) fn start<A: AsRef<str>>(
        name: &'static str,
        program: &Path,
        arguments: &[A],
    ) -> Self {
        let log = home("logs").join(format!("{name}.log"));
        let file = File::create(&log).expect("a log");
        let child = Command::new(program)
            .args(arguments.iter().map(AsRef::as_ref))
            .env_clear()
            // Of the node: for mount, iptables, runc and the CNI plugins.
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", home("home"))
            .env("TMPDIR", home("tmp"))
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle of the log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        Process { name, child, log }
    }

    /// An error once it has ended, with its last words.
    pub(super) fn check(&mut self) {
        let Some(status) = self.child.try_wait().expect("our own child") else {
            return;
        };
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last: Vec<_> = log.lines().rev().take(10).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        panic!("{} ended, {status}: {}", self.name, last.join("\n"));
    }
}
