//! What the doors of a running sidecar say, judged. Pure.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::clock::{rfc3339, whole};
use crate::commands::readiness::{READYZ, Readiness};
use crate::credentials::Credentials;
use crate::diagnosis::{Diagnosis, Finding, Step, findings, quote, steps};
use crate::doctor::Entry;
use crate::outputs::container_credentials::{CREDENTIALS, CREDENTIALS_BY_SECRET};
use crate::role::RoleArn;

/// AWS SDKs ask for new credentials when less than this is left: the longest and the shortest of their windows. Between
/// them some extend the expiry by themselves instead.
const WINDOWS: (Duration, Duration) = (Duration::from_secs(25 * 60), Duration::from_secs(10 * 60));

/// The ops door.
pub(super) enum Ops {
    Says(SocketAddr, Readiness),
    Nobody(SocketAddr),
    Broken(SocketAddr, String),
    Late(SocketAddr),
}

/// The credentials door.
pub(super) enum Door {
    Gives(Box<Credentials>),
    /// 503 in these words.
    Nothing(String),
    /// What was shown is not taken: what it did, in words that follow its address.
    Refuses(String),
    /// No sidecar: what it did, likewise.
    Stranger(String),
    Nobody,
    Late,
}

/// Everything that was seen.
pub(in crate::commands::doctor) struct Sight {
    /// Of the credentials door.
    pub(super) address: SocketAddr,
    /// Whether the environment says that a sidecar is there.
    pub(super) is_pointed: bool,
    pub(super) ops: Ops,
    pub(super) door: Door,
    /// The other doors, by where they are.
    pub(super) others: Vec<(String, Door)>,
    /// What the credentials door gave after those.
    pub(super) again: Option<Credentials>,
}

impl Sight {
    /// Whether a sidecar answered at either door.
    pub(super) fn is_sidecar(&self) -> bool {
        let ops = matches!(&self.ops, Ops::Says(_, readiness) if !matches!(readiness, Readiness::Stranger(_)));
        ops || matches!(
            self.door,
            Door::Gives(_) | Door::Nothing(_) | Door::Refuses(_)
        )
    }

    pub(super) fn entries(&self, role: Option<&RoleArn>, now: SystemTime) -> Vec<Entry> {
        vec![
            self.sidecar(),
            self.door(),
            self.credentials(role),
            self.expiry(now),
        ]
    }

    fn sidecar(&self) -> Entry {
        const STEP: Step = steps::SIDECAR;
        match &self.ops {
            Ops::Says(door, Readiness::Ready) => {
                Entry::fine(STEP, format!("ready, says http://{door}{READYZ}"))
            }
            Ops::Says(door, Readiness::Unready(finding)) => self.unready(*door, *finding),
            Ops::Says(door, Readiness::Unknown(words)) => Entry::failed(
                STEP,
                diagnose(
                    findings::SIDECAR_UNAVAILABLE,
                    format!("the sidecar at {door} is not ready: {words}"),
                    A_READY_SIDECAR,
                    "see its log; it is of another version than this program, which does not know the reason",
                ),
            ),
            Ops::Says(door, Readiness::Stranger(status)) => {
                let found = format!("what listens at {door} answered {status} to {READYZ}");
                Entry::failed(STEP, stranger(found, "--ops-listen"))
            }
            Ops::Broken(door, error) => {
                let found = format!("what listens at {door} broke off: {error}");
                Entry::failed(STEP, stranger(found, "--ops-listen"))
            }
            Ops::Late(door) => Entry::failed(STEP, hangs("ops door", *door)),
            Ops::Nobody(door) if self.is_sidecar() => Entry::skipped(
                STEP,
                format!(
                    "nothing listens at {door}: the sidecar's ops door is elsewhere; name it with --ops-listen"
                ),
            ),
            Ops::Nobody(door) => Entry::skipped(STEP, format!("nothing listens at {door}")),
        }
    }

