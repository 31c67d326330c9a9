//! AWS's partitions: which region lies where, and what STS and EKS are called there.
//!
//! A region that no partition's pattern knows is refused: a token for a host that does not exist helps nobody.

use std::fmt;
use std::str::FromStr;

use crate::diagnosis::quote;

/// Regions that share accounts, the suffix of their hosts and the second field of their ARNs.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    /// As it stands in ARNs.
    pub name: &'static str,
    /// What the hosts of services end in.
    pub dns_suffix: &'static str,
    /// What the hosts that also have IPv6 addresses end in.
    pub dual_stack_suffix: &'static str,
    /// What stands before `-WORD-NUMBER` in the names of its regions.
    prefixes: &'static [&'static str],
}

/// Every partition, by the SDKs' own table.
pub const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
    },
    Partition {
        name: "aws-cn",
        dns_suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
        prefixes: &["cn"],
    },
    Partition {
        name: "aws-us-gov",
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        prefixes: &["us-gov"],
    },
    Partition {
        name: "aws-eusc",
        dns_suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
        prefixes: &["eusc-de"],
    },
    Partition {
        name: "aws-iso",
        dns_suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
        prefixes: &["us-iso"],
    },
    Partition {
        name: "aws-iso-b",
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
        prefixes: &["us-isob"],
    },
    Partition {
        name: "aws-iso-e",
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
        prefixes: &["eu-isoe"],
    },
    Partition {
        name: "aws-iso-f",
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
        prefixes: &["us-isof"],
    },
];

/// The only regions where `sts-fips` exists. In aws-us-gov the regional host itself is the FIPS one.
const STS_FIPS_REGIONS: &[&str] = &["us-east-1", "us-east-2", "us-west-1", "us-west-2"];

/// A label of a host name has no more.
const LONGEST_LABEL: usize = 63;

impl Partition {
    /// The partition that is called so in ARNs.
    pub fn named(name: &str) -> Option<&'static Partition> {
        PARTITIONS.iter().find(|partition| partition.name == name)
    }

    /// The partition whose pattern the name of a region fits.
    fn of_region(name: &str) -> Option<&'static Partition> {
        let (front, number) = name.rsplit_once('-')?;
        let (prefix, word) = front.rsplit_once('-')?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let wordy = !word.is_empty() && word.bytes().all(letters);
        let known = |partition: &&Partition| partition.prefixes.contains(&prefix);
        PARTITIONS
            .iter()
            .find(known)
            .filter(|_| digits && wordy && name.len() <= LONGEST_LABEL)
    }
}

/// The name of a region in one of the partitions, such as `us-west-2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region {
    name: String,
    partition: &'static Partition,
}

/// A text that is the name of no region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotARegion(String);

