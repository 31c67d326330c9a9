//! One container, and what its environment will be.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use crate::diagnosis::quote;
use crate::service_account::is_dns_subdomain;

/// The name of the program, of its image, and of the container in the manifests.
const PROGRAM: &str = "irsa-sidecar";
/// What its own variables begin with.
const PREFIX: &str = "IRSA_SIDECAR_";
/// The settings that only `serve` reads. The others may stand in an app's container, for the subcommands that it calls.
pub const OF_SERVE: [&str; 11] = [
    "link-local-listen",
    "imds-listen",
    "imds-v1",
    "authorization",
    "authorization-token-mode",
    "eks-cluster",
    "output-mode",
    "kubeconfig",
    "credentials-file",
    "credentials-profile",
    "drain-delay",
];

/// What a variable gets.
pub enum Value {
    /// This text; may be secret.
    Text(String),
    /// What stands in a ConfigMap, a Secret or a field of the pod.
    From(Reference),
}

/// Whether what is referred to is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// The container does not start without it.
    Required,
    /// Where it is not there, neither is the variable.
    Optional,
}

/// What a container says of a setting of this program.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// These texts; a switch is `true`.
    Texts(Vec<&'a str>),
    /// Nothing.
    Nothing,
    /// It stands where it is not seen: in a file, a ConfigMap or a Secret.
    Elsewhere,
}

/// A container of the pod.
pub struct Container {
    /// Its name; `None` is the one where this process runs.
    pub name: Option<String>,
    /// Its image, as it is written.
    pub image: Option<String>,
    /// What runs instead of what the image says.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables, in order.
    pub env: Vec<(String, Value)>,
    /// Whether it gets more variables that are not seen here.
    pub has_env_from: bool,
    /// The names of the volumes that it mounts.
    pub mounts: Vec<String>,
    /// Whether this program runs in it.
    pub is_ours: bool,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "container {}", plain(name)),
            None => f.write_str("this container"),
        }
    }
}

/// Names of Kubernetes as they are; anything else may come out of a file, and is quoted.
pub(in crate::doctor) fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    match !name.is_empty() && name.len() <= 253 && name.chars().all(is_plain) {
        true => name.to_owned(),
        false => quote(name),
    }
}

/// A name for a command or a YAML text that is to be pasted; `None` for what Kubernetes would allow nobody.
pub(in crate::doctor) fn to_paste(name: &str) -> Option<&str> {
    Some(name).filter(|name| is_dns_subdomain(name))
}

impl Container {
    pub(super) fn of_this_process(environment: &[(OsString, OsString)]) -> Self {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        let env = environment
            .iter()
            .map(|(name, value)| (text(name), Value::Text(text(value))));
        let mut container = Container {
            name: None,
            image: None,
            command: Vec::new(),
            args: Vec::new(),
            env: env.collect(),
            has_env_from: false,
            mounts: Vec::new(),
            is_ours: false,
        };
        container.is_ours = container.runs_this_program();
        container
    }

    /// Where this program runs, as sidecar, to prepare something for it, or to bring it into the pod: by the container's
    /// name, which the component and the injection go by, the image's, the command's, or settings that only `serve` has.
    /// An app's container that calls the program is none of these.
    pub(super) fn runs_this_program(&self) -> bool {
        let image = self.image.as_deref().unwrap_or_default();
        let image = image.rsplit('/').next().unwrap_or_default();
        let command = self.command.first().map(Path::new);
        self.name.as_deref() == Some(PROGRAM)
            || image.split([':', '@']).next() == Some(PROGRAM)
            || command.is_some_and(|path| path.file_name() == Some(PROGRAM.as_ref()))
            || self.env.iter().any(|(name, _)| is_of_serve(name))
    }

    /// Whether `serve` runs here, if this program does: it is what runs without a subcommand too.
    pub fn serves(&self) -> bool {
        let mut words = self.command.iter().skip(1).chain(&self.args);
        let subcommand = words.next().filter(|word| !word.starts_with('-'));
        self.is_ours && subcommand.is_none_or(|word| word == "serve")
    }

    /// What it says of a setting of this program, which is called by its flag. A flag beats a variable.
    pub fn setting(&self, name: &str) -> Said<'_> {
        let flags = self.flags(name);
        if !flags.is_empty() {
            // What the kubelet fills in is not seen.
            return match flags.iter().any(|text| text.contains("$(")) {
                true => Said::Elsewhere,
                false => Said::Texts(flags),
            };
        }
        match self.value(&variable(name)) {
            Some(Value::Text(text)) => Said::Texts(vec![text]),
            Some(Value::From(_)) => Said::Elsewhere,
            None if self.has_env_from || self.reads_file() => Said::Elsewhere,
            None => Said::Nothing,
        }
    }

    /// Whether a file of settings is named in its arguments, which a process beside it does not know.
    pub fn has_file_flag(&self) -> bool {
        !self.flags(CONFIG).is_empty()
    }

    fn reads_file(&self) -> bool {
        self.has_file_flag() || self.value(&variable(CONFIG)).is_some()
    }

    /// `--name=text`, `--name text`, and `true` for `--name`, as often as it stands there.
    fn flags(&self, name: &str) -> Vec<&str> {
        let words = self.command.iter().chain(&self.args).map(String::as_str);
        let words: Vec<&str> = words.collect();
        let text = |at: usize, word: &'_ str| {
            let rest = word.strip_prefix("--")?.strip_prefix(name)?.len();
            let rest = &words[at][word.len() - rest..];
            let next = words.get(at + 1).filter(|next| !next.starts_with('-'));
            match rest.strip_prefix('=') {
                None if rest.is_empty() => Some(next.copied().unwrap_or("true")),
                text => text,
            }
        };
        let all = words.iter().enumerate();
        all.filter_map(|(at, word)| text(at, word)).collect()
    }

    /// What a variable gets; of several by one name the last counts. An empty one is as if it were not there.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let (_, value) = self.env.iter().rfind(|(found, _)| found == name)?;
        Some(value).filter(|value| !matches!(value, Value::Text(text) if text.is_empty()))
    }

    /// The text of a variable, where it stands in the pod.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::From(_) => None,
        }
    }

    /// Whether a variable will be there. One that may be there is not: the component names one so that the EKS webhook
    /// leaves it alone.
    pub fn has(&self, name: &str) -> bool {
        !matches!(
            self.value(name),
            None | Some(Value::From(Reference::Optional))
        )
    }

    /// The first of these that will be there.
    pub fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.has(name))
    }
}

/// The setting by which a file of them is named.
const CONFIG: &str = "config";

/// `IRSA_SIDECAR_EKS_CLUSTER` for `eks-cluster`.
fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.to_ascii_uppercase().replace('-', "_"))
}

fn is_of_serve(name: &str) -> bool {
    OF_SERVE.iter().any(|setting| variable(setting) == name)
}
