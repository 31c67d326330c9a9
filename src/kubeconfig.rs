//! kubeconfigs: entries for clusters, merged into what a file already holds as `aws eks update-kubeconfig` merges them.
//!
//! Entries of the same name are replaced where they stand, others appended; whatever else the file holds stays, in its
//! order. An existing file may hold other clusters' tokens and keys: no error repeats a line of it.

mod entry;
mod error;
mod file;
mod used;
mod yaml;

pub use self::entry::{CertificateAuthority, Credential, Entry};
pub use self::error::KubeconfigError;
pub use self::file::{read, target, write};
pub use self::used::{Exec, Login, Unusable, Used, files, used};
use self::yaml::{Node, Scalar};

/// The content of a kubeconfig that held `existing` and gets these entries; `current` becomes its current context.
pub fn merge(
    existing: Option<&str>,
    entries: &[Entry],
    current: &str,
) -> Result<String, KubeconfigError> {
    let mut content = content(existing.unwrap_or_default())?;
    for entry in entries {
        insert(
            &mut content,
            "clusters",
            &entry.cluster,
            entry.as_cluster()?,
        );
        insert(&mut content, "users", &entry.user, entry.as_user()?);
        insert(&mut content, "contexts", &entry.context, entry.as_context());
    }
    set(&mut content, "current-context", Node::text(current));
    Ok(yaml::write(&Node::Mapping(content)))
}

/// Whether a kubeconfig has a cluster of this name. What is no kubeconfig has none.
pub fn holds_cluster(text: &str, name: &str) -> bool {
    let Ok(content) = yaml::read(text) else {
        return false;
    };
    match content.get("clusters") {
        Some(Node::Sequence(items)) => items.iter().any(|item| is_named(item, name)),
        _ => false,
    }
}

/// What only EKS could tell of a cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// The name of its entry.
    pub name: String,
    /// The address of its API server.
    pub server: String,
    /// PEM in base64.
    pub certificate_authority_data: String,
}

/// What a kubeconfig says of the cluster of this name.
pub fn told(text: &str, name: &str) -> Option<Told> {
    let content = yaml::read(text).ok()?;
    let Some(Node::Sequence(clusters)) = content.get("clusters") else {
        return None;
    };
    let entry = clusters.iter().find(|entry| is_named(entry, name))?;
    let field = |key| match entry.get("cluster")?.get(key)? {
        Node::Scalar(found) => Some(found.text.clone()),
        _ => None,
    };
    Some(Told {
        name: name.to_owned(),
        server: field("server")?,
        certificate_authority_data: field("certificate-authority-data")?,
    })
}

type Content = Vec<(Scalar, Node)>;

/// What stands in the file, with everything that a kubeconfig has to have. New keys come in the order of the AWS CLI.
fn content(text: &str) -> Result<Content, KubeconfigError> {
    let found = yaml::read(text)?;
    let mut content = match found {
        null if null.is_null() => Content::new(),
        Node::Mapping(content) => content,
        other => return Err(wrong_type("the content", &other, "a mapping")),
    };
    for (key, expected) in [
        ("apiVersion", Node::text("v1")),
        ("clusters", Node::Sequence(Vec::new())),
        ("contexts", Node::Sequence(Vec::new())),
        ("current-context", Node::text("")),
        ("kind", Node::text("Config")),
        ("preferences", Node::Mapping(Vec::new())),
        ("users", Node::Sequence(Vec::new())),
    ] {
        match find(&mut content, key) {
            Some(found) if !found.is_null() => check(key, found, &expected)?,
            _ => set(&mut content, key, expected),
        }
    }
    Ok(content)
}

/// As the AWS CLI checks it; and a manifest of something else, named by mistake, is no place for a cluster.
fn check(key: &'static str, found: &Node, expected: &Node) -> Result<(), KubeconfigError> {
    match (found, expected) {
        (Node::Scalar(found), Node::Scalar(expected)) => {
            let is_fixed = !expected.text.is_empty();
            if is_fixed && found.text != expected.text {
                return Err(KubeconfigError::OfAnotherKind(key));
            }
            Ok(())
        }
        (Node::Sequence(items), Node::Sequence(_)) => {
            let other = items.iter().find(|item| !matches!(item, Node::Mapping(_)));
            other.map_or(Ok(()), |other| {
                Err(wrong_type(
                    &format!("an entry of {key}"),
                    other,
                    "a mapping",
                ))
            })
        }
        (Node::Mapping(_), Node::Mapping(_)) => Ok(()),
        _ => Err(wrong_type(key, found, kind_of(expected))),
    }
}

fn wrong_type(what: &str, found: &Node, expected: &'static str) -> KubeconfigError {
    KubeconfigError::WrongType {
        what: what.to_owned(),
        found: kind_of(found),
        expected,
    }
}

fn kind_of(node: &Node) -> &'static str {
    match node {
        null if null.is_null() => "nothing",
        Node::Scalar(_) => "a single value",
        Node::Sequence(_) => "a list",
        Node::Mapping(_) => "a mapping",
    }
}

fn find<'a>(content: &'a mut Content, key: &str) -> Option<&'a mut Node> {
    content
        .iter_mut()
        .find(|(found, _)| found.text == key)
        .map(|(_, value)| value)
}

fn set(content: &mut Content, key: &str, value: Node) {
    match find(content, key) {
        Some(found) => *found = value,
        None => content.push((Scalar::text(key), value)),
    }
}

fn is_named(entry: &Node, name: &str) -> bool {
    matches!(entry.get("name"), Some(Node::Scalar(found)) if found.text == name)
}

fn insert(content: &mut Content, list: &str, name: &str, entry: Node) {
    if let Some(Node::Sequence(items)) = find(content, list) {
        match items.iter_mut().find(|item| is_named(item, name)) {
            Some(same) => *same = entry,
            None => items.push(entry),
        }
    }
}

#[cfg(test)]
mod tests;
