//! kubectl, of every version that the machine offers.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::clients::installed;
use crate::sidecar::{Finished, Launch};

/// One kubectl.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kubectl(PathBuf);

impl fmt::Display for Kubectl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl Kubectl {
    /// Those of the `PATH`, what lies beside each as `kubectl.1.NN` (where a cloud's SDK keeps older ones), and the
    /// current one that `make clients` builds.
    pub fn every() -> Vec<Kubectl> {
        let mut found = BTreeSet::new();
        let path = std::env::var_os("PATH").unwrap_or_default();
        for directory in std::env::split_paths(&path) {
            let Ok(kubectl) = directory.join("kubectl").canonicalize() else {
                continue;
            };
            let beside = kubectl.parent().map(fs::read_dir);
            let entries = beside.and_then(Result::ok).into_iter().flatten().flatten();
            let versions = entries.map(|entry| entry.path()).filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with("kubectl.1."))
            });
            found.extend(versions);
            found.insert(kubectl);
        }
        let built = installed("kubectl").join("kubectl");
        if built.exists() {
            found.insert(built);
        }
        assert!(
            !found.is_empty(),
            "there is no kubectl: put one on the PATH, or go, and run `make clients`"
        );
        found.into_iter().map(Kubectl).collect()
    }

    /// The last of them: where one does for all.
    pub fn one() -> Kubectl {
        let built = installed("kubectl").join("kubectl");
        match built.exists() {
            true => Kubectl(built),
            false => Kubectl::every().remove(0),
        }
    }

    /// What `kubectl kustomize` makes of this folder.
    pub fn kustomize(&self, folder: &Path) -> Finished {
        let output = Command::new(&self.0)
            .arg("kustomize")
            .arg(folder)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{self} cannot be run: {error}"));
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// With this kubeconfig, a home of its own, and the variables of this launch.
    pub fn run(&self, kubeconfig: &Path, plugin: &Launch, arguments: &[&str]) -> Finished {
        let home = tempfile::tempdir().expect("a temporary directory");
        let output = self
            .command(&home, kubeconfig, plugin)
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("{self} cannot be run: {error}"));
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(super) fn command(&self, home: &TempDir, kubeconfig: &Path, plugin: &Launch) -> Command {
        let mut command = Command::new(&self.0);
        command.env_clear().stdin(Stdio::null());
        // What a plugin inherits.
        let inherited = plugin.command();
        let variables = inherited.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command
            .env("HOME", home.path())
            .env("KUBECONFIG", kubeconfig);
        command
    }
}

/// Two at a time: each of them is 50 MB of program, and a core's work for a moment.
pub fn with_every_kubectl(test: impl Fn(&Kubectl) + Sync) {
    let every = Kubectl::every();
    let (odd, even): (Vec<_>, Vec<_>) = every
        .iter()
        .enumerate()
        .partition(|(index, _)| index % 2 == 1);
    std::thread::scope(|scope| {
        for half in [odd, even] {
            let test = &test;
            scope.spawn(move || half.into_iter().for_each(|(_, kubectl)| test(kubectl)));
        }
    });
}
