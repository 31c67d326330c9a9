//! Configuration: from text in three spellings to every component's own `Config`, all errors at once.
//!
//! The only reader of flags, environment and settings file. What cannot be wrong later is proved here: the components
//! get types, not text.

mod cli;
mod doubts;
mod examined;
mod files;
mod resolver;
mod role;
mod running;
mod settings;
mod sources;
mod values;
mod walk;

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

pub use self::cli::{
    Command, CredentialProcess, Doctor, GetToken, InspectToken, Kubeconfig, Server, Shutdown,
    Usage, Wait, parse,
};
pub use self::examined::{Examined, examine};
use self::resolver::Resolver;
pub use self::running::{Running, Shown, ops, running};
pub use self::settings::{SETTINGS, Setting};
pub use self::sources::{Flags, Origin};
pub(crate) use self::values::cluster_with_file;
use self::values::{
    absolute_path, boolean, duration_text, file_mode, imds_address, link_local_addresses,
    loopback_address, ops_address, path,
};
use self::walk::Parts;
use crate::diagnosis::Diagnosis;
use crate::outputs::authorization::Methods;
use crate::outputs::files::FilesConfig;
use crate::outputs::kubeconfig_file::EksConfig;
use crate::refresh::web_identity::WebIdentityConfig;
use crate::role::{NotARoleArn, RoleArn};
use crate::service_account::KubernetesApi;
use crate::sts::StsConfig;
use crate::telemetry::{LogConfig, LogFormat};
use crate::transport::EndpointUrl;

/// Everything that `serve` needs.
#[derive(Debug)]
pub struct Config {
    /// From token to credentials.
    pub walk: Walk,
    /// Files that were asked for.
    pub files: Option<FilesConfig>,
    /// For the doors.
    pub doors: DoorsConfig,
    /// For the subscriber.
    pub log: LogConfig,
    /// How long to go on answering after SIGTERM.
    pub drain_delay: Duration,
    /// Every setting with its value and origin, for the log. Without secrets.
    pub report: Vec<Reported>,
    /// What deserves a warning.
    pub warnings: Vec<Diagnosis>,
}

/// From token to credentials, and to what they are good for.
#[derive(Debug)]
pub struct Walk {
    /// The Kubernetes API of the pod's own cluster.
    pub api: KubernetesApi,
    /// For the pod's own role.
    pub web_identity: WebIdentityConfig,
    /// For STS.
    pub sts: StsConfig,
    /// For EKS.
    pub eks: EksConfig,
}

/// For the doors.
#[derive(Debug)]
pub struct DoorsConfig {
    /// The credentials door.
    pub listen: SocketAddr,
    /// The same on link-local addresses.
    pub link_local_listen: Vec<SocketAddr>,
    /// Instance metadata.
    pub imds: Option<ImdsListen>,
    /// The ops door.
    pub ops_listen: OpsListen,
    /// What clients may show.
    pub authorization: Methods,
    /// Where the authorization token is.
    pub authorization_token_file: PathBuf,
    /// Its mode when it is made.
    pub authorization_token_mode: u32,
}

/// Where instance metadata is, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImdsListen {
    /// The address.
    pub address: SocketAddr,
    /// Whether clients without a session token are answered.
    pub v1: bool,
}

/// Where the ops door listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpsListen {
    /// All addresses, IPv6 too where it exists.
    All(u16),
    /// This one.
    One(SocketAddr),
}

impl OpsListen {
    /// What to bind, best first.
    pub fn candidates(self) -> Vec<SocketAddr> {
        match self {
            OpsListen::All(port) => vec![
                (Ipv6Addr::UNSPECIFIED, port).into(),
                (Ipv4Addr::UNSPECIFIED, port).into(),
            ],
            OpsListen::One(address) => vec![address],
        }
    }
}

/// One line of the start-up log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The setting.
    pub name: String,
    /// Its value; a proxy without its password.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Everything that is wrong, in one go.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = match self.0.len() {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        };
        write!(f, "the configuration has {count}")?;
        for error in &self.0 {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The shortest sessions whose credentials can be given out over IMDS.
const SHORTEST_OVER_IMDS: Duration = Duration::from_secs(1800);

/// Resolves everything that `serve` needs. Reads the token file only where the region has to come from it.
pub fn load(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    resolver.asks_eks = resolver.sources.is_on("kubeconfig");
    let config = resolver.config();
    match config {
        Some(config) if resolver.errors.is_empty() => {
            resolver.warnings.extend(resolver.conflict());
            Ok(Config {
                report: resolver.report,
                warnings: resolver.warnings,
                ..config
            })
        }
        _ => Err(ConfigErrors(resolver.errors)),
    }
}

/// Settings of the pod whose flags are a cluster's where a subcommand is about one.
const OF_THE_POD: &[&str] = &["role-arn", "region"];

/// Whose those flags of a subcommand are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagsOf {
    /// The pod's, as in `serve`.
    Pod,
    /// A cluster's: the pod's own come from variables or the file.
    Cluster,
}

/// Resolves what a subcommand needs that does by itself what the sidecar does.
pub fn walk(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    flags_of: FlagsOf,
) -> Result<(Walk, LogConfig), ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    if flags_of == FlagsOf::Cluster {
        resolver.not_flags = OF_THE_POD;
    }
    let (walk, log) = (resolver.walk(), resolver.log());
    // Whoever runs a plugin shows its stderr to people.
    let quiet = |log: LogConfig| LogConfig {
        format: log.format.or(Some(LogFormat::Text)),
        level: match resolver.sources.is_set("log-level") {
            true => log.level,
            false => Level::WARN,
        },
    };
    let log = log.map(quiet);
    resolver.finish(walk.zip(log))
}

