//! The other side of the sidecar, on loopback: an OIDC issuer, a kubelet's token volume, an AWS STS
//! that verifies all that it is given, and EKS clusters that believe it alone.
//!
//! Written against the documents of AWS and Kubernetes, never against the sidecar, which it must
//! not depend on: what the two agree on is then what the documents say.
//!
//! In reading order: [`issuer`](Issuer) signs what a [`TokenRequest`] asks for, [`Volume`] puts it
//! where a pod finds it, [`Sts`] exchanges it for credentials, a [`Cluster`] takes tokens that were
//! made with those; `s3` is for clients that can do nothing else, `control` the door for other languages.

mod certificate;
mod clock;
mod cluster;
mod control;
mod door;
mod emulator;
mod form;
mod issuer;
mod partition;
mod random;
mod s3;
mod sts;
mod token_request;
mod volume;

pub use cluster::{API_AUDIENCE, ApiFault, ApiRequest, Authenticator, Cluster, Mode, Reviewed};
pub use emulator::Emulator;
pub use issuer::Issuer;
pub use sts::{Call, Fault, Issued, ROLE_ARN, Role, Sts};
pub use token_request::TokenRequest;
pub use volume::Volume;
