//! What happens while the demo runs: rotations that it makes, calls that STS takes, lines that the sidecar logs.

use std::io;
use std::time::Duration;

use emulator::{Call, Emulator, TokenRequest, Volume};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Interval, interval_at};

use super::{FIRST_ROTATION, ROTATE_EVERY, Stop};

/// Something worth a line.
pub(super) enum Event {
    /// The token was rotated, as by the kubelet.
    Rotated,
    /// STS took a call.
    Called(Call),
    /// The sidecar saw the rotation.
    Noticed { expires: String },
    /// The sidecar has new credentials.
    Refreshed,
    /// The sidecar wrote all files for kubectl, for the first time.
    Wrote,
    /// The sidecar opened a door.
    Listening { door: String, address: String },
    /// The sidecar warned or failed.
    Other { level: String, message: String },
}

/// All sources of events, and Ctrl-C.
pub(super) struct Events {
    started: Instant,
    volume: Volume,
    emulator_token: Box<dyn Fn() -> String>,
    rotation: Interval,
    calls: UnboundedReceiver<Call>,
    lines: Option<UnboundedReceiver<String>>,
    log: Vec<String>,
    stops: [Signal; 3],
}

impl Events {
    pub(super) fn new(
        emulator: &Emulator,
        volume: &Volume,
        request: TokenRequest,
    ) -> io::Result<Self> {
        let issuer = emulator.issuer().clone();
        let started = Instant::now();
        Ok(Self {
            started,
            volume: volume.clone(),
            emulator_token: Box::new(move || issuer.token(&request)),
            rotation: interval_at(started + FIRST_ROTATION, ROTATE_EVERY),
            calls: emulator.sts().subscribe(),
            lines: None,
            log: Vec::new(),
            stops: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    /// From now on also what the sidecar logs.
    pub(super) fn follow(&mut self, lines: UnboundedReceiver<String>) {
        self.lines = Some(lines);
    }

    /// Since the demo began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// All that the sidecar has logged.
    pub(super) fn log(&mut self) -> String {
        let rest = self
            .lines
            .iter_mut()
            .flat_map(|lines| std::iter::from_fn(|| lines.try_recv().ok()));
        self.log.extend(rest);
        self.log.join("\n")
    }

    /// The next event; an error when the demo is over.
    pub(super) async fn next(&mut self) -> Result<Event, Stop> {
        let [interrupt, terminate, hangup] = &mut self.stops;
        loop {
            tokio::select! {
                // STS is asked before the sidecar can say that it has an answer: in this order the lines tell a story.
                biased;
                _ = interrupt.recv() => return Err(Stop::Asked),
                _ = terminate.recv() => return Err(Stop::Asked),
                _ = hangup.recv() => return Err(Stop::Asked),
                Some(call) = self.calls.recv() => return Ok(Event::Called(call)),
                line = next_line(&mut self.lines) => {
                    let Some(line) = line else {
                        return Err(Stop::Failed("the sidecar closed its log".to_owned()));
                    };
                    let event = parse(&line);
                    self.log.push(line);
                    if let Some(event) = event {
                        return Ok(event);
                    }
                }
                _ = self.rotation.tick() => {
                    self.volume.rotate(&(self.emulator_token)())?;
                    return Ok(Event::Rotated);
                }
            }
        }
    }
}

async fn next_line(lines: &mut Option<UnboundedReceiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// What a line of the sidecar's log says, if it is worth a line here.
fn parse(line: &str) -> Option<Event> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match (event["level"].as_str()?, event["message"].as_str()?) {
        ("INFO", "listening") => Some(Event::Listening {
            door: text("door"),
            address: text("address"),
        }),
        ("INFO", "refreshed credentials") => Some(Event::Refreshed),
        ("INFO", "the files in output-dir are fresh") => Some(Event::Wrote),
        ("INFO", "the web identity token was rotated") => Some(Event::Noticed {
            expires: text("expires"),
        }),
        ("INFO" | "DEBUG" | "TRACE", _) => None,
        (level, message) => Some(Event::Other {
            level: level.to_lowercase(),
            message: message.to_owned(),
        }),
    }
}
