//! An EKS cluster, emulated: the authenticator that replays tokens against STS, the mapping of AWS identities to users,
//! DescribeCluster, and a Kubernetes API over HTTPS that lets nobody in otherwise.

mod api;
mod arn;
mod describe;
mod mapping;
mod rbac;
mod registry;
mod service_accounts;
mod token_review;
mod verifier;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

pub use self::api::ApiRequest;
pub(crate) use self::describe::{describe, is_for_eks};
pub use self::mapping::Mode;
use self::mapping::{AccessEntry, AwsAuth, Mapping};
use self::rbac::{Rbac, Rule};
pub(crate) use self::registry::Clusters;
use self::service_accounts::ServiceAccounts;
pub use self::service_accounts::{API_AUDIENCE, ApiFault};
pub use self::token_review::Reviewed;
use self::token_review::Verdict;
pub(crate) use self::token_review::authenticate;
pub use self::verifier::Authenticator;
use crate::issuer::Issuer;
use crate::partition::Partition;
use crate::sts::{Fault, Faults, Sts};

/// The account of every cluster.
const ACCOUNT: &str = "111122223333";

/// Everything that one can set and ask about an emulated cluster; clones are the same cluster.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

/// What never changes, and the rest.
struct Shared {
    name: String,
    region: String,
    url: String,
    ca_pem: String,
    sts: Sts,
    issuer: Issuer,
    state: Mutex<State>,
}

struct State {
    status: String,
    /// Somebody else's API server: its URL and its CA.
    api_server: Option<(String, String)>,
    outpost_id: Option<String>,
    authenticator: Authenticator,
    mapping: Mapping,
    rbac: Rbac,
    may_not_describe: Vec<String>,
    describe_faults: Faults,
    describes: Vec<String>,
    token_cache_ttl: Duration,
    token_cache: HashMap<String, (Instant, Reviewed)>,
    service_accounts: ServiceAccounts,
    api_fault: Option<ApiFault>,
    api_clock_skew: i64,
    requests: Vec<ApiRequest>,
    subscribers: Vec<UnboundedSender<ApiRequest>>,
}

