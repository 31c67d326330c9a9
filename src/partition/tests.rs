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
