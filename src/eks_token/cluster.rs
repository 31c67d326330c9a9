//! The name of a cluster as it goes into a token's signature.

use std::fmt;
use std::str::FromStr;

const LONGEST: usize = 256;

/// What the cluster sends as `x-k8s-aws-id`: the name of an EKS cluster, the id of one on Outposts, or whatever a
/// self-hosted authenticator is called. In the form that is signed: no blanks around it and no two in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterName(String);

/// Why a text names no cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAClusterName {
    /// Nothing, or blanks only.
    Empty,
    /// So many characters.
    TooLong(usize),
    /// This one cannot stand in a header.
    Character(char),
}

impl fmt::Display for NotAClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAClusterName::Empty => f.write_str("the cluster name is empty"),
            NotAClusterName::TooLong(length) => write!(
                f,
                "the cluster name has {length} characters, more than {LONGEST}: no cluster is called so"
            ),
            NotAClusterName::Character(found) if found.is_control() => write!(
                f,
                "the cluster name has a control character ({})",
                found.escape_default()
            ),
            NotAClusterName::Character(found) => {
                write!(
                    f,
                    "the cluster name has a character that is not ASCII: {found}"
                )
            }
        }
    }
}

impl std::error::Error for NotAClusterName {}

impl FromStr for ClusterName {
    type Err = NotAClusterName;

    /// Blanks are trimmed and collapsed as SigV4 does it to headers.
    fn from_str(text: &str) -> Result<Self, NotAClusterName> {
        let signable = |c: &char| c.is_ascii_graphic() || *c == ' ';
        if let Some(found) = text.chars().find(|c| !signable(c)) {
            return Err(NotAClusterName::Character(found));
        }
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let name = words.join(" ");
        match name.len() {
            0 => Err(NotAClusterName::Empty),
            length if length > LONGEST => Err(NotAClusterName::TooLong(length)),
            _ => Ok(ClusterName(name)),
        }
    }
}

impl ClusterName {
    /// The name as it is signed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
