//! Which hosts the verifier takes for STS.
//!
//! Nobody outside AWS can see which release a cluster runs, and the rules have changed: releases up to 0.7.4 look
//! hosts up in the table of the Go SDK of their day, later ones put them together by its rules.

mod regions;

use self::regions::{FIPS, LATER_REGIONS, REGIONS_OF_2024};
use crate::partition::Partition;

/// A release of the authenticator, by what it knows of hosts and says of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authenticator {
    /// Up to 0.7.4: a table of hosts; dual stack and unknown regions are refused.
    Sdk1,
    /// From 0.7.5 on: any label may be a region.
    Sdk2,
}

/// Whom the verifier works for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home<'a> {
    pub(super) partition: &'static Partition,
    pub(super) region: &'a str,
    pub(super) authenticator: Authenticator,
}

const GLOBAL: &str = "sts.amazonaws.com";

impl Home<'_> {
    /// The region of a host that is one of STS, or what is wrong with it.
    pub(super) fn region_of(&self, host: &str) -> Result<String, String> {
        match self.authenticator {
            Authenticator::Sdk1 => self.look_up(host),
            Authenticator::Sdk2 => self.judge(host),
        }
    }

    fn look_up(&self, host: &str) -> Result<String, String> {
        let of_region = |region: &str| format!("sts.{region}.{}", self.partition.suffix);
        let known = |&&region: &&&str| {
            Partition::of_region(region) == self.partition
                && (host == of_region(region)
                    || FIPS.contains(&region) && host == format!("sts-fips.{region}.amazonaws.com"))
        };
        if host == GLOBAL && self.partition.name == "aws" {
            return Ok("global".to_owned());
        }
        if let Some(region) = REGIONS_OF_2024.iter().find(known) {
            return Ok((*region).to_owned());
        }
        if host == of_region(self.region) {
            return Ok(self.region.to_owned());
        }
        Err(unexpected(host))
    }

    fn judge(&self, host: &str) -> Result<String, String> {
        let could_not = |why: &str| {
            Err(format!(
                "could not parse region for pre-signed URL {host}, {why}"
            ))
        };
        let labels: Vec<&str> = host.split('.').collect();
        if host.is_empty() {
            return could_not("host is empty");
        }
        let [_, region, _, ..] = labels[..] else {
            return could_not(&format!("invalid host format: {host}"));
        };
        if host == GLOBAL {
            return match self.partition.name {
                "aws" => Ok("global".to_owned()),
                other => Err(format!("global endpoint unsupported in partition {other}")),
            };
        }
        if !is_region_identifier(region) {
            return Err(format!(
                "invalid region identifier format provided: {region}"
            ));
        }
        if !resolved(region).contains(&host.to_owned()) {
            // For regions that are younger than the SDK.
            let of_home = hosts("sts", self.region, self.partition);
            if of_home.contains(&host.to_owned()) {
                return Ok(region.to_owned());
            }
            return Err(unexpected(host));
        }
        let suffix = labels[2..].join(".");
        if suffix == self.partition.suffix || Some(&*suffix) == self.partition.dual_stack_suffix {
            Ok(region.to_owned())
        } else {
            let partition = self.partition.name;
            Err(format!(
                "partition {{{partition}}} does not support hostname {host}"
            ))
        }
    }
}

fn unexpected(host: &str) -> String {
    format!(
        "unexpected hostname {} in pre-signed URL",
        super::url::quote(host)
    )
}

fn is_region_identifier(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// What the SDK's rules give for a region, with and without FIPS, with and without dual stack.
fn resolved(region: &str) -> Vec<String> {
    let partition = Partition::of_region(region);
    let mut hosts = hosts("sts", region, partition);
    let fips = self::hosts("sts-fips", region, partition);
    // In GovCloud the usual host is the one with FIPS.
    let in_gov = partition.name == "aws-us-gov";
    hosts.extend(fips.into_iter().skip(usize::from(in_gov)));
    hosts
}

/// Without and, where there is such a thing, with dual stack.
fn hosts(service: &str, region: &str, partition: &Partition) -> Vec<String> {
    [Some(partition.suffix), partition.dual_stack_suffix]
        .into_iter()
        .flatten()
        .map(|suffix| format!("{service}.{region}.{suffix}"))
        .collect()
}

/// Whether the domain name system knows this host of STS.
pub(super) fn exists(host: &str) -> bool {
    let of_region = |region: &&str| {
        let partition = Partition::of_region(region);
        hosts("sts", region, partition)
            .iter()
            .any(|known| known == host)
            || FIPS.contains(region)
                && hosts("sts-fips", region, partition)
                    .iter()
                    .any(|known| known == host)
    };
    host == GLOBAL || REGIONS_OF_2024.iter().chain(&LATER_REGIONS).any(of_region)
}

#[cfg(test)]
mod tests;
