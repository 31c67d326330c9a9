//! One container, and what its environment will be.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use crate::diagnosis::quote;

/// The name of the program, of its image, and of the container in the manifests.
const PROGRAM: &str = "irsa-sidecar";
/// What its own variables begin with.
const PREFIX: &str = "IRSA_SIDECAR_";
/// Settings of ours that make sense in an app's container: its subcommands read them to find the sidecar.
const OF_CLIENTS: [&str; 4] = [
    "LISTEN",
    "OPS_LISTEN",
    "AUTHORIZATION_TOKEN_FILE",
    "OUTPUT_DIR",
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

/// Whether a variable is a setting that only `serve` reads. Kubernetes makes such names too, for a Service called
/// irsa-sidecar.
fn is_of_serve(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|setting| {
        !OF_CLIENTS.contains(&setting)
            && !setting.ends_with("SERVICE_HOST")
            && !setting.contains("PORT")
    })
}
