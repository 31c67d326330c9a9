//! Configuration: from text in three spellings to every component's own `Config`, all errors at once.
//!
//! The only reader of flags, environment and settings file. What cannot be wrong later is proved here: the components
//! get types, not text.

mod cli;
mod running;
mod settings;
mod sources;
mod values;

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

pub use self::cli::{Command, GetToken, InspectToken, Kubeconfig, Server, Usage, parse};
pub use self::running::{Running, Shown, running};
pub use self::settings::{SETTINGS, Setting};
pub use self::sources::{Flags, Origin};
use self::sources::{Gathered, NO_PROXY_VARIABLES, PROXY_VARIABLES, Sources, gather};
use self::values::{
    absolute_path, boolean, duration_text, eks_clusters, endpoint_url, file_mode, loopback_address,
    ops_address, path, region_name, session_duration, text,
};
use crate::diagnosis::quote;
use crate::outputs::authorization::Methods;
use crate::outputs::files::FilesConfig;
use crate::outputs::kubeconfig_file::EksConfig;
use crate::refresh::web_identity::WebIdentityConfig;
use crate::secret::{Secret, without_password};
use crate::sts::StsConfig;
use crate::telemetry::{LogConfig, LogFormat};
use crate::transport::{EndpointUrl, Network, Proxy, Trust};
use crate::{claims, token};

/// Under this, most SDKs ask before every call; see `docs/configuration.md`.
const SHORT_DURATION: Duration = Duration::from_secs(3600);

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
    pub warnings: Vec<String>,
}

