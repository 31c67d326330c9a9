//! Which hosts the verifier takes for STS.
//!
//! Nobody outside AWS can see which release a cluster runs, and the rules have changed: releases up to 0.7.4 look
//! hosts up in the table of the Go SDK of their day, later ones put them together by its rules.

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
    host == GLOBAL
        || REGIONS_OF_2024
            .iter()
            .chain(&LATER_REGIONS)
            .any(|region| of_region(region))
}

const FIPS: [&str; 4] = ["us-east-1", "us-east-2", "us-west-1", "us-west-2"];

/// Those of the SDK's table in July 2024.
const REGIONS_OF_2024: [&str; 37] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "eu-isoe-west-1",
];

const LATER_REGIONS: [&str; 9] = [
    "ap-east-2",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "mx-central-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "eusc-de-east-1",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn home(region: &'static str, authenticator: Authenticator) -> Home<'static> {
        Home {
            partition: Partition::of_region(region),
            region,
            authenticator,
        }
    }

    fn judged(region: &'static str, host: &str) -> Result<String, String> {
        home(region, Authenticator::Sdk2).region_of(host)
    }

    fn looked_up(region: &'static str, host: &str) -> bool {
        home(region, Authenticator::Sdk1).region_of(host).is_ok()
    }

    #[test]
    fn regional_fips_and_dual_stack_hosts_of_the_partition_are_taken() {
        for (home, host, region) in [
            ("eu-west-1", "sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ("eu-west-1", "sts.us-west-2.amazonaws.com", "us-west-2"),
            ("eu-west-1", "sts-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("eu-west-1", "sts.us-west-2.api.aws", "us-west-2"),
            (
                "eu-west-1",
                "sts.not-a-region.amazonaws.com",
                "not-a-region",
            ),
            ("eu-west-1", "sts.amazonaws.com", "global"),
            (
                "cn-north-1",
                "sts.cn-northwest-1.amazonaws.com.cn",
                "cn-northwest-1",
            ),
            (
                "cn-north-1",
                "sts.cn-north-1.api.amazonwebservices.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-west-1",
                "sts.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
            ),
            (
                "us-iso-east-1",
                "sts.us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1",
            ),
            (
                "eusc-de-east-1",
                "sts.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
            ),
        ] {
            assert_eq!(judged(home, host).as_deref(), Ok(region), "{host}");
        }
    }

    #[test]
    fn every_other_host_is_refused_with_its_reason() {
        for (home, host, reason) in [
            (
                "eu-west-1",
                "",
                "could not parse region for pre-signed URL , host is empty",
            ),
            (
                "eu-west-1",
                "google.com",
                "could not parse region for pre-signed URL google.com, invalid host format: google.com",
            ),
            (
                "cn-north-1",
                "sts.amazonaws.com",
                "global endpoint unsupported in partition aws-cn",
            ),
            (
                "eu-west-1",
                "sts.cn-north-1.amazonaws.com.cn",
                "partition {aws} does not support hostname sts.cn-north-1.amazonaws.com.cn",
            ),
            (
                "eu-west-1",
                "sts.-x.amazonaws.com",
                "invalid region identifier format provided: -x",
            ),
            (
                "us-gov-west-1",
                "sts-fips.us-gov-west-1.amazonaws.com",
                "unexpected hostname \"sts-fips.us-gov-west-1.amazonaws.com\" in pre-signed URL",
            ),
            (
                "us-west-2",
                "vpce-1.sts.us-west-2.vpce.amazonaws.com",
                "unexpected hostname \"vpce-1.sts.us-west-2.vpce.amazonaws.com\" in pre-signed URL",
            ),
            (
                "us-west-2",
                "sts.us-west-2.amazonaws.com:443",
                "unexpected hostname \"sts.us-west-2.amazonaws.com:443\" in pre-signed URL",
            ),
            (
                "us-iso-east-1",
                "sts.us-iso-east-1.api.aws.ic.gov",
                "unexpected hostname \"sts.us-iso-east-1.api.aws.ic.gov\" in pre-signed URL",
            ),
        ] {
            assert_eq!(judged(home, host), Err(reason.to_owned()));
        }
    }

    #[test]
    fn older_releases_know_a_table_and_their_own_region() {
        for host in [
            "sts.us-west-2.amazonaws.com",
            "sts-fips.us-west-2.amazonaws.com",
            "sts.amazonaws.com",
            "sts.ap-east-9.amazonaws.com",
        ] {
            assert!(looked_up("ap-east-9", host), "{host}");
        }
        for host in [
            "sts.us-west-2.api.aws",
            "sts.not-a-region.amazonaws.com",
            "sts.mx-central-1.amazonaws.com",
            "sts-fips.eu-west-1.amazonaws.com",
            "sts.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(!looked_up("ap-east-9", host), "{host}");
        }
        assert!(!looked_up("cn-north-1", "sts.amazonaws.com"));
    }

    #[test]
    fn not_every_host_that_is_taken_exists() {
        assert!(exists("sts.eu-west-1.amazonaws.com"));
        assert!(exists("sts-fips.us-east-1.api.aws"));
        assert!(!exists("sts-fips.eu-west-1.amazonaws.com"));
        assert!(!exists("sts.not-a-region.amazonaws.com"));
    }
}
