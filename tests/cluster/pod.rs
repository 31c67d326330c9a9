//! A pod, and the node's view of its containers.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::IpAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::cluster::ctr;
use crate::eventually::eventually;
use crate::namespace::Namespace;

pub const SIDECAR: &str = "irsa-sidecar";

/// A pod by its name.
pub struct Pod<'a> {
    pub namespace: &'a Namespace,
    pub name: String,
    pub uid: String,
}

impl<'a> Pod<'a> {
    /// The one pod with this label that nobody has deleted, once it is there.
    #[track_caller]
    pub fn labelled(namespace: &'a Namespace, label: &str) -> Self {
        eventually(&format!("a pod with {label}"), || {
            let pods = namespace.get(&["pods", "--selector", label]);
            let mut pods = pods["items"].as_array().cloned().unwrap_or_default();
            pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            let text =
                |pod: &Value, field: &str| pod["metadata"][field].as_str().map(str::to_owned);
            match &pods[..] {
                [pod] => Ok(Pod {
                    namespace,
                    name: text(pod, "name").expect("a name"),
                    uid: text(pod, "uid").expect("a UID"),
                }),
                _ => Err(format!("{pods:?}")),
            }
        })
    }

    /// All that the API server knows of it.
    #[track_caller]
    pub fn get(&self) -> Value {
        self.namespace.get(&["pod", &self.name])
    }

    /// Its address, once it has one.
    pub fn address(&self) -> IpAddr {
        eventually("an address", || {
            let pod = self.get();
            let address = pod["status"]["podIP"].as_str();
            address
                .and_then(|address| address.parse().ok())
                .ok_or(pod["status"].to_string())
        })
    }

    /// The status of a container, native sidecars among them, once the kubelet has told it.
    #[track_caller]
    pub fn status(&self, container: &str) -> Value {
        eventually(&format!("a status of {container}"), || {
            let status = self.get()["status"].take();
            let of = |field: &str| status[field].as_array().cloned().unwrap_or_default();
            let native = of("initContainerStatuses").into_iter();
            let mut all = native.chain(of("containerStatuses"));
            let found = all.find(|status| status["name"] == container);
            found.ok_or(status.to_string())
        })
    }

    /// Runs a program in a container.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<String, String> {
        let head = ["exec", &self.name, "--container", container, "--"];
        self.namespace.try_kubectl(&[&head, command].concat())
    }

    /// An app of the container `app` that was built with an SDK of this version.
    #[track_caller]
    pub fn app(&self, sdk: &str) -> App {
        let driver = sdk.rsplit_once('-').expect("a name and a version").0;
        let program = format!("/drivers/{sdk}/{driver}");
        let mut command = self.namespace.cluster.kubectl.command();
        command.args([
            "--namespace",
            self.namespace.name,
            "exec",
            "--stdin",
            &self.name,
        ]);
        let child = command
            .args(["--container", "app", "--", &program, "F"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("kubectl runs");
        App {
            stdin: child.stdin.take().expect("it is piped"),
            stdout: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
        }
    }

    /// The first process of a running container, by its number on the node.
    #[track_caller]
    pub fn process(&self, container: &str) -> u32 {
        let status = self.status(container);
        let id = status["containerID"]
            .as_str()
            .and_then(|id| id.strip_prefix("containerd://"));
        let id = id.unwrap_or_else(|| panic!("{status}"));
        let tasks = ctr(&["tasks", "list"]).expect("the tasks");
        let line = tasks.lines().find(|line| line.starts_with(id));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.unwrap_or_else(|| panic!("no task {id}: {tasks}"))
    }

    /// A file in the cgroup of a running container.
    #[track_caller]
    pub fn cgroup(&self, container: &str, controller: &str, file: &str) -> String {
        let of = fs::read_to_string(format!("/proc/{}/cgroup", self.process(container)));
        let of = of.expect("a process has cgroups");
        let is_it = |line: &&str| line.split(':').nth(1) == Some(controller);
        let path = of
            .lines()
            .find(is_it)
            .and_then(|line| line.split(':').nth(2));
        let path = format!(
            "/sys/fs/cgroup/{controller}{}/{file}",
            path.expect("its cgroup")
        );
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Sends a signal to a container's first process, from outside, so that it cannot be refused.
    #[track_caller]
    pub fn signal(&self, container: &str, signal: &str) {
        let process = self.process(container).to_string();
        let sent = Command::new("kill")
            .args(["--signal", signal, &process])
            .status();
        assert!(sent.expect("kill (of util-linux) runs").success());
    }
}

/// A client that keeps its credentials from one call to the next, as an app does.
pub struct App {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl App {
    /// One signed call to STS.
    #[track_caller]
    pub fn call(&mut self) -> Result<(), String> {
        let mut answer = String::new();
        let asked =
            writeln!(self.stdin, "identity").and_then(|()| self.stdout.read_line(&mut answer));
        match asked {
            Ok(_) if answer.trim() == r#"{"ok":true}"# => Ok(()),
            Ok(_) => Err(answer),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
