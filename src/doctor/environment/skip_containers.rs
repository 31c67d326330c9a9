//! The annotation by which a pod keeps the EKS webhook out of some of its containers.
//!
//! The webhook reads it as one record of CSV, and trims nothing: a blank is part of the name.

use super::GIVE_THE_POD;
use crate::diagnosis::{Diagnosis, Step, findings, quote, steps};
use crate::doctor::Entry;
use crate::doctor::pod::{Pod, plain, to_paste};

/// Judges `PREFIX/skip-containers`.
pub fn skip_containers(pod: &Pod, prefix: &str) -> Entry {
    const STEP: Step = steps::SKIP_CONTAINERS;
    if !pod.given {
        let why = format!("the pod's annotations are not seen from here: {GIVE_THE_POD}");
        return Entry::skipped(STEP, why);
    }
    let annotation = format!("{prefix}/skip-containers");
    let Some(value) = pod.annotations.get(&annotation) else {
        let found = format!("no annotation {annotation}: the webhook skips no container");
        return Entry::fine(STEP, found);
    };
    let listed = Listed::of(value);
    let is_there = |name: &str| {
        let mut containers = pod.containers.iter();
        containers.any(|one| one.name.as_deref() == Some(name))
    };
    let unknown: Vec<&str> = listed
        .meant
        .iter()
        .copied()
        .filter(|name| !is_there(name))
        .collect();
    if listed.as_read == listed.meant && unknown.is_empty() {
        let found = match listed.meant.as_slice() {
            [] => format!("{annotation} is empty: the webhook skips no container"),
            names => {
                let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
                format!("{annotation}: the webhook skips {}", names.join(", "))
            }
        };
        return Entry::fine(STEP, found);
    }
    let right: Vec<&str> = listed
        .meant
        .iter()
        .copied()
        .filter(|name| is_there(name))
        .filter_map(to_paste)
        .collect();
    let fix = format!(
        "set it so where the pod is made from (in a Deployment under spec.template.metadata), and let new pods be made, since the webhook looks at pods only as they are made:\n\
         annotations:\n  {annotation}: {}",
        match right.as_slice() {
            [] => "CONTAINER,CONTAINER".to_owned(),
            right => format!("\"{}\"", right.join(",")),
        }
    );
    let missed: Vec<&str> = right
        .iter()
        .copied()
        .filter(|name| !listed.as_read.contains(name))
        .collect();
    let diagnosis = match listed.as_read == listed.meant {
        false => Diagnosis {
            finding: findings::SKIP_CONTAINERS_BLANKS,
            found: format!(
                "the annotation {annotation} is {}{}",
                quote(value),
                match missed.as_slice() {
                    [] => String::new(),
                    missed => format!(": the webhook skips no container {}", missed.join(" and ")),
                }
            ),
            expected: "names with a comma between them, in one line, and no blanks and quotes"
                .into(),
            fix,
        },
        true => Diagnosis {
            finding: findings::SKIP_CONTAINERS_UNKNOWN,
            found: format!(
                "the annotation {annotation} names {}; the pod has {}",
                unknown
                    .iter()
                    .map(|name| quote(name))
                    .collect::<Vec<String>>()
                    .join(" and "),
                super::list(&pod.containers)
            ),
            expected: "names of the pod's containers and init containers".into(),
            fix,
        },
    };
    Entry::warned(STEP, diagnosis)
}

/// The names in the annotation.
struct Listed<'a> {
    /// As the webhook has them. Nothing between two commas is nobody's name.
    as_read: Vec<&'a str>,
    /// As somebody meant them.
    meant: Vec<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(value: &'a str) -> Self {
        let is_name = |name: &&str| !name.is_empty();
        // One record is read: the first line that is not empty.
        let record = value
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        let record = record.into_iter().find(is_name).unwrap_or_default();
        let unquoted = |name: &'a str| {
            let inner = name
                .strip_prefix('"')
                .and_then(|name| name.strip_suffix('"'));
            inner.unwrap_or(name)
        };
        let strays = |c: char| c.is_whitespace() || c == '"' || c == '\'';
        Listed {
            as_read: record.split(',').map(unquoted).filter(is_name).collect(),
            meant: value
                .split([',', '\n'])
                .map(|name| name.trim_matches(strays))
                .filter(is_name)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Finding;
    use crate::doctor::Verdict;

    fn judged(annotation: Option<&str>) -> Verdict {
        let pod = crate::doctor::environment::tests::pod(&["app", "helper"]);
        let annotations =
            annotation.map(|value| ("example.com/skip-containers".into(), value.into()));
        let pod = Pod {
            annotations: annotations.into_iter().collect(),
            ..pod
        };
        skip_containers(&pod, "example.com").verdict
    }

    fn warned(annotation: &str) -> (Finding, String) {
        match judged(Some(annotation)) {
            Verdict::Warned(diagnosis) => (diagnosis.finding, diagnosis.to_string()),
            other => panic!("{annotation:?}: {other:?}"),
        }
    }

    #[test]
    fn what_the_webhook_reads_as_it_was_meant_is_fine() {
        for annotation in [
            None,
            Some(""),
            Some("app"),
            Some("app,helper"),
            Some("app,"),
            Some("app,helper\n"),
            Some("\"app\",helper"),
        ] {
            let verdict = judged(annotation);
            assert!(
                matches!(verdict, Verdict::Fine(_)),
                "{annotation:?}: {verdict:?}"
            );
        }
    }

    #[test]
    fn a_blank_is_part_of_a_name_and_the_fix_has_none() {
        for annotation in [
            "app, helper",
            " app,helper",
            "app,helper ",
            "app,\nhelper",
            "app\nhelper",
            "app,\thelper",
            "app , nobody",
            "'app,helper'",
        ] {
            let (finding, words) = warned(annotation);
            assert_eq!(finding, findings::SKIP_CONTAINERS_BLANKS, "{annotation:?}");
            assert!(
                words.contains("example.com/skip-containers: \"app"),
                "{words}"
            );
        }
        let (_, words) = warned("app, helper");
        assert!(words.contains("skips no container helper"), "{words}");
        assert!(
            words.ends_with("example.com/skip-containers: \"app,helper\""),
            "{words}"
        );
    }

    #[test]
    fn a_container_that_is_not_there_is_named_beside_those_that_are() {
        let (finding, words) = warned("app,worker");
        assert_eq!(finding, findings::SKIP_CONTAINERS_UNKNOWN);
        assert!(
            words.contains("names \"worker\"; the pod has containers app and helper"),
            "{words}"
        );
        assert!(words.ends_with("skip-containers: \"app\""), "{words}");
    }

    #[test]
    fn odd_names_are_not_printed_to_be_pasted() {
        let mut pod = crate::doctor::environment::tests::pod(&["app", "x$(id)"]);
        let annotation = ("example.com/skip-containers".into(), "app, x$(id)".into());
        pod.annotations = [annotation].into_iter().collect();
        match skip_containers(&pod, "example.com").verdict {
            Verdict::Warned(diagnosis) => {
                assert!(diagnosis.fix.ends_with(": \"app\""), "{}", diagnosis.fix);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_the_pod_nothing_is_said_of_its_annotations() {
        let pod = Pod::of_this_process(&[], None);
        let verdict = skip_containers(&pod, "example.com").verdict;
        assert!(matches!(verdict, Verdict::Skipped(why) if why.contains("--pod")));
    }
}
