//! What stands around the sidecar: the webhook's doing, the app's containers, the kubeconfig.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Local, Patience};
use crate::claims::Claims;
use crate::commands::{Environment, variable};
use crate::config::{Doctor, Origin, Reported};
use crate::diagnosis::{Diagnosis, Step, findings, steps};
use crate::doctor::environment::{Known, Role, app_sdk, skip_containers, webhook};
use crate::doctor::kubeconfig::{self, Looked, OfKubectl};
use crate::doctor::pod::{self, NotAPod, Pod};
use crate::doctor::{Entry, token_file::TokenFile};
use crate::service_account::ANNOTATION_PREFIX;

/// `kubectl get` at the other end of the pipe has a cluster to ask.
const PIPES: Duration = Duration::from_secs(5);
/// Files answer at once, or their file system hangs.
const FILES: Duration = Duration::from_secs(3);

/// What there is to see.
pub(super) struct Surroundings {
    pod: Pod,
    /// What was given is none: then `pod` is what this process sees of its own.
    pub(super) not_a_pod: Option<NotAPod>,
    /// Whether this process runs in the sidecar's container.
    in_sidecar: bool,
    /// `None`: it hangs.
    kubeconfig: Option<Looked>,
}

/// Reads the pod, if one is given, and the kubeconfig.
pub(super) async fn look(
    asked: &Doctor,
    environment: &Environment,
    patience: &Patience,
) -> Surroundings {
    let program = std::env::current_exe().ok();
    let this = Pod::of_this_process(environment, program.as_deref());
    let in_sidecar = this.ours().next().is_some();
    let (given, kubeconfig) = tokio::join!(
        given(asked.pod.as_deref(), patience),
        looked(asked, environment, patience)
    );
    let (pod, not_a_pod) = match given {
        Ok(pod) => (pod.unwrap_or(this), None),
        Err(error) => (this, Some(error)),
    };
    Surroundings {
        pod,
        not_a_pod,
        in_sidecar,
        kubeconfig,
    }
}

async fn given(path: Option<&Path>, patience: &Patience) -> Result<Option<Pod>, NotAPod> {
    let Some(path) = path.map(Path::to_owned) else {
        return Ok(None);
    };
    let from = path.clone();
    let reading = tokio::task::spawn_blocking(move || pod::read(&from));
    let read = patience.within(steps::WEBHOOK, PIPES, reading).await;
    match read {
        Ok(Ok(read)) => read.map(Some),
        _ => Err(NotAPod::unending(&path)),
    }
}

async fn looked(asked: &Doctor, environment: &Environment, patience: &Patience) -> Option<Looked> {
    let set = |name| variable(environment, name).cloned();
    let given = OfKubectl {
        kubeconfig: set("KUBECONFIG"),
        home: set("HOME").map(PathBuf::from),
        path: set("PATH"),
        cluster: asked.cluster.as_ref().map(ToString::to_string),
    };
    let looking = tokio::task::spawn_blocking(move || kubeconfig::look(&given));
    let looked = patience.within(steps::KUBECONFIG, FILES, looking).await;
    looked.ok()?.ok()
}

impl Surroundings {
    /// Judged at `now`, which is corrected time where STS has told it. `asks_sidecar`: this is an app's container, and a
    /// sidecar has the role.
    pub(super) fn entries(&self, local: &Local, asks_sidecar: bool, now: SystemTime) -> [Entry; 4] {
        let prefix = reported(local, "annotation-prefix");
        let prefix = prefix.map_or(ANNOTATION_PREFIX, |setting| setting.value.as_str());
        let claims = local
            .claims
            .as_ref()
            .and_then(|claims| claims.as_ref().ok());
        let known = Known {
            role: role(local),
            settings: settings(local),
            in_sidecar: self.in_sidecar && !self.is_another_pod(claims),
            asks_sidecar,
            has_token: local
                .token_file
                .as_ref()
                .is_some_and(|file: &TokenFile| file.token().is_some()),
            prefix,
            service_account: claims.and_then(service_account),
        };
        [
            webhook(&self.pod, &known),
            skip_containers(&self.pod, prefix),
            app_sdk(&self.pod, &known),
            self.kubeconfig(now),
        ]
    }

    /// Where nothing is known of the settings.
    pub(super) fn entries_alone(&self, now: SystemTime) -> [Entry; 4] {
        const WHY: &str =
            "not judged: whether something else names a role is not known; see configuration";
        [
            Entry::skipped(steps::WEBHOOK, WHY),
            skip_containers(&self.pod, ANNOTATION_PREFIX),
            app_sdk(&self.pod, &Known::of_nothing()),
            self.kubeconfig(now),
        ]
    }

    /// Whether the pod that was given is not the one of this process, by the token.
    fn is_another_pod(&self, claims: Option<&Claims>) -> bool {
        let own = claims.and_then(|claims| claims.kubernetes.as_ref()?.pod.as_ref());
        let given = self.pod.name.as_ref().filter(|_| self.pod.given);
        own.zip(given)
            .is_some_and(|(own, given)| own.name != *given)
    }

    fn kubeconfig(&self, now: SystemTime) -> Entry {
        match &self.kubeconfig {
            Some(looked) => kubeconfig::judge(looked, now),
            None => hanging(),
        }
    }
}

fn reported<'a>(local: &'a Local, name: &str) -> Option<&'a Reported> {
    local
        .examined
        .report
        .iter()
        .find(|setting| setting.name == name)
}

/// A value that cannot be used is not reported.
fn role(local: &Local) -> Role {
    match reported(local, "role-arn") {
        _ if local.examined.reads_annotation => Role::Annotation,
        None => Role::Illegible,
        Some(setting) if setting.origin == Origin::Default => Role::Unnamed,
        Some(setting) => Role::Named(setting.origin.to_string()),
    }
}

/// What somebody has set.
fn settings(local: &Local) -> BTreeMap<&str, &str> {
    let set = local.examined.report.iter();
    let set = set.filter(|setting| setting.origin != Origin::Default);
    set.map(|setting| (setting.name.as_str(), setting.value.as_str()))
        .collect()
}

fn service_account(claims: &Claims) -> Option<(&str, &str)> {
    let bound = claims.kubernetes.as_ref()?;
    Some((
        bound.namespace.as_deref()?,
        bound.service_account.as_deref()?,
    ))
}

fn hanging() -> Entry {
    const STEP: Step = steps::KUBECONFIG;
    let diagnosis = Diagnosis {
        finding: findings::FILE_HANGS,
        found: "the kubeconfig, or the token file or the command that it names, could not be read in time".into(),
        expected: "files that answer at once".into(),
        fix: "see that the volumes that KUBECONFIG, HOME and PATH name are mounted from somewhere that answers".into(),
    };
    Entry::failed(STEP, diagnosis)
}

#[cfg(test)]
mod tests {
    use crate::config::SETTINGS;
    use crate::doctor::pod::OF_SERVE;

    #[test]
    fn what_only_serve_reads_are_settings() {
        for name in OF_SERVE {
            assert!(
                SETTINGS.iter().any(|setting| setting.name == name),
                "{name}"
            );
        }
    }
}
