//! What kubectl uses of the kubeconfigs that it is given: context, cluster and user, and how it logs in.
//!
//! Of several files the first that has an entry counts, as kubectl merges them.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::is_named;
use super::yaml::{self, Node};
use crate::diagnosis::quote;
use crate::secret::Secret;

/// What kubectl uses.
#[derive(Debug)]
pub struct Used {
    /// The context's name.
    pub context: String,
    /// The name of the cluster's entry.
    pub cluster: String,
    /// Where the API server is. May hold a password.
    pub server: Secret,
    /// The name of the user's entry; `None` where the context has none.
    pub user: Option<String>,
    /// The file that has the user's entry, or the context's.
    pub file: PathBuf,
    /// How it logs in.
    pub login: Login,
}

/// How kubectl logs in.
#[derive(Debug)]
pub enum Login {
    /// By what this command prints.
    Exec(Exec),
    /// By the token in this file.
    TokenFile(PathBuf),
    /// By the token that stands there.
    Token(Secret),
    /// By a certificate, a password, or as nobody.
    Other,
}

/// A command that kubectl runs.
#[derive(Debug)]
pub struct Exec {
    /// The version in which it shall answer; empty where there is none.
    pub api_version: String,
    /// A name in `PATH`, or a path.
    pub command: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Whether it is said how it may talk to the user.
    pub has_interactive_mode: bool,
}

/// Why kubectl can use none of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Unusable {
    /// No YAML, at this line.
    NotYaml(PathBuf, usize),
    /// YAML that is not read here: line and reason.
    NotRead(PathBuf, usize, &'static str),
    /// No `current-context`.
    NoCurrentContext,
    /// No context, cluster or user (the first text) of this name.
    NoEntry(&'static str, String),
    /// The context names no cluster.
    NoCluster(String),
    /// The cluster has no `server`.
    NoServer(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::NotYaml(file, line) => {
                write!(f, "{} is no YAML in line {line}", file.display())
            }
            Unusable::NotRead(file, line, reason) => {
                write!(f, "{} has {reason} in line {line}", file.display())
            }
            Unusable::NoCurrentContext => f.write_str("there is no current-context"),
            Unusable::NoEntry(kind, name) => {
                write!(f, "there is no {kind} {}", quote(name))
            }
            Unusable::NoCluster(context) => {
                write!(f, "the context {} names no cluster", quote(context))
            }
            Unusable::NoServer(cluster) => {
                write!(f, "the cluster {} has no server", quote(cluster))
            }
        }
    }
}

impl std::error::Error for Unusable {}

/// The files that kubectl reads: those of `$KUBECONFIG`, else `~/.kube/config`.
pub fn files(kubeconfig_variable: Option<&OsStr>, home: Option<&Path>) -> Vec<PathBuf> {
    let named = super::file::named(kubeconfig_variable);
    match named.is_empty() {
        true => home.map(super::file::by_default).into_iter().collect(),
        false => named,
    }
}

/// What kubectl uses of these files, by path and content. Where a cluster is named, the context that leads to it, if there
/// is one; else the current one.
pub fn used(files: &[(PathBuf, String)], cluster: Option<&str>) -> Result<Used, Unusable> {
    let mut documents = Vec::new();
    for (path, text) in files {
        let content = yaml::read(text).map_err(|found| match found.reason {
            yaml::NO_YAML => Unusable::NotYaml(path.clone(), found.line),
            reason => Unusable::NotRead(path.clone(), found.line, reason),
        })?;
        documents.push(Document { path, content });
    }
    let documents = Documents(documents);
    let current = documents.current_context();
    let to_cluster = cluster.and_then(|cluster| documents.context_to(cluster, current.as_deref()));
    let context = to_cluster.or(current).ok_or(Unusable::NoCurrentContext)?;
    documents.used(context)
}

struct Document<'a> {
    path: &'a Path,
    content: Node,
}

struct Documents<'a>(Vec<Document<'a>>);

