//! What the pod may ask for. Outputs see the store; never the token, the claims or STS.
//!
//! | output | door |
//! |---|---|
//! | [`container_credentials`] | `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `listen` |
//! | [`eks_tokens`] | `GET /v1/eks-token`, `listen` |
//! | [`files`] | `output-dir`: token files, and with [`kubeconfig_file`] a kubeconfig |

pub mod authorization;
pub mod authorization_token;
mod disk;
pub mod eks_tokens;
pub mod kubeconfig_file;
pub mod files;
pub mod container_credentials;
