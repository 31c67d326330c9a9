//! EKS tokens for whoever asks: one for each cluster and role, shared until it is half over.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::assumed_roles::{AssumedRoles, TooManyRoles};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, quote};
use crate::eks_token::{self, ApiVersion, ClusterName, EksToken, EksTokenError};
use crate::metrics::Metrics;
use crate::partition::Region;
use crate::role::{RoleArn, role_to_assume};
use crate::store::{Reader, Unavailable};

/// How long a request is held while an exchange is under way that it needs.
const HOLD: Duration = Duration::from_secs(10);
/// How long it is held while STS is asked for the time, after a step of the clock.
const SETTLE: Duration = Duration::from_secs(3);
/// Requests that are held at a time. A held one keeps its connection, and the others are for credentials.
const MOST_HELD: usize = 64;
/// Tokens that are kept: for more, the oldest goes.
const MOST_KEPT: usize = 128;

/// For which cluster, and as which role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// What the cluster sends as `x-k8s-aws-id`.
    pub cluster: ClusterName,
    /// The cluster's region.
    pub region: Region,
    /// A role to assume from the pod's role; `None`: the pod's role itself.
    pub role: Option<RoleArn>,
}

/// The tokens.
#[derive(Debug)]
pub struct EksTokens {
    pod: Reader,
    roles: AssumedRoles,
    use_fips: bool,
    clock: Clock,
    metrics: Arc<Metrics>,
    kept: Mutex<HashMap<Subject, Arc<EksToken>>>,
    holds: Semaphore,
}

/// Why there is no token.
#[derive(Debug, Clone)]
pub enum NoToken {
    /// There are no credentials to sign with.
    Unavailable(Unavailable),
    /// No more roles can be assumed.
    TooManyRoles(TooManyRoles),
    /// There are credentials, and no token can be made with them.
    Unmintable(EksTokenError),
}

impl EksTokens {
    /// None yet. `pod` has the credentials of the pod's own role.
    pub fn new(
        pod: Reader,
        roles: AssumedRoles,
        use_fips: bool,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Self {
        EksTokens {
            pod,
            roles,
            use_fips,
            clock,
            metrics,
            kept: Mutex::default(),
            holds: Semaphore::new(MOST_HELD),
        }
    }

    /// The token to use now, at most half over, signed with the newest credentials. Credentials that would die before
    /// the token are refreshed first; held for at most 10 s.
    pub async fn token(&self, subject: &Subject) -> Result<Arc<EksToken>, NoToken> {
        let reader = match &subject.role {
            None => self.pod.clone(),
            Some(role) => self.roles.reader(role).map_err(NoToken::TooManyRoles)?,
        };
        if self.pod.is_settled() {
            if let Ok(credentials) = reader.credentials()
                && let Some(token) = self.kept(subject, &credentials)
            {
                return Ok(token);
            }
            if let Some(credentials) = reader.lasting(eks_token::ENOUGH) {
                return self.mint(subject, &credentials);
            }
        }
        // The rest may take a while.
        let Ok(_held) = self.holds.try_acquire() else {
            return Err(NoToken::Unavailable(reader.trouble()));
        };
        let deadline = Instant::now() + HOLD;
        // A token that is signed at a wrong time is refused by everybody.
        self.pod.settled(Instant::now() + SETTLE).await;
        let credentials = reader
            .credentials_for(eks_token::ENOUGH, deadline)
            .await
            .map_err(NoToken::Unavailable)?;
        // Others may have waited for the same.
        match self.kept(subject, &credentials) {
            Some(token) => Ok(token),
            None => self.mint(subject, &credentials),
        }
    }

    fn kept(&self, subject: &Subject, credentials: &Credentials) -> Option<Arc<EksToken>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let token = kept.get(subject)?;
        token
            .reusable(self.clock.now(), self.clock.local(), credentials)
            .then(|| Arc::clone(token))
    }

