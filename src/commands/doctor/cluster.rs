//! The way into a cluster, where one is named.

use std::future::Future;
use std::time::Duration;

use super::patience::TimeUp;
use super::{CLUSTER, Local, Patience, skipped};
use crate::clock::Clock;
use crate::config::{Doctor, Endpoints};
use crate::credentials::Credentials;
use crate::diagnosis::{Finding, Step, findings, quote, steps};
use crate::doctor::Entry;
use crate::doctor::cluster::{self, Admission, ApiServer};
use crate::eks::Cluster;
use crate::eks_token::{self, ClusterName, EksToken};
use crate::identity::Identity;
use crate::inspection::Inspection;
use crate::partition::Region;
use crate::refresh::DURATION_OF_EVERY_ROLE;
use crate::replay::{ReplayConfig, ReplayError, replay};
use crate::role::RoleArn;
use crate::service_account::KubernetesApi;
use crate::sts::{AssumeRole, Sts, StsConfig, StsError, StsErrorKind};
use crate::transport::TransportError;

/// Of each question to AWS.
const LIMIT: Duration = Duration::from_secs(3);
/// The API server asks STS in its turn, and where that throttles it asks again for about 4 s.
const LOGIN_LIMIT: Duration = Duration::from_secs(5);
/// Who was given less, since all the time was up, may not be called silent.
const A_CHANCE: Duration = Duration::from_secs(2);

/// With the pod's credentials, or those of the running sidecar.
pub(super) async fn walk(
    asked: &Doctor,
    local: &Local,
    credentials: Option<&Credentials>,
    clock: &Clock,
    patience: &Patience,
) -> Vec<Entry> {
    let Some(name) = &asked.cluster else {
        return skipped(CLUSTER, "name a cluster with --cluster-name");
    };
    let Some(credentials) = credentials else {
        let why = "there are no credentials to sign with: see what failed before";
        return skipped(CLUSTER, why);
    };
    let (region, endpoints) = match (region(asked, local), &local.examined.endpoints) {
        (Ok(region), Some(endpoints)) => (region, endpoints),
        (Err(why), _) => return skipped(CLUSTER, &why),
        (_, None) => return skipped(CLUSTER, "the way to AWS is not known: see configuration"),
    };
    let visit = Visit {
        name,
        region,
        endpoints,
        asked,
        clock,
        patience,
    };
    let Some(role) = &asked.role else {
        let why = "without --assume-role-arn it is the pod's own role that signs for the cluster";
        let mut entries = vec![Entry::skipped(steps::ASSUMED_ROLE, why)];
        entries.extend(visit.enter(credentials, &local.examined.api).await);
        return entries;
    };
    match visit.assume(role, credentials, local).await {
        Ok((entry, assumed)) => {
            let mut entries = vec![entry];
            entries.extend(visit.enter(&assumed, &local.examined.api).await);
            entries
        }
        Err(entry) => {
            let why =
                "the role that is to sign for the cluster cannot be assumed: see assumed-role";
            let others = CLUSTER.iter().filter(|step| **step != entry.step);
            let others: Vec<Step> = others.copied().collect();
            let mut entries = skipped(&others, why);
            entries.push(entry);
            entries
        }
    }
}

/// The cluster's, or the pod's own.
fn region(asked: &Doctor, local: &Local) -> Result<Region, String> {
    if let Some(region) = &asked.region {
        return Ok(region.clone());
    }
    let own = local.examined.region.as_deref();
    let own =
        own.ok_or("the cluster's region is not known: set --cluster-region, or AWS_REGION")?;
    own.parse()
        .map_err(|error| format!("{error}; set --cluster-region"))
}

/// One cluster, and how to get there.
struct Visit<'a> {
    name: &'a ClusterName,
    region: Region,
    endpoints: &'a Endpoints,
    asked: &'a Doctor,
    clock: &'a Clock,
    patience: &'a Patience,
}

