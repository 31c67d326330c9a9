//! What stands around the sidecar: the webhook's doing, the app's containers, the kubeconfig.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Local, Patience};
use crate::claims::Claims;
use crate::commands::{Environment, Failure, variable};
use crate::config::{Doctor, Origin, Reported};
use crate::diagnosis::{Diagnosis, Step, findings, steps};
use crate::doctor::environment::{Role, Surroundings as Known, app_sdk, skip_containers, webhook};
use crate::doctor::kubeconfig::{self, Looked};
use crate::doctor::pod::{self, NotAPod, Pod};
use crate::doctor::{Entry, token_file::TokenFile};

/// `kubectl get` at the other end of the pipe has a cluster to ask.
const PIPES: Duration = Duration::from_secs(5);
/// Files answer at once, or their file system hangs.
const FILES: Duration = Duration::from_secs(3);
/// Where no setting says another.
const ANNOTATION_PREFIX: &str = "eks.amazonaws.com";

/// What there is to see.
pub(super) struct Surroundings {
    pod: Pod,
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
) -> Result<Surroundings, Failure> {
    let program = std::env::current_exe().ok();
    let this = Pod::of_this_process(environment, program.as_deref());
    let in_sidecar = this.ours().next().is_some();
    let (given, kubeconfig) = tokio::join!(
        given(asked.pod.as_deref(), patience),
        looked(asked, environment, patience)
    );
    Ok(Surroundings {
        pod: given?.unwrap_or(this),
        in_sidecar,
        kubeconfig,
    })
}

async fn given(path: Option<&Path>, patience: &Patience) -> Result<Option<Pod>, Failure> {
    let Some(path) = path.map(Path::to_owned) else {
        return Ok(None);
    };
    let from = path.clone();
    let reading = tokio::task::spawn_blocking(move || pod::read(&from));
    let read = patience.within(steps::WEBHOOK, PIPES, reading).await;
    let read = match read {
        Ok(Ok(read)) => read,
        _ => Err(NotAPod::unending(&path)),
    };
    read.map(Some)
        .map_err(|error| Failure::Failed(error.to_string()))
}

async fn looked(asked: &Doctor, environment: &Environment, patience: &Patience) -> Option<Looked> {
    let set = |name| variable(environment, name).cloned();
    let surroundings = kubeconfig::Surroundings {
        kubeconfig: set("KUBECONFIG"),
        home: set("HOME").map(PathBuf::from),
        path: set("PATH"),
        cluster: asked.cluster.as_ref().map(ToString::to_string),
    };
    let looking = tokio::task::spawn_blocking(move || kubeconfig::look(&surroundings));
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
            in_sidecar: self.in_sidecar,
            asks_sidecar,
            has_token: local
                .token_file
                .as_ref()
                .is_some_and(|file: &TokenFile| file.token().is_some()),
            prefix,
            service_account: claims.and_then(service_account),
        };
        let kubeconfig = match &self.kubeconfig {
            Some(looked) => kubeconfig::judge(looked, now),
            None => hanging(),
        };
        [
            webhook(&self.pod, &known),
            skip_containers(&self.pod, prefix),
            app_sdk(&self.pod, prefix),
            kubeconfig,
        ]
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