/// From token to credentials, and to what they are good for.
#[derive(Debug)]
pub struct Walk {
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
    /// The ops door.
    pub ops_listen: OpsListen,
    /// What clients may show.
    pub authorization: Methods,
    /// Where the authorization token is.
    pub authorization_token_file: PathBuf,
    /// Its mode when it is made.
    pub authorization_token_mode: u32,
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

/// Resolves everything that `serve` needs. Reads the token file only where the region has to come from it.
pub fn load(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    resolver.asks_eks = resolver.sources.is_set("kubeconfig");
    let config = resolver.config();
    match config {
        Some(config) if resolver.errors.is_empty() => Ok(Config {
            report: resolver.report,
            warnings: resolver.warnings,
            ..config
        }),
        _ => Err(ConfigErrors(resolver.errors)),
    }
}

/// Resolves what a subcommand needs that does by itself what the sidecar does.
pub fn walk(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Walk, LogConfig), ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
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

/// Resolves where STS and EKS are.
pub fn endpoints(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Endpoints, ConfigErrors> {
    let mut resolver = Resolver::new(flags, environment);
    resolver.asks_eks = true;
    let endpoints = resolver.endpoints();
    resolver.finish(endpoints)
}

/// Where STS and EKS are, and how to get there.
pub struct Endpoints {
    /// Another address of STS.
    pub sts: Option<EndpointUrl>,
    /// EKS; the network is that of both.
    pub eks: EksConfig,
}

struct Resolver {
    sources: Sources,
    /// Whether the EKS API will be asked; STS always is.
    asks_eks: bool,
    errors: Vec<String>,
    warnings: Vec<String>,
    report: Vec<Reported>,
}

impl Resolver {
    fn new(flags: Flags, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let Gathered {
            sources,
            errors,
            warnings,
        } = gather(flags, environment);
        Resolver {
            sources,
            asks_eks: false,
            errors,
            warnings,
            report: Vec::new(),
        }
    }

    /// Every setting is looked at before the first `?`, so that all errors show.
    fn config(&mut self) -> Option<Config> {
        let walk = self.walk();
        let region = walk.as_ref().map(|walk| walk.sts.region.clone());
        let doors = self.doors();
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

    fn finish<T>(self, resolved: Option<T>) -> Result<T, ConfigErrors> {
        resolved
            .filter(|_| self.errors.is_empty())
            .ok_or(ConfigErrors(self.errors))
    }

    fn walk(&mut self) -> Option<Walk> {
        self.get("config", text);
        let role = self.required("role-arn", |value| {
            value
                .parse()
                .map_err(|error| format!("{error}; expected arn:aws:iam::ACCOUNT:role/NAME"))
        });
        let token_file: Option<PathBuf> = self.get("token-file", path);
        let audience = self.get("audience", text);
        let session_name = self.get("role-session-name", |value| {
            value
                .parse()
                .map_err(|()| "expected 2 to 64 of letters, digits and _+=,.@-".to_owned())
        });
        let duration = self.get("duration", session_duration);
        let region = self.region(token_file.as_ref());
        let endpoints = self.endpoints();
        if duration.is_some_and(|duration| duration < SHORT_DURATION) {
            self.warnings.push(
                "duration is under 1h: many SDKs then ask for credentials before every call".into(),
            );
        }
        let endpoints = endpoints?;
        Some(Walk {
            web_identity: WebIdentityConfig {
                token_file: token_file?,
                audience: audience?,
                role: role?,
                session_name,
                duration: duration?,
            },
            sts: StsConfig {
                region: region?,
                endpoint_url: endpoints.sts,
                use_fips: endpoints.eks.use_fips,
                use_dualstack: endpoints.eks.use_dualstack,
                network: endpoints.eks.network.clone(),
            },
            eks: endpoints.eks,
        })
    }

    fn endpoints(&mut self) -> Option<Endpoints> {
        let sts = self.get("sts-endpoint-url", endpoint_url);
        let eks = self.get("eks-endpoint-url", endpoint_url);
        let use_fips = self.get("use-fips-endpoint", boolean);
        let use_dualstack = self.get("use-dualstack-endpoint", boolean);
        let plain = |url: &Option<EndpointUrl>| url.as_ref().is_some_and(|url| !url.is_tls());
        let all_plain = plain(&sts) && (plain(&eks) || !self.asks_eks);
        let trust = self.trust(all_plain);
        let proxy = self.proxy();
        let (use_fips, use_dualstack) = (use_fips?, use_dualstack?);
        if sts.is_some() && (use_fips || use_dualstack) {
            self.errors.push(
                "sts-endpoint-url names one endpoint, and use-fips-endpoint or use-dualstack-endpoint asks for another; unset one"
                    .into(),
            );
        }
        Some(Endpoints {
            sts,
            eks: EksConfig {
                endpoint_url: eks,
                use_fips,
                use_dualstack,
                network: Network { trust, proxy },
            },
        })
    }

    /// `region` is the sidecar's.
    fn files(&mut self, region: Option<&str>) -> Option<FilesConfig> {
        let clusters = self.get("eks-cluster", eks_clusters);
        let directory = self.get("output-dir", absolute_path);
        let mode = self.get("output-mode", file_mode);
        let kubeconfig = self.get("kubeconfig", boolean);
        if clusters.is_some() && directory.is_none() {
            self.missing(
                "output-dir",
                "eks-cluster asks for token files, and not where",
            );
        }
        if kubeconfig == Some(true) && clusters.is_none() {
            self.missing(
                "eks-cluster",
                "kubeconfig asks for a file, and not for which clusters",
            );
        }
        let mut subjects = Vec::new();
        for (name, named) in clusters? {
            let region = match named {
                Some(region) => region,
                None => match region?.parse() {
                    Ok(region) => region,
                    Err(error) => {
                        self.errors.push(format!(
                            "eks-cluster {name}: it is taken to be in the sidecar's region, and {error}; write {name}=REGION"
                        ));
                        continue;
                    }
                },
            };
            subjects.push((name, region));
        }
        Some(FilesConfig {
            clusters: subjects,
            directory: directory?,
            mode: mode?,
            kubeconfig: kubeconfig?,
        })
    }

    fn doors(&mut self) -> Option<DoorsConfig> {
        let listen = self.get("listen", loopback_address);
        let ops_listen = self.get("ops-listen", ops_address);
        let authorization = self.get("authorization", |value| {
            value
                .parse()
                .map_err(|()| "expected token, pod-uid, token,pod-uid or none".to_owned())
        });
        let authorization_token_file = self.get("authorization-token-file", path);
        let authorization_token_mode = self.get("authorization-token-mode", file_mode);
        Some(DoorsConfig {
            listen: listen?,
            ops_listen: ops_listen?,
            authorization: authorization?,
            authorization_token_file: authorization_token_file?,
            authorization_token_mode: authorization_token_mode?,
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

    /// From configuration, then from the issuer of an EKS token; never a guess, and never the global endpoint.
    fn region(&mut self, token_file: Option<&PathBuf>) -> Option<String> {
        let setting = settings::find("region")?;
        if self.sources.find(setting).is_some() {
            return self.get("region", region_name);
        }
        let claims = token_file.map(|path| {
            let token = token::read_once(path).map_err(|error| error.diagnosis().found)?;
            claims::decode(&token).map_err(|error| error.diagnosis().found)
        });
        let reason = match claims {
            Some(Ok(claims)) => match claims.eks_region().map(region_name) {
                Some(Ok(region)) => {
                    self.report("region", region.clone(), Origin::Issuer);
                    return Some(region);
                }
                _ => "the token's issuer is not an EKS cluster's".to_owned(),
            },
            Some(Err(found)) => found,
            None => "there is no token to take it from".to_owned(),
        };
        self.missing("region", &reason);
        None
    }

    /// Only what connections over TLS will need, and whatever was named explicitly.
    fn trust(&mut self, all_plain: bool) -> Option<Trust> {
        let before = self.errors.len();
        let bundle = self.get("ca-bundle", |value| {
            Trust::bundle(value.as_ref()).map_err(|error| error.to_string())
        });
        if bundle.is_some() || self.errors.len() > before || all_plain {
            return bundle;
        }
        match Trust::system() {
            Ok(trust) => Some(trust),
            Err(error) => {
                self.missing("ca-bundle", &error.to_string());
                None
            }
        }
    }

    fn proxy(&mut self) -> Option<Proxy> {
        let find = |names: [&str; 2]| names.iter().find_map(|name| self.sources.variable(name));
        let (url, origin) = find(PROXY_VARIABLES)?;
        let no_proxy = find(NO_PROXY_VARIABLES);
        if let Some((value, origin)) = no_proxy.clone() {
            self.report("no-proxy", value, origin);
        }
        let no_proxy = no_proxy.map_or(String::new(), |(value, _)| value);
        match Proxy::new(Secret::new(url), no_proxy) {
            Some(proxy) => {
                self.report("proxy", proxy.shown(), origin);
                Some(proxy)
            }
            None => {
                self.errors.push(format!(
                    "proxy ({origin}): not a proxy's address; expected http://HOST:PORT"
                ));
                None
            }
        }
    }

    fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let before = self.errors.len();
        let value = self.get(name, parse);
        if value.is_none() && self.errors.len() == before {
            self.missing(name, "not set");
        }
        value
    }

    fn missing(&mut self, name: &'static str, reason: &str) {
        if let Some(setting) = settings::find(name) {
            self.errors
                .push(format!("{name}: {reason}; set {}", setting.places()));
        }
    }

    fn report(&mut self, name: &str, value: String, origin: Origin) {
        self.report.push(Reported {
            name: name.to_owned(),
            value,
            origin,
        });
    }

    /// The value of a setting, or its default; an error is noted and named after its origin.
    fn get<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let setting = settings::find(name)?;
        let (value, origin) = match self.sources.find(setting) {
            Some(found) => found,
            None => match setting.default {
                Some(default) => (default.to_owned(), Origin::Default),
                None => {
                    self.report(name, setting.otherwise.to_owned(), Origin::Default);
                    return None;
                }
            },
        };
        match parse(&value) {
            Ok(parsed) => {
                self.report(name, value, origin);
                Some(parsed)
            }
            Err(error) => {
                let value = quote(&without_password(&value));
                let places = setting.places();
                self.errors.push(format!(
                    "{name} is {value} ({origin}): {error}; set {places}"
                ));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
