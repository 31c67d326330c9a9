//! The subcommands that end by themselves. stdout is for the product, stderr for words.
//!
//! Those that need credentials ask the running sidecar first. Only a refused connection means that none runs: then they do
//! by themselves what the sidecar does. Whatever else it answers is its answer.

mod alone;
pub mod credential_process;
pub mod doctor;
mod exec_info;
pub mod get_token;
pub mod inspect_token;
pub mod install;
pub mod kubeconfig;
pub mod link_local;
mod pod_credentials;
mod readiness;
pub mod shutdown;
mod sidecar;
pub mod wait;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::net::SocketAddr;

use zeroize::Zeroizing;

use crate::config::ConfigErrors;
use crate::diagnosis::Diagnosis;

/// The environment, as it is handed to configuration.
pub type Environment = Vec<(OsString, OsString)>;

/// What a subcommand has to say.
pub struct Output {
    /// For stdout; may hold a token.
    pub product: Zeroizing<Vec<u8>>,
    /// For stderr, a line each.
    pub words: Vec<String>,
    /// Whether what was asked for is so; decides between the exit codes 0 and 1.
    pub success: bool,
}

impl Output {
    fn of(product: impl Into<Vec<u8>>) -> Self {
        Output {
            product: Zeroizing::new(product.into()),
            words: Vec::new(),
            success: true,
        }
    }
}

/// Why there is nothing on stdout.
#[derive(Debug)]
pub enum Failure {
    /// The arguments do not go together.
    Usage(String),
    /// The configuration is wrong, for what had to be done.
    Configuration(String),
    /// What was asked for failed.
    Failed(String),
}

impl Failure {
    /// The walk was only needed since nothing listens there: whoever forgot to start the sidecar should know.
    fn where_none_runs(self, address: SocketAddr) -> Self {
        match self {
            Failure::Configuration(words) => Failure::Configuration(format!(
                "no sidecar answers at {address}, and to do without one {words}"
            )),
            Failure::Failed(words) => Failure::Failed(format!(
                "no sidecar answers at {address}, and without one: {words}"
            )),
            Failure::Usage(words) => Failure::Usage(words),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(words) | Failure::Configuration(words) | Failure::Failed(words) => {
                f.write_str(words)
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Failure::Configuration(errors.to_string())
    }
}

impl From<Diagnosis> for Failure {
    fn from(diagnosis: Diagnosis) -> Self {
        Failure::Failed(diagnosis.to_string())
    }
}

/// To stderr, which may be closed.
pub fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsString> {
    let mut variables = environment.iter();
    let (_, value) = variables.find(|(variable, _)| variable == name)?;
    Some(value).filter(|value| !value.is_empty())
}
