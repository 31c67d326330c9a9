//! How the entries are said: a checklist for people, JSON for machines.
//!
//! Pure. `docs/doctor.schema.json` is what the JSON keeps to. Whatever the entries hold, no control character but the line
//! break comes out of here: nothing from outside can draw on a terminal.

use std::fmt::Write;

use serde::Serialize;

use super::{Entry, Verdict};
use crate::diagnosis::{Step, steps};

/// How people want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The output is a terminal that shows colours.
    pub colour: bool,
    /// Details of what is right, too.
    pub verbose: bool,
}

/// For people: the verdict, and below it the checklist where there is trouble or somebody wants to see it.
pub fn text(entries: &[Entry], style: Style) -> String {
    let said: Vec<Said> = entries.iter().map(Said::of).collect();
    let mut text = format!("{}\n", verdict(&said));
    let has_trouble = said
        .iter()
        .any(|one| one.is(Status::Warn) || one.is(Status::Fail));
    if has_trouble || style.verbose {
        for same in said.chunk_by(|one, next| !style.verbose && one.is_skipped_as(next)) {
            text.push_str(&lines(&same[0], &same[1..], style));
        }
    }
    text
}

/// For machines.
pub fn json(entries: &[Entry]) -> String {
    let report = Report {
        ok: !entries.iter().any(Entry::is_failed),
        findings: entries.iter().map(Said::of).collect(),
    };
    let mut json = serde_json::to_string_pretty(&report).expect("nothing but text and a boolean");
    json.push('\n');
    json
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    findings: Vec<Said>,
}

/// An entry as it is published: these names, in this order.
#[derive(Serialize)]
struct Said {
    #[serde(skip)]
    step: Step,
    id: &'static str,
    status: Status,
    title: &'static str,
    found: String,
    expected: String,
    fix: String,
    docs: String,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
    Skipped,
}

impl Said {
    fn of(entry: &Entry) -> Self {
        let Step { id, title } = entry.step;
        let (status, id, title, [found, expected, fix]) = match &entry.verdict {
            Verdict::Fine(found) => (Status::Ok, id, title, [found, "", ""]),
            Verdict::Skipped(why) => (Status::Skipped, id, title, [why, "", ""]),
            Verdict::Warned(it) | Verdict::Failed(it) => {
                let failed = entry.is_failed();
                let status = if failed { Status::Fail } else { Status::Warn };
                let words = [&it.found, &it.expected, &it.fix].map(String::as_str);
                (status, it.finding.id, it.finding.title, words)
            }
        };
        Said {
            step: entry.step,
            id,
            status,
            title,
            found: shown(found),
            expected: shown(expected),
            fix: shown(fix),
            docs: format!("docs/troubleshooting.md#{id}"),
        }
    }

    fn is(&self, status: Status) -> bool {
        self.status == status
    }

    /// Both were skipped, for one reason.
    fn is_skipped_as(&self, other: &Self) -> bool {
        self.is(Status::Skipped) && other.is(Status::Skipped) && self.found == other.found
    }

    fn first_line(&self) -> &str {
        self.found.lines().next().unwrap_or_default()
    }
}

/// Printable, but for line breaks.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// The widest fact in one line.
fn verdict(said: &[Said]) -> String {
    let count = |status| said.iter().filter(|one| one.is(status)).count();
    let (failures, warnings) = (count(Status::Fail), count(Status::Warn));
    if failures + warnings == 0 {
        return nothing_to_mend(said, count(Status::Ok), count(Status::Skipped));
    }
    let fail = if failures == 1 { "fails" } else { "fail" };
    let warn = if warnings == 1 { "warns" } else { "warn" };
    let of = said.len();
    let counted = match (failures, warnings) {
        (0, _) => format!("nothing fails, {warnings} of {of} steps {warn}"),
        (_, 0) => format!("{failures} of {of} steps {fail}"),
        _ => format!("{failures} of {of} steps {fail}, {warnings} {warn}"),
    };
    let worst = if failures == 0 {
        Status::Warn
    } else {
        Status::Fail
    };
    let title = said.iter().find(|one| one.is(worst)).map(|one| one.title);
    let first = if failures + warnings == 1 {
        ""
    } else {
        "first, "
    };
    format!("{counted}: {first}{}", title.unwrap_or_default())
}

