//! The way into an EKS cluster: a token by the cluster's rules, STS asked as the cluster asks it, where the cluster is,
//! and the cluster itself.

mod admission;
mod login;

use crate::clock::{Moment, rfc3339};
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, findings, steps};
use crate::doctor::Entry;
use crate::eks::{AuthenticationMode, Cluster, EksError};
use crate::eks_token::{ClusterName, EksToken, EksTokenError, LONGEST};
use crate::identity::{Identity, IdentityError};
use crate::inspection::{Inspection, inspect};
use crate::outputs::kubeconfig_file::NoKubeconfig;
use crate::partition::Region;
use crate::replay::ReplayError;
use crate::role::RoleArn;
use crate::sts::StsError;

pub use self::admission::Admission;
pub use self::login::{ApiServer, ask, judge, no_certificate_authority};

/// The role that was assumed from the pod's, or why it was not.
pub fn assumed_role(own: &str, outcome: &Result<Credentials, StsError>) -> Entry {
    match outcome {
        Ok(credentials) => Entry::fine(
            steps::ASSUMED_ROLE,
            format!(
                "{}, assumed from {own}, until {}",
                credentials.role_arn(),
                rfc3339(credentials.expiration())
            ),
        ),
        Err(error) => Entry::failed(steps::ASSUMED_ROLE, error.diagnosis()),
    }
}

/// A token by the rules of the verifier; `now` is corrected time. What breaks none may be sent to STS.
pub fn token(
    name: &ClusterName,
    region: &Region,
    minted: Result<EksToken, EksTokenError>,
    now: Moment,
) -> Result<(Entry, EksToken, Inspection), Diagnosis> {
    let token = minted.map_err(|error| error.diagnosis())?;
    let inspection = inspect(token.token().expose(), now.wall, Some(region));
    if let Err(violation) = &inspection.verdict {
        return Err(Diagnosis {
            finding: findings::EKS_TOKEN_MALFORMED,
            found: violation.to_string(),
            expected: "a token that breaks no rule of the verifier".into(),
            fix: violation.fix().into(),
        });
    }
    let found = format!(
        "{} of {LONGEST} bytes for the cluster {name}, to be used until {}, goes to {}",
        inspection.size,
        rfc3339(token.expiration()),
        inspection.host.as_deref().unwrap_or_default()
    );
    Ok((Entry::fine(steps::EKS_TOKEN, found), token, inspection))
}

/// Whom STS took the token for, or what it said; `role` is the one that signed.
pub fn replay(outcome: &Result<Identity, ReplayError>, role: Option<&RoleArn>) -> Entry {
    match outcome {
        Ok(identity) => Entry::fine(steps::EKS_REPLAY, whom(identity, role)),
        Err(error) => {
            let mut diagnosis = error.diagnosis();
            if let Some(words) = error.verifier() {
                let log = format!("\nthe log of the cluster's authenticator says {words}…");
                diagnosis.found.push_str(&log);
            }
            Entry::failed(steps::EKS_REPLAY, diagnosis)
        }
    }
}

fn whom(identity: &Identity, role: Option<&RoleArn>) -> String {
    let (arn, canonical) = (&identity.arn, &identity.canonical_arn);
    let path = match role.filter(|role| !role.path().is_empty()) {
        Some(role) => format!(
            "\nthe role has a path: aws-auth leaves it out ({canonical}), and an access entry has it ({role})"
        ),
        None => String::new(),
    };
    format!("{arn}, for the cluster {canonical}{path}")
}

/// Whether STS has found fault with the token itself; otherwise the cluster may be luckier with it.
pub fn is_refused(error: &ReplayError) -> bool {
    match error {
        ReplayError::NotSent => true,
        ReplayError::Transport { .. } | ReplayError::Identity(IdentityError::Garbled(_)) => false,
        ReplayError::Identity(_) => true,
        // What has no code is none of STS's.
        ReplayError::Refused { code, .. } => {
            let passing = [findings::STS_THROTTLED, findings::STS_UNAVAILABLE];
            !code.is_empty() && !passing.contains(&error.diagnosis().finding)
        }
    }
}

/// Where the cluster is, as EKS tells it. A local cluster on an Outpost takes no token that is signed for its name.
pub fn described(
    name: &ClusterName,
    outcome: Result<Cluster, EksError>,
) -> Result<Cluster, Diagnosis> {
    let cluster = outcome.map_err(|error| error.diagnosis())?;
    match &cluster.outpost_id {
        Some(id) if id != name.as_str() => {
            let (name, id) = (name.clone(), id.clone());
            Err(NoKubeconfig::Outpost { name, id }.diagnosis())
        }
        _ => Ok(cluster),
    }
}

/// What is worth knowing of it.
pub fn whereabouts(cluster: &Cluster) -> Entry {
    let mode = match cluster.authentication_mode {
        AuthenticationMode::ConfigMap => "CONFIG_MAP: aws-auth, and no access entries",
        AuthenticationMode::ApiAndConfigMap => "API_AND_CONFIG_MAP: access entries, then aws-auth",
        AuthenticationMode::Api => "API: access entries, and no aws-auth",
    };
    let found = format!(
        "{} at {}; authentication mode {mode}",
        cluster.arn, cluster.endpoint
    );
    Entry::fine(steps::EKS_CLUSTER, found)
}
