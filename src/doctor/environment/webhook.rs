//! What the EKS pod identity webhook put into the pod, and what names the role where it did nothing.
//!
//! The webhook writes both of its variables into a container or none, when the pod is made and never again.

use super::{GIVE_THE_POD, Known, ROLE, Role, TOKEN_FILE, list};
use crate::diagnosis::{Diagnosis, Step, findings, refused, steps};
use crate::doctor::Entry;
use crate::doctor::pod::{Container, Pod, to_paste};
use crate::role::RoleArn;

const STEP: Step = steps::WEBHOOK;
/// The volume that the webhook adds.
const VOLUME: &str = "aws-iam-token";
/// The path in the variable of EKS Pod Identity, which the same webhook can give instead.
const POD_IDENTITY: &str = "/eks-pod-identity-token";
const POD_IDENTITY_VARIABLE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// A pod with this label is not shown to the webhook.
const UNSEEN: &str = "eks.amazonaws.com/skip-pod-identity-webhook";

/// Judges what the webhook did.
pub fn webhook(pod: &Pod, known: &Known<'_>) -> Entry {
    let half: Vec<Half<'_>> = pod
        .containers
        .iter()
        .filter_map(|one| Half::of(one, pod, known))
        .collect();
    if !half.is_empty() {
        return Entry::warned(STEP, incomplete(&half));
    }
    let changed: Vec<&Container> = pod
        .containers
        .iter()
        .filter(|one| is_changed(one))
        .collect();
    let that_need_it: Vec<&Container> = match pod.ours().next() {
        Some(_) => pod.ours().collect(),
        None => pod.containers.iter().collect(),
    };
    let reached = that_need_it.iter().any(|one| is_changed(one));
    if reached {
        return Entry::fine(STEP, done(pod, &changed));
    }
    let did = match changed.as_slice() {
        [] if pod.given => "the EKS webhook has not changed this pod".to_owned(),
        [] => "the EKS webhook has not changed this container".to_owned(),
        changed => format!(
            "the EKS webhook has changed {}, not the sidecar's",
            list(changed.iter().copied())
        ),
    };
    // Another pod's sidecar has settings of its own.
    let role = match pod.given && !known.in_sidecar {
        true => &Role::Unnamed,
        false => &known.role,
    };
    match role {
        Role::Named(place) => Entry::fine(
            STEP,
            format!("{did}, and need not: role-arn is set ({place})"),
        ),
        Role::Annotation => Entry::fine(
            STEP,
            format!("{did}, and need not: role-from-annotation is on"),
        ),
        Role::Illegible => Entry::skipped(
            STEP,
            format!("{did}; whether a setting names a role shows when the settings are right"),
        ),
        Role::Unnamed => match otherwise(pod, &that_need_it, known) {
            Some(Ok(why)) => Entry::fine(STEP, format!("{did}, and need not: {why}")),
            Some(Err(why)) => Entry::skipped(STEP, format!("{did}; {why}")),
            None => Entry::failed(STEP, not_run(pod, did, !changed.is_empty(), known)),
        },
    }
}

fn is_changed(container: &Container) -> bool {
    container.text(ROLE).is_some() && container.text(TOKEN_FILE).is_some()
}

/// What it did where it had to.
fn done(pod: &Pod, changed: &[&Container]) -> String {
    let which = list(changed.iter().copied());
    let mut found = format!("{ROLE} and {TOKEN_FILE} are set in {which}");
    let role = changed.iter().find_map(|one| one.text(ROLE));
    found += &role.map_or(String::new(), |role| format!(": {}", plain_role(role)));
    let left: Vec<&Container> = pod
        .containers
        .iter()
        .filter(|one| !is_changed(one))
        .collect();
    if !left.is_empty() {
        found += &format!("; not in {}", list(left));
    }
    let mounts = |one: &&Container| one.mounts.iter().any(|mount| mount == VOLUME);
    if pod.given && !changed.iter().any(mounts) {
        found += &format!("; not by the EKS webhook, whose volume {VOLUME} is not mounted there");
    }
    found
}

/// An ARN has no blanks, and is no secret; anything else may be one.
fn plain_role(role: &str) -> String {
    match role.parse::<RoleArn>() {
        Ok(role) => role.to_string(),
        Err(_) => refused(role),
    }
}

/// Why no role is needed from the webhook (`Ok`), or why that cannot be told from here (`Err`).
fn otherwise(pod: &Pod, ours: &[&Container], known: &Known<'_>) -> Option<Result<String, String>> {
    if !pod.given {
        return known.asks_sidecar.then(|| {
            Ok(format!("this container asks a sidecar, which has the role; with the pod its container is looked at too: {GIVE_THE_POD}"))
        });
    }
    if let Some(container) = ours.iter().find(|one| names_a_role(one)) {
        return Some(Ok(format!("the role is named in {container}")));
    }
    let more = ours.iter().find(|one| one.has_env_from);
    more.filter(|_| !known.in_sidecar).map(|container| {
        Err(format!(
            "whether {container} gets a role by envFrom is not seen from here: {GIVE_THE_POD}"
        ))
    })
}

