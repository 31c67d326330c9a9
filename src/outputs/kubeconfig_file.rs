//! A kubeconfig beside the token files: where each cluster is, as `eks:DescribeCluster` tells it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::credentials_file::CredentialsFileConfig;
use super::disk::{is_file, off_the_loop, put};
use crate::atomic_file::{AtomicFileError, Mode};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Remedy, findings};
use crate::eks::{self, Cluster, EksError, EksErrorKind};
use crate::eks_token::ClusterName;
use crate::kubeconfig::{self, CertificateAuthority, Credential, Entry, KubeconfigError};
use crate::partition::Region;
use crate::secret::Secret;
use crate::store::{Reader, Unavailable};
use crate::transport::{EndpointUrl, Network, Transport};

/// Which EKS API, and how to get there.
#[derive(Debug, Clone)]
pub struct EksConfig {
    /// Another address than the regional endpoint's.
    pub endpoint_url: Option<EndpointUrl>,
    /// The FIPS endpoint of the region.
    pub use_fips: bool,
    /// The dual-stack endpoint of the region.
    pub use_dualstack: bool,
    /// How to get there.
    pub network: Network,
}

impl EksConfig {
    /// Asks where a cluster is.
    pub async fn describe(
        &self,
        credentials: &Credentials,
        region: &Region,
        name: &ClusterName,
        clock: &Clock,
    ) -> Result<Cluster, EksError> {
        let endpoint = self.endpoint_url.as_ref();
        let transport = Transport::new(&self.network, endpoint, clock.clone());
        let url = self.url(region);
        eks::describe_cluster(&transport, &url, credentials, region, name, clock).await
    }

    /// The error where somebody else's patience is at its end.
    pub fn timed_out(
        &self,
        credentials: &Credentials,
        region: &Region,
        name: &ClusterName,
    ) -> EksError {
        let url = self.url(region);
        EksError::new(EksErrorKind::TimedOut, &url, credentials, region, name)
    }

    fn url(&self, region: &Region) -> String {
        match &self.endpoint_url {
            Some(url) => url.to_string(),
            None => format!(
                "https://{}",
                region.eks_host(self.use_fips, self.use_dualstack)
            ),
        }
    }
}

/// Which files, and where.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// Each with its region.
    pub clusters: Vec<(ClusterName, Region)>,
    /// `output-dir`.
    pub directory: PathBuf,
    /// Of every file.
    pub mode: u32,
    /// Whether the kubeconfig is wanted too.
    pub kubeconfig: bool,
    /// The shared credentials file, where it is wanted.
    pub credentials: Option<CredentialsFileConfig>,
}

/// Where the token for this cluster is.
pub fn token_file(directory: &Path, cluster: &ClusterName) -> PathBuf {
    directory.join(format!("{cluster}.eks-token"))
}

/// The file. What it says does not change while a cluster lives, so EKS is asked once.
#[derive(Debug)]
pub struct KubeconfigFile {
    wanted: FilesConfig,
    path: PathBuf,
    eks: EksConfig,
    clock: Clock,
    /// What belongs into it.
    text: Option<String>,
    /// Whether EKS has told it to this process.
    is_told: bool,
    is_there: bool,
}

/// Why there is no kubeconfig.
#[derive(Debug)]
pub enum NoKubeconfig {
    /// No credentials to ask EKS with.
    Unavailable(Unavailable),
    /// EKS does not tell.
    Eks(EksError),
    /// A cluster that is signed for by its id.
    Outpost {
        /// As it is called in `eks-cluster`.
        name: ClusterName,
        /// What goes there instead.
        id: String,
    },
    /// It cannot be put together.
    Kubeconfig(KubeconfigError),
    /// It cannot be written.
    Write(AtomicFileError),
}

