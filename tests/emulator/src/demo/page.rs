//! How the demo looks: steps, aligned fields, one line per event; colour on a terminal only.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const CYAN: &str = "36";

/// Where the demo is written.
pub(super) struct Page {
    colour: bool,
}

impl Page {
    /// `NO_COLOR` (no-color.org) is respected.
    pub(super) fn on_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            colour: wanted && io::stdout().is_terminal(),
        }
    }

    pub(super) fn title(&self, text: &str) {
        self.line("");
        self.line(&self.paint(BOLD, text));
    }

    pub(super) fn step(&self, text: &str) {
        self.line("");
        self.line(&self.paint(CYAN, text));
    }

    pub(super) fn field(&self, name: &str, value: &str) {
        let name = self.paint(DIM, &format!("{name:<17}"));
        self.line(&format!("   {name}{value}"));
    }

    pub(super) fn event(&self, elapsed: Duration, who: &str, what: &str) {
        let at = self.paint(DIM, &format!("{:6.1} s", elapsed.as_secs_f64()));
        let who = self.paint(GREEN, &format!("{who:<9}"));
        self.line(&format!(" {at}  {who}{what}"));
    }

    /// To be pasted: nothing before it that a shell would stumble over.
    pub(super) fn command(&self, text: &str) {
        self.line(&format!("   {text}"));
    }

    /// Nobody is left to tell when stdout is closed, and what was started has to be taken down all the same.
    pub(super) fn line(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A time in claims, which count seconds.
pub(super) fn utc(unix: &Value) -> String {
    match unix.as_u64() {
        Some(seconds) => httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
        None => unix.to_string(),
    }
}
