//! `emulator demo`: the main job of the sidecar before one's eyes, on loopback.
//!
//! Six steps, then one line per event. What is shown is what happened: the token as the kubelet would have written it,
//! the call as STS took it, the answer as a client gets it, the events as the sidecar logs them, the words of `kubectl`
//! as it prints them. Secrets are shown by their lengths.

mod client;
mod events;
mod kubectl;
mod page;
mod show;
mod sidecar;

use std::io;
use std::time::Duration;

use emulator::{Emulator, TokenRequest, Volume};

use self::events::Events;
use self::page::Page;
use self::show::Show;
use self::sidecar::Sidecar;
use crate::cli::Demo;

/// Short, so that things happen while one watches. An EKS token ends a minute before its credentials, and a new one is
/// due when it is half over: in this short life that is when the sidecar refreshes, every quarter of a minute.
const SESSION_LIFETIME: Duration = Duration::from_secs(90);
const FIRST_ROTATION: Duration = Duration::from_secs(5);
const ROTATE_EVERY: Duration = Duration::from_secs(20);
/// What an API server of EKS takes for good without asking again, it takes for so long.
const TOKEN_CACHE_TTL: Duration = Duration::from_secs(120);
/// How long anything may take before the demo says that it did not happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the demo ended.
pub(crate) enum End {
    /// Gone through, or stopped by Ctrl-C.
    Done,
    /// This went wrong, and this is what the sidecar had logged.
    Failed { reason: String, log: String },
}

/// Runs the demo. All that it started and wrote is gone when it returns.
pub(crate) fn run(options: &Demo) -> io::Result<End> {
    let dir = tempfile::Builder::new().prefix("irsa-demo-").tempdir()?;
    let emulator = Emulator::start();
    emulator.sts().set_session_lifetime(Some(SESSION_LIFETIME));
    emulator.cluster().set_token_cache_ttl(TOKEN_CACHE_TTL);
    let request = TokenRequest::default();
    let token = emulator.issuer().token(&request);
    let volume = Volume::create(&dir.path().join("token"), &token)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before the sidecar is started: from here on Ctrl-C means to clean up.
        let mut events = Events::new(&emulator, &volume, request)?;
        let (mut sidecar, log) = Sidecar::start(options, &emulator, &volume, dir.path())?;
        events.follow(log);
        let show = Show {
            page: Page::on_stdout(),
            emulator: &emulator,
            volume: &volume,
            dir: dir.path(),
        };
        Ok(
            match show.all(options.once, &mut sidecar, &mut events).await {
                Ok(()) => End::Done,
                Err(Stop::Asked) => {
                    show.page.line("stopped");
                    End::Done
                }
                Err(Stop::Failed(reason)) => End::Failed {
                    reason: sidecar.fate().unwrap_or(reason),
                    log: events.log(),
                },
            },
        )
    })
}

/// Why the demo did not go on.
enum Stop {
    /// Ctrl-C.
    Asked,
    Failed(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Failed(error.to_string())
    }
}