/// Who the credentials are, of whom they were asked: of STS by doctor itself, or of the sidecar that runs. Where none runs
/// at the address that doctor was given, that is said too: it may be another address than the one of the sidecar.
fn nothing_to_mend(said: &[Said], fine: usize, skipped: usize) -> String {
    let of = said.len();
    let counted = match skipped {
        0 => format!("{fine} of {of} steps fine"),
        _ => format!("{fine} of {of} steps fine, {skipped} skipped"),
    };
    let of_step = |step: Step| said.iter().find(move |one| one.step == step);
    let asked = [steps::CREDENTIALS, steps::SIDECAR_CREDENTIALS].map(of_step);
    let mut known = asked.iter().flatten().filter(|one| one.is(Status::Ok));
    let mut verdict = match (known.next(), asked[0]) {
        (Some(identity), _) => format!("well: {} ({counted})", identity.first_line()),
        (None, Some(unknown)) => format!(
            "nothing fails ({counted}), but no credentials were seen: {}",
            unknown.first_line()
        ),
        (None, None) => format!("nothing fails ({counted})"),
    };
    let unseen = of_step(steps::SIDECAR_DOOR).filter(|door| door.is(Status::Skipped));
    if let Some(unseen) = unseen {
        let _ = write!(verdict, "; {}", unseen.first_line());
    }
    verdict
}

/// One step, and the names of those that were skipped for the same reason.
fn lines(one: &Said, likewise: &[Said], style: Style) -> String {
    let width = steps::ALL.iter().map(|step| step.id.len()).max();
    let (id, width) = (one.step.id, width.unwrap_or_default());
    let fact = match one.status {
        Status::Warn | Status::Fail => one.title,
        Status::Ok | Status::Skipped => one.first_line(),
    };
    let mut text = format!("{}  {id:width$}  {fact}", mark(one.status, style.colour));
    if !likewise.is_empty() {
        let ids: Vec<&str> = likewise.iter().map(|other| other.step.id).collect();
        let _ = write!(text, " (so also {})", ids.join(", "));
    }
    text.push('\n');
    let below = one.found.split_once('\n').map(|(_, below)| below);
    match one.status {
        Status::Warn | Status::Fail => text.push_str(&details(one)),
        Status::Ok if !style.verbose => (),
        Status::Ok | Status::Skipped => below.into_iter().for_each(|below| {
            let _ = writeln!(text, "{}", below.trim_end_matches('\n'));
        }),
    }
    text
}

/// The lines of a fix begin where they begin in it, so that what is to be pasted can be.
fn details(one: &Said) -> String {
    let docs = format!("{}, or: irsa-sidecar doctor --explain {}", one.docs, one.id);
    let fields = [
        ("found", &one.found),
        ("expected", &one.expected),
        ("fix", &one.fix),
        ("docs", &docs),
    ];
    let said = fields.into_iter().filter(|(_, words)| !words.is_empty());
    said.map(|(name, words)| {
        let words = words.trim_end_matches('\n');
        let words = match name {
            "fix" => words.to_owned(),
            _ => words.replace('\n', "\n                "),
        };
        format!("      {name:<8}  {words}\n")
    })
    .collect()
}

/// A plain word, since not every terminal and ticket knows more; in colour where somebody asked for it.
fn mark(status: Status, colour: bool) -> String {
    let (word, code) = match status {
        Status::Ok => ("ok", "32"),
        Status::Warn => ("warn", "33"),
        Status::Fail => ("FAIL", "1;31"),
        Status::Skipped => ("skip", "2"),
    };
    match colour {
        true => format!("\u{1b}[{code}m{word:<4}\u{1b}[0m"),
        false => format!("{word:<4}"),
    }
}

#[cfg(test)]
mod tests;