impl fmt::Display for NotARegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not the name of an AWS region: those are PREFIX-WORD-NUMBER, like us-west-2, where PREFIX is",
            quote(&self.0)
        )?;
        for (place, partition) in PARTITIONS.iter().enumerate() {
            let separator = if place == 0 { "" } else { ";" };
            let prefixes = partition.prefixes.join(", ");
            write!(f, "{separator} {prefixes} in {}", partition.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for NotARegion {}

impl FromStr for Region {
    type Err = NotARegion;

    /// Exactly as AWS writes it: `us-west-2a` is a zone, `aws-global` and `US-WEST-2` are none.
    fn from_str(text: &str) -> Result<Self, NotARegion> {
        match Partition::of_region(text) {
            Some(partition) => Ok(Region {
                name: text.to_owned(),
                partition,
            }),
            None => Err(NotARegion(text.to_owned())),
        }
    }
}

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Where it lies.
    pub fn partition(&self) -> &'static Partition {
        self.partition
    }

    /// The regional host of STS. `use_fips` counts where there is such a host; elsewhere the regional host it is, as a
    /// name that does not exist would only be found out by the cluster.
    pub fn sts_host(&self, use_fips: bool) -> String {
        let service = if use_fips && STS_FIPS_REGIONS.contains(&self.as_str()) {
            "sts-fips"
        } else {
            "sts"
        };
        format!("{service}.{}.{}", self.name, self.partition.dns_suffix)
    }

    /// The host of the EKS API, by the SDKs' rules.
    pub fn eks_host(&self, use_fips: bool, use_dualstack: bool) -> String {
        let suffix = if use_dualstack {
            self.partition.dual_stack_suffix
        } else {
            self.partition.dns_suffix
        };
        let service = match (use_fips, use_dualstack, self.partition.name) {
            (false, ..) | (true, false, "aws-us-gov") => "eks",
            (true, false, "aws") => "fips.eks",
            (true, ..) => "eks-fips",
        };
        format!("{service}.{}.{suffix}", self.name)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    fn region(name: &str) -> Region {
        name.parse().unwrap()
    }

    /// What the SDK's own table says.
    fn host_by_the_sdk(region: &str) -> String {
        use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
        let params = Params::builder().region(region).build().unwrap();
        let resolver = DefaultResolver::new();
        let resolving = pin!(resolver.resolve_endpoint(&params));
        match resolving.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(endpoint)) => endpoint.url().replace("https://", ""),
            _ => panic!("the resolver is a pure table"),
        }
    }

    #[test]
    fn every_partition_has_its_names() {
        for (name, partition, sts) in [
            ("us-west-2", "aws", "sts.us-west-2.amazonaws.com"),
            ("mx-central-1", "aws", "sts.mx-central-1.amazonaws.com"),
            (
                "ap-southeast-12",
                "aws",
                "sts.ap-southeast-12.amazonaws.com",
            ),
            ("cn-north-1", "aws-cn", "sts.cn-north-1.amazonaws.com.cn"),
            (
                "us-gov-west-1",
                "aws-us-gov",
                "sts.us-gov-west-1.amazonaws.com",
            ),
            (
                "eusc-de-east-1",
                "aws-eusc",
                "sts.eusc-de-east-1.amazonaws.eu",
            ),
            ("us-iso-east-1", "aws-iso", "sts.us-iso-east-1.c2s.ic.gov"),
            (
                "us-isob-east-1",
                "aws-iso-b",
                "sts.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "eu-isoe-west-1",
                "aws-iso-e",
                "sts.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                "us-isof-south-1",
                "aws-iso-f",
                "sts.us-isof-south-1.csp.hci.ic.gov",
            ),
        ] {
            assert_eq!(region(name).partition().name, partition);
            assert_eq!(region(name).sts_host(false), sts);
            assert_eq!(Partition::named(partition), Some(region(name).partition()));
        }
        assert_eq!(Partition::named("aws-moon"), None);
    }

    #[test]
    fn a_fips_host_is_named_only_where_it_exists() {
        for (name, host) in [
            ("us-east-1", "sts-fips.us-east-1.amazonaws.com"),
            ("us-east-2", "sts-fips.us-east-2.amazonaws.com"),
            ("us-west-1", "sts-fips.us-west-1.amazonaws.com"),
            ("us-west-2", "sts-fips.us-west-2.amazonaws.com"),
            ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
            ("eu-west-1", "sts.eu-west-1.amazonaws.com"),
            ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(region(name).sts_host(true), host);
        }
    }

    #[test]
    fn the_eks_api_is_where_the_sdks_look_for_it() {
        for (name, use_fips, use_dualstack, host) in [
            ("us-west-2", false, false, "eks.us-west-2.amazonaws.com"),
            ("us-west-2", true, false, "fips.eks.us-west-2.amazonaws.com"),
            ("us-west-2", false, true, "eks.us-west-2.api.aws"),
            ("us-west-2", true, true, "eks-fips.us-west-2.api.aws"),
            (
                "cn-north-1",
                false,
                false,
                "eks.cn-north-1.amazonaws.com.cn",
            ),
            (
                "cn-north-1",
                true,
                false,
                "eks-fips.cn-north-1.amazonaws.com.cn",
            ),
            (
                "cn-north-1",
                false,
                true,
                "eks.cn-north-1.api.amazonwebservices.com.cn",
            ),
            (
                "us-gov-east-1",
                false,
                false,
                "eks.us-gov-east-1.amazonaws.com",
            ),
            (
                "us-gov-east-1",
                true,
                false,
                "eks.us-gov-east-1.amazonaws.com",
            ),
            (
                "us-gov-east-1",
                true,
                true,
                "eks-fips.us-gov-east-1.api.aws",
            ),
            (
                "us-iso-east-1",
                false,
                false,
                "eks.us-iso-east-1.c2s.ic.gov",
            ),
        ] {
            assert_eq!(region(name).eks_host(use_fips, use_dualstack), host);
        }
    }

    #[test]
    fn what_is_no_region_is_refused_with_the_shapes_that_there_are() {
        let long = format!("us-{}-1", "x".repeat(63));
        for wrong in [
            "",
            "us",
            "us-1",
            "us-west",
            "us-west-",
            "us--2",
            "-west-2",
            "us-west-2a",
            "us-west-2 ",
            "US-WEST-2",
            "us_west_2",
            "us-we_st-2",
            "us-west-٢",
            "aws-global",
            "moon-west-1",
            "us-gov-1-west",
            "eusc-fr-east-1",
            "us-isoz-east-1",
            "us-west-2.evil.example",
            "us-west-2/",
            "us-gov-west-1-2",
            &long,
        ] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
        assert_eq!(
            "us-west-2a".parse::<Region>().unwrap_err().to_string(),
            "\"us-west-2a\" is not the name of an AWS region: those are PREFIX-WORD-NUMBER, like us-west-2, where PREFIX \
             is us, eu, ap, sa, ca, me, af, il, mx in aws; cn in aws-cn; us-gov in aws-us-gov; eusc-de in aws-eusc; \
             us-iso in aws-iso; us-isob in aws-iso-b; eu-isoe in aws-iso-e; us-isof in aws-iso-f"
        );
    }

    proptest! {
        #[test]
        fn what_fits_a_pattern_is_named_as_the_sdk_names_it(
            prefix in prop::sample::select(vec!["us", "eu", "mx", "cn", "us-gov", "eusc-de", "us-iso", "us-isob", "eu-isoe", "us-isof"]),
            word in "[a-z][a-z0-9]{0,12}",
            number in 1_u8..,
        ) {
            let name = format!("{prefix}-{word}-{number}");
            prop_assert_eq!(region(&name).sts_host(false), host_by_the_sdk(&name));
        }

        #[test]
        fn whatever_is_taken_can_stand_in_a_host_name(name in "(us|cn|us-gov|[a-z]{2})-.{0,8}-.{0,3}|.{0,20}") {
            if let Ok(region) = name.parse::<Region>() {
                prop_assert!(region.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                prop_assert_eq!(region.as_str(), &name);
            }
        }
    }
}
