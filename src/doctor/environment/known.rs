//! What is known besides the pod.

use std::collections::BTreeMap;

use crate::service_account::ANNOTATION_PREFIX;

/// What the settings of this process say of the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Nothing names one.
    Unnamed,
    /// It is named there.
    Named(String),
    /// The service account's annotation is read.
    Annotation,
    /// The settings are too wrong to tell.
    Illegible,
}

/// What is known besides the pod.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// What the settings say.
    pub role: Role,
    /// The settings of this process that somebody made, by name.
    pub settings: BTreeMap<&'a str, &'a str>,
    /// Whether these are the settings of the pod's sidecar: this process runs in its container.
    pub in_sidecar: bool,
    /// Whether this process runs in an app's container, and a sidecar has the role.
    pub asks_sidecar: bool,
    /// Whether there is a token where the settings say.
    pub has_token: bool,
    /// The prefix of the webhook's annotations.
    pub prefix: &'a str,
    /// Namespace and name of the service account, by the token.
    pub service_account: Option<(&'a str, &'a str)>,
}

impl Known<'_> {
    /// Where the settings cannot be looked at.
    pub fn of_nothing() -> Self {
        Known {
            role: Role::Illegible,
            settings: BTreeMap::new(),
            in_sidecar: false,
            asks_sidecar: false,
            has_token: false,
            prefix: ANNOTATION_PREFIX,
            service_account: None,
        }
    }
}
