//! The time that everything has together, and words for who waits.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::IsTerminal;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::say;
use crate::diagnosis::{Diagnosis, Step, findings};
use crate::doctor::Entry;

/// All of it. With what the runtime gives to a name resolution that hangs it stays under 10 s.
const ALL: Duration = Duration::from_millis(9_000);
/// Most steps are done by then, and nobody has to read of it.
const QUIET: Duration = Duration::from_secs(1);
/// To the line's begin, and nothing after it.
const CLEARED: &str = "\r\x1b[K";

/// What is left of the time.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Instant,
    /// Where stderr is a terminal: a line of what is waited for, drawn over as that changes.
    line: Option<RefCell<Vec<Step>>>,
}

/// It was not done in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeUp {
    /// In the time of its own.
    Own(Duration),
    /// In what others had left of the time of all; this.
    OfAll(Duration),
}

impl fmt::Display for TimeUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = ALL.as_secs();
        match self {
            TimeUp::Own(time) => {
                write!(f, "nothing came of it within {:.1} s", time.as_secs_f32())
            }
            TimeUp::OfAll(Duration::ZERO) => write!(
                f,
                "the {all} s that all steps have together were over before it"
            ),
            TimeUp::OfAll(time) => write!(
                f,
                "nothing came of it within {:.1} s, which was left of the {all} s that all steps have together",
                time.as_secs_f32()
            ),
        }
    }
}

impl TimeUp {
    /// For a step that was asked for and could not be judged.
    pub(super) fn entry(self, step: Step) -> Entry {
        let diagnosis = Diagnosis {
            finding: findings::OUT_OF_TIME,
            found: format!("{} was not judged: {self}", step.title),
            expected: format!("that all of it is judged within {} s", ALL.as_secs()),
            fix: "see with -v which step before it took long, and mend that first; or run it again"
                .into(),
        };
        Entry::warned(step, diagnosis)
    }
}

impl Patience {
    /// Begins now. `dumb`: the terminal, if it is one, cannot erase a line.
    pub(super) fn new(dumb: bool) -> Self {
        let is_drawn = std::io::stderr().is_terminal() && !dumb;
        Patience {
            deadline: Instant::now() + ALL,
            line: is_drawn.then(RefCell::default),
        }
    }

    /// Does `work` in at most `limit` and in what is left of the time. Whoever waits longer than a moment is told for what.
    pub(super) async fn within<T>(
        &self,
        step: Step,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, TimeUp> {
        let begun = Instant::now();
        let left = self.deadline.saturating_duration_since(begun);
        if left.is_zero() {
            return Err(TimeUp::OfAll(Duration::ZERO));
        }
        let deadline = begun + limit.min(left);
        tokio::pin!(work);
        if let Ok(done) = timeout_at(deadline.min(begun + QUIET), &mut work).await {
            return Ok(done);
        }
        let _told = Told::that(self, step, deadline);
        let done = timeout_at(deadline, work).await;
        done.map_err(|_| match left < limit {
            true => TimeUp::OfAll(left),
            false => TimeUp::Own(limit),
        })
    }
}

/// Somebody was told that a step waits; on a terminal until it does no longer.
struct Told<'a> {
    patience: &'a Patience,
    step: Step,
}

impl<'a> Told<'a> {
    fn that(patience: &'a Patience, step: Step, deadline: Instant) -> Self {
        match &patience.line {
            Some(steps) => {
                steps.borrow_mut().push(step);
                say(&line(&steps.borrow()));
            }
            None => {
                let left = deadline.saturating_duration_since(Instant::now());
                say(&format!(
                    "irsa-sidecar: waiting: {} (up to {:.1} s more)\n",
                    step.title,
                    left.as_secs_f32()
                ));
            }
        }
        Told { patience, step }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if let Some(steps) = &self.patience.line {
            steps.borrow_mut().retain(|step| *step != self.step);
            say(&line(&steps.borrow()));
        }
    }
}

/// What a terminal shows: no more than fits into one line of it, which is all that can be drawn over.
fn line(waiting: &[Step]) -> String {
    match waiting {
        [] => CLEARED.to_owned(),
        [step] => format!("{CLEARED}waiting: {}", step.title),
        [step, others @ ..] => format!(
            "{CLEARED}waiting: {}, and {} more",
            step.title,
            others.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::steps;

    fn patience() -> Patience {
        Patience {
            deadline: Instant::now() + ALL,
            line: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_has_its_limit_and_no_more_than_others_have_left() {
        let patience = patience();
        let hang = |limit| {
            patience.within(
                steps::EXCHANGE,
                Duration::from_secs(limit),
                std::future::pending::<()>(),
            )
        };
        let begun = Instant::now();
        assert_eq!(hang(5).await, Err(TimeUp::Own(Duration::from_secs(5))));
        assert_eq!(hang(5).await, Err(TimeUp::OfAll(Duration::from_secs(4))));
        assert_eq!(begun.elapsed(), ALL);
        // Not even begun.
        let late = patience.within(steps::EXCHANGE, Duration::from_secs(5), async { 1 });
        assert_eq!(late.await, Err(TimeUp::OfAll(Duration::ZERO)));
        assert_eq!(begun.elapsed(), ALL);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_is_done() {
        let slow = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            7
        };
        let patience = patience();
        let done = patience.within(steps::STS_ANSWER, Duration::from_secs(4), slow);
        assert_eq!(done.await, Ok(7));
    }

    /// With `waiting: ` and the words after it, in the 80 columns of a narrow terminal.
    #[test]
    fn whatever_is_waited_for_fits_into_one_line_and_is_erased() {
        for step in steps::ALL {
            let line = line(&[*step, steps::STS_ADDRESS, steps::ANNOTATION]);
            let shown = line.strip_prefix(CLEARED).expect("drawn over the last one");
            assert!(shown.chars().count() < 80, "{shown}");
            assert!(shown.contains(step.title) && shown.ends_with("and 2 more"));
        }
        assert_eq!(line(&[]), CLEARED);
    }
}