impl Documents<'_> {
    fn current_context(&self) -> Option<String> {
        let mut named = self
            .0
            .iter()
            .filter_map(|one| text(one.content.get("current-context")?));
        named.find(|name| !name.is_empty())
    }

    fn entries(&self, list: &'static str) -> impl Iterator<Item = (&Path, &Node)> {
        self.0.iter().flat_map(move |one| {
            let entries = match one.content.get(list) {
                Some(Node::Sequence(entries)) => entries.as_slice(),
                _ => &[],
            };
            entries.iter().map(|entry| (one.path, entry))
        })
    }

    fn entry(&self, list: &'static str, name: &str) -> Option<(&Path, &Node)> {
        self.entries(list).find(|(_, entry)| is_named(entry, name))
    }

    /// A context that leads to the cluster of this name at EKS; rather the current one.
    fn context_to(&self, cluster: &str, current: Option<&str>) -> Option<String> {
        let leads_there = |context: &&str| {
            let used = self.used((*context).to_owned());
            used.is_ok_and(|used| used.is_of(cluster))
        };
        let names = self
            .entries("contexts")
            .filter_map(|(_, entry)| entry.get("name"));
        let names = names.filter_map(|name| match name {
            Node::Scalar(name) => Some(name.text.as_str()),
            _ => None,
        });
        current
            .into_iter()
            .chain(names)
            .find(leads_there)
            .map(str::to_owned)
    }

    fn used(&self, context: String) -> Result<Used, Unusable> {
        let found = self.entry("contexts", &context);
        let (file, entry) = found.ok_or_else(|| Unusable::NoEntry("context", context.clone()))?;
        let field = |key| {
            entry
                .get("context")
                .and_then(|context| text(context.get(key)?))
        };
        let cluster: String =
            field("cluster").ok_or_else(|| Unusable::NoCluster(context.clone()))?;
        let found = self.entry("clusters", &cluster);
        let (_, entry) = found.ok_or_else(|| Unusable::NoEntry("cluster", cluster.clone()))?;
        let server = entry
            .get("cluster")
            .and_then(|cluster| text(cluster.get("server")?));
        let server = server.ok_or_else(|| Unusable::NoServer(cluster.clone()))?;
        let user = field("user");
        let (file, login) = match &user {
            None => (file, Login::Other),
            Some(name) => {
                let found = self.entry("users", name);
                let (file, entry) = found.ok_or_else(|| Unusable::NoEntry("user", name.clone()))?;
                (
                    file,
                    entry
                        .get("user")
                        .map_or(Login::Other, |user| login(user, file)),
                )
            }
        };
        Ok(Used {
            context,
            cluster,
            server: Secret::new(server),
            user,
            file: file.to_owned(),
            login,
        })
    }
}

impl Used {
    /// Whether this leads to the cluster of this name at EKS, by its ARN, its own name, or what is run or read.
    fn is_of(&self, cluster: &str) -> bool {
        let by_arn = self.cluster.rsplit_once(":cluster/").map(|(_, name)| name);
        let by_login = match &self.login {
            Login::Exec(exec) => exec.args.iter().any(|arg| arg == cluster),
            Login::TokenFile(file) => file.file_stem() == Some(cluster.as_ref()),
            _ => false,
        };
        self.cluster == cluster || by_arn == Some(cluster) || by_login
    }
}

/// In the order in which kubectl prefers them. Relative paths are relative to the kubeconfig.
fn login(user: &Node, file: &Path) -> Login {
    let beside = file.parent().unwrap_or(Path::new(""));
    let field = |key| text(user.get(key)?).filter(|text| !text.is_empty());
    if let Some(path) = field("tokenFile") {
        return Login::TokenFile(beside.join(path));
    }
    if let Some(token) = field("token") {
        return Login::Token(Secret::new(token));
    }
    let Some(exec @ Node::Mapping(_)) = user.get("exec") else {
        return Login::Other;
    };
    let field = |key| exec.get(key).and_then(text).unwrap_or_default();
    let args = match exec.get("args") {
        Some(Node::Sequence(args)) => args.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    let command = field("command");
    Login::Exec(Exec {
        api_version: field("apiVersion"),
        command: match command.contains('/') {
            true => beside.join(command),
            false => command.into(),
        },
        args,
        has_interactive_mode: !field("interactiveMode").is_empty(),
    })
}

fn text(node: &Node) -> Option<String> {
    match node {
        Node::Scalar(found) if !node.is_null() => Some(found.text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