fn names_a_role(container: &Container) -> bool {
    const VARIABLES: [&str; 4] = [
        ROLE,
        "IRSA_SIDECAR_ROLE_ARN",
        "IRSA_SIDECAR_ROLE_FROM_ANNOTATION",
        "IRSA_SIDECAR_CONFIG",
    ];
    const FLAGS: [&str; 3] = ["--role-arn", "--role-from-annotation", "--config"];
    let mut args = container.command.iter().chain(&container.args);
    container.first_of(&VARIABLES).is_some()
        || args.any(|arg| FLAGS.contains(&arg.split('=').next().unwrap_or_default()))
}

fn not_run(pod: &Pod, did: String, changed_others: bool, known: &Known<'_>) -> Diagnosis {
    let account = pod.namespace.as_deref().zip(pod.service_account.as_deref());
    let account = account.or(known.service_account);
    let account = account.and_then(|(namespace, name)| to_paste(namespace).zip(to_paste(name)));
    let (namespace, name) = account.unwrap_or(("NAMESPACE", "SERVICE_ACCOUNT"));
    let pod_name = pod.name.as_deref().and_then(to_paste).unwrap_or("POD");
    let prefix = known.prefix;
    let mut found = format!("{did}: no {ROLE} and no {TOKEN_FILE}; and no setting names a role");
    let mut first = String::new();
    if changed_others {
        first = format!(
            "take irsa-sidecar out of the pod's annotation {prefix}/skip-containers, if it is there, and see that no other webhook adds the container after the EKS webhook; then delete the pod. Or:\n"
        );
    } else if let Some(label) = pod.labels.keys().find(|label| *label == UNSEEN) {
        found += &format!("; the pod has the label {label}, which hides it from the webhook");
        first = format!("take the label {label} out of the pod's template. Then:\n");
    }
    let by_pod_identity = |one: &Container| {
        one.text(POD_IDENTITY_VARIABLE)
            .is_some_and(|path| path.ends_with(POD_IDENTITY))
    };
    if pod.containers.iter().any(by_pod_identity) {
        found += "; it has given EKS Pod Identity instead, which takes the place of the role in the annotation";
    }
    Diagnosis {
        finding: findings::WEBHOOK_NOT_RUN,
        found,
        expected: format!(
            "both variables in the sidecar's container, from the annotation {prefix}/role-arn of the service account; or role-arn in the sidecar's own settings"
        ),
        fix: format!(
            "{first}annotate the service account, and delete the pod, since the webhook changes pods only as they are made (what made it makes another):\n\
             kubectl annotate serviceaccount -n {namespace} {name} {prefix}/role-arn=arn:aws:iam::ACCOUNT:role/NAME\n\
             kubectl delete pod -n {namespace} {pod_name}\n\
             If it is annotated: kubectl get mutatingwebhookconfiguration pod-identity-webhook shows whether there is a webhook at all. Without one set IRSA_SIDECAR_ROLE_ARN=arn:aws:iam::ACCOUNT:role/NAME in the sidecar's container, and mount a token for sts.amazonaws.com"
        ),
    }
}

/// A container that has one of the two, and nothing that stands in for the other.
struct Half<'a> {
    container: &'a Container,
    has: &'static str,
    lacks: &'static str,
}

impl<'a> Half<'a> {
    fn of(container: &'a Container, pod: &Pod, known: &Known<'_>) -> Option<Self> {
        let (has, lacks) = match (container.has(ROLE), container.has(TOKEN_FILE)) {
            (true, false) => (ROLE, TOKEN_FILE),
            (false, true) => (TOKEN_FILE, ROLE),
            _ => return None,
        };
        // What is not seen may have the other.
        if container.has_env_from {
            return None;
        }
        let only_role = has == ROLE;
        let excused = if pod.given && container.is_ours {
            // The sidecar has a default for the token's path.
            only_role || names_a_role(container)
        } else if pod.given || known.asks_sidecar {
            // An app's own use of the variable: SDKs mind it only beside the other.
            only_role
        } else if only_role {
            known.has_token
        } else {
            known.role != Role::Unnamed
        };
        (!excused).then_some(Half {
            container,
            has,
            lacks,
        })
    }
}

fn incomplete(half: &[Half<'_>]) -> Diagnosis {
    let found: Vec<String> = half
        .iter()
        .map(|one| format!("{} has {} and no {}", one.container, one.has, one.lacks))
        .collect();
    Diagnosis {
        finding: findings::WEBHOOK_INCOMPLETE,
        found: found.join("\n"),
        expected: "both or none: the EKS webhook leaves role and token file to a container whose own env names one of the two, and SDKs and the sidecar need both".into(),
        fix: "take the one out of the container's env in the pod's template, so that the webhook sets both when the pod is made anew; or set the other one beside it".into(),
    }
}

#[cfg(test)]
mod tests;