impl Cluster {
    /// An active cluster that nobody may enter.
    fn new(
        name: &str,
        region: &str,
        url: String,
        ca_pem: String,
        sts: Sts,
        issuer: Issuer,
    ) -> Self {
        let state = State {
            status: "ACTIVE".to_owned(),
            api_server: None,
            outpost_id: None,
            authenticator: Authenticator::Sdk2,
            mapping: Mapping::empty(),
            rbac: Rbac::default(),
            may_not_describe: Vec::new(),
            describe_faults: Faults::default(),
            describes: Vec::new(),
            token_cache_ttl: Duration::ZERO,
            token_cache: HashMap::new(),
            service_accounts: ServiceAccounts::default(),
            api_fault: None,
            api_clock_skew: 0,
            requests: Vec::new(),
            subscribers: Vec::new(),
        };
        let shared = Shared {
            name: name.to_owned(),
            region: region.to_owned(),
            url,
            ca_pem,
            sts,
            issuer,
            state: Mutex::new(state),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The Kubernetes API: `https://localhost:PORT`, good for `127.0.0.1` too.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// As in `--cluster-name`.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Where DescribeCluster finds it.
    pub fn region(&self) -> &str {
        &self.shared.region
    }

    /// `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`.
    pub fn arn(&self) -> String {
        let (name, region) = (self.name(), self.region());
        let partition = Partition::of_region(region).name;
        format!("arn:{partition}:eks:{region}:{ACCOUNT}:cluster/{name}")
    }

    /// Makes it a local cluster on an Outpost: tokens are signed for this id instead of the name.
    pub fn set_outpost(&self, id: &str) {
        self.state().outpost_id = Some(id.to_owned());
    }

    /// What DescribeCluster says: `ACTIVE`, `CREATING`, …
    pub fn set_status(&self, status: &str) {
        status.clone_into(&mut self.state().status);
    }

    /// DescribeCluster names this API server from now on: a real one that asks [`Cluster::review`] over the control door.
    pub fn set_api_server(&self, url: &str, ca_pem: &str) {
        self.state().api_server = Some((url.to_owned(), ca_pem.to_owned()));
    }

    /// Which release of the authenticator it runs.
    pub fn set_authenticator(&self, authenticator: Authenticator) {
        self.state().authenticator = authenticator;
    }

    /// `mapRoles` and `mapUsers` of `aws-auth`, each the YAML of a list; there are no `mapAccounts` then.
    pub fn set_aws_auth(&self, map_roles: &str, map_users: &str) {
        self.state().mapping.aws_auth = AwsAuth::parse(map_roles, map_users, "");
    }

    /// The whole ConfigMap, as `kubectl apply` takes it. Panics when `kubectl` would refuse it.
    pub fn set_aws_auth_yaml(&self, config_map: &str) {
        self.apply_aws_auth(config_map).expect("a ConfigMap");
    }

    pub(crate) fn apply_aws_auth(&self, config_map: &str) -> Result<(), String> {
        if let Some(aws_auth) = AwsAuth::parse_config_map(config_map)? {
            self.state().mapping.aws_auth = aws_auth;
        }
        Ok(())
    }

    /// Lets in a role, with its path, that IAM knows by now; without a username under one made of the session's ARN.
    /// Panics when EKS would refuse the entry.
    pub fn add_access_entry(&self, principal_arn: &str, username: Option<&str>, groups: &[&str]) {
        self.create_access_entry(principal_arn, username, groups)
            .expect("an access entry that EKS takes");
    }

    pub(crate) fn create_access_entry(
        &self,
        principal_arn: &str,
        username: Option<&str>,
        groups: &[&str],
    ) -> Result<(), String> {
        let entry = AccessEntry {
            principal_arn: principal_arn.to_owned(),
            username: username.map(str::to_owned),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
        };
        let id_of = |arn: &str| self.shared.sts.role_id(arn);
        self.state().mapping.access_entries.add(entry, id_of)
    }

    /// Where it looks up who may come in; access entries, then `aws-auth`, unless set.
    pub fn set_authentication_mode(&self, mode: Mode) {
        self.state().mapping.mode = mode;
    }

    /// A rule of RBAC: a user or a group may do this in a namespace, or in all of them and outside.
    pub fn allow(&self, subject: &str, verbs: &[&str], resource: &str, namespace: Option<&str>) {
        self.state().rbac.add(Rule {
            subject: subject.to_owned(),
            verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
            resource: resource.to_owned(),
            names: Vec::new(),
            namespace: namespace.map(str::to_owned),
        });
    }

    /// How long the API server takes a token for good without asking again; not at all unless set.
    pub fn set_token_cache_ttl(&self, ttl: Duration) {
        self.state().token_cache_ttl = ttl;
    }

    /// What the authenticator makes of a token, without a wait and without the API server's cache. An error is its whole
    /// message, as it stands in the cluster's log alone.
    pub fn review(&self, token: &str) -> Result<Reviewed, String> {
        let Verdict { outcome, .. } = self.verdict(token);
        outcome.map_err(|refusal| refusal.to_string())
    }

    /// No session of this role may call DescribeCluster.
    pub fn deny_describe(&self, role_arn: &str) {
        self.state().may_not_describe.push(role_arn.to_owned());
    }

    /// Every DescribeCluster meets this fault until [`Cluster::clear_describe_faults`].
    pub fn fail_describe(&self, fault: Fault) {
        self.state().describe_faults.last(fault);
    }

    /// The next `n` calls of DescribeCluster meet this fault.
    pub fn fail_next_describe(&self, n: u32, fault: Fault) {
        self.state().describe_faults.next(n, fault);
    }

    /// Back to health.
    pub fn clear_describe_faults(&self) {
        self.state().describe_faults = Faults::default();
    }

    /// How often DescribeCluster was called, whatever became of it.
    pub fn describes(&self) -> usize {
        self.state().describes.len()
    }

    /// What became of it each time: `Success`, the error, or the name of the fault.
    pub fn describe_results(&self) -> Vec<String> {
        self.state().describes.clone()
    }

    /// Every request to the Kubernetes API so far.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.state().requests.clone()
    }

    /// The requests from now on, as they are answered.
    pub fn subscribe(&self) -> UnboundedReceiver<ApiRequest> {
        let (sender, receiver) = unbounded_channel();
        self.state().subscribers.push(sender);
        receiver
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .expect("nobody panics while holding the state")
    }
}

impl State {
    fn record(&mut self, request: ApiRequest) {
        // A subscriber that went away is forgotten.
        self.subscribers
            .retain(|subscriber| subscriber.send(request.clone()).is_ok());
        self.requests.push(request);
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.shared.name)
            .field("region", &self.shared.region)
            .field("url", &self.shared.url)
            .finish_non_exhaustive()
    }
}
