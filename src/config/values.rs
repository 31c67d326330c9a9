//! From text to types: one function for each kind of value. The error says what was expected.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::OpsListen;
use crate::diagnosis::{quote, refused};
use crate::eks_token::ClusterName;
use crate::partition::Region;
use crate::transport::EndpointUrl;

const DURATIONS: (Duration, Duration) = (Duration::from_secs(900), Duration::from_secs(43_200));

pub(super) fn text(value: &str) -> Result<String, String> {
    match value {
        "" => Err("expected a text that is not empty".to_owned()),
        value => Ok(value.to_owned()),
    }
}

pub(super) fn path(value: &str) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

/// Others read what is made of it, from another directory.
pub(super) fn absolute_path(value: &str) -> Result<PathBuf, String> {
    std::path::absolute(value).map_err(|error| format!("{error}; expected a path"))
}

pub(super) fn boolean(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

pub(super) fn duration_text(value: &str) -> Result<Duration, String> {
    humantime::parse_duration(value)
        .map_err(|_| "expected a number with a unit, such as 90s or 15m".to_owned())
}

pub(super) fn session_duration(value: &str) -> Result<Duration, String> {
    let duration = duration_text(value)?;
    let (shortest, longest) = DURATIONS;
    if duration < shortest || duration > longest || duration.subsec_nanos() > 0 {
        return Err("expected 15m to 12h in whole seconds".to_owned());
    }
    Ok(duration)
}

/// Region names go into a host name: nothing but what they are made of.
pub(super) fn region_name(value: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let looks_right = value.chars().all(plain)
        && value.split('-').count() >= 3
        && value.split('-').all(|part| !part.is_empty());
    if !looks_right || value.len() > 63 {
        return Err("expected the name of an AWS region, such as eu-west-1".to_owned());
    }
    Ok(value.to_owned())
}

pub(super) fn endpoint_url(value: &str) -> Result<EndpointUrl, String> {
    value
        .parse()
        .map_err(|error| format!("{error}; expected https://HOST, or http:// to loopback"))
}

/// A cluster whose name becomes a file's.
pub(crate) fn cluster_with_file(name: &ClusterName) -> Result<(), String> {
    match can_name_a_file(name.as_str()) {
        true => Ok(()),
        false => Err(no_cluster(name.as_str(), "NAME")),
    }
}

/// Held to what EKS and Outposts call clusters, and dots.
fn can_name_a_file(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    starts_well && name.len() <= 100 && name.bytes().all(plain)
}

fn no_cluster(found: &str, expected: &str) -> String {
    format!(
        "{} names no cluster; expected {expected}, the name with up to 100 letters, digits and _.-",
        refused(found)
    )
}

/// `NAME[=REGION],…`. The name becomes a file's.
pub(super) fn eks_clusters(value: &str) -> Result<Vec<(ClusterName, Option<Region>)>, String> {
    let mut clusters: Vec<(ClusterName, Option<Region>)> = Vec::new();
    for item in value.split(',').map(str::trim) {
        let (name, region) = match item.split_once('=') {
            Some((name, region)) => (name, Some(region)),
            None => (item, None),
        };
        if !can_name_a_file(name) {
            return Err(no_cluster(item, "NAME or NAME=REGION"));
        }
        if clusters.iter().any(|(other, _)| other.as_str() == name) {
            return Err(format!(
                "{} stands there twice, and both would be the file {name}.eks-token",
                quote(name)
            ));
        }
        let name = name
            .parse::<ClusterName>()
            .map_err(|error| error.to_string())?;
        let region = region.map(str::parse::<Region>).transpose();
        clusters.push((name, region.map_err(|error| error.to_string())?));
    }
    Ok(clusters)
}

pub(super) fn loopback_address(value: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = value
        .parse()
        .map_err(|_| "expected IP:PORT, such as 127.0.0.1:9910".to_owned())?;
    if !address.ip().is_loopback() {
        return Err("expected a loopback address: credentials are for this pod only".to_owned());
    }
    Ok(address)
}

/// Addresses that no router forwards, `IP:PORT,…`.
pub(super) fn link_local_addresses(value: &str) -> Result<Vec<SocketAddr>, String> {
    value
        .split(',')
        .map(|item| near_address(item.trim(), "169.254.170.2:80"))
        .collect()
}

pub(super) fn imds_address(value: &str) -> Result<SocketAddr, String> {
    near_address(value, "169.254.169.254:80")
}

fn near_address(value: &str, example: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = value.parse().map_err(|_| {
        format!(
            "{} is no IP:PORT; expected one such as {example}",
            refused(value)
        )
    })?;
    let is_near = match address.ip() {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_loopback(),
        // Amazon's own: the instance metadata and the EKS Pod Identity agent are at fd00:ec2::…
        IpAddr::V6(ip) => ip.segments()[..2] == [0xfd00, 0xec2] || ip.is_loopback(),
    };
    match is_near {
        true => Ok(address),
        false => Err(format!(
            "{} can be reached from outside the pod; expected a link-local address such as {example}, or loopback",
            address.ip()
        )),
    }
}

pub(super) fn ops_address(value: &str) -> Result<OpsListen, String> {
    let parsed = match value.strip_prefix(':') {
        Some(port) => port.parse().ok().map(OpsListen::All),
        None => value.parse().ok().map(OpsListen::One),
    };
    parsed.ok_or_else(|| "expected IP:PORT, or :PORT for all addresses".to_owned())
}

pub(super) fn file_mode(value: &str) -> Result<u32, String> {
    // The leading zero tells it from what YAML makes of a number without quotes.
    let octal = value
        .strip_prefix('0')
        .and_then(|digits| u32::from_str_radix(digits, 8).ok());
    match octal {
        Some(mode) if mode <= 0o777 && mode & 0o422 == 0o400 => Ok(mode),
        _ => Err(
            "expected an octal mode that lets the owner read and nobody else write, such as 0640; in YAML quoted"
                .to_owned(),
        ),
    }
}