impl Visit<'_> {
    /// The other role's credentials, or the failure.
    async fn assume(
        &self,
        role: &RoleArn,
        own: &Credentials,
        local: &Local,
    ) -> Result<(Entry, Credentials), Entry> {
        let eks = &self.endpoints.eks;
        let config = local.examined.sts.clone().unwrap_or_else(|| StsConfig {
            region: self.region.to_string(),
            endpoint_url: self.endpoints.sts.clone(),
            use_fips: eks.use_fips,
            use_dualstack: eks.use_dualstack,
            network: eks.network.clone(),
        });
        let sts = Sts::new(&config, self.clock.clone());
        let session_name = self.session_name(&sts, own).await?;
        let request = AssumeRole {
            credentials: own,
            session_name: &session_name,
            role,
            duration: DURATION_OF_EVERY_ROLE,
        };
        let silence = Err(StsError::of(StsErrorKind::TimedOut));
        let asking = sts.assume_role(&request);
        let outcome = self.within(steps::ASSUMED_ROLE, asking, silence).await?;
        let entry = cluster::assumed_role(own.role_arn(), &outcome);
        match outcome {
            Ok(assumed) => Ok((entry, assumed)),
            Err(_) => Err(entry),
        }
    }

    /// Under which the pod's session stands in CloudTrail. Of credentials that the sidecar's door gave STS knows it: the
    /// other role's session is to have the same.
    async fn session_name(&self, sts: &Sts, own: &Credentials) -> Result<String, Entry> {
        let step = steps::ASSUMED_ROLE;
        let unknown = |found: &str| {
            let why = format!("whose session is to assume it is not known: {found}");
            Entry::skipped(step, why)
        };
        if !own.session_name().is_empty() {
            return Ok(own.session_name().to_owned());
        }
        let Some(role) = role_of(own) else {
            return Err(unknown("the sidecar names no role"));
        };
        let silence = Err(StsError::of(StsErrorKind::TimedOut));
        match self.within(step, sts.caller(own, &role), silence).await? {
            Ok(caller) => match caller.session_name() {
                Some(name) => Ok(name.to_owned()),
                None => Err(unknown(&format!("STS calls it {}", quote(&caller.arn)))),
            },
            Err(error) => Err(Entry::failed(step, error.diagnosis())),
        }
    }

    /// With the credentials that sign.
    async fn enter(&self, signer: &Credentials, api: &KubernetesApi) -> Vec<Entry> {
        let now = self.clock.now();
        let fips = self.endpoints.eks.use_fips;
        let local = self.clock.local();
        let minted = eks_token::mint(signer, &self.region, self.name, fips, now, local);
        match cluster::token(self.name, &self.region, minted, now) {
            Ok((entry, token, inspection)) => {
                let ((replay, replayed), (describe, described)) =
                    tokio::join!(self.replay(&inspection, signer), self.describe(signer));
                let seen = Seen {
                    token: &token,
                    signer,
                    replayed,
                    described,
                };
                let login = self.login(&seen, api).await;
                vec![entry, replay, describe, login]
            }
            Err(diagnosis) => {
                let why = see("there is no EKS token to show", diagnosis.finding);
                let (describe, _) = self.describe(signer).await;
                vec![
                    Entry::failed(steps::EKS_TOKEN, diagnosis),
                    Entry::skipped(steps::EKS_REPLAY, &*why),
                    describe,
                    Entry::skipped(steps::EKS_LOGIN, why),
                ]
            }
        }
    }

    async fn replay(&self, inspection: &Inspection, signer: &Credentials) -> (Entry, Replayed) {
        let config = ReplayConfig {
            endpoint_url: self.endpoints.sts.clone(),
            network: self.endpoints.eks.network.clone(),
        };
        let endpoint = config.endpoint_url.as_ref().map(ToString::to_string);
        let silence = Err(ReplayError::Transport {
            host: endpoint.or(inspection.host.clone()).unwrap_or_default(),
            error: TransportError::TimedOut,
        });
        let asking = replay(inspection, self.name, &config, self.clock);
        let outcome = match self.within(steps::EKS_REPLAY, asking, silence).await {
            Ok(outcome) => outcome,
            Err(entry) => return (entry, Replayed::Unknown),
        };
        let entry = cluster::replay(&outcome, role_of(signer).as_ref());
        let replayed = match outcome {
            Ok(identity) => Replayed::As(identity),
            Err(error) if cluster::is_refused(&error) => {
                Replayed::Refused(error.diagnosis().finding)
            }
            Err(_) => Replayed::Unknown,
        };
        (entry, replayed)
    }

    /// The entry, and the cluster or why there is none.
    async fn describe(&self, signer: &Credentials) -> (Entry, Result<Cluster, Undescribed>) {
        let step = steps::EKS_CLUSTER;
        let because = |why: String| Err(Undescribed { why, finding: None });
        let unknown = |why: &str| (Entry::skipped(step, why), because(why.to_owned()));
        if self.asked.in_cluster {
            return unknown("not needed with --in-cluster");
        }
        if self.asked.by_id {
            return unknown(
                "DescribeCluster knows names, and --cluster-id gives an id; --in-cluster does without",
            );
        }
        let eks = &self.endpoints.eks;
        let asking = eks.describe(signer, &self.region, self.name, self.clock);
        let silence = Err(eks.timed_out(signer, &self.region, self.name));
        let outcome = match self.within(step, asking, silence).await {
            Ok(outcome) => outcome,
            Err(entry) => {
                let why = "DescribeCluster had no time to answer".to_owned();
                return (entry, because(why));
            }
        };
        match cluster::described(self.name, outcome) {
            Ok(cluster) => (cluster::whereabouts(&cluster), Ok(cluster)),
            Err(diagnosis) => {
                let undescribed = Undescribed {
                    why: see("where the cluster is is not known", diagnosis.finding),
                    finding: Some(diagnosis.finding),
                };
                (Entry::failed(step, diagnosis), Err(undescribed))
            }
        }
    }

    async fn login(&self, seen: &Seen<'_>, api: &KubernetesApi) -> Entry {
        let step = steps::EKS_LOGIN;
        if let Replayed::Refused(finding) = seen.replayed {
            let why = see("STS refuses the token, and so would the cluster", finding);
            return Entry::skipped(step, why);
        }
        let role = role_of(seen.signer);
        let Some(identity) = seen.identity(role.as_ref()) else {
            return Entry::skipped(
                step,
                "whom the token stands for is not known: see eks-replay",
            );
        };
        let described = seen.described.as_ref();
        let admission = Admission {
            identity: &identity,
            role: role.as_ref(),
            cluster: self.name,
            region: &self.region,
            mode: described.ok().map(|cluster| cluster.authentication_mode),
        };
        let server = match (self.asked.in_cluster, described) {
            (true, _) => match self.own_api_server(api).await {
                Ok(server) => server,
                Err(entry) => return entry,
            },
            (false, Ok(cluster)) => {
                let proxy = self.endpoints.eks.network.proxy.clone();
                match ApiServer::of_cluster(cluster, proxy) {
                    Ok(server) => server,
                    Err(diagnosis) => return Entry::failed(step, diagnosis),
                }
            }
            (false, Err(undescribed)) => return undescribed.skipped(&admission),
        };
        let token = seen.token.token();
        let silence = Err(TransportError::TimedOut);
        let asking = cluster::ask(&server, token);
        match self.within(step, asking, silence).await {
            Ok(outcome) => cluster::judge(&server, &outcome, token, &admission),
            Err(entry) => entry,
        }
    }

    /// The file of its CA may be a pipe.
    async fn own_api_server(&self, api: &KubernetesApi) -> Result<ApiServer, Entry> {
        let step = steps::EKS_LOGIN;
        let api = api.clone();
        let reading = tokio::task::spawn_blocking(move || ApiServer::of_pod(&api));
        let hangs = || cluster::no_certificate_authority("its file cannot be read in time");
        let read = async { reading.await.unwrap_or_else(|_| Err(hangs())) };
        let read = self.within(step, read, Err(hangs())).await?;
        read.map_err(|diagnosis| Entry::failed(step, diagnosis))
    }

    /// What came of it; `silence` where nobody answered in time, and an entry where there was no time.
    async fn within<T>(
        &self,
        step: Step,
        work: impl Future<Output = T>,
        silence: T,
    ) -> Result<T, Entry> {
        let limit = match step {
            steps::EKS_LOGIN => LOGIN_LIMIT,
            _ => LIMIT,
        };
        match self.patience.within(step, limit, work).await {
            Ok(done) => Ok(done),
            Err(time_up @ TimeUp::OfAll(left)) if left < A_CHANCE => Err(time_up.entry(step)),
            Err(_) => Ok(silence),
        }
    }
}

