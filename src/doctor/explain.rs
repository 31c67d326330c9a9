//! What the documentation says about an id. The page is part of the program: whoever is paged may have nothing else.

use crate::diagnosis::{findings, quote, steps};

/// The page that has an entry for every finding and every step.
const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");
/// So many edits make one id of another where somebody mistyped it.
const TYPING: usize = 3;

/// The entry of a finding or a step. The error names what there is, and last what was probably meant.
pub fn explain(id: &str) -> Result<String, String> {
    let title = ids()
        .find(|(known, _)| *known == id)
        .map(|(_, title)| title);
    let entry = title.and_then(|title| {
        let heading = format!("\n### {id}\n> {title}\n");
        let (_, entry) = TROUBLESHOOTING.split_once(&heading)?;
        Some(format!("{id}: {title}\n\n{}\n", up_to_next_heading(entry)))
    });
    entry.ok_or_else(|| unknown(id))
}

fn ids() -> impl Iterator<Item = (&'static str, &'static str)> {
    let findings = findings::ALL
        .iter()
        .map(|finding| (finding.id, finding.title));
    findings.chain(steps::ALL.iter().map(|step| (step.id, step.title)))
}

/// A comment in a block of code is no heading.
fn up_to_next_heading(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().take_while(|line| {
        is_code ^= line.starts_with("```");
        is_code || !line.starts_with('#')
    });
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().to_owned()
}

fn unknown(id: &str) -> String {
    let findings = lines(findings::ALL.iter().map(|finding| finding.id));
    let steps = lines(steps::ALL.iter().map(|step| step.id));
    let near = near(id);
    let meant = match near.is_empty() {
        true => String::new(),
        false => format!("\ndid you mean {}?", near.join(", ")),
    };
    format!(
        "no finding and no step is called {}; expected the id of a finding:{findings}\nor of a step:{steps}{meant}",
        quote(id)
    )
}

/// As many words as go into a line.
fn lines(words: impl Iterator<Item = &'static str>) -> String {
    const WIDTH: usize = 100;
    let (mut text, mut column) = (String::new(), WIDTH);
    for word in words {
        if column + 1 + word.len() > WIDTH {
            text.push_str("\n ");
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + word.len();
    }
    text
}

/// What begins with it, or else what mistyped reads so.
fn near(id: &str) -> Vec<&'static str> {
    let all = || ids().map(|(known, _)| known);
    let id = id.to_ascii_lowercase().replace('_', "-");
    let beginning: Vec<&str> = all()
        .filter(|known| !id.is_empty() && known.starts_with(&id))
        .collect();
    if !beginning.is_empty() {
        return beginning;
    }
    // Of a short word little is left by so many edits.
    let most = TYPING.min(id.len() / 3);
    let edits = |known: &&str| edits(&id, known);
    let fewest = all().map(|known| edits(&known)).min();
    all()
        .filter(|known| Some(edits(known)) == fewest && fewest <= Some(most))
        .collect()
}

/// How many bytes have to be put in, taken out or changed.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_and_every_step_is_explained() {
        for (id, title) in ids() {
            let said = explain(id).unwrap_or_else(|_| panic!("no entry for {id}"));
            let (heading, text) = said.split_once("\n\n").expect("a heading and a text");
            assert_eq!(heading, format!("{id}: {title}"));
            assert!(text.len() > 20, "{said}");
            assert!(said.ends_with('\n') && !said.ends_with("\n\n"), "{said:?}");
        }
    }

    #[test]
    fn an_entry_ends_before_the_next_heading_of_any_level() {
        let text = "\nwords\n\n```sh\n# a comment\n```\n\nmore\n\n## Next\n\n### other\n";
        assert_eq!(
            up_to_next_heading(text),
            "words\n\n```sh\n# a comment\n```\n\nmore"
        );
        for (id, _) in ids() {
            let said = explain(id).expect("an entry");
            assert!(
                !said.contains("\n## ") && !said.contains("\n### "),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_no_id_is_not_explained_and_the_ids_are_listed() {
        for id in [
            "",
            "list",
            "Findings",
            "nonsense",
            "> ",
            "what-clients-are-told",
        ] {
            let said = explain(id).expect_err("no such id");
            let listed: Vec<&str> = said.split_whitespace().collect();
            for (known, _) in ids() {
                assert!(listed.contains(&known), "{known}");
            }
            assert!(said.lines().all(|line| line.len() <= 120), "{said}");
            assert!(!said.contains("did you mean"), "{said}");
        }
        let said = explain("a\u{1b}[31m\n").expect_err("no such id");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }

    #[test]
    fn a_mistyped_id_is_told_from_others() {
        for (typed, meant) in [
            ("sts-acess-denied", "sts-access-denied"),
            ("token-mising", "token-missing"),
            ("TOKEN_EXPIRED", "token-expired"),
            ("skip-containers-b", "skip-containers-blanks"),
            ("sts-thr", "sts-throttled"),
        ] {
            let said = explain(typed).expect_err("no such id");
            assert!(said.ends_with("?"), "{said}");
            let (_, near) = said.split_once("did you mean ").expect("a suggestion");
            assert!(near.contains(meant), "{typed}: {near}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (one, other, count) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(edits(one, other), count);
        }
    }
}
