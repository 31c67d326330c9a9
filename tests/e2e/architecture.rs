//! The map in `lib.rs` is true: a module uses only what stands above it, and outputs see the store and nothing behind it.

use std::fs;
use std::path::{Path, PathBuf};

/// Edges that the order would allow and the design does not: `(user, used)`.
const FORBIDDEN: &[(&str, &str)] = &[
    ("outputs", "token"),
    ("outputs", "claims"),
    ("outputs", "sts"),
    ("outputs", "refresh"),
    ("ops", "token"),
    ("ops", "claims"),
    ("ops", "sts"),
    ("ops", "refresh"),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn modules() -> Vec<String> {
    let map = fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs");
    map.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// `src/NAME.rs` and everything in `src/NAME/`.
fn files_of(module: &str) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut files = vec![source().join(format!("{module}.rs"))];
    walk(&source().join(module), &mut files);
    files
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let modules = modules();
    assert!(modules.len() > 10, "the map was not read: {modules:?}");
    for (rank, module) in modules.iter().enumerate() {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).expect("a source file");
            for used in text.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let place = file.display();
                assert!(
                    modules[..=rank].contains(&used) || !modules.contains(&used),
                    "{place} uses {used}, which stands below {module} in lib.rs"
                );
                assert!(
                    !FORBIDDEN.contains(&(module.as_str(), used.as_str())),
                    "{place}: {module} must not use {used}"
                );
                assert!(
                    used != "config" || ["config", "commands", "app"].contains(&module.as_str()),
                    "{place}: only app and commands use config; components have their own Config"
                );
            }
        }
    }
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    const LONGEST: usize = 400;
    for module in modules().iter().chain([&"main".to_owned()]) {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).expect("a source file");
            let place = file.display();
            let code = without_tests(&text).lines().count();
            let is_tests = file.file_name().is_some_and(|name| name == "tests.rs");
            assert!(
                code <= LONGEST || is_tests,
                "{place} has {code} lines before its tests"
            );
            assert!(
                text.starts_with("//!") || is_tests,
                "{place} does not say what it is"
            );
        }
    }
}

#[test]
fn the_emulator_does_not_know_the_sidecar() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the emulator's manifest");
    for forbidden in ["irsa-sidecar", "aws-sdk", "jsonwebtoken"] {
        assert!(
            !manifest.contains(forbidden),
            "the two sides must be written independently: {forbidden}"
        );
    }
}
