//! What is written for one cluster: names and order of `aws eks update-kubeconfig`.

use std::path::{Path, PathBuf};

use super::error::KubeconfigError;
use super::yaml::{Node, Scalar};

/// One cluster with the user and the context that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name of the cluster's entry.
    pub cluster: String,
    /// The name of the context.
    pub context: String,
    /// The name of the user's entry.
    pub user: String,
    /// The address of the API server, `https://…`: kubectl shows no credentials to any other.
    pub server: String,
    /// Who vouches for the server.
    pub certificate_authority: CertificateAuthority,
    /// What kubectl shows to it.
    pub credential: Credential,
}

/// Who vouches for the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateAuthority {
    /// PEM in base64, as EKS gives it out.
    Data(String),
    /// A file of PEM certificates; absolute.
    File(PathBuf),
    /// The roots that the client's system has.
    System,
}

/// What kubectl shows to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The content of this file, read anew about every 50 s; absolute.
    TokenFile(PathBuf),
    /// What this program prints, as `client.authentication.k8s.io/v1`.
    Exec {
        /// The program; absolute.
        command: PathBuf,
        /// Its arguments.
        args: Vec<String>,
    },
}

impl Entry {
    pub(super) fn as_cluster(&self) -> Result<Node, KubeconfigError> {
        let mut cluster = Vec::new();
        match &self.certificate_authority {
            CertificateAuthority::Data(data) => {
                cluster.push((Scalar::text("certificate-authority-data"), Node::text(data)));
            }
            CertificateAuthority::File(path) => {
                cluster.push((Scalar::text("certificate-authority"), absolute(path)?));
            }
            CertificateAuthority::System => {}
        }
        cluster.push((Scalar::text("server"), Node::text(&self.server)));
        Ok(Node::mapping([
            ("cluster", Node::Mapping(cluster)),
            ("name", Node::text(&self.cluster)),
        ]))
    }

    pub(super) fn as_context(&self) -> Node {
        let context = Node::mapping([
            ("cluster", Node::text(&self.cluster)),
            ("user", Node::text(&self.user)),
        ]);
        Node::mapping([("context", context), ("name", Node::text(&self.context))])
    }

    pub(super) fn as_user(&self) -> Result<Node, KubeconfigError> {
        let user = match &self.credential {
            Credential::TokenFile(path) => Node::mapping([("tokenFile", absolute(path)?)]),
            Credential::Exec { command, args } => Node::mapping([("exec", exec(command, args)?)]),
        };
        Ok(Node::mapping([
            ("name", Node::text(&self.user)),
            ("user", user),
        ]))
    }
}

/// kubectl must not wait for a terminal, and nothing here needs the cluster's address.
fn exec(command: &Path, args: &[String]) -> Result<Node, KubeconfigError> {
    let args = args.iter().map(Node::text).collect();
    Ok(Node::mapping([
        ("apiVersion", Node::text("client.authentication.k8s.io/v1")),
        ("args", Node::Sequence(args)),
        ("command", absolute(command)?),
        ("interactiveMode", Node::text("Never")),
        ("provideClusterInfo", Node::no()),
    ]))
}

/// kubectl takes a relative path from the kubeconfig's directory, and a bare command from `PATH`.
fn absolute(path: &Path) -> Result<Node, KubeconfigError> {
    match path.to_str() {
        Some(text) if path.is_absolute() => Ok(Node::text(text)),
        _ => Err(KubeconfigError::Path(path.to_owned())),
    }
}
