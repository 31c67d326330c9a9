//! What an AWS SDK in the app's container asks first.
//!
//! Nearly every SDK looks for static keys, then for a web identity, then for the container's credentials, the relative
//! URI before the full one, and last for instance metadata.

mod bypass;

use std::collections::BTreeMap;

use super::uri::{goes_around, place, references};
use super::{FULL_URI, GIVE_THE_POD, Known, RELATIVE_URI, ROLE, TOKEN_FILE, list};
use crate::diagnosis::{Diagnosis, Finding, Step, findings, steps};
use crate::doctor::Entry;
use crate::doctor::pod::{Container, Pod, Value, plain};
use crate::in_cluster::is_service_link;
use crate::outputs::container_credentials::{ADDRESS, CREDENTIALS_BY_SECRET};

const STEP: Step = steps::APP_SDK;
const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Doors of the sidecar besides the two addresses: what it writes, instance metadata at another address, a cluster.
const OTHER_DOORS: [&str; 5] = [
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CREDENTIAL_PROFILES_FILE",
    "AWS_CONFIG_FILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "KUBECONFIG",
];
/// Proxies of what is not TLS.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXIES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// All that a sidecar may answer on.
const AROUND: &str = "127.0.0.1,localhost,169.254.170.2,169.254.170.23,169.254.169.254";
/// Where a relative URI leads.
const LINK_LOCAL: &str = "169.254.170.2";

/// What the app's container gets, to paste.
fn env() -> String {
    format!(
        "env:\n\
         - {{name: POD_UID, valueFrom: {{fieldRef: {{fieldPath: metadata.uid}}}}}}    # before the next line, which uses it\n\
         - {{name: {FULL_URI}, value: \"http://{ADDRESS}{CREDENTIALS_BY_SECRET}$(POD_UID)\"}}"
    )
}

/// Trouble of one kind, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unresolved,
    Bypass,
    Proxy,
    Unpointed,
}

/// What a container has, and what to do about it.
struct Trouble {
    kind: Kind,
    found: String,
    fix: String,
}

/// Judges the containers that are the app's.
pub fn app_sdk(pod: &Pod, known: &Known<'_>) -> Entry {
    let apps: Vec<&Container> = pod.apps().collect();
    let is_pointed = |one: &&Container| is_pointed(one, pod);
    if !pod.given {
        let whose = match apps.is_empty() {
            true => "this is the sidecar's container",
            false if apps.iter().any(is_pointed) => return judge(pod, &apps, known),
            false => "nothing here points to a sidecar",
        };
        return Entry::skipped(
            STEP,
            format!("{whose}; the app's containers are looked at with the pod: {GIVE_THE_POD}"),
        );
    }
    match apps.is_empty() {
        true => Entry::skipped(STEP, "the pod has no container but the sidecar's"),
        false => judge(pod, &apps, known),
    }
}

fn judge(pod: &Pod, apps: &[&Container], known: &Known<'_>) -> Entry {
    let mut troubled: BTreeMap<Kind, Vec<(&Container, Trouble)>> = BTreeMap::new();
    for container in apps {
        for trouble in troubles(container, pod, known) {
            troubled
                .entry(trouble.kind)
                .or_default()
                .push((container, trouble));
        }
    }
    let Some((worst, concerned)) = troubled.pop_first() else {
        let asked: Vec<String> = apps
            .iter()
            .map(|one| format!("{one} {}", asks(one, pod)))
            .collect();
        return Entry::fine(STEP, asked.join("; "));
    };
    let mut found: Vec<String> = concerned
        .iter()
        .map(|(one, trouble)| format!("{one} {}", trouble.found))
        .collect();
    for (kind, concerned) in &troubled {
        let which = list(concerned.iter().map(|(one, _)| *one));
        found.push(format!("besides, {which}: {}", kind.finding().title));
    }
    let mut fixes: Vec<String> = Vec::new();
    for (_, trouble) in concerned {
        if !fixes.contains(&trouble.fix) {
            fixes.push(trouble.fix);
        }
    }
    let diagnosis = Diagnosis {
        finding: worst.finding(),
        found: found.join("\n"),
        expected: worst.expected().to_owned(),
        fix: fixes.join("\n"),
    };
    match worst {
        Kind::Unresolved => Entry::failed(STEP, diagnosis),
        _ => Entry::warned(STEP, diagnosis),
    }
}

