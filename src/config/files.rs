//! Files that were asked for.

use super::resolver::Resolver;
use super::values::{absolute_path, boolean, eks_clusters, file_mode};
use crate::eks_token::ClusterName;
use crate::outputs::credentials_file::{CredentialsFileConfig, Profile};
use crate::outputs::files::FilesConfig;
use crate::partition::Region;

impl Resolver {
    /// `region` is the sidecar's.
    pub(super) fn files(&mut self, region: Option<&str>) -> Option<FilesConfig> {
        let clusters = self.get("eks-cluster", eks_clusters);
        let directory = self.get("output-dir", absolute_path);
        let mode = self.get("output-mode", file_mode);
        let kubeconfig = self.get("kubeconfig", boolean);
        let credentials_file = self.get("credentials-file", boolean);
        let profile: Option<Profile> = self.get("credentials-profile", str::parse);
        // What was named and is wrong has been said.
        let names_clusters = self.sources.is_set("eks-cluster");
        let names_directory = self.sources.is_set("output-dir");
        let asks = |switch: Option<bool>| switch == Some(true);
        let asks_nothing = kubeconfig == Some(false) && credentials_file == Some(false);
        if (names_clusters || asks(kubeconfig) || asks(credentials_file)) && !names_directory {
            self.missing("output-dir", "files are asked for, and not where");
        }
        if asks(kubeconfig) && !names_clusters {
            self.missing(
                "eks-cluster",
                "kubeconfig asks for a file, and not for which clusters",
            );
        }
        if names_directory && !names_clusters && asks_nothing {
            self.doubt(
                "output-dir is set, and nothing that goes there: set eks-cluster or credentials-file, or leave it out",
            );
        }
        if self.sources.is_set("credentials-profile") && credentials_file == Some(false) {
            self.doubt(
                "credentials-profile is set, and nothing is written to it: set credentials-file, or leave it out",
            );
        }
        let clusters = match names_clusters {
            true => self.subjects(clusters?, region)?,
            false => Vec::new(),
        };
        let credentials = match asks(credentials_file) {
            true => Some(CredentialsFileConfig {
                profile: profile?,
                region: region?.to_owned(),
            }),
            false => None,
        };
        if clusters.is_empty() && credentials.is_none() {
            return None;
        }
        Some(FilesConfig {
            clusters,
            directory: directory?,
            mode: mode?,
            kubeconfig: kubeconfig?,
            credentials,
        })
    }

    /// Each cluster with its region.
    fn subjects(
        &mut self,
        clusters: Vec<(ClusterName, Option<Region>)>,
        region: Option<&str>,
    ) -> Option<Vec<(ClusterName, Region)>> {
        let mut subjects = Vec::new();
        for (name, named) in clusters {
            let region = match named {
                Some(region) => region,
                None => match region?.parse() {
                    Ok(region) => region,
                    Err(error) => {
                        self.errors.push(format!(
                            "eks-cluster {name}: it is taken to be in the sidecar's region, and {error}; write {name}=REGION"
                        ));
                        continue;
                    }
                },
            };
            subjects.push((name, region));
        }
        Some(subjects)
    }
}
