//! What the documentation says about an id. The page is part of the program: whoever is paged may have nothing else.

use crate::diagnosis::{findings, quote, steps};

/// The page that has an entry for every finding and every step.
const TROUBLESHOOTING: &str = include_str!("../../docs/troubleshooting.md");
/// So many edits make one id of another where somebody mistyped it.
const TYPING: usize = 3;

/// The entry of a finding or a step. The error names what there is, and last what was probably meant.
pub fn explain(id: &str) -> Result<String, String> {
    let asked = as_ids_are_written(id);
    let known = ids().find(|(known, _)| *known == asked);
    let entry = known.and_then(|(id, title)| {
        let heading = format!("\n### {id}\n> {title}\n");
        let (_, entry) = TROUBLESHOOTING.split_once(&heading)?;
        let entry = without_links(&up_to_next_heading(entry));
        Some(format!("{id}: {title}\n\n{entry}\n"))
    });
    entry.ok_or_else(|| unknown(id))
}

/// People shout, and type what they know from variables.
fn as_ids_are_written(id: &str) -> String {
    id.to_ascii_lowercase().replace('_', "-")
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

/// Nobody follows a link in a terminal: its words, and where that is from the root of the project, as in the report.
fn without_links(text: &str) -> String {
    let (mut rest, mut said) = (text, String::with_capacity(text.len()));
    while let Some((before, (words, target), behind)) = first_link(rest) {
        let path = match target.strip_prefix("../") {
            Some(path) => path.to_owned(),
            None => format!("docs/{target}"),
        };
        said.push_str(before);
        match path.contains(words) {
            true => said.push_str(&path),
            false => said.extend([words, " (", &path, ")"]),
        }
        rest = behind;
    }
    said + rest
}

/// What stands before it, its words and its target, and what stands behind it.
fn first_link(text: &str) -> Option<(&str, (&str, &str), &str)> {
    let (head, tail) = text.split_once("](")?;
    let (before, words) = head.rsplit_once('[')?;
    let (target, behind) = tail.split_once(')')?;
    Some((before, (words, target), behind))
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
    let id = as_ids_are_written(id);
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
    fn an_id_is_found_however_it_is_written() {
        let meant = explain("sts-access-denied");
        assert!(meant.is_ok());
        for typed in [
            "STS-ACCESS-DENIED",
            "sts_access_denied",
            "Sts_Access-Denied",
        ] {
            assert_eq!(explain(typed), meant, "{typed}");
        }
    }

    /// Whoever reads one entry in a terminal has neither the head of the page nor the entry before.
    #[test]
    fn an_entry_needs_no_other() {
        for (id, _) in ids() {
            let said = explain(id).expect("an entry");
            let (_, text) = said.split_once("\n\n").expect("a heading and a text");
            let words: Vec<&str> = text.split_whitespace().collect();
            let words = words.join(" ");
            assert!(!words.contains("]("), "{id} has a link: {said}");
            for elliptic in [
                "As above",
                "as above",
                "As for ",
                "as for ",
                "See below",
                "see above",
            ] {
                assert!(!words.contains(elliptic), "{id}: {elliptic}");
            }
            for stump in [
                "Somebody.",
                "By itself.",
                "With another token.",
                "Ends by itself.",
                "theirs.",
            ] {
                let begins = format!(". {stump}");
                assert!(
                    !words.starts_with(stump) && !words.contains(&begins),
                    "{id}: {stump}"
                );
            }
            for (known, _) in ids().filter(|(known, _)| known.contains('-')) {
                let as_it = format!("s {known}, ");
                assert!(
                    !words.contains(&format!("a{as_it}"))
                        && !words.starts_with(&format!("A{as_it}")),
                    "{id}: as {known}"
                );
            }
        }
    }

    #[test]
    fn a_link_is_said_as_words_and_a_path_from_the_root() {
        for (written, said) in [
            (
                "see the [README](../README.md#in-a-pod), or [legacy-apps.md](legacy-apps.md).",
                "see the README.md#in-a-pod, or docs/legacy-apps.md.",
            ),
            (
                "[all causes](kubectl.md#unauthorized)",
                "all causes (docs/kubectl.md#unauthorized)",
            ),
            (
                "`users[].user.exec` (a list [of one])",
                "`users[].user.exec` (a list [of one])",
            ),
        ] {
            assert_eq!(without_links(written), said);
        }
        let said = explain("eks-unauthorized").expect("an entry");
        assert!(said.contains(" docs/kubectl.md#unauthorized "), "{said}");
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
            ("TOKEN_EXPIRD", "token-expired"),
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
