//! `kubeconfig`: writes a kubeconfig for a cluster, or merges it into one.

use std::path::{Path, PathBuf};

use super::{Environment, Failure, Output, pod_credentials, variable};
use crate::clock::Clock;
use crate::config::{self, FlagsOf, Kubeconfig, Server};
use crate::eks_token::ClusterName;
use crate::in_cluster::{self, HOST_VARIABLE, PORT_VARIABLE};
use crate::kubeconfig::{self, CertificateAuthority, Credential, Entry};
use crate::outputs::files::token_file;
use crate::partition::Region;

const SET_REGION: &str = "set --region or AWS_REGION";

/// Where the cluster is, and what it is called.
struct Found {
    /// Its ARN; where nobody told it, its name.
    name: String,
    server: String,
    certificate_authority: CertificateAuthority,
    /// What a token is signed for.
    id: ClusterName,
    /// Whether `id` is the id of a local cluster on Outposts.
    on_outposts: bool,
}

/// What became of the file.
pub async fn run(asked: Kubeconfig, environment: Environment) -> Result<Output, Failure> {
    let output_dir = config::output_directory(asked.flags.clone(), environment.clone())?;
    check(&asked, output_dir.as_deref())?;
    let region = region(&asked, &environment)?;
    let found = find(&asked, &environment, region.as_ref()).await?;
    let mut words = Vec::new();
    let credential = match &output_dir {
        Some(directory) if !asked.exec => {
            config::cluster_with_file(&found.id).map_err(Failure::Failed)?;
            let file = token_file(directory, &found.id);
            if !file.exists() {
                words.push(format!(
                    "warning: there is no {} yet; the sidecar keeps it with --eks-cluster {} --output-dir {}",
                    file.display(),
                    found.id,
                    directory.display()
                ));
            }
            Credential::TokenFile(file)
        }
        _ => exec(&asked, &found, region.as_ref())?,
    };
    if let CertificateAuthority::File(file) = &found.certificate_authority
        && !file.exists()
    {
        let why = match file == Path::new(in_cluster::CA) {
            true => "; a pod with automountServiceAccountToken: false has none",
            false => "",
        };
        words.push(format!(
            "warning: there is no {}, and kubectl trusts no server without it{why}; name the PEM file of the cluster's CA with --certificate-authority",
            file.display()
        ));
    }
    let user = asked.user_alias.unwrap_or_else(|| found.name.clone());
    let entry = Entry {
        context: asked.alias.unwrap_or_else(|| user.clone()),
        cluster: found.name,
        user,
        server: found.server,
        certificate_authority: found.certificate_authority,
        credential,
    };
    let path = kubeconfig::target(
        asked.path.as_deref(),
        variable(&environment, "KUBECONFIG").map(AsRef::as_ref),
        variable(&environment, "HOME").map(Path::new),
        &entry.cluster,
    )
    .ok_or_else(|| {
        Failure::Usage("nothing says which file; set --kubeconfig, KUBECONFIG or HOME".into())
    })?;
    let existing = kubeconfig::read(&path).map_err(failed)?;
    let (context, cluster) = (entry.context.clone(), entry.cluster.clone());
    let merged = kubeconfig::merge(existing.as_deref(), &[entry], &context).map_err(failed)?;
    if asked.dry_run {
        let output = Output::of(merged);
        return Ok(Output { words, ..output });
    }
    // As the AWS CLI tells the two apart.
    let known = existing.is_some_and(|text: String| kubeconfig::holds_cluster(&text, &cluster));
    kubeconfig::write(&path, &merged).map_err(failed)?;
    let done = match known {
        true => format!("Updated context {context} in {}\n", path.display()),
        false => format!("Added new context {context} to {}\n", path.display()),
    };
    let output = Output::of(done);
    Ok(Output { words, ..output })
}

/// What does not go together.
fn check(asked: &Kubeconfig, output_dir: Option<&Path>) -> Result<(), Failure> {
    if asked.exec {
        return Ok(());
    }
    if asked.role.is_some() {
        return Err(Failure::Usage(
            "--role-arn needs --exec: the token files that the sidecar writes are signed by the pod's own role".into(),
        ));
    }
    match output_dir {
        // The file is called as the cluster is.
        Some(_) => config::cluster_with_file(&asked.cluster)
            .map_err(|error| Failure::Usage(format!("--cluster-name: {error}"))),
        None => Err(Failure::Usage(
            "nothing says where the token file is; set --output-dir as the sidecar's is set, or have kubectl run this program with --exec".into(),
        )),
    }
}

