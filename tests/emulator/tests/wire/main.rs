//! What the emulator promises to those who talk to it over a socket: the module list is the list
//! of promises.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, outside #[test] functions too"
)]

mod assume_role;
mod client;
mod control;
mod control_clusters;
mod describe;
mod exchange;
mod faults;
mod identity;
mod kubernetes;
mod lifecycle;
mod program;
mod s3;
mod service_accounts;
mod signer;
mod tokens;
mod webhook;
