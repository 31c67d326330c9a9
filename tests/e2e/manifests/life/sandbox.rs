//! A pod without a kubelet: mounts, variables and the order of containers, by the pod's own template. It runs in private
//! namespaces for network and mounts, so that all paths and ports are those of the manifest.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use emulator::{Emulator, Role, TokenRequest, Volume};
use serde_json::Value;

use super::super::pods::{Pod, SIDECAR, is_ours, list, name};
use super::super::rendered::{Object, manifests, render};
use crate::kubectl::client::Kubectl;
use crate::sidecar::{Answer, Finished, Launch, Sidecar, eventually, request};

const OURS: &str = env!("CARGO_BIN_EXE_irsa-sidecar");
/// What every log may warn of: that door is open by design.
const BY_DESIGN: &str = "nobody has to show an authorization there";

/// One example's objects, and a place to run its pods.
pub struct Sandbox {
    pub objects: Vec<Object>,
    emulator: Emulator,
    request: TokenRequest,
}

/// A container that is not ours, as its process would find itself.
pub struct App {
    pub container: Value,
    pub env: BTreeMap<String, String>,
}

/// The sidecar of a pod, running; its app is whoever asks.
pub struct Running<'a> {
    sandbox: &'a Sandbox,
    pod: Pod,
    sidecar: std::cell::RefCell<Sidecar>,
}

impl Sandbox {
    /// In private namespaces only: it mounts over `/run` and `/opt`.
    pub fn of(example: &str) -> Self {
        for place in ["/run", "/opt"] {
            mount(&["-t", "tmpfs", "tmpfs", place]);
        }
        fs::create_dir(Path::new("/run/volumes")).expect("a directory");
        let folder = manifests().join("examples").join(example);
        Sandbox {
            objects: render(&Kubectl::one(), &folder),
            emulator: Emulator::start(),
            request: TokenRequest::default(),
        }
    }

    /// With a role for this service account and no other, whose pods are the ones to run then.
    pub fn with_role(mut self, arn: &str, service_account: &str) -> Self {
        let subject = format!(
            "system:serviceaccount:{}:{service_account}",
            self.request.namespace
        );
        let issuer = self.emulator.issuer().iss();
        let role = Role::trusting(arn, issuer, &subject);
        self.emulator.sts().add_role(role);
        self.request.service_account = service_account.to_owned();
        self
    }

    /// Where a test may put what it needs.
    pub fn place(&self) -> PathBuf {
        PathBuf::from("/run/volumes")
    }

    pub fn only_pod(&self) -> Pod {
        let mut pods = Pod::every(&self.objects);
        assert_eq!(pods.len(), 1);
        pods.remove(0)
    }

    pub fn pod(&self, of: &str) -> Pod {
        let mut pods = Pod::every(&self.objects).into_iter();
        pods.find(|pod| pod.of == of).expect("this object")
    }

    /// How often STS was asked for credentials.
    pub fn exchanges(&self) -> usize {
        self.emulator.sts().calls().len()
    }

