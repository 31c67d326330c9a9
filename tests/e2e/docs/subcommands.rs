//! Help that teaches, and a guide whose commands are taken.

use std::collections::BTreeSet;

use irsa_sidecar::config::SETTINGS;
use irsa_sidecar::diagnosis::{findings, steps};

use super::doc;
use crate::sidecar::Launch;

/// What each subcommand takes besides the settings that it needs.
const SUBCOMMANDS: &[(&str, &[&str])] = &[
    ("serve", &[]),
    ("credential-process", &[]),
    (
        "get-token",
        &["cluster-name", "cluster-id", "region", "role-arn", "output"],
    ),
    ("inspect-token", &["cluster-name", "cluster-id", "region"]),
    (
        "kubeconfig",
        &[
            "cluster-name",
            "region",
            "role-arn",
            "kubeconfig",
            "server",
            "certificate-authority",
            "in-cluster",
            "exec",
            "alias",
            "user-alias",
            "dry-run",
        ],
    ),
    ("link-local", &["imds", "pod-identity"]),
    ("wait", &["timeout"]),
    ("shutdown", &[]),
    ("install", &[]),
    (
        "doctor",
        &[
            "cluster-name",
            "cluster-id",
            "cluster-region",
            "assume-role-arn",
            "in-cluster",
            "pod",
            "offline",
            "json",
            "verbose",
            "explain",
        ],
    ),
];

fn help_of(subcommand: &str) -> String {
    let help = Launch::new([subcommand, "--help"]).output();
    assert!(
        help.status.success() && help.stderr.is_empty(),
        "{subcommand}: {help:?}"
    );
    help.stdout
}

/// The long flags that a text names, without their dashes.
fn flags_in(text: &str) -> BTreeSet<String> {
    let named = text.split("--").skip(1);
    let flag = |rest: &str| -> String {
        let letters = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        rest.chars().take_while(letters).collect()
    };
    named.map(flag).filter(|flag| !flag.is_empty()).collect()
}

/// The flags that stand in the list of a help, one a line.
fn flags_of(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start);
    let lines = lines.map(|line| line.strip_prefix("-v, ").unwrap_or(line));
    let lines = lines.filter(|line| line.starts_with("--"));
    lines
        .flat_map(|line| flags_in(line.split(' ').next().unwrap_or_default()))
        .collect()
}

#[test]
fn the_help_of_each_subcommand_has_examples_and_all_that_it_takes() {
    for (subcommand, own) in SUBCOMMANDS {
        let help = help_of(subcommand);
        let taken = flags_of(&help);
        for flag in *own {
            assert!(taken.contains(*flag), "{subcommand} --{flag}: {taken:?}");
        }
        // Whatever else it takes is a setting, with its variable.
        for flag in taken.iter().filter(|flag| !own.contains(&flag.as_str())) {
            let setting = SETTINGS.iter().find(|setting| setting.name == flag);
            let setting = setting.unwrap_or_else(|| panic!("{subcommand} takes --{flag}"));
            let variable = setting.variable();
            assert!(help.contains(&variable), "{subcommand}: {variable}");
        }
        let (_, examples) = help.split_once("Examples:").expect("examples");
        let call = format!("irsa-sidecar {subcommand}");
        let calls = examples.lines().filter(|line| line.contains(&call));
        assert!(calls.count() >= 2, "{subcommand}: {examples}");
        for flag in flags_in(examples) {
            let known = SUBCOMMANDS
                .iter()
                .any(|(name, _)| flags_of(&help_of(name)).contains(&flag));
            assert!(known, "an example of {subcommand} has --{flag}");
        }
    }
}

#[test]
fn the_commands_of_the_guides_are_taken_and_their_findings_exist() {
    for (guide, calls) in [
        ("docs/doctor.md", 5),
        ("docs/install.md", 0),
        ("docs/kubectl.md", 5),
        ("docs/legacy-apps.md", 2),
        ("docs/operations.md", 3),
        ("docs/troubleshooting.md", 4),
    ] {
        let found = calls_that_are_taken(guide);
        assert!(found >= calls, "{guide}: the calls were not found: {found}");
    }
}

/// How many calls of this program a guide has, each of which is taken.
fn calls_that_are_taken(guide: &str) -> usize {
    let doc = doc(guide);
    let helps: Vec<(&str, BTreeSet<String>)> = SUBCOMMANDS
        .iter()
        .map(|(name, _)| (*name, flags_of(&help_of(name))))
        .collect();
    let every_help: String = SUBCOMMANDS.iter().map(|(name, _)| help_of(name)).collect();
    let named = flags_in(&every_help);
    let mut calls = 0;
    // In code only: the words around it name tools and flags of others too.
    let fences = doc.split("```").skip(1).step_by(2);
    let spans = doc
        .split("```")
        .step_by(2)
        .flat_map(|text| text.split('`').skip(1).step_by(2));
    for code in fences.flat_map(str::lines).chain(spans) {
        for call in code.split("irsa-sidecar ").skip(1) {
            let call = call.split(['|', '#', '<']).next().unwrap_or_default();
            let subcommand = call.split_whitespace().next().unwrap_or_default();
            // `kubectl logs -c irsa-sidecar | grep`, `kubectl exec -c irsa-sidecar -- /irsa-sidecar wait`.
            if ["", "--", "--help"].contains(&subcommand) {
                continue;
            }
            let Some((_, taken)) = helps.iter().find(|(name, _)| *name == subcommand) else {
                panic!("there is no irsa-sidecar {subcommand}: {code}");
            };
            calls += 1;
            for flag in flags_in(call) {
                assert!(
                    taken.contains(&flag),
                    "{subcommand} takes no --{flag}: {code}"
                );
            }
        }
        if code.starts_with("--") || code.contains("[serve, ") {
            for flag in flags_in(code) {
                // An alias stands in the words of its flag.
                assert!(named.contains(&flag), "nothing takes --{flag}: {code}");
            }
        }
        let is_id = ["eks-token-", "sts-", "file-not-"]
            .iter()
            .any(|prefix| code.starts_with(prefix));
        if is_id {
            let is_finding = findings::ALL.iter().any(|finding| finding.id == code);
            let is_step = steps::ALL.iter().any(|step| step.id == code);
            let is_setting = SETTINGS.iter().any(|setting| setting.name == code);
            let known = is_finding || is_step || is_setting;
            assert!(known, "there is no finding, step or setting {code}");
        }
    }
    calls
}
