//! Wires the parts together, and takes them down in order: on SIGTERM or SIGINT, on a client's request to stop, or when
//! a task dies that must not die.

mod doors;
mod listeners;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::doors::{ClientDoors, open};
use self::listeners::{BindError, Listeners};
use crate::assumed_roles::AssumedRoles;
use crate::clock::Clock;
use crate::config::{Config, DoorsConfig};
use crate::http::Registry;
use crate::link_local::CONTAINER_CREDENTIALS;
use crate::metrics::{Door, Metrics};
use crate::ops::Ops;
use crate::outputs::authorization::Methods;
use crate::outputs::authorization_token::{AuthorizationToken, AuthorizationTokenError};
use crate::outputs::eks_tokens::EksTokens;
use crate::outputs::files::{Files, FilesConfig, FilesReader};
use crate::outputs::kubeconfig_file::{EksConfig, KubeconfigFile};
use crate::refresh::Refresh;
use crate::refresh::web_identity::WebIdentity;
use crate::store::{Reader, store};
use crate::sts::Sts;

/// The most connections at the doors of the pod's clients together,
const MOST_CLIENTS: usize = 512;
/// … and at the ops door; all together stay under the usual limit of 1024 file descriptors.
const MOST_PROBES: usize = 128;
/// The most that a client which reads its answer slowly can delay the end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Why `serve` ended otherwise than by being asked to.
#[derive(Debug)]
pub enum AppError {
    /// Signals cannot be received.
    Signals(io::Error),
    /// No authorization token.
    AuthorizationToken(AuthorizationTokenError),
    /// A door cannot be opened.
    Bind(BindError),
    /// There is nothing to make the key of session tokens from.
    ImdsKey(getrandom::Error),
    /// A task that runs for ever has ended.
    TaskDied(String),
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppError::Signals(error) => write!(f, "signals cannot be received: {error}"),
            AppError::AuthorizationToken(error) => error.fmt(f),
            AppError::Bind(error) => error.fmt(f),
            AppError::ImdsKey(error) => write!(f, "the system has no random numbers: {error}"),
            AppError::TaskDied(task) => write!(
                f,
                "the {task} task ended, which must never happen; the process ends so that it is started anew"
            ),
        }
    }
}

impl std::error::Error for AppError {}

impl From<BindError> for AppError {
    fn from(error: BindError) -> Self {
        AppError::Bind(error)
    }
}

