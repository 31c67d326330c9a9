//! The sidecar in the pods of a real Kubernetes, with an AWS that verifies outside of them: `make pod-test`.
//!
//! One cluster for all tests, a namespace for each; `README.md` says what is real and what is not.

#![allow(
    unreachable_pub,
    reason = "one binary: `pub` is for the module next door"
)]

mod cluster;
mod eventually;
mod images;
mod kubectl;
mod namespace;
mod pod;
mod rendered;

// What is promised:
mod admission;
mod annotation;
mod credentials;
mod doctor;
mod eks_webhook;
mod injection;
mod jobs;
mod life;
mod memory;
