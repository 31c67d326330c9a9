//! Where STS is: the regional endpoint, or an address of one's own.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::StsConfig;

/// The address that requests go to. The SDK resolves it by its own table of partitions; asking it here keeps the one
/// request that does not go through the SDK at the same address.
pub(super) fn base_url(config: &StsConfig) -> String {
    use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    if let Some(url) = &config.endpoint_url {
        return url.to_string();
    }
    let fallback = format!("https://sts.{}.amazonaws.com", config.region);
    let params = Params::builder()
        .region(&config.region)
        .use_fips(config.use_fips)
        .use_dual_stack(config.use_dualstack)
        .build();
    let Ok(params) = params else {
        return fallback;
    };
    // The resolver is a pure table: its future is ready at once.
    let resolver = DefaultResolver::new();
    let resolving = pin!(resolver.resolve_endpoint(&params));
    match resolving.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(endpoint)) => endpoint.url().to_owned(),
        _ => fallback,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Network;

    #[test]
    fn every_partition_has_its_regional_endpoint() {
        let url = |region: &str, use_fips, use_dualstack| {
            base_url(&StsConfig {
                region: region.to_owned(),
                endpoint_url: None,
                use_fips,
                use_dualstack,
                network: Network::default(),
            })
        };
        assert_eq!(
            url("eu-west-1", false, false),
            "https://sts.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            url("us-east-1", false, false),
            "https://sts.us-east-1.amazonaws.com"
        );
        assert_eq!(
            url("cn-north-1", false, false),
            "https://sts.cn-north-1.amazonaws.com.cn"
        );
        assert_eq!(
            url("us-east-2", true, false),
            "https://sts-fips.us-east-2.amazonaws.com"
        );
        assert_eq!(
            url("eu-west-1", false, true),
            "https://sts.eu-west-1.api.aws"
        );
    }
}
