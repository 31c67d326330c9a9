//! What an SDK in the app's container takes instead of what the sidecar would give.

use std::path::Path;

use super::super::sidecar::{Sidecar, is_at};
use super::super::uri::{Place, is_near, place, references};
use super::super::{FULL_URI, Known, RELATIVE_URI, ROLE, TOKEN_FILE, names};
use super::{KEY_ID, Kind, LINK_LOCAL, OTHER_DOORS, Trouble, env};
use crate::doctor::pod::{Container, Pod};
use crate::outputs::container_credentials::{ADDRESS, CREDENTIALS};

const DOORS: [&str; 2] = [FULL_URI, RELATIVE_URI];
/// Where Java v1 and the others look for profiles.
const PROFILES: [&str; 2] = [
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CREDENTIAL_PROFILES_FILE",
];
const PROFILE: &str = "AWS_PROFILE";
/// The agent of EKS Pod Identity, on every node that has it.
const AGENT: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];
/// By which many SDKs are kept from the file in the home directory.
const NO_FILE: &str = "/dev/null";

/// Something comes before the sidecar, or the address is not the sidecar's.
pub(super) fn bypass(container: &Container, pod: &Pod, known: &Known<'_>) -> Option<Trouble> {
    let sidecar = Sidecar::of(pod, known);
    let (found, fix) = keys(container)
        .or_else(|| web_identity(container, pod, sidecar.as_ref(), known.prefix))
        .or_else(|| profile(container, sidecar.as_ref()))
        .or_else(|| two_uris(container))
        .or_else(|| elsewhere(container, pod, sidecar.as_ref(), known))?;
    Some(Trouble {
        kind: Kind::Bypass,
        found,
        fix,
    })
}

/// What was found, and what to do about it.
type Words = (String, String);

fn keys(container: &Container) -> Option<Words> {
    let door = container
        .first_of(&DOORS)
        .filter(|_| container.has(KEY_ID))?;
    Some((
        format!("has {KEY_ID} beside {door}: every SDK takes the keys, whoever they belong to"),
        format!(
            "take {KEY_ID}, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN out of the container's env, or {door} where the keys are meant"
        ),
    ))
}

fn web_identity(
    container: &Container,
    pod: &Pod,
    sidecar: Option<&Sidecar<'_>>,
    prefix: &str,
) -> Option<Words> {
    if !takes_the_token(container) {
        return None;
    }
    let found = match container.first_of(&DOORS) {
        Some(door) => format!(
            "has {ROLE} and {TOKEN_FILE} beside {door}: SDKs that know web identity exchange the token by themselves"
        ),
        None => {
            sidecar?;
            format!(
                "has {ROLE} and {TOKEN_FILE}, and no address of the sidecar: SDKs exchange the token by themselves, if they know web identity"
            )
        }
    };
    let before = match container.name {
        Some(_) => {
            "where the pod is made from (in a Deployment under spec.template.metadata), let the EKS webhook skip the container, and let new pods be made; the webhook's region does not get there then, so set AWS_REGION yourself:\n"
        }
        None => {
            "let the EKS webhook skip this container by the annotation of the pod's template, and let new pods be made; the webhook's region does not get there then, so set AWS_REGION yourself:\n"
        }
    };
    let and = match container.first_of(&DOORS) {
        Some(_) => String::new(),
        None => format!("\nand in the container's env:\n{}", env()),
    };
    let skipped = to_skip(pod);
    Some((
        found,
        format!("{before}annotations:\n  {prefix}/skip-containers: \"{skipped}\"{and}"),
    ))
}

/// Whether an SDK finds the webhook's token there before anything of the sidecar's.
fn takes_the_token(container: &Container) -> bool {
    let has_address = container.first_of(&DOORS).is_some();
    let has_other = container.has(KEY_ID) || container.first_of(&OTHER_DOORS).is_some();
    container.has(ROLE) && container.has(TOKEN_FILE) && (has_address || !has_other)
}

/// All containers that go around the sidecar, and those that are skipped already.
fn to_skip(pod: &Pod) -> String {
    let skipped = pod
        .apps()
        .filter(|one| pod.given && (takes_the_token(one) || !one.has(ROLE)));
    let names = names(skipped, ",");
    match names.is_empty() {
        true => "CONTAINER".to_owned(),
        false => names,
    }
}