    /// With its own words where it has some to give: those of the credentials door name what those of the ops door may not.
    fn unready(&self, door: SocketAddr, finding: Finding) -> Entry {
        let fix = match finding {
            findings::STARTING => "wait a moment: irsa-sidecar wait returns when it is ready",
            findings::DRAINING => "nothing, if the pod shall end: it was asked to stop",
            _ => {
                "run irsa-sidecar doctor in the sidecar's own container, which looks at every step, or see its log"
            }
        };
        let fix = match &self.door {
            Door::Nothing(words) => format!("{fix}; in its own words: {words}"),
            _ => fix.to_owned(),
        };
        let diagnosis = diagnose(
            finding,
            format!("the sidecar at {door} is not ready: {}", finding.title),
            A_READY_SIDECAR,
            &fix,
        );
        match finding {
            findings::STARTING | findings::DRAINING => Entry::warned(steps::SIDECAR, diagnosis),
            _ => Entry::failed(steps::SIDECAR, diagnosis),
        }
    }

    fn door(&self) -> Entry {
        const STEP: Step = steps::SIDECAR_DOOR;
        let address = self.address;
        match &self.door {
            Door::Gives(_) | Door::Nothing(_) => Entry::fine(
                STEP,
                format!("http://{address} takes what this container has to show"),
            ),
            Door::Refuses(what) => Entry::failed(
                STEP,
                diagnose(
                    findings::SIDECAR_REFUSED,
                    format!("the sidecar at {address} {what}"),
                    "an authorization that it accepts: the pod's UID, or the content of its authorization token file",
                    &format!(
                        "ask the credentials door and not the ops port; in this container set POD_UID from the downward API (metadata.uid) and after it AWS_CONTAINER_CREDENTIALS_FULL_URI=http://{address}{CREDENTIALS_BY_SECRET}$(POD_UID); or mount the volume of the authorization token file, name it in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, and leave the path at {CREDENTIALS}; in the sidecar's own container give doctor the flags of serve, since kubectl exec passes none on"
                    ),
                ),
            ),
            Door::Stranger(what) => Entry::failed(
                STEP,
                stranger(format!("what listens at {address} {what}"), "--listen"),
            ),
            Door::Late => Entry::failed(STEP, hangs("credentials door", address)),
            Door::Nobody if self.is_pointed => Entry::failed(
                STEP,
                diagnose(
                    findings::SIDECAR_NOT_RUNNING,
                    format!(
                        "nothing listens at {address}, where AWS_CONTAINER_CREDENTIALS_FULL_URI sends AWS SDKs"
                    ),
                    "a running irsa-sidecar there",
                    "see why the sidecar's container does not run: kubectl describe pod, kubectl logs -c irsa-sidecar --previous; where it listens elsewhere (--listen) correct the variable",
                ),
            ),
            Door::Nobody => Entry::skipped(STEP, format!("no sidecar runs at {address}")),
        }
    }

    fn credentials(&self, role: Option<&RoleArn>) -> Entry {
        const STEP: Step = steps::SIDECAR_CREDENTIALS;
        let address = self.address;
        let first = match &self.door {
            Door::Gives(first) => first,
            // Where the ops door says why, it is said there.
            Door::Nothing(words) if !matches!(self.ops, Ops::Says(_, Readiness::Unready(_))) => {
                return Entry::failed(
                    STEP,
                    diagnose(
                        findings::SIDECAR_UNAVAILABLE,
                        format!("the sidecar at {address} answered {words}"),
                        "credentials",
                        "do what its words say; irsa-sidecar doctor in the sidecar's own container looks at every step",
                    ),
                );
            }
            Door::Nothing(_) => return Entry::skipped(STEP, "it has none to give: see sidecar"),
            Door::Nobody => return Entry::skipped(STEP, "no sidecar runs"),
            _ => return Entry::skipped(STEP, "it gave none: see sidecar-door"),
        };
        let another = self.others.iter().find_map(|(place, door)| {
            let what = self.differs(first, door)?;
            Some(format!(
                "http://{address}{CREDENTIALS} gives key {}, and {place} {what}",
                quote(first.access_key_id())
            ))
        });
        if let Some(found) = another {
            return Entry::failed(
                STEP,
                diagnose(
                    findings::SIDECAR_DIFFERS,
                    found,
                    "the same credentials at every door",
                    "see the sidecar's log for a door that it could not open, and what else listens there or stands between: a second sidecar, or a proxy that keeps answers",
                ),
            );
        }
        match role.filter(|role| role.as_str() != first.role_arn()) {
            Some(role) => Entry::warned(
                STEP,
                diagnose(
                    findings::SIDECAR_OTHER_ROLE,
                    format!(
                        "the sidecar serves {}, and {role} is configured here",
                        quote(first.role_arn())
                    ),
                    "one role in the whole pod",
                    "give the sidecar the role that is meant (role-arn, or the service account's annotation), and delete the pod where AWS_ROLE_ARN is older than the annotation",
                ),
            ),
            None => {
                let doors = match self.others.len() {
                    0 => String::new(),
                    1 => ", the same at one more door".to_owned(),
                    more => format!(", the same at {more} more doors"),
                };
                let (role, key) = (first.role_arn(), first.access_key_id());
                Entry::fine(STEP, format!("{role}, key {key}{doors}"))
            }
        }
    }

