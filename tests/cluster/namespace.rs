//! A namespace for one test, and what the test asks of its pods.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use emulator::Call;
use serde_json::{Value, json};

use crate::cluster::{Cluster, progress};
use crate::pod::Pod;
use crate::rendered::Rendered;

/// A namespace of its own for one test.
pub struct Namespace {
    pub name: &'static str,
    pub cluster: &'static Cluster,
}

impl Namespace {
    /// One that admits only what Pod Security calls "restricted".
    pub fn new(name: &'static str) -> Self {
        Namespace::admitting("restricted", name)
    }

    /// One that admits what Pod Security calls by this name.
    pub fn admitting(level: &str, name: &'static str) -> Self {
        let cluster = Cluster::shared();
        let namespace = Namespace { name, cluster };
        namespace.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": level } },
        }));
        namespace.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "emulator-ca" },
            "data": { "ca.pem": cluster.emulator.ca_pem() },
        }));
        namespace
    }

    /// Applies an object.
    #[track_caller]
    pub fn apply(&self, object: &Value) {
        let applied = self.try_apply(&object.to_string());
        applied.unwrap_or_else(|error| panic!("{object}: {error}"));
    }

    /// Applies an example, on the emulator.
    #[track_caller]
    pub fn apply_example(&self, example: &str) {
        self.apply_rendered(&Rendered::example(example));
    }

    /// Applies what kustomize made of one, on the emulator.
    #[track_caller]
    pub fn apply_rendered(&self, rendered: &Rendered) {
        let objects = rendered.on_emulator(&self.cluster.kubectl);
        self.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }));
    }

    /// Applies YAML or JSON; an error says what the API server has against it.
    pub fn try_apply(&self, yaml: &str) -> Result<String, String> {
        self.given(yaml, &["apply", "--filename", "-"])
    }

    /// kubectl in this namespace.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.given("", arguments)
    }

    /// The same where it has to do as it is told.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let done = self.try_kubectl(arguments);
        done.unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}"))
    }

    /// The same with something on stdin.
    pub fn given(&self, stdin: &str, arguments: &[&str]) -> Result<String, String> {
        self.cluster
            .kubectl
            .given(stdin, ["--namespace", self.name].iter().chain(arguments))
    }

    /// What there is.
    #[track_caller]
    pub fn get(&self, arguments: &[&str]) -> Value {
        let json = self.kubectl(&[&["get", "--output=json"], arguments].concat());
        serde_json::from_str(&json).expect("JSON of kubectl")
    }

    /// The pod of the Deployment `app`, once all its containers are ready.
    #[track_caller]
    pub fn ready_app(&self) -> Pod<'_> {
        self.kubectl(&["rollout", "status", "deployment/app", "--timeout=180s"]);
        Pod::labelled(self, "app=app")
    }

    /// The log of a Job's container, once the Job is complete. One that failed is told at once.
    #[track_caller]
    pub fn completed(&self, job: &str, container: &str) -> String {
        let job = format!("job/{job}");
        crate::eventually::eventually(&format!("{job} completes"), || {
            let status = &self.get(&[&job])["status"];
            assert!(status["failed"].is_null(), "{status}");
            if status["succeeded"] == 1 {
                Ok(())
            } else {
                Err(status.to_string())
            }
        });
        self.kubectl(&["logs", &job, "--container", container])
    }

    /// What AWS was asked by service accounts of this namespace: exchanges, and what was signed by their sessions.
    pub fn calls(&self) -> Vec<Call> {
        let subject = format!("system:serviceaccount:{}:", self.name);
        let mut calls = self.cluster.emulator.sts().calls();
        let is_exchange = |call: &Call| {
            call.subject
                .as_ref()
                .is_some_and(|s| s.starts_with(&subject))
        };
        let exchanges = calls.iter().filter(|call| is_exchange(call));
        let sessions: BTreeSet<_> = exchanges
            .filter_map(|call| call.session_name.clone())
            .collect();
        calls.retain(|call| {
            let session = call
                .caller
                .as_ref()
                .and_then(|caller| caller.rsplit('/').next());
            is_exchange(call) || session.is_some_and(|session| sessions.contains(session))
        });
        calls
    }

    /// Those of [`Namespace::calls`] that were signed, and well: who signed them.
    pub fn callers(&self) -> Vec<String> {
        self.calls()
            .into_iter()
            .filter_map(|call| call.caller)
            .collect()
    }

    fn write_down(&self) {
        let mut told = String::new();
        let mut tell = |arguments: &[&str]| {
            told += &format!("\n# kubectl {}\n", arguments.join(" "));
            told += &self.try_kubectl(arguments).unwrap_or_else(|error| error);
        };
        tell(&["get", "all,events", "--output=wide"]);
        tell(&["get", "pods", "--output=yaml"]);
        let pods = self.try_kubectl(&["get", "pods", "--output=name"]);
        for pod in pods.unwrap_or_default().lines() {
            tell(&["logs", pod, "--all-containers", "--prefix", "--tail=200"]);
        }
        told += &format!("\n# AWS\n{:#?}", self.calls());
        let name = format!("{}.txt", self.name);
        let _ = fs::write(Path::new("/run/cluster/logs").join(&name), told);
        progress(&format!(
            "what the namespace {} looked like is in logs/{name}",
            self.name
        ));
    }
}

impl Drop for Namespace {
    /// What a failed test leaves behind is kept; the pods of one that went well make room.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.write_down();
        } else {
            let _ = self
                .cluster
                .kubectl
                .run(["delete", "namespace", self.name, "--wait=false"]);
        }
    }
}
