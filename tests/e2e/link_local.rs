//! The addresses that old SDKs know: `link-local` puts them on `lo`, and the doors on them answer.

mod addresses;
mod doors;
mod pod_identity;
mod refusals;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::namespace::ip;
use crate::sidecar::{Finished, Launch};

/// `link-local` with these arguments.
fn link_local(arguments: &[&str]) -> Finished {
    asked(arguments).output()
}

fn asked(arguments: &[&str]) -> Launch {
    let mut launch = Launch::new(["link-local"]);
    for argument in arguments {
        launch = launch.arg(*argument);
    }
    launch
}

/// The same behind another program.
fn behind(program: &str, before: &[&str], arguments: &[&str]) -> Finished {
    let before = [before, &[env!("CARGO_BIN_EXE_irsa-sidecar")]].concat();
    let run = asked(arguments).wrapped(program, &before).output();
    let output =
        run.unwrap_or_else(|error| panic!("{program} cannot be run, and this needs it: {error}"));
    Finished {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn assert_done(finished: &Finished, lines: &[&str]) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
    assert_eq!(finished.stderr.lines().collect::<Vec<_>>(), lines);
}

/// Failed with these words, and said nothing on stdout.
#[track_caller]
fn assert_refused(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stdout.is_empty(), "{finished:?}");
    for part in words {
        assert!(
            finished.stderr.contains(part),
            "{part} is not in {}",
            finished.stderr
        );
    }
}

/// All that there is in this network namespace.
#[derive(Debug, Clone, PartialEq)]
struct Network {
    /// `ADDRESS/PREFIX`, with the interface before it.
    addresses: BTreeSet<String>,
    links: Value,
    /// Of all tables but `local`, where each address has one by itself.
    routes: [String; 2],
    rules: [String; 2],
}

impl Network {
    fn here() -> Self {
        let json = |arguments: &str| -> Value {
            serde_json::from_str(&ip(arguments)).expect("JSON of iproute2")
        };
        let routes = |family: &str| {
            let all = ip(&format!("{family} route show table all"));
            let others = all.lines().filter(|route| !route.contains("table local"));
            others.collect::<Vec<_>>().join("\n")
        };
        let mut addresses = BTreeSet::new();
        for link in json("-j address").as_array().expect("a list") {
            for address in link["addr_info"].as_array().expect("a list") {
                addresses.insert(format!(
                    "{} {}/{}",
                    link["ifname"].as_str().expect("a name"),
                    address["local"].as_str().expect("an address"),
                    address["prefixlen"]
                ));
            }
        }
        Network {
            addresses,
            links: json("-j link"),
            routes: ["-4", "-6"].map(routes),
            rules: ["-4", "-6"].map(|family| ip(&format!("{family} rule"))),
        }
    }

    fn with(mut self, addresses: &[&str]) -> Self {
        let on_lo = addresses.iter().map(|address| format!("lo {address}"));
        self.addresses.extend(on_lo);
        self
    }
}