    /// Everything until the app starts: the sidecar is ready then.
    pub fn run(&self, pod: &Pod) -> Running<'_> {
        self.go(pod, true)
    }

    /// The sidecar, ready or not, and nothing after it.
    pub fn start(&self, pod: &Pod) -> Running<'_> {
        self.go(pod, false)
    }

    fn go(&self, pod: &Pod, to_the_end: bool) -> Running<'_> {
        self.mount_volumes(pod);
        let mut sidecar = None;
        for container in pod.all().filter(|container| is_ours(container)) {
            if name(container) != SIDECAR {
                if to_the_end {
                    self.runs_to_its_end(container);
                }
                continue;
            }
            let started = self.start_sidecar(container);
            if to_the_end {
                self.holds_back_the_app(container, &started);
            }
            sidecar = Some(started);
        }
        Running {
            sandbox: self,
            pod: pod.clone(),
            sidecar: sidecar.expect("a sidecar").into(),
        }
    }

    fn start_sidecar(&self, container: &Value) -> Sidecar {
        let loopback = |port| ([127, 0, 0, 1], port).into();
        Sidecar::spawn_at(self.command(container), loopback(9910), loopback(9911))
    }

    /// By the startup probe, or by the hook of a container that has none.
    fn holds_back_the_app(&self, container: &Value, sidecar: &Sidecar) {
        let hook = list(&container["lifecycle"]["postStart"]["exec"]["command"]);
        if !hook.is_empty() {
            let finished = self.launch(container, hook).ends();
            assert!(finished.status.success(), "{finished:?}\n{}", sidecar.log());
        }
        let path = container["startupProbe"]["httpGet"]["path"].as_str();
        let path = path.unwrap_or("/readyz");
        let probe = || request(sidecar.ops, "GET", path, &[]).status == 200;
        assert!(
            match hook.is_empty() {
                true => eventually(probe),
                false => probe(),
            },
            "{}",
            sidecar.log()
        );
    }

    fn runs_to_its_end(&self, container: &Value) {
        let output = self.command(container).output().expect("it runs");
        assert!(output.status.success(), "{container}: {output:?}");
    }

    /// As the kubelet would start it; our image's entry point is our program.
    fn command(&self, container: &Value) -> Command {
        let command = list(&container["command"]);
        let entry = [Value::from("/irsa-sidecar")];
        let command = if command.is_empty() { &entry } else { command };
        let whole: Vec<Value> = command
            .iter()
            .chain(list(&container["args"]))
            .cloned()
            .collect();
        let program = program(&whole);
        self.launch(container, &whole).wrapped(&program, &[])
    }

    fn launch(&self, container: &Value, command: &[Value]) -> Launch {
        let arguments = command[1..].iter().filter_map(Value::as_str);
        let launch = Launch::new(arguments)
            // What this place has instead of AWS.
            .env("AWS_ENDPOINT_URL_STS", self.emulator.url())
            .env("AWS_ENDPOINT_URL_EKS", self.emulator.url());
        let env = self.variables(container);
        env.into_iter()
            .fold(launch, |launch, (name, value)| launch.env(name, value))
    }

    /// `envFrom`, then `env` over it, with `$(NAME)` of what stands before.
    fn variables(&self, container: &Value) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        for from in list(&container["envFrom"]) {
            let source = &from["configMapRef"];
            match self.config_map(&source["name"]) {
                Some(data) => env.extend(data),
                None => assert_eq!(source["optional"], true, "{from}"),
            }
        }
        for one in list(&container["env"]) {
            let key = &one["valueFrom"]["configMapKeyRef"];
            let value = if let Some(value) = one["value"].as_str() {
                Some(expanded(value, &env))
            } else if one["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.uid" {
                Some(self.request.pod_uid().to_owned())
            } else {
                let data = self.config_map(&key["name"]).unwrap_or_default();
                let value = data.get(key["key"].as_str().expect("a key")).cloned();
                assert!(value.is_some() || key["optional"] == true, "{one}");
                value
            };
            if let Some(value) = value {
                env.insert(name(one).to_owned(), value);
            }
        }
        env
    }

    fn config_map(&self, name: &Value) -> Option<BTreeMap<String, String>> {
        let mut objects = self.objects.iter();
        let found =
            objects.find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == *name);
        let data = found?["data"].as_object().expect("data").iter();
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Some(
            data.map(|(key, value)| (key.clone(), text(value)))
                .collect(),
        )
    }

    fn mount_volumes(&self, pod: &Pod) {
        for volume in pod.volumes() {
            self.fill(volume);
        }
        let mut mounted = BTreeMap::new();
        for container in pod.all() {
            for one in list(&container["volumeMounts"]) {
                let path = one["mountPath"].as_str().expect("a path");
                // All containers share one view of the files here.
                match mounted.insert(path, name(one)) {
                    Some(before) => assert_eq!(before, name(one), "{path}"),
                    None => {
                        fs::create_dir_all(path).expect("a mount point");
                        let volume = self.place().join(name(one));
                        mount(&["--bind", volume.to_str().expect("a path"), path]);
                    }
                }
            }
        }
    }

    fn fill(&self, volume: &Value) {
        let place = self.place().join(name(volume));
        fs::create_dir(&place).expect("a volume");
        fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).expect("a mode");
        for source in list(&volume["projected"]["sources"]) {
            let token = &source["serviceAccountToken"];
            let Some(file) = token["path"].as_str() else {
                continue;
            };
            let audience = token["audience"]
                .as_str()
                .unwrap_or("https://kubernetes.default.svc");
            let request = TokenRequest {
                audiences: vec![audience.to_owned()],
                ..self.request.clone()
            };
            let token = self.emulator.issuer().token(&request);
            // As the kubelet lays it out, or the sidecar warns of it.
            let volume = Volume::create(&place, &token).expect("a volume");
            if file != "token" {
                let link = place.join(file);
                std::os::unix::fs::symlink(volume.token_path(), link).expect("a link");
            }
        }
        if let Some(data) = self.config_map(&volume["configMap"]["name"]) {
            for (file, text) in data {
                fs::write(place.join(file), text).expect("a file");
            }
        }
    }
}