/// Runs the sidecar until it is asked to stop.
pub async fn serve(config: Config) -> Result<(), AppError> {
    // First of all: as PID 1 a signal without a handler is no signal.
    let mut signals = Signals::new().map_err(AppError::Signals)?;
    let clock = Clock::system();
    report(&config);
    let token = authorization_token(&config.doors)?;
    let listeners = Listeners::bind(&config.doors).await?;

    let metrics = Arc::new(Metrics::new());
    let (writer, reader) = store(clock.clone());
    let clients = Registry::new(MOST_CLIENTS);
    let probes = Registry::new(MOST_PROBES);
    let shutdown = Arc::new(Notify::new());
    let draining = Arc::new(OnceLock::new());

    let sts = Sts::new(&config.walk.sts, clock.clone());
    let eks_tokens = Arc::new(EksTokens::new(
        reader.clone(),
        AssumedRoles::new(reader.clone(), sts.clone(), clock.clone()),
        config.walk.sts.use_fips,
        clock.clone(),
        Arc::clone(&metrics),
    ));

    let mut doors = JoinSet::new();
    let of_clients = ClientDoors {
        reader: reader.clone(),
        token: token.clone(),
        eks_tokens: Arc::clone(&eks_tokens),
        region: config.walk.sts.region.clone(),
        metrics: Arc::clone(&metrics),
        registry: Arc::clone(&clients),
    };
    of_clients
        .open(listeners.of_clients, &config.doors, &shutdown, &mut doors)
        .map_err(AppError::ImdsKey)?;
    let files = config
        .files
        .as_ref()
        .map(|wanted| files(wanted, &config.walk.eks, eks_tokens, &reader, &clock));
    let (files, files_reader) = files.unzip();
    let ops = Arc::new(Ops::new(
        reader,
        files_reader,
        Arc::clone(&metrics),
        metrics.requests(Door::Ops),
        Arc::clone(&draining),
    ));
    open("ops", vec![listeners.ops], ops, &probes, &mut doors);

    let mut tasks = JoinSet::new();
    let writer = Arc::new(writer);
    let source = WebIdentity::new(
        config.walk.web_identity,
        config.walk.api,
        sts,
        clock.clone(),
        Arc::clone(&writer),
        Arc::clone(&metrics),
    );
    let refresh = Refresh::new(
        source,
        clock.clone(),
        writer,
        Some(metrics),
        fastrand::Rng::new(),
    );
    tasks.spawn(async move {
        refresh.run().await;
        "refresh"
    });
    if let Some(files) = files {
        tasks.spawn(async move {
            files.run().await;
            "files"
        });
    }
    if let Some(token) = token {
        tasks.spawn(async move {
            token.follow().await;
            "authorization token"
        });
    }

    tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, drain_delay = %humantime::format_duration(config.drain_delay), "asked to stop");
            draining.get_or_init(|| clock.local());
            tokio::select! {
                () = sleep(config.drain_delay) => {}
                _ = signals.next() => tracing::info!("asked again; not waiting any longer"),
                () = shutdown.notified() => {}
                died = first_end(&mut tasks) => return Err(died),
            }
        }
        () = shutdown.notified() => tracing::info!("asked to stop by a client"),
        died = first_end(&mut tasks) => return Err(died),
        died = first_end(&mut doors) => return Err(died),
    }
    draining.get_or_init(|| clock.local());
    clients.stop();
    probes.stop();
    let answered = timeout(LAST_ANSWERS, async {
        while doors.join_next().await.is_some() {}
    });
    if answered.await.is_err() {
        tracing::warn!("some clients did not read their answers in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// The task that writes files, and who can tell whether they are there.
fn files(
    wanted: &FilesConfig,
    eks: &EksConfig,
    tokens: Arc<EksTokens>,
    reader: &Reader,
    clock: &Clock,
) -> (Files, FilesReader) {
    let kubeconfig = wanted
        .kubeconfig
        .then(|| KubeconfigFile::new(wanted, eks.clone(), clock.clone()));
    Files::new(wanted, tokens, reader.clone(), clock.clone(), kubeconfig)
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// None of these tasks ever ends by itself: whichever does takes the process with it.
async fn first_end(tasks: &mut JoinSet<&'static str>) -> AppError {
    match tasks.join_next().await {
        Some(Ok(task)) => AppError::TaskDied(task.to_owned()),
        Some(Err(error)) => AppError::TaskDied(format!("panicked or cancelled ({error})")),
        None => std::future::pending().await,
    }
}

/// Every setting and its origin, once; then what deserves a warning.
fn report(config: &Config) {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "irsa-sidecar starts");
    for setting in &config.report {
        tracing::info!(setting = %setting.name, value = %setting.value, origin = %setting.origin, "configuration");
    }
    for warning in &config.warnings {
        tracing::warn!(finding = warning.finding.id, "{warning}");
    }
    let doors = &config.doors;
    if doors.authorization.is_none() {
        tracing::warn!(
            "authorization is none: whatever can connect to loopback in this pod gets the credentials"
        );
    }
    let is_open = |address: &&SocketAddr| address.ip() == CONTAINER_CREDENTIALS;
    for address in doors.link_local_listen.iter().filter(is_open) {
        tracing::warn!(%address, "nobody has to show an authorization there, as SDKs have none for it: whatever runs in this pod gets the credentials");
    }
    if let Some(imds) = doors.imds {
        tracing::warn!(address = %imds.address, v1 = imds.v1, "nobody has to show an authorization there, as on EC2: whatever runs in this pod gets the credentials");
    }
}

/// Not made where nothing could be done with it.
fn authorization_token(doors: &DoorsConfig) -> Result<Option<Arc<AuthorizationToken>>, AppError> {
    if doors.authorization == Methods::POD_UID {
        return Ok(None);
    }
    let (file, mode) = (
        &doors.authorization_token_file,
        doors.authorization_token_mode,
    );
    match AuthorizationToken::open(file, mode) {
        Ok(token) => Ok(Some(Arc::new(token))),
        Err(error) if doors.authorization.is_none() => {
            tracing::warn!(%error, "nobody can use POST /v1/shutdown");
            Ok(None)
        }
        Err(error) => Err(AppError::AuthorizationToken(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_takes_the_process_with_it() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { "refresh" });
        assert!(
            first_end(&mut tasks)
                .await
                .to_string()
                .contains("the refresh task ended")
        );
        tasks.spawn(async { panic!("on purpose") });
        assert!(first_end(&mut tasks).await.to_string().contains("panicked"));
    }
}
