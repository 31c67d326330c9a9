//! The documentation is true: it names exactly the settings, metrics, findings and codes of the code.

mod doctor;
mod guides;
mod pods;
mod subcommands;

use std::collections::BTreeSet;
use std::path::Path;

use irsa_sidecar::config::{SETTINGS, Setting};
use irsa_sidecar::diagnosis::{findings, steps};
use irsa_sidecar::metrics::{Door, Metrics};

use crate::sidecar::{Launch, read};

fn doc(name: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
}

fn row(setting: &Setting) -> String {
    let also: Vec<String> = setting
        .also
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    let default = match setting.default {
        Some(default) => format!("`{default}`"),
        None => setting.otherwise.to_owned(),
    };
    format!(
        "| `--{}` | `{}` | {} | {default} | {} | {} |",
        setting.name,
        setting.variable(),
        if setting.name == "config" {
            "–".to_owned()
        } else {
            format!("`{}`", setting.key())
        },
        also.join(", "),
        setting.help.replace('|', "\\|"),
    )
}

#[test]
fn configuration_md_has_exactly_the_settings_of_the_code() {
    let table: Vec<String> = SETTINGS.iter().map(row).collect();
    let doc = doc("docs/configuration.md");
    let found: Vec<&str> = doc
        .lines()
        .filter(|line| line.starts_with("| `--"))
        .collect();
    assert_eq!(found, table, "the table has to be:\n{}", table.join("\n"));
}

#[test]
fn settings_named_anywhere_in_the_docs_exist() {
    let known: BTreeSet<String> = SETTINGS.iter().map(Setting::variable).collect();
    for name in [
        "README.md",
        "docs/configuration.md",
        "docs/doctor.md",
        "docs/install.md",
        "docs/kubectl.md",
        "docs/legacy-apps.md",
        "docs/metrics.md",
        "docs/operations.md",
        "docs/troubleshooting.md",
        "CONTRIBUTING.md",
        "docs/threat-model.md",
    ] {
        let text = doc(name);
        for (at, _) in text.match_indices("IRSA_SIDECAR_") {
            let variable: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
                .collect();
            let ok = known.contains(&variable)
                || ["IRSA_SIDECAR_", "IRSA_SIDECAR_TEST_CLIENTS"].contains(&variable.as_str());
            assert!(ok, "{name} names {variable}, which is no setting");
        }
    }
}

#[test]
fn metrics_md_has_exactly_the_metrics_of_the_code() {
    let metrics = Metrics::new();
    for door in [Door::Credentials, Door::LinkLocal, Door::Imds, Door::Ops] {
        drop(metrics.requests(door));
    }
    let exposition = metrics.text();
    let of_code: BTreeSet<String> = exposition
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .map(str::to_owned)
        .collect();
    let doc = doc("docs/metrics.md");
    let of_doc: BTreeSet<String> = doc
        .lines()
        .filter_map(|line| line.strip_prefix("| `irsa_sidecar_")?.split('`').next())
        .map(|name| format!("irsa_sidecar_{name}"))
        .collect();
    assert_eq!(of_doc, of_code);
    for value in exposition.split('"').skip(1).step_by(2) {
        let number = value.parse::<u16>().is_ok() || value == env!("CARGO_PKG_VERSION");
        assert!(
            number || doc.contains(&format!("`{value}`")),
            "label value {value}"
        );
    }
}

/// What stands under a heading of the second level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let mut sections = text.split("\n## ").skip(1);
    let found = sections.find_map(|section| section.strip_prefix(heading)?.strip_prefix('\n'));
    found.unwrap_or_else(|| panic!("there is no {heading:?}"))
}

/// Id and title of every entry; a heading of the third level that is none fails.
fn entries(section: &str) -> Vec<(&str, &str)> {
    let entries = section.split("\n### ").skip(1);
    entries
        .map(|entry| {
            let (id, rest) = entry.split_once('\n').expect("a heading");
            let title = rest.strip_prefix("> ").and_then(|it| it.lines().next());
            (id, title.unwrap_or_else(|| panic!("{id} has no title")))
        })
        .collect()
}

