//! What the emulator promises to those who talk to it over a socket: the module list is the list
//! of promises.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is tests, outside #[test] functions too"
)]

mod client;
mod control;
mod exchange;
mod faults;
mod identity;
mod lifecycle;
mod program;
mod signer;