impl KubeconfigFile {
    /// Not written yet. The first cluster is the current context.
    pub fn new(wanted: &FilesConfig, eks: EksConfig, clock: Clock) -> Self {
        KubeconfigFile {
            path: wanted.directory.join("kubeconfig"),
            wanted: wanted.clone(),
            eks,
            clock,
            text: None,
            is_told: false,
            is_there: false,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it was there at the last look.
    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Writes it where it is not there yet, or not any more. While EKS cannot be asked, what an earlier process wrote is as
    /// good; all clusters or none: with a context missing, clients would talk to another cluster.
    pub async fn write(&mut self, pod: &Reader, mode: Mode) -> Result<(), NoKubeconfig> {
        if self.is_told {
            return self.put(mode).await;
        }
        let credentials = pod.credentials().map_err(NoKubeconfig::Unavailable)?;
        if self.text.is_none() {
            self.text = self.left_behind(&credentials).await;
        }
        self.put(mode).await?;
        match self.ask(&credentials).await {
            Ok(text) => {
                self.is_there &= self.text.as_ref() == Some(&text);
                (self.text, self.is_told) = (Some(text), true);
                self.put(mode).await
            }
            Err(error) => {
                // What EKS says itself, of the role or of the cluster, is not waited out.
                if error.remedy() != Remedy::Wait {
                    (self.text, self.is_there) = (None, false);
                }
                Err(error)
            }
        }
    }

    /// Puts back what was taken away, without EKS.
    pub async fn put(&mut self, mode: Mode) -> Result<(), NoKubeconfig> {
        let Some(text) = &self.text else {
            return Ok(());
        };
        self.is_there &= is_file(&self.path).await;
        if !self.is_there {
            let content = Secret::new(text.clone());
            put(&self.path, content, mode)
                .await
                .map_err(NoKubeconfig::Write)?;
            self.is_there = true;
        }
        Ok(())
    }

    async fn ask(&self, credentials: &Credentials) -> Result<String, NoKubeconfig> {
        let mut clusters = Vec::new();
        for (name, region) in &self.wanted.clusters {
            let asked = self.eks.describe(credentials, region, name, &self.clock);
            let told = asked.await.map_err(NoKubeconfig::Eks)?;
            // Its token is signed for the id, and the one in the file for the name.
            if let Some(id) = told.outpost_id.filter(|id| id != name.as_str()) {
                let name = name.clone();
                return Err(NoKubeconfig::Outpost { name, id });
            }
            clusters.push(kubeconfig::Told {
                name: told.arn,
                server: told.endpoint,
                certificate_authority_data: told.certificate_authority_data,
            });
        }
        self.with(clusters).map_err(NoKubeconfig::Kubeconfig)
    }

    /// What stands in the file, if it is what this process would write of clusters with these names; only EKS knows where
    /// they are.
    async fn left_behind(&self, credentials: &Credentials) -> Option<String> {
        if !is_file(&self.path).await {
            return None;
        }
        let path = self.path.clone();
        let text = off_the_loop(move || kubeconfig::read(&path)).await.ok()??;
        let account = credentials.role_arn().split(':').nth(4)?;
        let clusters = self.wanted.clusters.iter().map(|(name, region)| {
            let partition = region.partition().name;
            let arn = format!("arn:{partition}:eks:{region}:{account}:cluster/{name}");
            kubeconfig::told(&text, &arn).filter(|told| eks::is_api_server(&told.server))
        });
        let again = self.with(clusters.collect::<Option<_>>()?).ok()?;
        (again == text).then_some(text)
    }

    fn with(&self, clusters: Vec<kubeconfig::Told>) -> Result<String, KubeconfigError> {
        let named = self.wanted.clusters.iter().zip(clusters);
        let entry = |((name, _), told): (&(ClusterName, _), kubeconfig::Told)| Entry {
            cluster: told.name.clone(),
            context: told.name.clone(),
            user: told.name,
            server: told.server,
            certificate_authority: CertificateAuthority::Data(told.certificate_authority_data),
            credential: Credential::TokenFile(token_file(&self.wanted.directory, name)),
        };
        let entries: Vec<Entry> = named.map(entry).collect();
        let current = entries.first().map_or("", |entry| entry.context.as_str());
        kubeconfig::merge(None, &entries, current)
    }
}

impl NoKubeconfig {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        match self {
            NoKubeconfig::Unavailable(Unavailable(trouble)) => trouble.diagnosis.clone(),
            NoKubeconfig::Eks(error) => error.diagnosis(),
            NoKubeconfig::Outpost { name, id } => Diagnosis {
                finding: findings::EKS_OUTPOST,
                found: format!(
                    "{name} is a local cluster on an Outpost, which takes no token but for its id {id}"
                ),
                expected: "eks-cluster with the id, and no kubeconfig from this process".to_owned(),
                fix: format!(
                    "run serve with --eks-cluster {id} and without --kubeconfig, and write the kubeconfig with irsa-sidecar kubeconfig --cluster-name {name} and the same --output-dir; or have kubectl ask for tokens itself: add --exec to that"
                ),
            },
            NoKubeconfig::Kubeconfig(error) => not_written(error),
            NoKubeconfig::Write(error) => not_written(error),
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self {
            NoKubeconfig::Eks(error) => error.remedy(),
            NoKubeconfig::Kubeconfig(_) | NoKubeconfig::Outpost { .. } => Remedy::Change,
            // A full disk may be emptied, and credentials come back.
            NoKubeconfig::Unavailable(_) | NoKubeconfig::Write(_) => Remedy::Wait,
        }
    }
}

/// The error says what is wrong and, after a semicolon, what to do.
pub(super) fn not_written(error: &dyn std::error::Error) -> Diagnosis {
    let sentence = error.to_string();
    let (found, fix) = sentence
        .split_once("; ")
        .unwrap_or((&sentence, "see docs/troubleshooting.md"));
    Diagnosis {
        finding: findings::FILE_NOT_WRITTEN,
        found: found.to_owned(),
        expected: "a place where this user can write".to_owned(),
        fix: fix.to_owned(),
    }
}

impl fmt::Display for NoKubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for NoKubeconfig {}
