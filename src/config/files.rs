//! Files that were asked for.

use super::resolver::Resolver;
use super::values::{absolute_path, boolean, eks_clusters, file_mode};
use crate::outputs::files::FilesConfig;

impl Resolver {
    /// `region` is the sidecar's.
    pub(super) fn files(&mut self, region: Option<&str>) -> Option<FilesConfig> {
        let clusters = self.get("eks-cluster", eks_clusters);
        let directory = self.get("output-dir", absolute_path);
        let mode = self.get("output-mode", file_mode);
        let kubeconfig = self.get("kubeconfig", boolean);
        // What was named and is wrong has been said.
        let names_clusters = self.sources.is_set("eks-cluster");
        let names_directory = self.sources.is_set("output-dir");
        if (names_clusters || kubeconfig == Some(true)) && !names_directory {
            self.missing("output-dir", "files are asked for, and not where");
        }
        if kubeconfig == Some(true) && !names_clusters {
            self.missing(
                "eks-cluster",
                "kubeconfig asks for a file, and not for which clusters",
            );
        }
        if names_directory && !names_clusters && kubeconfig == Some(false) {
            self.warnings.push(
                "output-dir is set, and nothing that goes there: set eks-cluster, or leave it out"
                    .into(),
            );
        }
        let mut subjects = Vec::new();
        for (name, named) in clusters? {
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
        Some(FilesConfig {
            clusters: subjects,
            directory: directory?,
            mode: mode?,
            kubeconfig: kubeconfig?,
        })
    }
}