impl Kind {
    fn finding(self) -> Finding {
        match self {
            Kind::Unresolved => findings::APP_URI_UNRESOLVED,
            Kind::Bypass => findings::APP_SDK_BYPASS,
            Kind::Proxy => findings::APP_PROXY,
            Kind::Unpointed => findings::APP_SDK_UNPOINTED,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Kind::Unresolved => {
                "a variable that stands before the address in the container's env: Kubernetes fills in only those, and leaves the text as it is otherwise"
            }
            Kind::Bypass => {
                "an address at which the pod's sidecar listens, and nothing that SDKs look for before it: static keys, then a web identity or a profile, then the relative URI, then the full one"
            }
            Kind::Proxy => {
                "a NO_PROXY that names the sidecar's address: some SDKs ask even loopback through the proxy (Rust, object_store, opendal, botocore before 1.11), and Go and Rust ask link-local addresses through it"
            }
            Kind::Unpointed => {
                "a door of the sidecar, where the container calls AWS: AWS_CONTAINER_CREDENTIALS_FULL_URI does for nearly every SDK since 2017; a container that does not call AWS needs none"
            }
        }
    }
}

fn troubles(container: &Container, pod: &Pod, known: &Known<'_>) -> Vec<Trouble> {
    let found = [
        unresolved(container),
        bypass::bypass(container, pod, known),
        proxied(container),
        unpointed(container, pod),
    ];
    found.into_iter().flatten().collect()
}

/// The address still has, or will have, a `$(NAME)` in it.
fn unresolved(container: &Container) -> Option<Trouble> {
    let uri = container.text(FULL_URI)?;
    // What the kubelet has left as it was, or made of `$$(NAME)`.
    let left_over = |name: &str| format!("has {FULL_URI} with $({}) in it", plain(name));
    let found = match &container.name {
        None => left_over(references(uri).first()?),
        Some(_) => {
            let at = container
                .env
                .iter()
                .rposition(|(name, _)| name == FULL_URI)?;
            let (before, after) = container.env.split_at(at);
            let is_in =
                |part: &[(String, Value)], name: &str| part.iter().any(|(found, _)| found == name);
            let is_known = |name: &str| {
                is_in(before, name)
                    || is_service_link(name)
                    || container.has_env_from && !is_in(after, name)
            };
            let name = references(uri).into_iter().find(|name| !is_known(name));
            match name {
                Some(name) if is_in(after, name) => {
                    format!(
                        "uses {} in {FULL_URI}, and has it only further down",
                        plain(name)
                    )
                }
                Some(name) => format!(
                    "uses {} in {FULL_URI}, and has no such variable",
                    plain(name)
                ),
                None if uri.contains("$$(") => {
                    format!("has {FULL_URI} with $$( in it, which stays as $(")
                }
                None => return None,
            }
        }
    };
    let fix = format!(
        "in the container's env, in this order, and make the pod anew:\n{}",
        env()
    );
    Some(Trouble {
        kind: Kind::Unresolved,
        found,
        fix,
    })
}

