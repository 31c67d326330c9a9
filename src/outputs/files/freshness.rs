//! Whether all files are there and fresh: each loop tells of its own, and readiness asks for all.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, findings};
use crate::store::{Trouble, Unavailable};

/// What is known of the files of one loop.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// When the first of them is over, in local time; `None` until all are there.
    pub(super) good_until: Option<SystemTime>,
    pub(super) trouble: Option<Arc<Trouble>>,
}

impl Kept {
    fn is_fresh(&self) -> bool {
        self.trouble.is_none() && self.good_until.is_some()
    }
}

/// Where one loop tells of its files.
pub(super) struct Freshness {
    all: Arc<watch::Sender<Vec<Kept>>>,
    own: usize,
    files: usize,
}

impl Freshness {
    pub(super) fn tell(&self, kept: Kept) {
        let mut have_become_fresh = false;
        self.all.send_modify(|all| {
            let were_fresh = all.iter().all(Kept::is_fresh);
            all[self.own] = kept;
            have_become_fresh = !were_fresh && all.iter().all(Kept::is_fresh);
        });
        if have_become_fresh {
            tracing::info!(files = self.files, "the files in output-dir are fresh");
        }
    }
}

/// For as many files as each loop keeps, `None` where there is no such loop.
pub(super) fn all_files<const LOOPS: usize>(
    counts: [Option<usize>; LOOPS],
    clock: Clock,
) -> ([Option<Freshness>; LOOPS], FilesReader) {
    let files = counts.iter().flatten().sum();
    let loops = counts.iter().flatten().count();
    let (sender, receiver) = watch::channel(vec![Kept::default(); loops]);
    let all = Arc::new(sender);
    let mut owns = 0..;
    let freshness = counts.map(|count| {
        count.and_then(|_| owns.next()).map(|own| Freshness {
            all: Arc::clone(&all),
            own,
            files,
        })
    });
    let reader = FilesReader {
        all: receiver,
        started: clock.local(),
        clock,
    };
    (freshness, reader)
}

/// Whether the files are there and fresh.
#[derive(Debug, Clone)]
pub struct FilesReader {
    all: watch::Receiver<Vec<Kept>>,
    clock: Clock,
    started: SystemTime,
}

impl FilesReader {
    /// What keeps them from being there and fresh.
    pub fn check(&self) -> Result<(), Unavailable> {
        let now = self.clock.local();
        let all = self.all.borrow();
        let is_good = |kept: &&Kept| kept.good_until.is_some_and(|end| end > now);
        let missing: Vec<&Kept> = all.iter().filter(|kept| !is_good(kept)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let trouble = missing.iter().find_map(|kept| kept.trouble.clone());
        let pending = || {
            Arc::new(Trouble {
                diagnosis: Diagnosis {
                    finding: findings::FILES_PENDING,
                    found: "the files in output-dir are being written".to_owned(),
                    expected: "their end within seconds".to_owned(),
                    fix: "ask again".to_owned(),
                },
                since: self.started,
                next_attempt: now,
            })
        };
        Err(Unavailable(trouble.unwrap_or_else(pending)))
    }
}