impl Running<'_> {
    /// The first container that is not ours.
    pub fn app(&self) -> App {
        let mut containers = self.pod.containers().iter();
        let container = containers.find(|one| !is_ours(one)).expect("an app");
        App {
            container: container.clone(),
            env: self.sandbox.variables(container),
        }
    }

    /// What `kubectl exec` starts in the sidecar's container.
    pub fn exec(&self, arguments: &[&str]) -> Finished {
        let sidecar = self.pod.all().find(|one| name(one) == SIDECAR);
        let whole: Vec<Value> = [OURS]
            .iter()
            .chain(arguments)
            .map(|&word| word.into())
            .collect();
        self.sandbox
            .launch(sidecar.expect("a sidecar"), &whole)
            .ends()
    }

    pub fn log(&self) -> String {
        self.sidecar.borrow().log()
    }

    /// Says why, in a finding that begins like this.
    pub fn wait_not_ready_for(&self, finding: &str) {
        let ops = self.sidecar.borrow().ops;
        let mut last = Answer::default();
        let said = eventually(|| {
            last = request(ops, "GET", "/readyz", &[]);
            let found = last.json()["finding"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            found.starts_with(finding)
        });
        assert!(said, "{last:?}\n{}", self.log());
    }

    /// Told to stop, with nothing to complain of until then.
    pub fn ends_in_good_order(&self) {
        self.stops();
        self.has_ended_by_itself();
    }

    /// Told to stop.
    pub fn stops(&self) {
        let mut sidecar = self.sidecar.borrow_mut();
        sidecar.signal("TERM");
        assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
    }

    pub fn has_ended_by_itself(&self) {
        let mut sidecar = self.sidecar.borrow_mut();
        assert_eq!(sidecar.wait().code(), Some(0), "{}", sidecar.log());
        let log = sidecar.whole_log();
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let message = event["message"].as_str().unwrap_or_default();
            let complains = event["level"] == "WARN" || event["level"] == "ERROR";
            assert!(!complains || message.starts_with(BY_DESIGN), "{log}");
        }
    }
}

/// Our image has our program at `/irsa-sidecar`; elsewhere it has to have been installed.
fn program(command: &[Value]) -> String {
    match command[0].as_str().expect("a program") {
        "/irsa-sidecar" => OURS.to_owned(),
        installed => installed.to_owned(),
    }
}

fn expanded(value: &str, env: &BTreeMap<String, String>) -> String {
    let mut value = value.to_owned();
    for (name, known) in env {
        value = value.replace(&format!("$({name})"), known);
    }
    assert!(!value.contains("$("), "{value}: not set before");
    value
}

fn mount(arguments: &[&str]) {
    let run = Command::new("mount").args(arguments).output();
    let output = run.expect("mount (of util-linux) cannot be run, and this test needs it");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mount {arguments:?}: {why}");
}
