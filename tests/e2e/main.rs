//! End to end: the real binary against the emulator, over real sockets, in real time. This list is the list of promises;
//! `tests/README.md` says how to add to it.

#![allow(
    unreachable_pub,
    reason = "one binary: `pub` is for the module next door"
)]

mod architecture;
mod docs;
mod door;
mod sidecar;