/// A proxy would get what is meant for the sidecar, the authorization with it.
fn proxied(container: &Container) -> Option<Trouble> {
    let proxy = container.first_of(&PROXIES)?;
    let (door, host) = match container.has(RELATIVE_URI) {
        true => (RELATIVE_URI, LINK_LOCAL.to_owned()),
        false => {
            let uri = container.text(FULL_URI)?;
            // A proxy of https gets no path to see.
            let place = place(uri).filter(|_| uri.starts_with("http:"))?;
            (FULL_URI, place.host)
        }
    };
    let set: Vec<&str> = NO_PROXIES
        .into_iter()
        .filter(|name| container.value(name).is_some())
        .collect();
    let lacking: Vec<&str> = set
        .iter()
        .copied()
        .filter(|name| {
            container
                .text(name)
                .is_some_and(|list| !goes_around(list, &host))
        })
        .collect();
    let found = match (set.is_empty(), lacking.as_slice()) {
        // It may come from there.
        (true, _) if container.has_env_from => return None,
        (true, _) => format!("has {proxy} and no NO_PROXY, and {door} leads to {host}"),
        (false, []) => return None,
        (false, lacking) => format!(
            "has {proxy}, and {} does not name {host}, where {door} leads",
            lacking.join(" and ")
        ),
    };
    let lines = match lacking.as_slice() {
        [] => vec![format!("- {{name: NO_PROXY, value: \"{AROUND}\"}}")],
        lacking => lacking
            .iter()
            .map(|name| {
                let own = container.text(name).unwrap_or_default();
                let own: String = own
                    .chars()
                    .filter(|c| c.is_ascii_graphic() && !"\"\\".contains(*c))
                    .collect();
                format!(
                    "- {{name: {name}, value: \"{AROUND},{}\"}}",
                    own.trim_matches(',')
                )
            })
            .collect(),
    };
    let fix = format!("in the env of {container}:\n{}", lines.join("\n"));
    Some(Trouble {
        kind: Kind::Proxy,
        found,
        fix,
    })
}

/// Nothing leads to the sidecar. A container that has nothing to do with AWS (a mesh's proxy) is left alone where another
/// one has a door.
fn unpointed(container: &Container, pod: &Pod) -> Option<Trouble> {
    let is_of_aws = container
        .env
        .iter()
        .any(|(name, _)| name.starts_with("AWS_"));
    let is_only_one = !pod.apps().any(|one| is_pointed(one, pod));
    if is_pointed(container, pod) || container.has_env_from || !(is_of_aws || is_only_one) {
        return None;
    }
    let fix = format!(
        "if the container calls AWS, put this into its env, and make the pod anew:\n{}\n- {{name: AWS_EC2_METADATA_DISABLED, value: \"true\"}}    # no fall-through to the node's role\n- {{name: NO_PROXY, value: \"{AROUND}\"}}",
        env()
    );
    let found = format!("has neither {FULL_URI} nor another door of the sidecar");
    Some(Trouble {
        kind: Kind::Unpointed,
        found,
        fix,
    })
}

/// Whether an SDK there finds any credentials of the pod.
fn is_pointed(container: &Container, pod: &Pod) -> bool {
    let by_itself = container.has(ROLE) && container.has(TOKEN_FILE) || container.has(KEY_ID);
    container.first_of(&[FULL_URI, RELATIVE_URI]).is_some()
        || container.first_of(&OTHER_DOORS).is_some()
        || pod.given && by_itself
        || asks_metadata(container, pod)
}

/// The sidecar stands in for instance metadata, where every SDK looks in the end.
fn asks_metadata(container: &Container, pod: &Pod) -> bool {
    let disabled = container.text("AWS_EC2_METADATA_DISABLED");
    let is_there = |one: &Container| {
        one.has("IRSA_SIDECAR_IMDS_LISTEN")
            || one
                .args
                .iter()
                .any(|arg| arg.split('=').next() == Some("--imds-listen"))
    };
    !disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) && pod.ours().any(is_there)
}

/// What it asks, for whom all is well.
fn asks(container: &Container, pod: &Pod) -> String {
    if let Some(uri) = container.text(FULL_URI) {
        let place = place(uri).map_or("an address that is no URL".to_owned(), |place| place.shown);
        return format!("asks {place} ({FULL_URI})");
    }
    let door = container
        .first_of(&[FULL_URI, RELATIVE_URI])
        .or_else(|| container.first_of(&OTHER_DOORS));
    match door {
        Some(RELATIVE_URI) => format!("asks {LINK_LOCAL} ({RELATIVE_URI})"),
        Some(door) => format!("goes by {door}"),
        None if container.has(KEY_ID) => format!("has keys of its own ({KEY_ID})"),
        None if container.has(TOKEN_FILE) => {
            format!("exchanges the token by itself ({TOKEN_FILE})")
        }
        None if asks_metadata(container, pod) => "asks the sidecar's instance metadata".to_owned(),
        None if container.has_env_from => "may have more by envFrom".to_owned(),
        None => "has no door, and no variable of AWS".to_owned(),
    }
}

#[cfg(test)]
mod tests;