    /// What another door gives instead; `None` where it is the same, or nothing for now.
    fn differs(&self, first: &Credentials, door: &Door) -> Option<String> {
        match door {
            Door::Gives(other) => {
                let known = |one: &Credentials| same(one, other);
                let is_same = known(first) || self.again.as_ref().is_some_and(known);
                (!is_same).then(|| format!("gives key {}", quote(other.access_key_id())))
            }
            Door::Nothing(_) => None,
            Door::Refuses(what) | Door::Stranger(what) => Some(what.clone()),
            Door::Nobody => Some("has nobody who listens".to_owned()),
            Door::Late => Some("did not answer in time".to_owned()),
        }
    }

    fn expiry(&self, now: SystemTime) -> Entry {
        const STEP: Step = steps::SIDECAR_EXPIRY;
        let Door::Gives(served) = &self.door else {
            return Entry::skipped(STEP, "no credentials were served");
        };
        let expiration = served.expiration();
        let left = expiration.duration_since(now).unwrap_or_default();
        let until = format!("{} left, until {}", whole(left), rfc3339(expiration));
        let diagnosis = |fix: &str| {
            diagnose(
                findings::SIDECAR_EXPIRING,
                format!("the credentials that the sidecar serves have {until}"),
                &format!(
                    "more than {}: from there on, and at the latest from {} on, SDKs ask before each call, or go on with what they have",
                    whole(WINDOWS.0),
                    whole(WINDOWS.1)
                ),
                fix,
            )
        };
        match left {
            left if left.is_zero() => Entry::failed(
                STEP,
                diagnosis(
                    "set the clock of the node; if it is right, restart the sidecar and report this with its log",
                ),
            ),
            left if left < WINDOWS.0 => Entry::warned(
                STEP,
                diagnosis(
                    "set --duration to 1h or more; where it is, see in the sidecar's log why it does not refresh",
                ),
            ),
            _ => Entry::fine(STEP, until),
        }
    }
}

fn hangs(what: &str, door: SocketAddr) -> Diagnosis {
    diagnose(
        findings::SIDECAR_HANGS,
        format!(
            "the sidecar's {what} at {door} took the connection or the request and did not answer in time"
        ),
        "an answer within a second",
        "see whether the sidecar gets any CPU (its limit, and the node's load), and its log; if it does and hangs, delete the pod and report this",
    )
}

const A_READY_SIDECAR: &str = "a sidecar that can give out credentials";

fn same(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id()
        && one.session_token() == other.session_token()
        && one.expiration() == other.expiration()
}

fn stranger(found: String, flag: &str) -> Diagnosis {
    diagnose(
        findings::SIDECAR_STRANGER,
        found,
        "an irsa-sidecar",
        &format!(
            "see what listens there, and whether AWS_CONTAINER_CREDENTIALS_FULL_URI or {flag} names the right address; give the sidecar a port of its own"
        ),
    )
}

fn diagnose(finding: Finding, found: String, expected: &str, fix: &str) -> Diagnosis {
    Diagnosis {
        finding,
        found,
        expected: expected.to_owned(),
        fix: fix.to_owned(),
    }
}