/// Resolves where the sidecar keeps its files; `None` where it keeps none.
pub fn output_directory(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Option<PathBuf>, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    let directory = resolver.get("output-dir", absolute_path);
    resolver.finish(Some(directory))
}

/// Resolves where STS and, where it will be asked, EKS are.
pub fn endpoints(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    asks_eks: bool,
) -> Result<Endpoints, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    resolver.asks_eks = asks_eks;
    let endpoints = resolver.endpoints();
    resolver.finish(endpoints)
}

/// Resolves the pod's own role, where one that could be is named: it may add to an answer, and not spoil it.
pub fn role(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<RoleArn> {
    let mut resolver = Resolver::new(flags, environment);
    let parse = |value: &str| {
        value
            .parse()
            .map_err(|error: NotARoleArn| error.to_string())
    };
    resolver.get("role-arn", parse)
}

/// Where STS and EKS are, and how to get there.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// Another address of STS.
    pub sts: Option<EndpointUrl>,
    /// EKS; the network is that of both.
    pub eks: EksConfig,
}

impl Resolver {
    /// Every setting is looked at before the first `?`, so that all errors show.
    fn config(&mut self) -> Option<Config> {
        let parts = self.parts();
        self.config_with(parts)
    }

    fn config_with(&mut self, parts: Parts) -> Option<Config> {
        let walk = self.whole(parts);
        let region = walk.as_ref().map(|walk| walk.sts.region.clone());
        let duration = walk.as_ref().map(|walk| walk.web_identity.duration);
        let doors = self.doors(duration);
        let files = self.files(region.as_deref());
        let log = self.log();
        let drain_delay = self.get("drain-delay", duration_text);
        Some(Config {
            walk: walk?,
            files,
            doors: doors?,
            log: log?,
            drain_delay: drain_delay?,
            report: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// `duration` is that of the session.
    fn doors(&mut self, duration: Option<Duration>) -> Option<DoorsConfig> {
        let listen = self.get("listen", loopback_address);
        let link_local_listen = self.get("link-local-listen", link_local_addresses);
        let imds = self.imds(duration);
        let ops_listen = self.get("ops-listen", ops_address);
        let link_local = link_local_listen.iter().flatten();
        let addresses = listen.map(|address| ("listen", address)).into_iter();
        let addresses = addresses.chain(link_local.map(|address| ("link-local-listen", *address)));
        let addresses = addresses.chain(imds.map(|imds| ("imds-listen", imds.address)));
        self.apart(addresses.collect());
        let authorization = self.get("authorization", |value| {
            value
                .parse()
                .map_err(|()| "expected token, pod-uid, token,pod-uid or none".to_owned())
        });
        let authorization_token_file = self.get("authorization-token-file", path);
        let authorization_token_mode = self.get("authorization-token-mode", file_mode);
        Some(DoorsConfig {
            listen: listen?,
            link_local_listen: link_local_listen.unwrap_or_default(),
            imds,
            ops_listen: ops_listen?,
            authorization: authorization?,
            authorization_token_file: authorization_token_file?,
            authorization_token_mode: authorization_token_mode?,
        })
    }

    /// Of two doors at one address the second could not be opened; port 0 is whichever is free.
    fn apart(&mut self, mut doors: Vec<(&str, SocketAddr)>) {
        while let Some((setting, address)) = doors.pop() {
            let same = doors.iter().find(|(_, other)| *other == address);
            if let Some((other, _)) = same.filter(|_| address.port() != 0) {
                self.errors.push(format!(
                    "{setting} is {address}, and so is {other}; give each door an address or a port of its own"
                ));
            }
        }
    }

    fn imds(&mut self, duration: Option<Duration>) -> Option<ImdsListen> {
        let address = self.get("imds-listen", imds_address);
        let v1 = self.get("imds-v1", boolean);
        if v1 == Some(true) && !self.sources.is_set("imds-listen") {
            self.missing("imds-listen", "imds-v1 is on, and not where");
        }
        if address.is_some() && duration.is_some_and(|duration| duration < SHORTEST_OVER_IMDS) {
            self.errors.push(format!(
                "imds-listen needs a duration of {} or more: over IMDS no credentials are given out in the last ten minutes of their life, and some SDKs extend it by themselves before that; set --duration 1h, or use listen instead",
                humantime::format_duration(SHORTEST_OVER_IMDS)
            ));
        }
        Some(ImdsListen {
            address: address?,
            v1: v1?,
        })
    }

    fn log(&mut self) -> Option<LogConfig> {
        let format = self.get("log-format", |value| match value {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err("expected json or text".to_owned()),
        });
        let level = self.get("log-level", |value| {
            // The parser takes numbers too, which nobody could read in a manifest.
            let named = value.chars().all(char::is_alphabetic);
            let level = named.then(|| value.parse().ok()).flatten();
            level.ok_or_else(|| "expected error, warn, info, debug or trace".to_owned())
        });
        Some(LogConfig {
            format,
            level: level?,
        })
    }
}

#[cfg(test)]
mod tests;
