//! Why there is no kubeconfig. Names keys, types and lines, never what stands there.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::yaml::Unreadable;
use crate::diagnosis::quote;

/// Why a kubeconfig cannot be read or put together.
#[derive(Debug)]
pub enum KubeconfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A directory, a pipe or a device.
    NotAFile(PathBuf),
    /// Larger than any kubeconfig.
    TooLarge(PathBuf),
    /// The content is no YAML, or YAML that would change on the way.
    Content {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        reason: &'static str,
    },
    /// A value of the wrong type.
    WrongType {
        /// The key.
        what: String,
        /// The type that is there.
        found: &'static str,
        /// The type that belongs there.
        expected: &'static str,
    },
    /// `kind` or `apiVersion` is not a kubeconfig's.
    OfAnotherKind(&'static str),
    /// A path that is relative or no UTF-8.
    Path(PathBuf),
}

impl From<Unreadable> for KubeconfigError {
    fn from(found: Unreadable) -> Self {
        KubeconfigError::Content {
            line: found.line,
            reason: found.reason,
        }
    }
}

impl fmt::Display for KubeconfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAME_ANOTHER: &str = "name another file with --kubeconfig";
        match self {
            KubeconfigError::Unreadable(path, error) => write!(
                f,
                "the kubeconfig {} cannot be read: {error}; make it readable for this user, or {NAME_ANOTHER}",
                path.display()
            ),
            KubeconfigError::NotAFile(path) => write!(
                f,
                "the kubeconfig {} is a directory, a pipe or a device; {NAME_ANOTHER}",
                path.display()
            ),
            KubeconfigError::TooLarge(path) => write!(
                f,
                "the kubeconfig {} is larger than any kubeconfig; {NAME_ANOTHER}",
                path.display()
            ),
            KubeconfigError::Content { line, reason } => write!(
                f,
                "line {line} of the kubeconfig: {reason}; expected one YAML document with plain keys, each once, without tags and aliases; correct it, or {NAME_ANOTHER}"
            ),
            KubeconfigError::WrongType {
                what,
                found,
                expected,
            } => write!(
                f,
                "{what} is wrong type: {found} (should be {expected}) in the kubeconfig; correct it, or {NAME_ANOTHER}"
            ),
            KubeconfigError::OfAnotherKind(key) => write!(
                f,
                "the file's {key} is not a kubeconfig's; expected apiVersion: v1 and kind: Config; {NAME_ANOTHER}"
            ),
            KubeconfigError::Path(path) => write!(
                f,
                "{} cannot stand in a kubeconfig; expected an absolute path in UTF-8",
                quote(&path.to_string_lossy())
            ),
        }
    }
}

impl std::error::Error for KubeconfigError {}