#[test]
fn troubleshooting_md_has_an_entry_for_every_finding_and_every_step_and_no_other() {
    let doc = doc("docs/troubleshooting.md");
    let findings: Vec<(&str, &str)> = findings::ALL.iter().map(|it| (it.id, it.title)).collect();
    let steps: Vec<(&str, &str)> = steps::ALL.iter().map(|it| (it.id, it.title)).collect();
    let why = "id and title of each, in the order of the code";
    assert_eq!(entries(section(&doc, "Findings")), findings, "{why}");
    assert_eq!(entries(section(&doc, "Steps of doctor")), steps, "{why}");
    let all = [findings, steps].concat();
    assert_eq!(entries(&doc), all, "an entry stands in another section");
}

#[test]
fn what_other_tools_say_leads_to_findings_that_exist() {
    /// The literal words of these tools, as guides on EKS authentication list them.
    const SAID: [&str; 8] = [
        "Unable to locate credentials",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "Missing a required claim: aud",
        "could not get token: AccessDenied",
        "AccessDeniedException",
        "You must be logged in to the server (Unauthorized)",
        "ExpiredToken",
        "executable aws not found",
    ];
    let doc = doc("docs/troubleshooting.md");
    let rows = section(&doc, "What your tool says").lines();
    let rows: Vec<(&str, &str)> = rows
        .filter_map(|line| line.strip_prefix("| *")?.rsplit_once("* | "))
        .collect();
    for said in SAID {
        let is_listed = rows.iter().any(|(message, _)| message.contains(said));
        assert!(is_listed, "{said}");
    }
    for (message, ids) in rows {
        let ids: Vec<&str> = ids.split('`').skip(1).step_by(2).collect();
        assert!(!ids.is_empty(), "{message}");
        for id in ids {
            let known = findings::ALL.iter().any(|finding| finding.id == id);
            assert!(known, "{message} leads to {id}");
        }
    }
}

#[test]
fn troubleshooting_md_has_every_code_that_clients_are_told() {
    let source = doc("src/http/answer.rs");
    let doc = doc("docs/troubleshooting.md");
    let names = source
        .split("=> \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let codes: BTreeSet<&str> = names.filter(|name| !name.contains(' ')).collect();
    assert!(codes.len() > 8, "the codes were not found: {codes:?}");
    for code in codes {
        assert!(doc.contains(&format!("| `{code}` |")), "{code}");
    }
}

/// Messages, help and guides spell the address out, since people copy it.
#[test]
fn the_address_of_a_door_is_its_default_wherever_it_is_spelled_out() {
    /// What the guide has for instance metadata on loopback, where there is no default.
    const IMDS: &str = "1338";
    let port = |name: &str| {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let default = setting.and_then(|setting| setting.default);
        let default = default.expect("a default");
        default.rsplit(':').next().unwrap_or_default()
    };
    let known = [port("listen"), port("ops-listen"), IMDS];
    let help = |of: &str| Launch::new([of, "--help"]).output().stdout;
    let texts = [
        doc("README.md"),
        doc("docs/install.md"),
        doc("docs/legacy-apps.md"),
        doc("docs/metrics.md"),
        doc("docs/operations.md"),
        doc("docs/clients.md"),
        doc("docs/troubleshooting.md"),
        doc("src/link_local.rs"),
        help("serve"),
        help("link-local"),
        help("credential-process"),
        help("shutdown"),
    ];
    for text in texts {
        let mut spelled = text.split("127.0.0.1:").skip(1).peekable();
        assert!(spelled.peek().is_some(), "no address in {text}");
        for rest in spelled {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            assert!(known.contains(&port.as_str()), "127.0.0.1:{port}");
        }
    }
}

#[test]
fn the_readme_is_short_and_its_links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = doc("README.md");
    assert!(readme.lines().count() <= 150);
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "manifests/README.md",
        "docs/doctor.md",
        "docs/install.md",
        "docs/kubectl.md",
        "docs/legacy-apps.md",
        "docs/operations.md",
        "docs/troubleshooting.md",
        "docs/metrics.md",
        "docs/threat-model.md",
    ] {
        let text = doc(name);
        let path = root.join(name);
        let folder = path.parent().expect("a folder");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file.is_empty() {
                true => path.clone(),
                false => folder.join(file),
            };
            assert!(file.exists(), "{name} links to {target}");
            let leads = anchor.is_empty() || anchors(&read(&file)).contains(anchor);
            assert!(leads, "{name} links to {target}: no heading has that name");
        }
    }
}

