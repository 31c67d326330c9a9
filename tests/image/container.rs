//! The image as a container of runc: its user, its entrypoint, a root that nobody can write to, no capability. It shares
//! the network of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::archive::Image;

static STARTED: AtomicU32 = AtomicU32::new(0);

/// One container; gone when dropped.
pub struct Container {
    image: Image,
    id: String,
    mounts: Vec<Value>,
}

impl Container {
    pub fn new() -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        Container {
            image: Image::open(),
            id: format!("irsa-sidecar-{}-{number}", std::process::id()),
            mounts: vec![mount("proc", "proc", Path::new("/proc"), &[])],
        }
    }

    /// With this folder of the machine at the same path inside, to be read.
    pub fn with(mut self, folder: &Path) -> Self {
        let source = folder.to_string_lossy();
        self.mounts
            .push(mount("none", &source, folder, &["bind", "ro"]));
        self
    }

    /// What starts the container with the arguments and environment of a command that was meant for the binary itself.
    pub fn command(&self, meant: &Command) -> Command {
        let config = &self.image.configuration["config"];
        let entrypoint = config["Entrypoint"].as_array().expect("an entrypoint");
        let mut arguments: Vec<Value> = entrypoint.clone();
        arguments.extend(
            meant
                .get_args()
                .map(|argument| json!(argument.to_string_lossy())),
        );
        let environment: Vec<String> = meant
            .get_envs()
            .filter_map(|(name, value)| {
                Some(format!(
                    "{}={}",
                    name.to_string_lossy(),
                    value?.to_string_lossy()
                ))
            })
            .collect();
        let user = config["User"].as_str().expect("a user");
        let (uid, gid) = user.split_once(':').expect("a user and a group");
        let number = |id: &str| id.parse::<u32>().expect("the id as a number");
        let bundle = json!({
            "ociVersion": "1.0.2",
            "process": {
                "args": arguments,
                "env": environment,
                "cwd": "/",
                "user": {"uid": number(uid), "gid": number(gid)},
                "capabilities": {},
                "noNewPrivileges": true,
            },
            "root": {"path": "rootfs", "readonly": true},
            "mounts": self.mounts,
            "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]},
        });
        fs::write(self.image.dir().join("config.json"), bundle.to_string()).expect("written");
        let mut runc = self.runc();
        runc.args(["run", "--bundle"])
            .arg(self.image.dir())
            .arg(&self.id);
        runc
    }

    fn runc(&self) -> Command {
        let mut runc = Command::new("runc");
        runc.arg("--root").arg(self.state());
        runc
    }

    fn state(&self) -> PathBuf {
        self.image.dir().join("state")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.runc().args(["delete", "--force", &self.id]).output();
    }
}

fn mount(kind: &str, source: &str, destination: &Path, options: &[&str]) -> Value {
    json!({"destination": destination, "type": kind, "source": source, "options": options})
}
