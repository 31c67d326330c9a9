//! Logs: JSON or text on stderr, transitions rather than heartbeats.
//!
//! The level that the user asks for is for this program only. Libraries stay at warnings whatever is asked: at trace
//! level the AWS signing code prints session tokens.

use std::io::{self, IsTerminal};

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    /// `None`: text on a terminal, JSON elsewhere.
    pub format: Option<LogFormat>,
    /// Of this program's own events.
    pub level: Level,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One object a line.
    Json,
    /// For people.
    Text,
}

/// Installs the subscriber; the first call in a process counts.
pub fn init(config: LogConfig) {
    let terminal = io::stderr().is_terminal();
    let filter = Targets::new()
        .with_target(env!("CARGO_CRATE_NAME"), config.level)
        .with_default(LevelFilter::from_level(config.level.min(Level::WARN)));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false);
    let format = config.format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let layer = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.with_ansi(terminal).boxed(),
    };
    // A second call changes nothing and is no harm.
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init();
}
