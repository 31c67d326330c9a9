//! One trouble is one failure: what only follows from a failure is skipped, and says from which.

use super::{Entry, Verdict};
use crate::diagnosis::{Diagnosis, Finding, findings, steps};

/// `lacks_role_only`: all that is wrong with the configuration is that nobody names a role, and perhaps a region.
pub fn one_failure_each(entries: Vec<Entry>, lacks_role_only: bool) -> Vec<Entry> {
    let failed: Vec<(Entry, Finding)> = entries
        .iter()
        .filter_map(|entry| Some((entry.clone(), failure(entry)?.finding)))
        .collect();
    let cause = |entry: &Entry| {
        let finding = failure(entry)?.finding;
        let mut others = failed.iter().filter(|(other, _)| other != entry);
        let (_, cause) = others.find(|(other, cause)| {
            let (cause, other_step) = (*cause, other.step);
            match entry.step {
                steps::CONFIGURATION => cause == findings::WEBHOOK_NOT_RUN && lacks_role_only,
                steps::TOKEN_FILE => {
                    cause == findings::WEBHOOK_NOT_RUN && finding == findings::TOKEN_MISSING
                }
                steps::SIDECAR => {
                    cause == finding && other_step != steps::SIDECAR_DOOR
                        || other_step == steps::ROLE && is_refusal(finding)
                }
                steps::SIDECAR_DOOR => {
                    cause == finding && other_step == steps::SIDECAR
                        || cause == findings::APP_URI_UNRESOLVED
                            && finding == findings::SIDECAR_REFUSED
                }
                steps::EKS_LOGIN => cause == findings::EKS_IDENTITY,
                _ => false,
            }
        })?;
        Some(*cause)
    };
    let clocks_differ = entries
        .iter()
        .any(|entry| entry.id() == findings::CLOCK_WRONG.id);
    let causes: Vec<Option<Finding>> = entries.iter().map(cause).collect();
    let entries = entries.into_iter().zip(causes);
    entries
        .map(|(entry, cause)| match cause {
            Some(cause) => Entry::skipped(entry.step, follows(&entry, cause)),
            None if clocks_differ => by_which_clock(entry),
            None => entry,
        })
        .collect()
}

/// A token that is over by the clock of STS alone is no fault of the kubelet's.
fn by_which_clock(mut entry: Entry) -> Entry {
    const ABOUT_TIME: [Finding; 2] = [findings::TOKEN_EXPIRED, findings::TOKEN_NOT_YET_VALID];
    if let Verdict::Failed(diagnosis) = &mut entry.verdict
        && ABOUT_TIME.contains(&diagnosis.finding)
    {
        diagnosis.fix = format!(
            "first see sts-clock: the clocks of this node, of STS and of whoever issued the token do not agree; if they do after that, {}",
            diagnosis.fix
        );
    }
    entry
}

fn failure(entry: &Entry) -> Option<&Diagnosis> {
    match &entry.verdict {
        Verdict::Failed(diagnosis) => Some(diagnosis),
        _ => None,
    }
}

/// STS was asked for a role that it cannot give.
fn is_refusal(finding: Finding) -> bool {
    [
        findings::STS_ACCESS_DENIED,
        findings::STS_INVALID_REQUEST,
        findings::STS_NO_PROVIDER,
    ]
    .contains(&finding)
}