/// Those that forges make of headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let headings = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.chars().filter(kept).collect::<String>())
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

#[test]
fn the_commands_of_readme_and_contributing_are_targets_of_the_makefile() {
    let makefile = doc("Makefile");
    for name in ["README.md", "CONTRIBUTING.md"] {
        let text = doc(name);
        for target in text.split("make ").skip(1) {
            let target: String = target
                .chars()
                .take_while(|c| c.is_ascii_lowercase())
                .collect();
            let is_command = ["demo", "test", "bench", "deny", "help"].contains(&target.as_str());
            assert!(
                !is_command || makefile.contains(&format!("\n{target}:")),
                "{name} names make {target}"
            );
        }
    }
}

#[test]
fn contributing_lists_whatever_ci_runs_and_says_so() {
    let text = doc("CONTRIBUTING.md");
    let (_, says) = text.split_once("CI runs `.ci/run`").expect("the sentence");
    let says = says.split("\n\n").next().expect("its paragraph");
    let script = doc(".ci/run");
    let commands = script.lines().filter(|line| line.starts_with("make "));
    let commands: Vec<&str> = commands.collect();
    assert!(commands.len() > 2, "the commands were not found");
    for command in commands {
        let row = format!("\n| `{command}` |");
        assert!(text.contains(&row), "no row for {command}");
        assert!(says.contains(&format!("`{command}`")), "{command}: {says}");
    }
}

/// Each is looked for by its id or by the name of its constant; that a table has all of its kind is said beside the table.
#[test]
fn every_finding_is_met_in_some_end_to_end_test() {
    /// Clients are told its code.
    const BY_CODE: (&str, &str) = ("too-many-roles", "\"TooManyRoles\"");
    /// Only a clock before 1970 or after 9999 comes to this; `src/eks_token/tests.rs` has one.
    const BY_UNIT_TEST: &str = "eks-token-unsignable";
    let mut sources = Vec::new();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    collect(&tests, &mut sources);
    assert!(sources.len() > 40, "the tests were not found");
    for finding in findings::ALL {
        let constant = finding.id.replace('-', "_").to_uppercase();
        let mut names = vec![
            format!("\"{}\"", finding.id),
            format!("findings::{constant}"),
        ];
        if finding.id == BY_CODE.0 {
            names.push(BY_CODE.1.to_owned());
        }
        let meets = |source: &String| names.iter().any(|name| source.contains(name));
        let met = sources.iter().any(meets) || finding.id == BY_UNIT_TEST;
        assert!(met, "no test meets {}", finding.id);
    }
}

/// The sources below a directory, without this one.
fn collect(directory: &Path, sources: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("docs.rs") {
            sources.push(read(&path));
        }
    }
}

#[test]
fn help_teaches_by_examples_and_names_the_exit_codes() {
    let help = Launch::new(["--help"]).output();
    assert!(help.status.success() && help.stderr.is_empty());
    for part in [
        "Examples:",
        "irsa-sidecar serve",
        "Exit codes:",
        "78",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ] {
        assert!(help.stdout.contains(part), "{part}");
    }
}
