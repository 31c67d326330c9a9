//! How the demo looks: steps, aligned fields, one line per event; colour on a terminal only.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

const WIDTH: usize = 100;
const INDENT: usize = 3;

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

    /// What was run, as one would type it.
    pub(super) fn ran(&self, command: &str) {
        self.line(&format!("   $ {}", self.paint(BOLD, command)));
    }

    /// What it printed.
    pub(super) fn printed(&self, text: &str) {
        let is_wide = |line: &str| line.chars().count() > WIDTH - INDENT;
        let narrowed = text.lines().any(is_wide).then(|| narrowed(text));
        for line in narrowed.as_deref().unwrap_or(text).lines() {
            self.line(&format!("   {line}"));
        }
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

/// A table of two columns for a page that is too small for it: one long name must not push all values out.
fn narrowed(table: &str) -> String {
    const GAP: usize = 3;
    let row = |line| str::split_once(line, "  ").unwrap_or((line, ""));
    let rows = || {
        table
            .lines()
            .map(row)
            .map(|(name, value)| (name, value.trim_start()))
    };
    let widest = rows().map(|(_, value)| value.chars().count()).max();
    let room = (WIDTH - INDENT - GAP).saturating_sub(widest.unwrap_or(0));
    let names = rows().map(|(name, _)| name.chars().count());
    let padded = names.filter(|width| *width <= room).max().unwrap_or(0);
    let lines = rows().map(|(name, value)| format!("{name:<padded$}{:GAP$}{value}\n", ""));
    lines.collect()
}

/// A time in claims, which count seconds.
pub(super) fn utc(unix: &Value) -> String {
    match unix.as_u64() {
        Some(seconds) => httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
        None => unix.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_does_not_push_the_values_off_the_page() {
        let (long, value) = ("n".repeat(60), "v".repeat(60));
        let table = format!(
            "{:<63}VALUE\n{:<63}{value}\n{long}   short\n",
            "NAME", "Username"
        );
        let expected = format!("NAME       VALUE\nUsername   {value}\n{long}   short\n");
        assert_eq!(narrowed(&table), expected);
    }
}
