//! The pod as `kubectl get pod NAME -o json` prints it, or as much of it as a process sees of itself.
//!
//! What stands in a container's environment may be secret: no error repeats any of it, and nothing here has a `Debug`.

mod container;
mod document;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

pub use self::container::{Container, OF_SERVE, Reference, Said, Value};
pub(in crate::doctor) use self::container::{plain, to_paste};

/// A pod with its status and all that controllers note down in it takes less than a twentieth.
const LARGEST: u64 = 4 * 1024 * 1024;
/// What stands for stdin.
const STDIN: &str = "-";
/// Where the image has this program.
const IN_THE_IMAGE: &str = "/irsa-sidecar";

/// A pod, as far as it can be seen.
#[derive(Default)]
pub struct Pod {
    /// Whether it was given, with all of its containers; otherwise there is one, and that is where this process runs.
    pub given: bool,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The service account's name.
    pub service_account: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Init containers first. No ephemeral ones, which nobody changes.
    pub containers: Vec<Container>,
}

impl Pod {
    /// Of the environment of this process. `program` is the path by which it runs.
    pub fn of_this_process(environment: &[(OsString, OsString)], program: Option<&Path>) -> Pod {
        let mut container = Container::of_this_process(environment);
        container.is_ours |= program == Some(Path::new(IN_THE_IMAGE));
        Pod {
            containers: vec![container],
            ..Pod::default()
        }
    }

    /// The containers that run this program.
    pub fn ours(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|one| one.is_ours)
    }

    /// The containers that do not.
    pub fn apps(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|one| !one.is_ours)
    }
}

/// Reads the pod that is in this file; `-` is stdin. Waits until whoever writes there is done.
pub fn read(path: &Path) -> Result<Pod, NotAPod> {
    let fail = |kind| NotAPod {
        path: path.to_owned(),
        kind,
    };
    let read = |from: &mut dyn Read| {
        let mut text = Vec::new();
        from.take(LARGEST + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text: io::Result<Vec<u8>> = match path == Path::new(STDIN) {
        true => read(&mut io::stdin()),
        false => File::open(path).and_then(|mut file| read(&mut file)),
    };
    let text = text.map_err(|error| fail(NotAPodKind::Unreadable(error)))?;
    if text.len() as u64 > LARGEST {
        return Err(fail(NotAPodKind::TooLarge));
    }
    document::pod(&text).map_err(fail)
}

/// What was given is no pod.
#[derive(Debug)]
pub struct NotAPod {
    path: PathBuf,
    kind: NotAPodKind,
}

/// The ways in which it is none. Without any text of it.
#[derive(Debug)]
pub(crate) enum NotAPodKind {
    Unreadable(io::Error),
    Unending,
    TooLarge,
    Empty,
    NotJson { line: usize, column: usize },
    NotAnObject,
    Kind(String),
    Items(usize),
    Fields,
}

impl NotAPod {
    /// It did not come to an end in time.
    pub fn unending(path: &Path) -> Self {
        NotAPod {
            path: path.to_owned(),
            kind: NotAPodKind::Unending,
        }
    }
}

impl fmt::Display for NotAPod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.path == Path::new(STDIN) {
            true => "stdin".to_owned(),
            false => self.path.display().to_string(),
        };
        write!(f, "--pod: {place} ")?;
        match &self.kind {
            NotAPodKind::Unreadable(error) => write!(f, "cannot be read: {error}"),
            NotAPodKind::Unending => f.write_str("did not come to an end in time"),
            NotAPodKind::TooLarge => {
                write!(f, "has more than {} MiB", LARGEST / (1024 * 1024))
            }
            NotAPodKind::Empty => {
                f.write_str("is empty (kubectl exec gives it to the program only with -i)")
            }
            NotAPodKind::NotJson { line, column } => {
                write!(f, "is not JSON (line {line}, column {column})")
            }
            NotAPodKind::NotAnObject => f.write_str("is JSON, but no object of Kubernetes"),
            NotAPodKind::Kind(kind) => write!(f, "is a {kind}"),
            NotAPodKind::Items(0) => f.write_str("is a list without a pod"),
            NotAPodKind::Items(items) => write!(f, "is a list of {items} objects"),
            NotAPodKind::Fields => {
                f.write_str("is a Pod whose fields are not of the types that Kubernetes gives them")
            }
        }?;
        f.write_str("; expected one pod as JSON; give what `kubectl get pod NAME -o json` prints, with the name of the pod")
    }
}

impl std::error::Error for NotAPod {}

#[cfg(test)]
pub(in crate::doctor) fn of_json(text: &str) -> Pod {
    document::pod(text.as_bytes()).unwrap_or_else(|kind| panic!("{kind:?} in {text}"))
}

#[cfg(test)]
mod tests;
