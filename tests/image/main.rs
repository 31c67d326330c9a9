//! The image: what the Dockerfile says, and, where `make image` has built it and names it in
//! `IRSA_SIDECAR_TEST_IMAGE`, what is in it and how it runs.

#![allow(
    unreachable_pub,
    reason = "one binary: `pub` is for the module next door"
)]

mod archive;
mod container;
mod contents;
mod dockerfile;
mod running;
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../e2e/sidecar.rs"]
mod sidecar;
