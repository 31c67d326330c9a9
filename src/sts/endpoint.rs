//! Where STS is: the regional endpoint, or an address of one's own.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::StsConfig;
use super::table;
use crate::diagnosis::{Diagnosis, Finding, findings};
use crate::transport::{EndpointUrl, FirstHop, Trust};

/// An address of STS, and what matters of the way there where it leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    /// Whether a setting names it.
    is_set: bool,
    /// Without its password.
    proxy: Option<String>,
    /// Whose roots its certificate is judged by; `None` without TLS.
    roots: Option<String>,
}

impl Endpoint {
    /// The one that is configured.
    pub fn of(config: &StsConfig) -> Self {
        let roots = config.network.trust.as_ref().map(Trust::name);
        Endpoint {
            url: base_url(config),
            is_set: config.endpoint_url.is_some(),
            proxy: first_hop(config).proxy,
            roots: roots.filter(|_| is_tls(config)).map(str::to_owned),
        }
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whose roots have to vouch for its certificate; `None` where it is plain http on loopback.
    pub fn roots(&self) -> Option<&str> {
        self.roots.as_deref()
    }

    /// For sentences of an error that does not know where it came from.
    pub(super) fn unnamed() -> Self {
        Endpoint {
            url: "STS".to_owned(),
            is_set: false,
            proxy: None,
            roots: None,
        }
    }

    /// What to say where nothing can be sent, for this reason.
    pub fn unreachable(&self, cause: &str) -> Diagnosis {
        self.led_to(table::unreachable(cause).diagnosis(self.no_connection(cause)))
    }

    /// What to say where nothing comes back.
    pub fn timed_out(&self) -> Diagnosis {
        self.led_to(table::TIMED_OUT.diagnosis(self.no_answer()))
    }

    /// The setting that leads there comes first, where there is one and the address may be what is wrong.
    pub(super) fn led_to(&self, mut diagnosis: Diagnosis) -> Diagnosis {
        const ABOUT_THE_ADDRESS: [Finding; 3] = [
            findings::STS_DNS,
            findings::STS_CONNECT,
            findings::STS_TIMEOUT,
        ];
        if self.is_set && ABOUT_THE_ADDRESS.contains(&diagnosis.finding) {
            diagnosis.fix = format!(
                "see whether --sts-endpoint-url (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL) is right, which names {}; {}",
                self.url, diagnosis.fix
            );
        }
        diagnosis
    }

    pub(super) fn no_connection(&self, cause: &str) -> String {
        let mut found = format!("no connection to {self}: {cause}");
        if let (true, Some(roots)) = (cause.contains("certificate"), &self.roots) {
            found.push_str(&format!(" (judged by {roots})"));
        }
        found
    }

    pub(super) fn no_answer(&self) -> String {
        format!("no answer from {self} in time")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proxy {
            Some(proxy) => write!(f, "{} through the proxy {proxy}", self.url),
            None => f.write_str(&self.url),
        }
    }
}

/// Where the first connection on the way to this STS goes.
pub fn first_hop(config: &StsConfig) -> FirstHop {
    config.network.first_hop(&parsed(config))
}

fn is_tls(config: &StsConfig) -> bool {
    parsed(config).is_tls()
}

fn parsed(config: &StsConfig) -> EndpointUrl {
    base_url(config)
        .parse()
        .expect("the name of a region is letters, digits and dashes, and so is a part of a host")
}

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
    fn a_setting_that_names_the_address_is_what_to_look_at_first() {
        let fix = |endpoint_url: Option<&str>, cause: &str| {
            let endpoint = Endpoint::of(&StsConfig {
                region: "eu-west-1".to_owned(),
                endpoint_url: endpoint_url.map(|url| url.parse().unwrap()),
                use_fips: false,
                use_dualstack: false,
                network: Network::default(),
            });
            endpoint.unreachable(cause).fix
        };
        let own = Some("https://sts.example.com");
        for cause in ["refused", "dns error"] {
            assert!(
                fix(own, cause).starts_with("see whether --sts-endpoint-url (AWS_ENDPOINT_URL_STS")
            );
            assert!(!fix(None, cause).contains("--sts-endpoint-url"));
        }
        let roots = fix(own, "invalid peer certificate: UnknownIssuer");
        assert!(roots.starts_with("set --ca-bundle"), "{roots}");
    }

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
