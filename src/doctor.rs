//! What `doctor` finds: the way from the token file to the cluster, judged step by step.
//!
//! Each file below has one stretch of the way: what there is to see is gathered by thin functions, and what it means is
//! decided in pure ones. Every sentence about trouble is a [`Diagnosis`], and where `serve` can meet the same trouble it
//! is the very same one.

pub mod annotation;
mod causes;
pub mod claims;
pub mod cluster;
pub mod environment;
pub mod exchange;
mod explain;
pub mod kubeconfig;
pub mod pod;
mod report;
pub mod role;
pub mod token_file;
pub mod way;

use crate::diagnosis::{Diagnosis, Step, steps};

pub use self::causes::one_failure_each;
pub use self::explain::explain;
pub use self::report::{Style, json, text};

/// One step, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was looked at.
    pub step: Step,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is right: what was found.
    Fine(String),
    /// It works, and somebody should know.
    Warned(Diagnosis),
    /// It cannot work.
    Failed(Diagnosis),
    /// It could not be judged: why.
    Skipped(String),
}

impl Entry {
    /// It is right; `found` says what it is.
    pub fn fine(step: Step, found: impl Into<String>) -> Self {
        let verdict = Verdict::Fine(found.into());
        Entry { step, verdict }
    }

    /// It works, and somebody should know.
    pub fn warned(step: Step, diagnosis: Diagnosis) -> Self {
        let verdict = Verdict::Warned(diagnosis);
        Entry { step, verdict }
    }

    /// It cannot work.
    pub fn failed(step: Step, diagnosis: Diagnosis) -> Self {
        let verdict = Verdict::Failed(diagnosis);
        Entry { step, verdict }
    }

    /// It could not be judged.
    pub fn skipped(step: Step, why: impl Into<String>) -> Self {
        let verdict = Verdict::Skipped(why.into());
        Entry { step, verdict }
    }

    /// The finding's where there is something to find fault with, otherwise the step's.
    pub fn id(&self) -> &'static str {
        match &self.verdict {
            Verdict::Fine(_) | Verdict::Skipped(_) => self.step.id,
            Verdict::Warned(diagnosis) | Verdict::Failed(diagnosis) => diagnosis.finding.id,
        }
    }

    /// Whether it cannot work.
    pub fn is_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }
}

/// In the order of the way, whatever the order in which they were judged.
pub fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by_key(|entry| steps::ALL.iter().position(|step| *step == entry.step));
    entries
}
