//! What a platform team applies: every kustomization under `manifests/` renders, is valid, names only settings that the
//! program knows, and its pods work as they stand there, with the real program and the emulator.

mod component;
pub mod eks_webhook;
mod injection;
mod life;
mod network_policy;
mod overlays;
pub mod pods;
pub mod rendered;
mod rules;
mod schemas;
