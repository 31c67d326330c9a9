//! The partitions of AWS: which regions they have, and how the names of their hosts end.

/// A part of AWS with accounts, regions and a domain of its own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// As it stands in ARNs.
    pub(crate) name: &'static str,
    /// What the names of its regions begin with.
    prefixes: &'static [&'static str],
    pub(crate) suffix: &'static str,
    pub(crate) dual_stack_suffix: Option<&'static str>,
}

/// The first stands in for regions that nobody knows, as in the SDKs.
const PARTITIONS: [Partition; 8] = [
    Partition {
        name: "aws",
        prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("api.aws"),
    },
    Partition {
        name: "aws-cn",
        prefixes: &["cn"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: Some("api.amazonwebservices.com.cn"),
    },
    Partition {
        name: "aws-us-gov",
        prefixes: &["us-gov"],
        suffix: "amazonaws.com",
        dual_stack_suffix: Some("api.aws"),
    },
    Partition {
        name: "aws-iso",
        prefixes: &["us-iso"],
        suffix: "c2s.ic.gov",
        dual_stack_suffix: None,
    },
    Partition {
        name: "aws-iso-b",
        prefixes: &["us-isob"],
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: None,
    },
    Partition {
        name: "aws-iso-e",
        prefixes: &["eu-isoe"],
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: None,
    },
    Partition {
        name: "aws-iso-f",
        prefixes: &["us-isof"],
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: None,
    },
    Partition {
        name: "aws-eusc",
        prefixes: &["eusc-de"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: Some("api.amazonwebservices.eu"),
    },
];

impl Partition {
    /// The partition of a region, by the region's name.
    pub(crate) fn of_region(region: &str) -> &'static Self {
        let found = PARTITIONS.iter().find(|partition| partition.has(region));
        found.unwrap_or(&PARTITIONS[0])
    }

    /// `PREFIX-WORD-NUMBER`.
    fn has(&self, region: &str) -> bool {
        let mut from_the_end = region.rsplitn(3, '-');
        let (number, word, prefix) = (
            from_the_end.next().unwrap_or_default(),
            from_the_end.next().unwrap_or_default(),
            from_the_end.next().unwrap_or_default(),
        );
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !word.is_empty()
            && word.bytes().all(is_word)
            && self.prefixes.contains(&prefix)
    }
}

/// Whether ARNs begin with it.
pub(crate) fn is_name(name: &str) -> bool {
    PARTITIONS.iter().any(|partition| partition.name == name)
}

/// Whether names of regional hosts end in it.
pub(crate) fn is_suffix(suffix: &str) -> bool {
    PARTITIONS
        .iter()
        .any(|partition| partition.suffix == suffix || partition.dual_stack_suffix == Some(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_region_tells_its_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("mx-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
            ("not-a-region", "aws"),
            ("cn-north", "aws"),
        ] {
            assert_eq!(Partition::of_region(region).name, partition, "{region}");
        }
    }
}
