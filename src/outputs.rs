//! What the pod may ask for. Outputs see the store; never the token, the claims or STS.
//!
//! | output | door |
//! |---|---|
//! | [`container_credentials`] | `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `listen` |
//! | [`eks_tokens`] | `GET /v1/eks-token`, `listen` |
//! | [`imds`] | instance metadata, `imds-listen` |
//! | [`files`] | `output-dir`: token files, with [`kubeconfig_file`] a kubeconfig, with [`credentials_file`] credentials |

pub mod authorization;
pub mod authorization_token;
pub mod credentials_file;
mod disk;
pub mod eks_tokens;
pub mod kubeconfig_file;
pub mod files;
pub mod imds;
pub mod container_credentials;

use std::borrow::Cow;

use crate::http::{Code, Refusal};
use crate::store::Unavailable;

/// At every door the reason for the absence of credentials is the answer.
impl From<Unavailable> for Refusal {
    fn from(Unavailable(trouble): Unavailable) -> Self {
        Refusal {
            code: Code::CredentialsUnavailable,
            words: Cow::Owned(trouble.diagnosis.to_string()),
        }
    }
}
