//! The configuration as `doctor` looks at it: what is good of it, whatever else is wrong.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::doubts::together;
use super::resolver::Resolver;
use super::role::Source;
use super::running::{FULL_URI, Running, from_inside, is_loopback};
use super::settings::{self, ROLE_FROM_ANNOTATION};
use super::sources::{Flags, Origin};
use super::values::ops_address;
use super::{Config, ConfigErrors, Endpoints, Reported};
use crate::diagnosis::{Diagnosis, findings};
use crate::role::{RoleArn, SessionName};
use crate::service_account::{AnnotationsConfig, KubernetesApi};
use crate::sts::StsConfig;

/// What there is.
#[derive(Debug)]
pub struct Examined {
    /// Everything that `serve` needs, where nothing is wrong.
    pub config: Option<Config>,
    /// Every setting with its value and origin. Without secrets.
    pub report: Vec<Reported>,
    /// What keeps `serve` from starting.
    pub errors: Option<Diagnosis>,
    /// Whether all that is wrong is that nobody names a role, and perhaps a region.
    pub lacks_role_only: bool,
    /// What `serve` warns about at start.
    pub doubts: Option<Diagnosis>,
    /// One setting with two values.
    pub conflict: Option<Diagnosis>,
    /// Values in variables of AWS's that are not used, as others count more, and that is usual: a line for each setting.
    pub overridden: Vec<String>,
    /// Where the token is.
    pub token_file: Option<PathBuf>,
    /// What its `aud` has to hold.
    pub audience: Option<String>,
    /// The role, where a setting names it.
    pub role: Option<RoleArn>,
    /// Whether the service account's annotation names the role.
    pub reads_annotation: bool,
    /// How annotations are read, where no setting names the role.
    pub annotations: Option<AnnotationsConfig>,
    /// Where the service account is, that has them.
    pub api: KubernetesApi,
    /// What CloudTrail shall show; `None`: from the token.
    pub session_name: Option<SessionName>,
    /// How long sessions shall live.
    pub duration: Option<Duration>,
    /// The region whose STS is asked.
    pub region: Option<String>,
    /// The way to STS.
    pub sts: Option<StsConfig>,
    /// Where STS and EKS are, and how to get there.
    pub endpoints: Option<Endpoints>,
    /// Where a running sidecar is.
    pub running: Option<Running>,
    /// Where its ops door is, best first.
    pub ops: Vec<SocketAddr>,
    /// Whether the environment itself says where the sidecar is. An address that is not loopback may be another agent's.
    pub is_pointed: bool,
    /// Whether no setting names a role or, by a name of the sidecar's own, a token: so it is in an app's
    /// container. `AWS_ROLE_ARN` without a token is for the app's own use. The variable `AWS_WEB_IDENTITY_TOKEN_FILE` and the file at the default path may be there, since the webhook
    /// looks after all containers.
    pub is_app: bool,
}

/// Looks at every setting of `serve`. Reads the settings file, the CA bundle and, for the region, the token.
pub fn examine(
    flags: Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Examined {
    let mut resolver = Resolver::new(flags, environment);
    resolver.asks_eks = resolver.sources.is_on("kubeconfig");
    let parts = resolver.parts();
    let (token_file, audience) = (parts.token_file.clone(), parts.audience.clone());
    let (role, sts) = (parts.role().cloned(), parts.sts());
    let (session_name, duration) = (parts.session_name.clone(), parts.duration);
    let endpoints = parts.endpoints.clone();
    let region = parts.region.clone();
    let annotations = match &parts.source {
        Some(Source::Annotation { prefix, stand_in }) => Some(resolver.annotations(
            prefix.clone(),
            stand_in.clone(),
            region.as_deref().unwrap_or_default(),
        )),
        _ => None,
    };
    let config = resolver.config_with(parts);
    let reads_annotation = resolver.sources.is_on(ROLE_FROM_ANNOTATION);
    let (conflict, overridden) = (resolver.conflict(), resolver.overridden());
    let uri = resolver.sources.variable(FULL_URI);
    let is_pointed = uri.is_some_and(|(uri, _)| is_loopback(&uri));
    let is_app = !resolver.has_role() && !reads_annotation && !resolver.has_own_token();
    let api = resolver.api();
    let (report, warnings) = (resolver.report.clone(), resolver.warnings.clone());
    let errors = resolver.errors.clone();
    let is_named = |name: &&str| ["role-arn", "region"].contains(name);
    let lacks_role_only = resolver.missing.contains(&"role-arn")
        && resolver.missing.len() == errors.len()
        && resolver.missing.iter().all(is_named);
    // From here on what is wrong was said before.
    let running = resolver.running();
    let ops = resolver.get("ops-listen", ops_address);
    Examined {
        config: config.filter(|_| errors.is_empty()),
        report,
        errors: ConfigErrors(errors).diagnosis(),
        lacks_role_only,
        doubts: together(&warnings),
        conflict,
        overridden,
        token_file,
        audience,
        role,
        reads_annotation,
        session_name,
        duration,
        annotations,
        api,
        region,
        sts,
        endpoints,
        running,
        ops: ops.map(from_inside).unwrap_or_default(),
        is_pointed,
        is_app,
    }
}

impl Resolver {
    fn has_role(&self) -> bool {
        let apps = Origin::Variable("AWS_ROLE_ARN".to_owned());
        let found = settings::find("role-arn").and_then(|setting| self.sources.find(setting));
        found.is_some_and(|(_, origin)| origin != apps || self.sources.is_set("token-file"))
    }

    fn has_own_token(&self) -> bool {
        let webhooks = Origin::Variable("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned());
        let found = settings::find("token-file").and_then(|setting| self.sources.find(setting));
        found.is_some_and(|(_, origin)| origin != webhooks)
    }
}

impl ConfigErrors {
    /// What keeps `serve` from starting; `None` where nothing does.
    fn diagnosis(&self) -> Option<Diagnosis> {
        (!self.0.is_empty()).then(|| Diagnosis {
            finding: findings::CONFIGURATION_INVALID,
            found: self.0.join("\n"),
            expected: "settings with which the sidecar starts".into(),
            fix: "correct each of them: a line ends with where to set what it is about, or names the place that is wrong; the sidecar ends with 78 until all are right"
                .into(),
        })
    }
}
