//! End to end: the real binary against the emulator, over real sockets, in real time. This list is the list of promises;
//! `tests/README.md` says how to add to it.

#![allow(
    unreachable_pub,
    reason = "one binary: `pub` is for the module next door"
)]

mod annotation;
mod architecture;
mod authorization;
mod claims;
mod clients;
mod clock;
mod configuration;
mod credential_process;
mod credentials_file;
mod demo;
mod docs;
mod doctor;
mod door;
mod eks_token;
mod files;
mod get_token;
mod imds;
mod inspect_token;
mod install;
mod kubeconfig;
mod kubectl;
mod limits;
mod link_local;
mod manifests;
mod monitoring;
mod namespace;
mod ops;
mod outage;
mod process;
mod rotation;
mod secrets;
mod shutdown;
mod sidecar;
mod sts_errors;
mod tls;
mod wait;
