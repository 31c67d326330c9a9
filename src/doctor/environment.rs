//! The environment: what the EKS webhook put into the pod, and what an AWS SDK makes of it.
//!
//! Pure. What a variable holds is shown only where it is a role's ARN or a path: an address of the sidecar may have the
//! authorization in it.

mod app_sdk;
mod known;
mod sidecar;
mod skip_containers;
mod uri;
mod webhook;

pub use self::app_sdk::app_sdk;
pub use self::known::{Known, Role};
pub use self::skip_containers::skip_containers;
pub use self::webhook::webhook;
use super::pod::{Container, plain, to_paste};

const ROLE: &str = "AWS_ROLE_ARN";
const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// How the whole pod gets here.
const GIVE_THE_POD: &str = "kubectl get pod POD -o json | kubectl exec -i POD -c irsa-sidecar -- /irsa-sidecar doctor --pod -";

/// `container a`, `containers a and b`.
fn list<'a>(containers: impl IntoIterator<Item = &'a Container>) -> String {
    let containers: Vec<&Container> = containers.into_iter().collect();
    match containers.as_slice() {
        [one] => one.to_string(),
        several => {
            let names = several.iter().filter_map(|one| one.name.as_deref());
            let names: Vec<String> = names.map(plain).collect();
            format!("containers {}", names.join(" and "))
        }
    }
}

/// The names alone, to be pasted.
fn names<'a>(containers: impl IntoIterator<Item = &'a Container>, between: &str) -> String {
    let names = containers.into_iter().filter_map(|one| one.name.as_deref());
    let names: Vec<&str> = names.filter_map(to_paste).collect();
    names.join(between)
}

#[cfg(test)]
mod tests;