/// What STS made of the token.
enum Replayed {
    As(Identity),
    /// It is the token's fault.
    Refused(Finding),
    /// STS has not said.
    Unknown,
}

/// What is known before the cluster is asked.
struct Seen<'a> {
    token: &'a EksToken,
    signer: &'a Credentials,
    replayed: Replayed,
    described: Result<Cluster, Undescribed>,
}

/// Why it is not known where the cluster is.
struct Undescribed {
    why: String,
    /// What EKS was found to say.
    finding: Option<Finding>,
}

impl Undescribed {
    /// With what would let in, unless it is for a cluster that does not exist.
    fn skipped(&self, admission: &Admission<'_>) -> Entry {
        let (step, why) = (steps::EKS_LOGIN, &self.why);
        if self.finding == Some(findings::EKS_CLUSTER_NOT_FOUND) {
            return Entry::skipped(step, &**why);
        }
        let (arn, entries) = (&admission.identity.arn, admission.entries());
        Entry::skipped(step, format!("{why}\nto let {arn} in, {entries}"))
    }
}

impl Seen<'_> {
    /// Of the session, as STS told it or as it has to be.
    fn identity(&self, role: Option<&RoleArn>) -> Option<Identity> {
        match &self.replayed {
            Replayed::As(identity) => Some(identity.clone()),
            _ => {
                let name = Some(self.signer.session_name());
                Identity::of_session(role?, name.filter(|name| !name.is_empty())).ok()
            }
        }
    }
}

fn role_of(signer: &Credentials) -> Option<RoleArn> {
    signer.role_arn().parse().ok()
}

fn see(what: &str, finding: Finding) -> String {
    format!("{what}: see {}", finding.id)
}