    fn mint(&self, subject: &Subject, credentials: &Credentials) -> Result<Arc<EksToken>, NoToken> {
        let (now, local) = (self.clock.now(), self.clock.local());
        let minted = eks_token::mint(
            credentials,
            &subject.region,
            &subject.cluster,
            self.use_fips,
            now,
            local,
        );
        match &minted {
            Ok(token) => self.metrics.eks_token(token.token().expose().len()),
            Err(EksTokenError::TooLarge { bytes, .. }) => self.metrics.eks_token(*bytes),
            Err(_) => {}
        }
        let token = Arc::new(minted.map_err(NoToken::Unmintable)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT && !kept.contains_key(subject) {
            let ages = kept
                .iter()
                .map(|(other, token)| (token.reuse_left(now), other));
            let oldest = ages
                .min_by_key(|(left, _)| *left)
                .map(|(_, other)| other.clone());
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        kept.insert(subject.clone(), Arc::clone(&token));
        Ok(token)
    }
}

impl NoToken {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        match self {
            NoToken::Unavailable(Unavailable(trouble)) => trouble.diagnosis.clone(),
            NoToken::TooManyRoles(error) => error.diagnosis(),
            NoToken::Unmintable(error) => error.diagnosis(),
        }
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for NoToken {}

/// The parameters of `GET /v1/eks-token`: their one home.
pub mod parameter {
    /// The cluster's name.
    pub const CLUSTER_NAME: &str = "cluster-name";
    /// The id of a local cluster on Outposts.
    pub const CLUSTER_ID: &str = "cluster-id";
    /// The cluster's region; without it the pod's.
    pub const REGION: &str = "region";
    /// A role to assume from the pod's role.
    pub const ROLE_ARN: &str = "role-arn";
    /// The version of the ExecCredential.
    pub const API_VERSION: &str = "api-version";
}

/// What was asked for over HTTP.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The token.
    pub subject: Subject,
    /// Its envelope.
    pub api_version: ApiVersion,
}

/// Reads the query. `region` is the pod's, for a query without one. The error says which parameter and why.
pub fn parse(query: &str, region: &str) -> Result<Asked, String> {
    use parameter::{API_VERSION, CLUSTER_ID, CLUSTER_NAME, REGION, ROLE_ARN};
    const KNOWN: [&str; 5] = [CLUSTER_NAME, CLUSTER_ID, REGION, ROLE_ARN, API_VERSION];
    let mut given: HashMap<&str, String> = HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(known) = KNOWN.into_iter().find(|known| *known == name) else {
            return Err(format!(
                "there is no parameter {}; expected {}",
                quote(name),
                KNOWN.join(", ")
            ));
        };
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value)
            .decode_utf8()
            .map_err(|_| format!("{known} is not UTF-8 when percent-decoded"))?;
        if given.insert(known, value.into_owned()).is_some() {
            return Err(format!("{known} is given twice; give it once"));
        }
    }
    let (parameter, name) = match (given.remove(CLUSTER_NAME), given.remove(CLUSTER_ID)) {
        (Some(name), None) => (CLUSTER_NAME, name),
        (None, Some(id)) => (CLUSTER_ID, id),
        (None, None) => {
            return Err(format!(
                "no {CLUSTER_NAME}; expected /v1/eks-token?{CLUSTER_NAME}=NAME, or {CLUSTER_ID} for a local cluster on Outposts"
            ));
        }
        (Some(_), Some(_)) => {
            return Err(format!(
                "both {CLUSTER_NAME} and {CLUSTER_ID} are given; give the one that the cluster goes by"
            ));
        }
    };
    let cluster = name
        .parse()
        .map_err(|error| format!("{parameter}: {error}"))?;
    let region = given
        .get(REGION)
        .map_or(region, String::as_str)
        .parse()
        .map_err(|error| format!("{REGION}: {error}"))?;
    let role = given
        .get(ROLE_ARN)
        .map(|role| role_to_assume(role))
        .transpose()?;
    let api_version = match given.get(API_VERSION) {
        Some(version) => version
            .parse()
            .map_err(|error| format!("{API_VERSION}: {error}"))?,
        None => ApiVersion::V1Beta1,
    };
    Ok(Asked {
        subject: Subject {
            cluster,
            region,
            role,
        },
        api_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        parse(query, "eu-west-1")
    }

    #[test]
    fn a_query_names_cluster_region_role_and_version() {
        let all = asked(
            "cluster-name=my%20cluster&region=cn-north-1&role-arn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx&api-version=v1",
        )
        .unwrap();
        assert_eq!(all.subject.cluster.as_str(), "my cluster");
        assert_eq!(all.subject.region.as_str(), "cn-north-1");
        assert_eq!(
            all.subject.role.unwrap().as_str(),
            "arn:aws:iam::111122223333:role/x"
        );
        assert_eq!(all.api_version, ApiVersion::V1);
        let least = asked("cluster-id=a1b2").unwrap();
        assert_eq!(least.subject.region.as_str(), "eu-west-1");
        assert_eq!(least.api_version, ApiVersion::V1Beta1);
        assert_eq!(least.subject.role, None);
    }

    #[test]
    fn a_wrong_query_is_refused_by_the_name_of_the_parameter() {
        for (query, words) in [
            ("", "no cluster-name"),
            ("cluster-name=", "empty"),
            ("cluster-name=a&cluster-id=b", "both"),
            ("cluster-name=a&cluster-name=b", "given twice"),
            ("cluster-name=a%0Ab", "control"),
            ("cluster-name=%ff", "UTF-8"),
            ("cluster-name=a&region=mars-1", "mars-1"),
            ("cluster-name=a&api-version=v2", "api-version"),
            ("cluster=a", "no parameter \"cluster\""),
            (
                "cluster-name=a&role-arn=arn:aws:iam::111122223333:user/bob",
                "is for another role",
            ),
        ] {
            let error = asked(query).unwrap_err();
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
