//! `docs/clients.md`: what a run says, for people. Written by `make clients-doc`, held to every other run.

use std::collections::BTreeSet;
use std::path::Path;

use crate::ECOSYSTEMS;
use crate::door::{DOORS, Door};
use crate::matrix::Ran;
use crate::outcome::{Outcome, Refresh};
use crate::row::Row;

const HEAD: &str = include_str!("table/head.md");
const ERRORS: &str = include_str!("table/errors.md");

/// What the sidecar says where it has no credentials; a client that repeats it says why.
const REASON: &str = "the token's aud is";

/// The same where the authorization is wrong.
const WRONG: &str = "the Authorization header is wrong";

/// More of a client's words than this does not help.
const WORDS: usize = 420;

/// Compares the page with a run, of all rows or of some; or writes it, where that is asked for.
pub fn hold(ran: &[Ran]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md");
    let page = page(ran);
    let all: usize = ECOSYSTEMS
        .iter()
        .map(|ecosystem| ecosystem.rows.len())
        .sum();
    let is_whole = ran.len() == all;
    if std::env::var_os("CLIENTS_DOC").is_some() {
        assert!(
            is_whole,
            "the page is written from a run of all rows: leave MATRIX_ROWS out"
        );
        return std::fs::write(&path, page).expect("docs/clients.md is written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    // Of some rows their own lines have to be there, of all rows nothing else may be.
    let found = match is_whole {
        true => lines(&page),
        false => ran
            .iter()
            .flat_map(|one| lines(&(one.table_line() + &one.error_lines())))
            .collect(),
    };
    let expected = lines(&written);
    let mut difference: Vec<_> = found
        .difference(&expected)
        .map(|line| format!("+{line}"))
        .collect();
    if is_whole {
        difference.extend(expected.difference(&found).map(|line| format!("-{line}")));
    }
    difference.sort_by(|one, other| one[1..].cmp(&other[1..]));
    assert!(
        difference.is_empty() && (!is_whole || page == written),
        "docs/clients.md does not say what came out; look at what has changed, and write it with `make clients-doc`:\n{}",
        difference.join("\n")
    );
}

fn page(ran: &[Ran]) -> String {
    let mut page = HEAD.to_owned();
    let titles: Vec<_> = DOORS.iter().map(|door| door.letter().to_string()).collect();
    page.push_str(&line(&[
        "client",
        "version",
        &titles.join(" | "),
        "why at",
        "web identity",
        "set",
    ]));
    page.push_str(&format!("|{}\n", "---|".repeat(DOORS.len() + 5)));
    for one in ran {
        page.push_str(&one.table_line());
    }
    page.push_str(ERRORS);
    for ecosystem in ECOSYSTEMS {
        let of_it: Vec<_> = ran
            .iter()
            .filter(|one| one.ecosystem.folder == ecosystem.folder)
            .collect();
        if of_it.is_empty() {
            continue;
        }
        page.push_str(&format!("\n### {}\n\n", ecosystem.title));
        for one in of_it {
            page.push_str(&one.error_lines());
        }
    }
    page
}

fn line(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

impl Ran {
    fn at(&self, door: Door) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.door == door)
    }

    fn table_line(&self) -> String {
        let doors: Vec<_> = DOORS
            .iter()
            .map(|door| self.at(*door).map_or("", |outcome| outcome.cell()))
            .collect();
        let why: String = self
            .outcomes
            .iter()
            .filter(|outcome| outcome.unavailable.contains(REASON))
            .map(|outcome| outcome.door.letter())
            .collect();
        let row = self.row;
        line(&[
            row.client(),
            row.version(),
            &doors.join(" | "),
            &why,
            row.web_identity,
            &advice(row),
        ])
    }

    /// Every text once, with the doors at which it is shown.
    fn error_lines(&self) -> String {
        let unavailable = self
            .outcomes
            .iter()
            .map(|outcome| (outcome.door, "503", &outcome.unavailable));
        let forbidden = self
            .outcomes
            .iter()
            .filter_map(|outcome| Some((outcome.door, "403", outcome.forbidden.as_ref()?)));
        let mut texts: Vec<(&str, String, String)> = Vec::new();
        for (door, status, text) in unavailable.chain(forbidden) {
            let text = telling(text);
            match texts
                .iter_mut()
                .find(|(other, _, same)| *other == status && *same == text)
            {
                Some((_, doors, _)) => doors.push(door.letter()),
                None => texts.push((status, door.letter().to_string(), text)),
            }
        }
        let name = format!("{} {}", self.row.client(), self.row.version());
        let item = |(status, doors, text): &(&str, String, String)| {
            format!("- {name}, {status} at {doors}: {}\n", code(text))
        };
        texts.iter().map(item).collect()
    }
}

impl Outcome {
    fn cell(&self) -> &'static str {
        match self.refresh {
            Refresh::InTime => "yes",
            Refresh::AfterRefusal => "late",
            Refresh::AtIntervals => "polls",
            Refresh::Never => "once",
        }
    }
}

