//! Who names the role: a setting, or the service account's annotation.

use super::resolver::Resolver;
use super::settings::{self, ANNOTATION_PREFIX, ROLE_FROM_ANNOTATION};
use super::sources::Origin;
use super::values::boolean;
use crate::diagnosis::refused;
use crate::in_cluster::{HOST_VARIABLE, PORT_VARIABLE};
use crate::refresh::web_identity::RoleFrom;
use crate::role::RoleArn;
use crate::service_account::{AnnotationsConfig, KubernetesApi, is_dns_subdomain};

const ROLE_ARN: &str = "role-arn";
const AUDIENCE: &str = "audience";
/// The webhook froze the annotation in it when the pod was made: here it only stands in.
const FROZEN: &str = "AWS_ROLE_ARN";

/// Who names the role, without the region that it has to fit.
pub(super) enum Source {
    Setting(RoleArn),
    Annotation {
        prefix: String,
        stand_in: Option<RoleArn>,
    },
}

impl Resolver {
    /// `role-arn` as flag, variable or key first, then the annotation, then `AWS_ROLE_ARN`.
    pub(super) fn role_source(&mut self) -> Option<Source> {
        let wanted = self.get(ROLE_FROM_ANNOTATION, boolean);
        let prefix = self.get(ANNOTATION_PREFIX, annotation_prefix);
        let wanted = wanted?;
        if !wanted && self.sources.is_set(ANNOTATION_PREFIX) {
            self.missing(
                ROLE_FROM_ANNOTATION,
                "annotation-prefix is set, and no annotation is read",
            );
        }
        let found = settings::find(ROLE_ARN).and_then(|setting| self.sources.find(setting));
        let is_frozen = |origin: &Origin| *origin == Origin::Variable(FROZEN.to_owned());
        let own = found.as_ref().is_some_and(|(_, origin)| !is_frozen(origin));
        if !wanted || own {
            if wanted {
                self.doubt(
                    "role-from-annotation has no effect, since role-arn is set: neither role nor audience is read from the service account",
                );
            }
            return self.required(ROLE_ARN, role_arn).map(Source::Setting);
        }
        let stand_in = found.and_then(|(value, origin)| self.stand_in(&value, origin));
        if stand_in.is_none() {
            let where_else = "the service account's annotation".to_owned();
            self.report(ROLE_ARN, where_else, Origin::Default);
        }
        Some(Source::Annotation {
            prefix: prefix?,
            stand_in,
        })
    }

    /// The webhook writes whatever the annotation says, so what is no role there is no reason not to start.
    fn stand_in(&mut self, value: &str, origin: Origin) -> Option<RoleArn> {
        match role_arn(value) {
            Ok(role) => {
                let shown = format!("the service account's annotation; {role} stands in for it");
                self.report(ROLE_ARN, shown, origin);
                Some(role)
            }
            Err(error) => {
                self.doubt(format!(
                    "{FROZEN} is {}: {error}; it cannot stand in for the service account's annotation",
                    refused(value)
                ));
                None
            }
        }
    }

    pub(super) fn role_from(&mut self, source: Source, region: &str) -> RoleFrom {
        match source {
            Source::Setting(role) => {
                self.warnings.extend(role.diagnosis(region));
                RoleFrom::Setting(role)
            }
            Source::Annotation { prefix, stand_in } => {
                RoleFrom::Annotation(self.annotations(prefix, stand_in, region))
            }
        }
    }

    pub(super) fn annotations(
        &self,
        prefix: String,
        stand_in: Option<RoleArn>,
        region: &str,
    ) -> AnnotationsConfig {
        AnnotationsConfig {
            prefix,
            reads_audience: !self.sources.is_set(AUDIENCE),
            stand_in,
            region: region.to_owned(),
        }
    }

    /// Connects to nothing, and is asked only for annotations.
    pub(super) fn api(&self) -> KubernetesApi {
        let variable = |name| self.sources.variable(name).map(|(value, _)| value);
        let [host, port] =
            [HOST_VARIABLE, PORT_VARIABLE].map(|name| variable(name).unwrap_or_default());
        KubernetesApi::new(&host, &port)
    }
}

fn role_arn(value: &str) -> Result<RoleArn, String> {
    value
        .parse()
        .map_err(|error| format!("{error}; expected arn:aws:iam::ACCOUNT:role/NAME"))
}

fn annotation_prefix(value: &str) -> Result<String, String> {
    match is_dns_subdomain(value) {
        true => Ok(value.to_owned()),
        false => {
            Err("expected a DNS subdomain in lower case, such as eks.amazonaws.com".to_owned())
        }
    }
}
