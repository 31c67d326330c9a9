//! The roles that were assumed from the pod's role: each with a store and a refresh task of its own.
//!
//! The task is nobody's: a client that hangs up ends nothing, and the next one finds the credentials there. A role that
//! nobody asks for any more is forgotten, so that a mistyped one does not call STS for ever.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::diagnosis::{Diagnosis, findings};
use crate::refresh::Refresh;
use crate::refresh::assumed_role::AssumedRole;
use crate::role::RoleArn;
use crate::store::{Reader, store};
use crate::sts::Sts;

/// The most roles at a time: more would be a loop in some client.
pub const MOST: usize = 16;
/// How long a role is kept that nobody asks for.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// How long one that cannot be assumed: a mistyped ARN is asked for a few times and then corrected.
const WRONG_FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// How often it is looked whether somebody still asks.
const LOOK: Duration = Duration::from_secs(60);

/// The table of roles; clones share it.
#[derive(Clone)]
pub struct AssumedRoles {
    pod: Reader,
    sts: Sts,
    clock: Clock,
    table: Arc<Mutex<HashMap<RoleArn, Entry>>>,
}

struct Entry {
    reader: Reader,
    last_asked: Instant,
    /// Ends when the entry is dropped.
    task: AbortHandle,
}

impl Entry {
    /// Whether it has failed, and has nothing to give.
    fn is_of_no_use(&self) -> bool {
        self.reader.is_failing() && self.reader.credentials().is_err()
    }

    /// When it is forgotten, unless somebody asks for it.
    fn end(&self) -> Instant {
        let kept = match self.is_of_no_use() {
            true => WRONG_FORGOTTEN_AFTER,
            false => FORGOTTEN_AFTER,
        };
        self.last_asked + kept
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// There are [`MOST`] others already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyRoles;

impl TooManyRoles {
    /// What was found, expected and is to be done.
    pub fn diagnosis(self) -> Diagnosis {
        Diagnosis {
            finding: findings::TOO_MANY_ROLES,
            found: format!("{MOST} other roles are assumed from the pod's role already"),
            expected: format!("at most {MOST}"),
            fix: "see which client asks for so many; a role is forgotten when nobody has asked for it for an hour".into(),
        }
    }
}

impl fmt::Display for TooManyRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnosis().fmt(f)
    }
}

impl std::error::Error for TooManyRoles {}

impl AssumedRoles {
    /// None yet. `pod` has the credentials that others are assumed from.
    pub fn new(pod: Reader, sts: Sts, clock: Clock) -> Self {
        AssumedRoles {
            pod,
            sts,
            clock,
            table: Arc::default(),
        }
    }

