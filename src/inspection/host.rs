//! Which hosts the verifier takes: those that the Go SDK would ask in the cluster's partition.

use super::quote::quote;
use super::shown;
use super::violation::{Rule, Violation};
use crate::partition::{PARTITIONS, Partition, Region};

/// STS's only host without a region.
const GLOBAL: &str = "sts.amazonaws.com";

/// The verifier knows no dual-stack hosts in the others.
const WITH_DUAL_STACK: &[&str] = &["aws", "aws-cn", "aws-us-gov", "aws-eusc"];

/// What the verifier takes for the region in a host: `global`, or the second label.
pub(super) fn region_in(host: &str) -> Result<&str, String> {
    if host.is_empty() {
        return Err("host is empty".into());
    }
    let mut labels = host.split('.').skip(1);
    match (host, labels.next(), labels.next()) {
        (GLOBAL, ..) => Ok("global"),
        (_, Some(region), Some(_)) => Ok(region),
        _ => Err(format!("invalid host format: {}", shown::name(host))),
    }
}

/// The rule of verifiers from 0.7.5 on. Of which cluster the verifier is only its region tells; without one it is taken
/// to be in the partition of the token's.
pub(super) fn check(host: &str, cluster_region: Option<&Region>) -> Result<(), Violation> {
    let shown_host = shown::name(host);
    let region = region_in(host).map_err(|reason| {
        let text = format!("could not parse region for pre-signed URL {shown_host}, {reason}");
        Violation::new(Rule::Host, text)
    })?;
    let own = cluster_region.map_or_else(|| partition_of(region), Region::partition);
    if host == GLOBAL {
        return match own.name {
            "aws" => Ok(()),
            name => Err(Violation::new(
                Rule::GlobalHost,
                format!("global endpoint unsupported in partition {name}"),
            )),
        };
    }
    if !is_region_shaped(region) {
        let region = shown::name(region);
        let text = format!("invalid region identifier format provided: {region}");
        return Err(Violation::new(Rule::Host, text));
    }
    if !hosts_of_the_sdk(region).iter().any(|known| known == host) {
        let text = format!(
            "unexpected hostname {} in pre-signed URL",
            quote(shown_host.as_bytes())
        );
        return Err(Violation::new(Rule::Host, text));
    }
    let suffix = host.splitn(3, '.').nth(2).unwrap_or_default();
    if !suffixes(own).contains(&suffix) {
        let text = format!(
            "partition {{{}}} does not support hostname {shown_host}",
            own.name
        );
        return Err(Violation::new(Rule::Partition, text));
    }
    Ok(())
}

/// What the verifier lets hosts of a partition end in.
fn suffixes(partition: &'static Partition) -> Vec<&'static str> {
    let dual_stack = WITH_DUAL_STACK.contains(&partition.name);
    let dual_stack = dual_stack.then_some(partition.dual_stack_suffix);
    [partition.dns_suffix]
        .into_iter()
        .chain(dual_stack)
        .collect()
}

fn is_region_shaped(region: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    region.bytes().all(inside)
        && !region.is_empty()
        && !region.starts_with('-')
        && !region.ends_with('-')
}

/// As the Go SDK sees it: what no pattern fits is in `aws`.
fn partition_of(region: &str) -> &'static Partition {
    let global = |partition: &&Partition| region == format!("{}-global", partition.name);
    let by_name = || PARTITIONS.iter().find(global);
    Partition::of_region(region)
        .or_else(by_name)
        .unwrap_or(&PARTITIONS[0])
}

/// Every name that the Go SDK has for STS in a region, existing or not: with FIPS or without, dual-stack or not.
fn hosts_of_the_sdk(region: &str) -> [String; 4] {
    let partition = partition_of(region);
    let (suffix, dual_stack) = (partition.dns_suffix, partition.dual_stack_suffix);
    let regional = match region {
        "aws-global" => GLOBAL.to_owned(),
        _ => format!("sts.{region}.{suffix}"),
    };
    let fips = match partition.name {
        "aws-us-gov" => format!("sts.{region}.{suffix}"),
        _ => format!("sts-fips.{region}.{suffix}"),
    };
    [
        regional,
        fips,
        format!("sts.{region}.{dual_stack}"),
        format!("sts-fips.{region}.{dual_stack}"),
    ]
}
