//! What leads from token to credentials: role, token, STS, and the way there.

use std::path::PathBuf;
use std::time::Duration;

use super::resolver::Resolver;
use super::role::Source;
use super::settings;
use super::sources::{NO_PROXY_VARIABLES, Origin, PROXY_VARIABLES};
use super::values::{boolean, endpoint_url, path, region_name, session_duration, text};
use super::{Endpoints, Walk};
use crate::outputs::kubeconfig_file::EksConfig;
use crate::refresh::web_identity::WebIdentityConfig;
use crate::role::{RoleArn, SessionName};
use crate::secret::Secret;
use crate::sts::StsConfig;
use crate::transport::{EndpointUrl, Network, Proxy, Trust};
use crate::{claims, token};

/// Under this, most SDKs ask before every call; see `docs/configuration.md`.
const SHORT_DURATION: Duration = Duration::from_secs(3600);

/// The settings of the walk, each as far as it is good.
pub(super) struct Parts {
    pub(super) source: Option<Source>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) audience: Option<String>,
    pub(super) session_name: Option<SessionName>,
    pub(super) duration: Option<Duration>,
    pub(super) region: Option<String>,
    pub(super) endpoints: Option<Endpoints>,
}

impl Parts {
    /// The way to STS, where at least that is known.
    pub(super) fn sts(&self) -> Option<StsConfig> {
        let endpoints = self.endpoints.as_ref()?;
        Some(StsConfig {
            region: self.region.clone()?,
            endpoint_url: endpoints.sts.clone(),
            use_fips: endpoints.eks.use_fips,
            use_dualstack: endpoints.eks.use_dualstack,
            network: endpoints.eks.network.clone(),
        })
    }

    /// The role that a setting names.
    pub(super) fn role(&self) -> Option<&RoleArn> {
        match self.source.as_ref()? {
            Source::Setting(role) => Some(role),
            Source::Annotation { .. } => None,
        }
    }
}

impl Resolver {
    pub(super) fn walk(&mut self) -> Option<Walk> {
        let parts = self.parts();
        self.whole(parts)
    }

    /// Every setting is looked at, so that all errors show.
    pub(super) fn parts(&mut self) -> Parts {
        self.get("config", text);
        let source = self.role_source();
        let token_file: Option<PathBuf> = self.get("token-file", path);
        let audience = self.get("audience", text);
        let session_name = self.get("role-session-name", |value| {
            value
                .parse()
                .map_err(|()| "expected 2 to 64 of letters, digits and _+=,.@-".to_owned())
        });
        let duration = self.get("duration", session_duration);
        let region = self.region(token_file.as_ref());
        let endpoints = self.endpoints();
        if duration.is_some_and(|duration| duration < SHORT_DURATION) {
            self.doubt(
                "duration is under 1h: many SDKs then ask for credentials before every call",
            );
        }
        Parts {
            source,
            token_file,
            audience,
            session_name,
            duration,
            region,
            endpoints,
        }
    }

    pub(super) fn whole(&mut self, parts: Parts) -> Option<Walk> {
        let sts = parts.sts()?;
        let role = self.role_from(parts.source?, &sts.region);
        Some(Walk {
            web_identity: WebIdentityConfig {
                token_file: parts.token_file?,
                audience: parts.audience?,
                role,
                session_name: parts.session_name,
                duration: parts.duration?,
            },
            sts,
            eks: parts.endpoints?.eks,
            api: self.api(),
        })
    }

    /// `None` where any of it is wrong but the address of EKS: another endpoint, other roots or no proxy is not the way
    /// that was meant.
    pub(super) fn endpoints(&mut self) -> Option<Endpoints> {
        let eks = self.get("eks-endpoint-url", endpoint_url);
        let before = self.errors.len();
        let sts = self.get("sts-endpoint-url", endpoint_url);
        let use_fips = self.get("use-fips-endpoint", boolean);
        let use_dualstack = self.get("use-dualstack-endpoint", boolean);
        let plain = |url: &Option<EndpointUrl>| url.as_ref().is_some_and(|url| !url.is_tls());
        let all_plain = plain(&sts) && (plain(&eks) || !self.asks_eks);
        let trust = self.trust(all_plain);
        let proxy = self.proxy();
        let (use_fips, use_dualstack) = (use_fips?, use_dualstack?);
        if sts.is_some() && (use_fips || use_dualstack) {
            self.errors.push(
                "sts-endpoint-url names one endpoint, and use-fips-endpoint or use-dualstack-endpoint asks for another; unset one"
                    .into(),
            );
        }
        (self.errors.len() == before).then_some(Endpoints {
            sts,
            eks: EksConfig {
                endpoint_url: eks,
                use_fips,
                use_dualstack,
                network: Network { trust, proxy },
            },
        })
    }

    /// From configuration, then from the issuer of an EKS token; never a guess, and never the global endpoint.
    fn region(&mut self, token_file: Option<&PathBuf>) -> Option<String> {
        let setting = settings::find("region")?;
        if self.sources.find(setting).is_some() {
            return self.get("region", region_name);
        }
        let claims = token_file.map(|path| {
            let token = token::read_once(path).map_err(|error| error.diagnosis().found)?;
            claims::decode(&token).map_err(|error| error.diagnosis().found)
        });
        let reason = match claims {
            Some(Ok(claims)) => match claims.eks_region().map(region_name) {
                Some(Ok(region)) => {
                    self.report("region", region.clone(), Origin::Issuer);
                    return Some(region);
                }
                _ => "the token's issuer is not an EKS cluster's".to_owned(),
            },
            Some(Err(found)) => found,
            None => "there is no token to take it from".to_owned(),
        };
        self.missing("region", &reason);
        None
    }

    /// Only what connections over TLS will need, and whatever was named explicitly.
    fn trust(&mut self, all_plain: bool) -> Option<Trust> {
        let before = self.errors.len();
        let bundle = self.get("ca-bundle", |value| {
            Trust::bundle(value.as_ref()).map_err(|error| error.to_string())
        });
        if bundle.is_some() || self.errors.len() > before || all_plain {
            return bundle;
        }
        match Trust::system() {
            Ok(trust) => Some(trust),
            Err(error) => {
                self.missing("ca-bundle", &error.to_string());
                None
            }
        }
    }

    fn proxy(&mut self) -> Option<Proxy> {
        let find = |names: [&str; 2]| names.iter().find_map(|name| self.sources.variable(name));
        let (url, origin) = find(PROXY_VARIABLES)?;
        let no_proxy = find(NO_PROXY_VARIABLES);
        if let Some((value, origin)) = no_proxy.clone() {
            self.report("no-proxy", value, origin);
        }
        let no_proxy = no_proxy.map_or(String::new(), |(value, _)| value);
        match Proxy::new(Secret::new(url), no_proxy) {
            Some(proxy) => {
                self.report("proxy", proxy.shown(), origin);
                Some(proxy)
            }
            None => {
                self.errors.push(format!(
                    "proxy ({origin}): not a proxy's address; expected http://HOST:PORT"
                ));
                None
            }
        }
    }
}