    /// The store of this role; the first to ask starts its task.
    pub fn reader(&self, role: &RoleArn) -> Result<Reader, TooManyRoles> {
        let mut table = self.table();
        if let Some(entry) = table.get_mut(role) {
            entry.last_asked = Instant::now();
            return Ok(entry.reader.clone());
        }
        if table.len() >= MOST {
            make_room(&mut table)?;
        }
        let (writer, reader) = store(self.clock.clone());
        let source = AssumedRole::new(role.clone(), self.pod.clone(), self.sts.clone());
        let refresh = Refresh::new(
            source,
            self.clock.clone(),
            Arc::new(writer),
            None,
            Rng::new(),
        );
        let (roles, asked) = (self.clone(), role.clone());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = refresh.run() => {}
                () = roles.forgotten(&asked) => {}
            }
        });
        let entry = Entry {
            reader: reader.clone(),
            last_asked: Instant::now(),
            task: task.abort_handle(),
        };
        table.insert(role.clone(), entry);
        Ok(reader)
    }

    /// Returns when nobody has asked for the role for long, and it is out of the table.
    async fn forgotten(&self, role: &RoleArn) {
        loop {
            sleep(LOOK).await;
            let mut table = self.table();
            if table
                .get(role)
                .is_some_and(|entry| entry.end() <= Instant::now())
            {
                tracing::info!(%role, "nobody asks for this role any more; its credentials are not kept fresh");
                // Ends this task.
                table.remove(role);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<RoleArn, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of those that are of no use the one that was asked for longest ago goes.
fn make_room(table: &mut HashMap<RoleArn, Entry>) -> Result<(), TooManyRoles> {
    let useless = table.iter().filter(|(_, entry)| entry.is_of_no_use());
    let oldest = useless.min_by_key(|(_, entry)| entry.last_asked);
    let oldest = oldest.map(|(role, _)| role.clone()).ok_or(TooManyRoles)?;
    table.remove(&oldest);
    Ok(())
}

impl fmt::Debug for AssumedRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedRoles")
            .field("roles", &self.table().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tokio::time::{advance, sleep};

    use super::*;
    use crate::credentials::{Credentials, Session};
    use crate::secret::Secret;
    use crate::store::Writer;
    use crate::sts::StsConfig;
    use crate::transport::Network;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Nobody answers at this STS; the tasks that ask it are not under test.
    fn roles() -> AssumedRoles {
        let clock = Clock::reading(|| UNIX_EPOCH);
        let config = StsConfig {
            region: "eu-west-1".into(),
            endpoint_url: Some("http://127.0.0.1:9".parse().unwrap()),
            use_fips: false,
            use_dualstack: false,
            network: Network::default(),
        };
        let (_, pod) = store(clock.clone());
        AssumedRoles::new(pod, Sts::new(&config, clock.clone()), clock)
    }

    fn role(number: usize) -> RoleArn {
        let arn = format!("arn:aws:iam::111122223333:role/r{number}");
        arn.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_sixteen_roles_and_no_more() {
        let roles = roles();
        for number in 0..MOST {
            roles.reader(&role(number)).unwrap();
        }
        assert_eq!(roles.reader(&role(MOST)).unwrap_err(), TooManyRoles);
        roles.reader(&role(0)).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_cannot_be_assumed_makes_room_for_another_and_is_soon_forgotten() {
        let roles = roles();
        for number in 0..MOST {
            roles.reader(&role(number)).unwrap();
        }
        sleep(MINUTE).await;
        let last = roles.table().get(&role(1)).unwrap().last_asked;
        roles.table().get_mut(&role(1)).unwrap().last_asked = last - MINUTE;
        roles.reader(&role(MOST)).unwrap();
        assert_eq!(roles.table().len(), MOST);
        assert!(
            !roles.table().contains_key(&role(1)),
            "the one asked for longest ago"
        );
        sleep(7 * MINUTE).await;
        assert_eq!(roles.table().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_is_forgotten_an_hour_after_it_was_asked_for_last() {
        let roles = roles();
        let (_writer, reader) = with_credentials(&roles.clock);
        for number in 0..MOST {
            roles.reader(&role(number)).unwrap();
            roles.table().get_mut(&role(number)).unwrap().reader = reader.clone();
        }
        sleep(59 * MINUTE).await;
        roles.reader(&role(0)).unwrap();
        advance(2 * MINUTE).await;
        sleep(MINUTE).await;
        let left: Vec<RoleArn> = roles.table().keys().cloned().collect();
        assert_eq!(left, [role(0)]);
        sleep(61 * MINUTE).await;
        assert_eq!(roles.table().len(), 0);
    }

    fn with_credentials(clock: &Clock) -> (Writer, Reader) {
        let session = Session {
            access_key_id: "ASIA".into(),
            secret_access_key: Secret::new("secret".into()),
            session_token: Secret::new("token".into()),
            expiration: clock.local() + 600 * MINUTE,
            account_id: "111122223333".into(),
            role_arn: "arn:aws:iam::111122223333:role/app".into(),
            session_name: "app-0".into(),
        };
        let (writer, reader) = store(clock.clone());
        let credentials = Credentials::new(session, clock.now(), 600 * MINUTE).unwrap();
        writer.refreshed(Arc::new(credentials));
        (writer, reader)
    }
}
