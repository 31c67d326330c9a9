//! AWS's partitions: which region lies where, and what STS and EKS are called there.
//!
//! A region that no partition's pattern knows is refused: a token for a host that does not exist helps nobody.

#[cfg(test)]
mod tests;

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
    pub fn of_region(name: &str) -> Option<&'static Partition> {
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