/// The one that is named, or the pod's; only `--server` and `--in-cluster` with token files can do without.
fn region(asked: &Kubeconfig, environment: &Environment) -> Result<Option<Region>, Failure> {
    if let Some(region) = &asked.region {
        return Ok(Some(region.clone()));
    }
    let running = config::running(asked.flags.clone(), environment.clone())?;
    let region = running.region.map(|region| region.parse::<Region>());
    region
        .transpose()
        .map_err(|error| Failure::Configuration(format!("{error}; {SET_REGION}")))
}

async fn find(
    asked: &Kubeconfig,
    environment: &Environment,
    region: Option<&Region>,
) -> Result<Found, Failure> {
    let found = |server: String, certificate_authority| Found {
        name: asked.cluster.to_string(),
        server,
        certificate_authority,
        id: asked.cluster.clone(),
        on_outposts: false,
    };
    match &asked.server {
        Server::Named {
            server,
            certificate_authority,
        } => {
            let authority = match certificate_authority {
                Some(file) => CertificateAuthority::File(absolute(file)?),
                None => CertificateAuthority::System,
            };
            Ok(found(server.clone(), authority))
        }
        Server::InCluster {
            certificate_authority,
        } => {
            let text = |name| {
                let value = variable(environment, name);
                value.map_or(String::new(), |value| value.to_string_lossy().into_owned())
            };
            let host = text(HOST_VARIABLE);
            let server = in_cluster::server(&host, &text(PORT_VARIABLE)).map_err(|error| {
                Failure::Failed(format!(
                    "{error}; run this in a pod, or name the server with --server"
                ))
            })?;
            let file = match certificate_authority {
                Some(file) => absolute(file)?,
                None => in_cluster::CA.into(),
            };
            Ok(found(server, CertificateAuthority::File(file)))
        }
        Server::Describe => describe(asked, environment, region).await,
    }
}

async fn describe(
    asked: &Kubeconfig,
    environment: &Environment,
    region: Option<&Region>,
) -> Result<Found, Failure> {
    let endpoints = config::endpoints(asked.flags.clone(), environment.clone(), true)?;
    let region = region.ok_or_else(|| {
        Failure::Configuration(format!(
            "the region of the cluster is not known; {SET_REGION}"
        ))
    })?;
    let clock = Clock::system();
    let flags = asked.flags.clone();
    let environment = environment.clone();
    let credentials = pod_credentials::obtain(flags, FlagsOf::Cluster, environment, &clock).await?;
    let described = endpoints
        .eks
        .describe(&credentials, region, &asked.cluster, &clock)
        .await
        .map_err(|error| error.diagnosis())?;
    let id = described
        .outpost_id
        .as_deref()
        .map(str::parse::<ClusterName>);
    let id = id
        .transpose()
        .map_err(|error| Failure::Failed(format!("EKS told an id that is none: {error}")))?;
    Ok(Found {
        name: described.arn,
        server: described.endpoint,
        certificate_authority: CertificateAuthority::Data(described.certificate_authority_data),
        on_outposts: id.is_some(),
        id: id.unwrap_or_else(|| asked.cluster.clone()),
    })
}

/// How kubectl runs this program.
fn exec(asked: &Kubeconfig, found: &Found, region: Option<&Region>) -> Result<Credential, Failure> {
    let command = std::env::current_exe().map_err(|error| {
        Failure::Failed(format!("the path of this program is not known: {error}"))
    })?;
    let by = if found.on_outposts {
        "--cluster-id"
    } else {
        "--cluster-name"
    };
    let mut args = vec!["get-token".to_owned(), by.to_owned(), found.id.to_string()];
    if let Some(region) = region {
        args.extend(["--region".to_owned(), region.to_string()]);
    }
    if let Some(role) = &asked.role {
        args.extend(["--role-arn".to_owned(), role.to_string()]);
    }
    Ok(Credential::Exec { command, args })
}

fn failed(error: impl std::error::Error) -> Failure {
    Failure::Failed(error.to_string())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::Usage(format!("{} is no path: {error}", path.display())))
}