fn follows(entry: &Entry, cause: Finding) -> String {
    let id = entry.id();
    match entry.step {
        steps::SIDECAR if id == cause.id => format!("it is not ready for the same reason: {id}"),
        _ => {
            let found = failure(entry).map_or("", |diagnosis| &diagnosis.found);
            let found = found.replace('\n', "; ");
            format!("{id}, which follows from {}: {found}", cause.id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Step;

    fn failed(step: Step, finding: Finding) -> Entry {
        let words = || "x".to_owned();
        let diagnosis = Diagnosis {
            finding,
            found: words(),
            expected: words(),
            fix: words(),
        };
        Entry::failed(step, diagnosis)
    }

    fn failures(entries: Vec<Entry>, lacks_role_only: bool) -> Vec<&'static str> {
        let judged = one_failure_each(entries, lacks_role_only);
        let failed = judged.iter().filter(|entry| entry.is_failed());
        failed.map(Entry::id).collect()
    }

    #[test]
    fn a_webhook_that_did_not_run_is_why_there_is_neither_role_nor_token() {
        let entries = || {
            vec![
                failed(steps::CONFIGURATION, findings::CONFIGURATION_INVALID),
                failed(steps::WEBHOOK, findings::WEBHOOK_NOT_RUN),
                failed(steps::TOKEN_FILE, findings::TOKEN_MISSING),
            ]
        };
        assert_eq!(failures(entries(), true), ["webhook-not-run"]);
        let with_more = failures(entries(), false);
        assert_eq!(with_more, ["configuration-invalid", "webhook-not-run"]);
        let mut unreadable = entries();
        unreadable[2] = failed(steps::TOKEN_FILE, findings::TOKEN_UNREADABLE);
        assert_eq!(
            failures(unreadable, true),
            ["webhook-not-run", "token-unreadable"]
        );
    }

    #[test]
    fn a_sidecar_that_fails_as_the_walk_does_adds_nothing() {
        let walk = failed(steps::EXCHANGE, findings::STS_ACCESS_DENIED);
        let sidecar = failed(steps::SIDECAR, findings::STS_ACCESS_DENIED);
        assert_eq!(
            failures(vec![walk, sidecar.clone()], false),
            ["sts-access-denied"]
        );
        let role = failed(steps::ROLE, findings::ROLE_SERVICE_LINKED);
        assert_eq!(
            failures(vec![role.clone(), sidecar.clone()], false),
            ["role-service-linked"]
        );
        let other = failed(steps::SIDECAR, findings::STS_TIMEOUT);
        assert_eq!(failures(vec![role, other], false).len(), 2);
        assert_eq!(failures(vec![sidecar], false), ["sts-access-denied"]);
    }

    #[test]
    fn an_address_that_was_never_filled_in_is_why_the_sidecar_refuses() {
        let uri = failed(steps::APP_SDK, findings::APP_URI_UNRESOLVED);
        let door = failed(steps::SIDECAR_DOOR, findings::SIDECAR_REFUSED);
        assert_eq!(failures(vec![uri, door], false), ["app-uri-unresolved"]);
    }

    #[test]
    fn whom_no_cluster_lets_in_is_not_let_in_here_either() {
        let nobody = failed(steps::EKS_REPLAY, findings::EKS_IDENTITY);
        let login = failed(steps::EKS_LOGIN, findings::EKS_UNAUTHORIZED);
        assert_eq!(failures(vec![nobody, login], false), ["eks-identity"]);
    }

    #[test]
    fn where_clocks_differ_a_token_that_is_over_begins_with_them() {
        let entries = |clock: Entry| {
            let token = failed(steps::CLAIMS, findings::TOKEN_EXPIRED);
            one_failure_each(vec![token, clock], false)
        };
        let fix = |entries: Vec<Entry>| failure(&entries[0]).unwrap().fix.clone();
        let diagnosis = failure(&failed(steps::STS_CLOCK, findings::CLOCK_WRONG))
            .unwrap()
            .clone();
        let wrong = Entry::warned(steps::STS_CLOCK, diagnosis);
        assert!(fix(entries(wrong)).starts_with("first see sts-clock"));
        assert_eq!(
            fix(entries(Entry::fine(steps::STS_CLOCK, "it agrees"))),
            "x"
        );
    }

    #[test]
    fn two_doors_that_hang_are_one_sidecar_that_hangs() {
        let ops = failed(steps::SIDECAR, findings::SIDECAR_HANGS);
        let door = failed(steps::SIDECAR_DOOR, findings::SIDECAR_HANGS);
        assert_eq!(failures(vec![ops, door], false), ["sidecar-hangs"]);
    }
}