/// Which of the environments goes into the app's container.
fn advice(row: &Row) -> String {
    let knows = |door: Door| row.doors.contains(door.letter());
    let imds = if row.imds_v1 {
        "I with `--imds-v1`"
    } else {
        "I"
    };
    match () {
        () if knows(Door::FullUri) && knows(Door::TokenFile) => "F or T".to_owned(),
        () if knows(Door::FullUri) => "F".to_owned(),
        () if knows(Door::TokenFile) => "T".to_owned(),
        () if knows(Door::RelativeUri) => format!("R, or {imds}"),
        () => imds.to_owned(),
    }
}

/// Of several lines the first and the last, of those what fits, and of what does not fit the sidecar's words.
fn telling(text: &str) -> String {
    let says_something = |line: &&str| line.contains(char::is_alphabetic);
    let mut lines = text.lines().filter(says_something);
    let first = lines.next().unwrap_or_default().trim_end_matches(" {");
    let whole = match lines.rfind(|line| !line.starts_with("at ") && !is_property(line)) {
        Some(last) => format!("{first} … {last}"),
        None => first.to_owned(),
    };
    let words = [REASON, WRONG].iter().find_map(|words| whole.find(words));
    match words {
        Some(start) if start > WORDS => format!(
            "{}{}",
            cut(&whole, WORDS / 2),
            cut(&whole[start..], WORDS / 2)
        ),
        _ => cut(&whole, WORDS),
    }
}

/// A line of an error that Node.js prints with everything that hangs on it; only a message is worth a look.
fn is_property(line: &str) -> bool {
    let line = line.trim_start_matches('\'');
    let named = line.starts_with(|c: char| c.is_ascii_lowercase() || c == '$');
    let (name, _) = line.split_once(": ").unwrap_or_default();
    named && !name.is_empty() && !name.contains(' ') && !line.contains("message: ")
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn code(text: &str) -> String {
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_error_its_end_and_the_sidecars_words_are_told() {
        for (text, told) in [
            ("one line", "one line"),
            (
                "no providers\nat Chain\ncaused by: 503",
                "no providers … caused by: 503",
            ),
            (
                "Error: no {\nat f (x.js:1:2)\ntime: 2026,\n'$metadata': {\n}",
                "Error: no",
            ),
            (
                "Error: no {\noriginal: { message: 'off' }",
                "Error: no … original: { message: 'off' }",
            ),
        ] {
            assert_eq!(telling(text), told);
        }
        let long = format!("{} {REASON} \"x\"", "word ".repeat(200));
        assert!(telling(&long).ends_with(&format!("…{REASON} \"x\"")));
        assert!(telling(&"word ".repeat(200)).chars().count() <= WORDS + 1);
    }
}
