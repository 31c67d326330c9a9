//! Hosts that are taken for STS, and those that are not, release by release.

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
