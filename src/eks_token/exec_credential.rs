//! ExecCredential: what a credential plugin prints, byte for byte as `aws eks get-token` prints it.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use zeroize::Zeroizing;

use super::{EksToken, LONGEST};
use crate::clock::rfc3339;
use crate::diagnosis::quote;

const GROUP: &str = "client.authentication.k8s.io/";

/// Room for what stands around the token.
const ENVELOPE: usize = 512;

/// A version of the API group `client.authentication.k8s.io`. A client takes no other than the one it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// Up to kubectl 1.23.
    V1Alpha1,
    /// What a client that asked for nothing gets.
    V1Beta1,
    /// From kubectl 1.22 on.
    V1,
}

/// A text that names no version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnApiVersion(String);

impl fmt::Display for NotAnApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is no version of {GROUP}: there are v1, v1beta1 and v1alpha1",
            quote(&self.0)
        )
    }
}

impl std::error::Error for NotAnApiVersion {}

impl FromStr for ApiVersion {
    type Err = NotAnApiVersion;

    /// With the group before it or without.
    fn from_str(text: &str) -> Result<Self, NotAnApiVersion> {
        match text.strip_prefix(GROUP).unwrap_or(text) {
            "v1alpha1" => Ok(ApiVersion::V1Alpha1),
            "v1beta1" => Ok(ApiVersion::V1Beta1),
            "v1" => Ok(ApiVersion::V1),
            _ => Err(NotAnApiVersion(text.to_owned())),
        }
    }
}

impl ApiVersion {
    /// With the group, as it stands in `apiVersion`.
    pub fn as_str(self) -> &'static str {
        match self {
            ApiVersion::V1Alpha1 => "client.authentication.k8s.io/v1alpha1",
            ApiVersion::V1Beta1 => "client.authentication.k8s.io/v1beta1",
            ApiVersion::V1 => "client.authentication.k8s.io/v1",
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The document and, as the AWS CLI ends it, two newlines. The buffer is wiped on drop.
pub fn exec_credential(token: &EksToken, api_version: ApiVersion) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ExecCredential<'a> {
        kind: &'a str,
        api_version: &'a str,
        spec: Spec,
        status: Status<'a>,
    }
    #[derive(Serialize)]
    struct Spec {}
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Status<'a> {
        expiration_timestamp: &'a str,
        token: &'a str,
    }
    let document = ExecCredential {
        kind: "ExecCredential",
        api_version: api_version.as_str(),
        spec: Spec {},
        status: Status {
            expiration_timestamp: &rfc3339(token.expiration()),
            token: token.token().expose(),
        },
    };
    // Room for the whole at once: a buffer that grows would leave copies of the token behind.
    let mut body = Zeroizing::new(Vec::with_capacity(LONGEST + ENVELOPE));
    let pretty = PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut *body, pretty);
    document
        .serialize(&mut serializer)
        .expect("strings serialize to memory");
    body.extend_from_slice(b"\n\n");
    Bytes::from_owner(body)
}