/// Profiles come before the container's credentials in most SDKs; what the sidecar writes is as good as its address.
fn profile(container: &Container, sidecar: Option<&Sidecar<'_>>) -> Option<Words> {
    let door = container.first_of(&DOORS)?;
    let may_write = sidecar.is_none_or(Sidecar::may_write_credentials);
    let is_foreign = |name: &&&str| {
        container.text(name).is_some_and(|file| {
            let is_output = Path::new(file).file_name() == Some("credentials".as_ref());
            file != NO_FILE && !(is_output && may_write)
        })
    };
    let file = PROFILES.iter().find(is_foreign);
    let is_named = || {
        // What a settings file says of the profile is not seen: it may run this program.
        let is_explained =
            container.has("AWS_CONFIG_FILE") || container.first_of(&PROFILES).is_some();
        let is_default = container.text(PROFILE) == Some("default");
        container.has(PROFILE) && !is_explained && !is_default
    };
    let variable = file.copied().or_else(|| is_named().then_some(PROFILE))?;
    Some((
        format!(
            "has {variable} beside {door}: most SDKs take what a profile holds before they ask an address"
        ),
        format!(
            "take {variable} out of the container's env, or {door} where the profile is meant; the sidecar itself writes a file of credentials with --output-dir DIR --credentials-file"
        ),
    ))
}

fn two_uris(container: &Container) -> Option<Words> {
    (container.has(FULL_URI) && container.has(RELATIVE_URI)).then(|| (
        format!(
            "has {RELATIVE_URI} beside {FULL_URI}: most SDKs ask http://{LINK_LOCAL} then, Go v1 and older Go v2 the full address"
        ),
        format!(
            "leave one of the two out: {RELATIVE_URI} where the sidecar has --link-local-listen={LINK_LOCAL}:80 and the SDK knows nothing else, otherwise {FULL_URI}"
        ),
    ))
}

/// The address leads to nobody, or to somebody else.
fn elsewhere(
    container: &Container,
    pod: &Pod,
    sidecar: Option<&Sidecar<'_>>,
    known: &Known<'_>,
) -> Option<Words> {
    let instead = || format!("in the container's env:\n{}", env());
    let (door, place) = match container.has(FULL_URI) {
        true => match place(&authority(container)?) {
            Some(place) => (FULL_URI, place),
            None => {
                let found = format!(
                    "has {FULL_URI}, and what stands there is no URL; SDKs find nobody there, or do not start"
                );
                return Some((found, instead()));
            }
        },
        false if container.has(RELATIVE_URI) => {
            (RELATIVE_URI, place(&format!("http://{LINK_LOCAL}"))?)
        }
        false => return None,
    };
    let shown = &place.shown;
    let ip = place.ip().filter(|ip| place.is_plain && is_near(*ip));
    let Some(ip) = ip else {
        let why = match place.is_plain {
            false => "the sidecar speaks plain http, and has no certificate",
            true => {
                "no sidecar is there, and SDKs take over plain http nothing but loopback and link-local addresses"
            }
        };
        return Some((
            format!("has {door}, which leads to {shown}: {why}"),
            instead(),
        ));
    };
    let is_agent = AGENT.contains(&place.host.as_str());
    let whose = match is_agent {
        true => ", which is the agent of EKS Pod Identity",
        false => "",
    };
    let near = format!(
        "have the sidecar listen there (--link-local-listen={}), or ",
        address(&place)
    );
    let instead = match ip.is_loopback() {
        true => format!(
            "name an address at which it listens; where that is {ADDRESS}, {}",
            instead()
        ),
        false => format!("{near}{}", instead()),
    };
    match sidecar {
        Some(sidecar) => {
            let all = sidecar.addresses()?;
            if all.iter().any(|one| is_at(one, ip, place.port)) {
                return None;
            }
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            Some((
                format!(
                    "has {door}, which leads to {shown}{whose}; the sidecar listens at {}",
                    all.join(" and ")
                ),
                instead,
            ))
        }
        // Whoever listens on loopback is in the pod. A sidecar that answers here may have more addresses.
        None if ip.is_loopback() || !pod.given && known.asks_sidecar => None,
        None => Some((
            format!(
                "has {door}, which leads to {shown}{whose}; no sidecar is seen to listen there"
            ),
            instead,
        )),
    }
}

/// The beginning of a URL with what the kubelet fills in; `None` where that is not seen.
fn authority(container: &Container) -> Option<String> {
    let uri = container.text(FULL_URI)?;
    let end = uri.match_indices('/').nth(2);
    let mut found = uri[..end.map_or(uri.len(), |(end, _)| end)].to_owned();
    if container.name.is_some() {
        for name in references(&found.clone()) {
            found = found.replace(&format!("$({name})"), container.text(name)?);
        }
    }
    // What nobody has filled in is a trouble of its own.
    (!found.contains("$(")).then_some(found + CREDENTIALS)
}

fn address(place: &Place) -> String {
    match place.host.contains(':') {
        true => format!("[{}]:{}", place.host, place.port),
        false => format!("{}:{}", place.host, place.port),
    }
}
