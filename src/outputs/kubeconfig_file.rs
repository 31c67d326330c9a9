//! A kubeconfig beside the token files: where each cluster is, as `eks:DescribeCluster` tells it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::atomic_file::{self, AtomicFileError, Mode};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Remedy, findings};
use crate::eks::{self, Cluster, EksError};
use crate::eks_token::ClusterName;
use crate::kubeconfig::{self, CertificateAuthority, Credential, Entry, KubeconfigError};
use crate::partition::Region;
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
        let url = match endpoint {
            Some(url) => url.to_string(),
            None => format!(
                "https://{}",
                region.eks_host(self.use_fips, self.use_dualstack)
            ),
        };
        eks::describe_cluster(&transport, &url, credentials, region, name, clock).await
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
}

/// Where the token for this cluster is.
pub fn token_file(directory: &Path, cluster: &ClusterName) -> PathBuf {
    directory.join(format!("{cluster}.eks-token"))
}

/// The file, written once: what it says does not change while a cluster lives.
#[derive(Debug)]
pub struct KubeconfigFile {
    wanted: FilesConfig,
    path: PathBuf,
    eks: EksConfig,
    clock: Clock,
    written: bool,
}

/// Why there is no kubeconfig.
#[derive(Debug)]
pub enum NoKubeconfig {
    /// No credentials to ask EKS with.
    Unavailable(Unavailable),
    /// EKS does not tell.
    Eks(EksError),
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
            written: false,
        }
    }

    /// Whether it was written.
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// Writes it where it is not there yet, or not any more.
    pub async fn write(&mut self, pod: &Reader, mode: Mode) -> Result<(), NoKubeconfig> {
        self.written &= is_file(&self.path);
        if self.written {
            return Ok(());
        }
        let credentials = pod.credentials().map_err(NoKubeconfig::Unavailable)?;
        let mut entries = Vec::new();
        for (cluster, region) in &self.wanted.clusters {
            let described = self
                .eks
                .describe(&credentials, region, cluster, &self.clock)
                .await
                .map_err(NoKubeconfig::Eks)?;
            entries.push(Entry {
                cluster: described.arn.clone(),
                context: described.arn.clone(),
                user: described.arn,
                server: described.endpoint,
                certificate_authority: CertificateAuthority::Data(
                    described.certificate_authority_data,
                ),
                credential: Credential::TokenFile(token_file(&self.wanted.directory, cluster)),
            });
        }
        let current = entries.first().map_or("", |entry| entry.context.as_str());
        let text = kubeconfig::merge(None, &entries, current).map_err(NoKubeconfig::Kubeconfig)?;
        atomic_file::write(&self.path, text.as_bytes(), mode).map_err(NoKubeconfig::Write)?;
        self.written = true;
        Ok(())
    }
}

impl NoKubeconfig {
    /// What was found, expected and is to be done.
    pub fn diagnosis(&self) -> Diagnosis {
        match self {
            NoKubeconfig::Unavailable(Unavailable(trouble)) => trouble.diagnosis.clone(),
            NoKubeconfig::Eks(error) => error.diagnosis(),
            NoKubeconfig::Kubeconfig(error) => not_written(error),
            NoKubeconfig::Write(error) => not_written(error),
        }
    }

    /// Who can end it.
    pub fn remedy(&self) -> Remedy {
        match self {
            NoKubeconfig::Eks(error) => error.remedy(),
            NoKubeconfig::Kubeconfig(_) => Remedy::Change,
            // A full disk may be emptied, and credentials come back.
            NoKubeconfig::Unavailable(_) | NoKubeconfig::Write(_) => Remedy::Wait,
        }
    }
}

/// Whether the file itself stands there: what a symlink leads to is somebody else's.
pub(super) fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
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
