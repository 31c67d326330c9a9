//! The loop under virtual time: in memory, with a scripted exchange, hours in seconds.

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use serde_json::json;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::web_identity::{RoleFrom, WebIdentity, WebIdentityConfig};
use super::*;
use crate::credentials::Session;
use crate::diagnosis::findings;
use crate::secret::Secret;
use crate::service_account::{
    Annotations, AnnotationsConfig, Api, ServiceAccountErrorKind, ServiceAccountName,
};
use crate::store::{Reader, store};
use crate::sts::{AssumeRoleWithWebIdentity, Exchange, StsErrorKind};

/// Where STS's time begins.
const EPOCH: u64 = 1_800_000_000;

/// A node whose clock may be wrong, and STS whose clock is right; both move with tokio's.
#[derive(Clone)]
struct World {
    start: Instant,
    /// How far the node's clock is ahead of STS's, in seconds.
    node_ahead: Arc<AtomicI64>,
    /// How often the node's clock was looked at.
    looks: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        World {
            start: Instant::now(),
            node_ahead: Arc::default(),
            looks: Arc::default(),
        }
    }

    fn sts_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(EPOCH) + self.start.elapsed()
    }

    fn step_node(&self, seconds: i64) {
        self.node_ahead.store(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let world = self.clone();
        Clock::reading(move || {
            world.looks.fetch_add(1, Ordering::Relaxed);
            let ahead = world.node_ahead.load(Ordering::Relaxed);
            let distance = Duration::from_secs(ahead.unsigned_abs());
            match ahead {
                0.. => world.sts_time() + distance,
                _ => world.sts_time() - distance,
            }
        })
    }
}

/// What the scripted STS does next.
#[derive(Clone)]
enum Act {
    Grant,
    Refuse(StsErrorKind),
    TooLong,
    Down,
}

struct Script {
    world: World,
    clock: Clock,
    acts: Mutex<VecDeque<Act>>,
    /// When the script has run out.
    otherwise: Arc<Mutex<Act>>,
    lifetime: Duration,
    asked: Arc<Mutex<Vec<(Instant, Duration)>>>,
    /// The roles that were asked for.
    roles: Mutex<Vec<String>>,
}

impl Exchange for Arc<Script> {
    async fn assume_role_with_web_identity(
        &self,
        request: &AssumeRoleWithWebIdentity<'_>,
    ) -> Result<Credentials, StsError> {
        sleep(Duration::from_millis(150)).await;
        self.asked
            .lock()
            .unwrap()
            .push((Instant::now(), request.duration));
        let role = request.role.to_string();
        self.roles.lock().unwrap().push(role.clone());
        let scripted = self.acts.lock().unwrap().pop_front();
        let act = scripted.unwrap_or_else(|| self.otherwise.lock().unwrap().clone());
        if !matches!(act, Act::Down) {
            self.tell_time();
        }
        match act {
            Act::Grant => Ok(self.session(request.duration, role)),
            Act::Refuse(kind) => Err(StsError::of(kind)),
            Act::TooLong if request.duration > DURATION_OF_EVERY_ROLE => Err(answered(
                400,
                "ValidationError",
                "exceeds the MaxSessionDuration",
            )),
            Act::TooLong => Ok(self.session(request.duration, role)),
            Act::Down => Err(StsError::of(StsErrorKind::TimedOut)),
        }
    }

    async fn ask_time(&self) {
        if !matches!(*self.otherwise.lock().unwrap(), Act::Down) {
            self.tell_time();
        }
    }
}

impl Script {
    fn tell_time(&self) {
        let (local, sts) = (self.clock.local(), self.world.sts_time());
        let whole = UNIX_EPOCH + Duration::from_secs(crate::clock::unix_seconds(sts) as u64);
        self.clock.observe(whole, local, local);
    }

    fn session(&self, asked: Duration, role_arn: String) -> Credentials {
        let session = Session {
            access_key_id: format!("ASIA{}", self.asked.lock().unwrap().len()),
            secret_access_key: Secret::new("secret".into()),
            session_token: Secret::new("token".into()),
            expiration: self.world.sts_time() + self.lifetime.min(asked),
            account_id: "111122223333".into(),
            role_arn,
            session_name: "app-0".into(),
        };
        Credentials::new(session, self.clock.now(), asked).unwrap()
    }
}

fn answered(status: u16, code: &str, message: &str) -> StsError {
    StsError::of(StsErrorKind::Answered {
        status,
        code: code.into(),
        message: message.into(),
        request_id: None,
    })
}

/// A service account whose annotations a test sets, or what is met instead.
#[derive(Clone)]
struct Account {
    annotations: Arc<Mutex<Result<Annotations, ServiceAccountErrorKind>>>,
    /// Whose service account was read.
    readings: Arc<Mutex<Vec<ServiceAccountName>>>,
}

impl Api for Account {
    async fn annotations(
        &self,
        account: &ServiceAccountName,
    ) -> Result<Annotations, ServiceAccountError> {
        sleep(Duration::from_millis(20)).await;
        self.readings.lock().unwrap().push(account.clone());
        let found = self.annotations.lock().unwrap().clone();
        found.map_err(|kind| ServiceAccountError {
            account: account.clone(),
            kind,
        })
    }
}

impl Account {
    fn new() -> Self {
        Account {
            annotations: Arc::new(Mutex::new(Ok(Annotations::new()))),
            readings: Arc::default(),
        }
    }

    fn annotate(&self, annotations: &[(&str, &str)]) {
        let pairs = annotations
            .iter()
            .map(|(name, value)| (format!("eks.amazonaws.com/{name}"), (*value).to_owned()));
        *self.annotations.lock().unwrap() = Ok(pairs.collect());
    }

    fn role(&self, name: &str) {
        self.annotate(&[("role-arn", &arn(name))]);
    }

    fn fail(&self, kind: ServiceAccountErrorKind) {
        *self.annotations.lock().unwrap() = Err(kind);
    }

    fn readings(&self) -> usize {
        self.readings.lock().unwrap().len()
    }
}

fn annotations_config(stand_in: Option<&str>) -> AnnotationsConfig {
    AnnotationsConfig {
        prefix: "eks.amazonaws.com".into(),
        reads_audience: true,
        stand_in: stand_in.map(|name| arn(name).parse().unwrap()),
        region: "eu-west-1".into(),
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

struct Rig {
    world: World,
    account: Account,
    script: Arc<Script>,
    reader: Reader,
    clock: Clock,
    dir: tempfile::TempDir,
    metrics: Arc<Metrics>,
    task: AbortHandle,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rig {
    /// Starts the loop.
    fn start(acts: impl IntoIterator<Item = Act>, lifetime: Duration, seed: u64) -> Self {
        let world = World::new();
        let dir = tempfile::tempdir().unwrap();
        write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
        Rig::start_in(world, dir, acts, lifetime, seed)
    }

    fn start_in(
        world: World,
        dir: tempfile::TempDir,
        acts: impl IntoIterator<Item = Act>,
        lifetime: Duration,
        seed: u64,
    ) -> Self {
        let role = RoleFrom::Setting(arn("app").parse().unwrap());
        Rig::start_as(world, dir, role, Account::new(), acts, lifetime, seed)
    }

    /// With the role that the service account names, and this one in `AWS_ROLE_ARN`.
    fn annotated(account: &Account, stand_in: Option<&str>) -> Self {
        let world = World::new();
        let dir = tempfile::tempdir().unwrap();
        write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
        let role = RoleFrom::Annotation(annotations_config(stand_in));
        Rig::start_as(world, dir, role, account.clone(), [], HOUR, 1)
    }

    fn start_as(
        world: World,
        dir: tempfile::TempDir,
        role: RoleFrom,
        account: Account,
        acts: impl IntoIterator<Item = Act>,
        lifetime: Duration,
        seed: u64,
    ) -> Self {
        let clock = world.clock();
        let script = Arc::new(Script {
            world: world.clone(),
            clock: clock.clone(),
            acts: Mutex::new(acts.into_iter().collect()),
            otherwise: Arc::new(Mutex::new(Act::Grant)),
            lifetime,
            asked: Arc::default(),
            roles: Mutex::default(),
        });
        let (writer, reader) = store(clock.clone());
        let metrics = Arc::new(Metrics::new());
        let config = WebIdentityConfig {
            token_file: dir.path().join("token"),
            audience: "sts.amazonaws.com".into(),
            role,
            session_name: None,
            duration: lifetime,
        };
        let writer = Arc::new(writer);
        let source = WebIdentity::new(
            config,
            account.clone(),
            Arc::clone(&script),
            clock.clone(),
            Arc::clone(&writer),
            Arc::clone(&metrics),
        );
        let refresh = Refresh::new(
            source,
            clock.clone(),
            writer,
            Some(Arc::clone(&metrics)),
            Rng::with_seed(seed),
        );
        let task = tokio::spawn(refresh.run()).abort_handle();
        Rig {
            world,
            account,
            script,
            reader,
            clock,
            dir,
            metrics,
            task,
        }
    }

    fn otherwise(&self, act: Act) {
        *self.script.otherwise.lock().unwrap() = act;
    }

    fn exchanges(&self) -> usize {
        self.script.asked.lock().unwrap().len()
    }

    /// The roles that were asked for, one after the other.
    fn roles(&self) -> Vec<String> {
        let mut roles = self.script.roles.lock().unwrap().clone();
        roles.dedup();
        roles
    }

    /// Whose credentials are given out.
    fn role(&self) -> String {
        self.reader.credentials().unwrap().role_arn().to_owned()
    }

    fn serves(&self) -> bool {
        self.reader.credentials().is_ok()
    }

    fn finding(&self) -> &'static str {
        self.reader.trouble().0.diagnosis.finding.id
    }
}

fn write_token(dir: &Path, now: SystemTime, audience: &str) {
    write_token_of(dir, now, audience, "app");
}

fn write_token_of(dir: &Path, now: SystemTime, audience: &str, account: &str) {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let issued = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "aud": [audience], "iss": "https://issuer.example.com", "sub": format!("system:serviceaccount:team:{account}"),
        "iat": issued, "nbf": issued, "exp": issued + 86_400,
        "kubernetes.io": {"namespace": "team", "serviceaccount": {"name": account}, "pod": {"name": "app-1", "uid": "uid-1"}},
    });
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let jwt = format!("{}.{}.c2ln", part("{}"), part(&claims.to_string()));
    let mut file = tempfile::NamedTempFile::new_in(dir).unwrap();
    file.write_all(jwt.as_bytes()).unwrap();
    file.persist(dir.join("token")).unwrap();
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_slow_clock_that_is_put_right_is_noticed_before_anything_is_signed() {
    let world = World::new();
    world.step_node(-600);
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
    let rig = Rig::start_in(world, dir, [], Duration::from_secs(3600), 1);
    sleep(Duration::from_secs(5)).await;
    let off = |rig: &Rig| crate::clock::distance(rig.clock.now().wall, rig.world.sts_time());
    assert!(off(&rig) < Duration::from_secs(1), "the offset is measured");
    rig.world.step_node(0);
    assert!(off(&rig) > Duration::from_secs(500), "and is wrong now");
    rig.reader
        .settled(Instant::now() + Duration::from_secs(3))
        .await;
    assert!(off(&rig) < Duration::from_secs(1));
    rig.world.step_node(-1200);
    sleep(Duration::from_secs(70)).await;
    assert!(
        off(&rig) < Duration::from_secs(1),
        "and by itself within a minute"
    );
}

#[tokio::test(start_paused = true)]
async fn an_hours_session_never_has_less_than_thirty_minutes_left_and_costs_two_calls_an_hour() {
    let rig = Rig::start([], HOUR, 1);
    sleep(SECOND).await;
    for _ in 0..12 * 60 {
        let left = rig.reader.credentials().unwrap().remaining(rig.clock.now());
        assert!(left >= 30 * MINUTE - 2 * SECOND, "{left:?} left");
        sleep(MINUTE).await;
    }
    let calls = rig.exchanges();
    assert!((24..=31).contains(&calls), "{calls} calls in 12 h");
}

#[tokio::test(start_paused = true)]
async fn an_outage_shorter_than_the_credentials_lives_is_not_noticed_by_clients() {
    let rig = Rig::start([], HOUR, 2);
    sleep(SECOND).await;
    rig.otherwise(Act::Down);
    for _ in 0..56 {
        assert!(rig.serves());
        sleep(MINUTE).await;
    }
    rig.otherwise(Act::Grant);
    sleep(2 * MINUTE).await;
    assert!(rig.reader.credentials().unwrap().remaining(rig.clock.now()) > 50 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn an_outage_longer_than_that_ends_in_503_and_recovers_by_itself() {
    let rig = Rig::start([], HOUR, 3);
    sleep(SECOND).await;
    rig.otherwise(Act::Down);
    sleep(59 * MINUTE + 30 * SECOND).await;
    assert!(rig.serves(), "until 20 s before the end");
    sleep(20 * SECOND).await;
    assert!(!rig.serves());
    assert_eq!(rig.finding(), "sts-timeout");
    sleep(12 * HOUR).await;
    rig.otherwise(Act::Grant);
    sleep(MINUTE + SECOND).await;
    assert!(rig.serves(), "within the longest backoff");
}

#[tokio::test(start_paused = true)]
async fn a_denied_role_is_asked_for_slowly_and_at_once_when_the_token_changes() {
    let denied = answered(403, "AccessDenied", "Not authorized").kind;
    let rig = Rig::start([], HOUR, 4);
    rig.otherwise(Act::Refuse(denied));
    sleep(10 * MINUTE).await;
    let calls = rig.exchanges();
    assert!((10..=21).contains(&calls), "{calls} calls in 10 min");
    sleep(HOUR).await;
    let later = rig.exchanges() - calls;
    assert!((12..=25).contains(&later), "{later} calls in the next hour");
    rig.otherwise(Act::Grant);
    write_token(rig.dir.path(), rig.world.sts_time(), "sts.amazonaws.com");
    sleep(crate::watch::POLL + 2 * SECOND).await;
    assert!(rig.serves(), "the poll alone finds the new token");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_never_sent_and_a_right_one_ends_the_trouble() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    write_token(
        dir.path(),
        world.sts_time(),
        "https://kubernetes.default.svc",
    );
    let rig = Rig::start_in(world, dir, [], HOUR, 5);
    sleep(10 * MINUTE).await;
    assert_eq!(rig.exchanges(), 0);
    assert_eq!(rig.finding(), findings::TOKEN_IS_API_TOKEN.id);
    assert_eq!(rig.reader.is_pod_uid(b"uid-1"), Some(true));
    fs::remove_file(rig.dir.path().join("token")).unwrap();
    sleep(crate::watch::POLL + 2 * SECOND).await;
    assert_eq!(rig.finding(), findings::TOKEN_MISSING.id);
    write_token(rig.dir.path(), rig.world.sts_time(), "sts.amazonaws.com");
    sleep(MINUTE + 2 * SECOND).await;
    assert!(rig.serves());
}

#[tokio::test(start_paused = true)]
async fn a_role_that_allows_an_hour_only_gets_an_hour_after_one_refusal() {
    let log = log::Log::of_this_thread();
    let rig = Rig::start([], 12 * HOUR, 6);
    rig.otherwise(Act::TooLong);
    sleep(2 * HOUR).await;
    assert!(rig.serves());
    assert_eq!(log.warnings(findings::STS_DURATION), 1);
    let asked = rig.script.asked.lock().unwrap();
    let long = asked.iter().filter(|(_, d)| *d == 12 * HOUR).count();
    assert_eq!(long, 1, "asked for 12 h once and never again");
    assert!(asked.iter().skip(1).all(|(_, d)| *d == HOUR));
}

#[tokio::test(start_paused = true)]
async fn a_node_with_a_wrong_clock_does_not_lock_itself_out() {
    for ahead in [-3 * 86_400, 3 * 86_400] {
        let world = World::new();
        world.step_node(ahead);
        let dir = tempfile::tempdir().unwrap();
        write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
        let rig = Rig::start_in(world, dir, [], HOUR, 7);
        sleep(2 * SECOND).await;
        assert!(rig.serves(), "{ahead} s off: {}", rig.finding());
    }
}

#[tokio::test(start_paused = true)]
async fn one_wrong_date_does_not_lock_a_node_out() {
    let rig = Rig::start([Act::Down], HOUR, 9);
    let local = rig.clock.local();
    rig.clock.observe(local + 48 * HOUR, local, local);
    sleep(2 * MINUTE).await;
    assert!(rig.serves(), "{}", rig.finding());
}

#[tokio::test(start_paused = true)]
async fn a_leap_of_the_clock_costs_the_client_the_time_of_one_exchange() {
    let rig = Rig::start([], HOUR, 10);
    sleep(SECOND).await;
    rig.world.step_node(2 * 3600);
    assert!(!rig.serves(), "a leap may be a suspended machine");
    let asked = Instant::now();
    rig.reader.decided(asked + Duration::from_millis(800)).await;
    assert!(rig.serves(), "{}", rig.finding());
    assert!(asked.elapsed() < Duration::from_millis(800));
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_tells_successes_from_failures() {
    let throttled = answered(400, "Throttling", "Rate exceeded").kind;
    let rig = Rig::start([Act::Refuse(throttled), Act::Down], HOUR, 8);
    sleep(MINUTE).await;
    let text = rig.metrics.text();
    for line in [
        "irsa_sidecar_refreshes_total{result=\"success\"} 1",
        "irsa_sidecar_refreshes_total{result=\"wait\"} 2",
        "irsa_sidecar_refreshes_total{result=\"change_needed\"} 0",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

/// Twelve hours, many times over: random faults of every kind, outages that are shorter than credentials live, and
/// clocks that are stepped. A client asks every twenty seconds.
#[tokio::test(start_paused = true)]
async fn twelve_hours_of_faults_and_clock_steps_leave_no_avoidable_gap_and_no_expired_answer() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let rig = Rig::start([], HOUR, seed);
        sleep(SECOND).await;
        let end = Instant::now() + 12 * HOUR;
        let mut outage_ends: Option<Instant> = None;
        let mut stepped = false;
        while Instant::now() < end {
            if outage_ends.is_none_or(|until| until <= Instant::now()) {
                rig.otherwise(Act::Grant);
            }
            if outage_ends.is_none_or(|until| until + 2 * MINUTE <= Instant::now()) {
                let calm = rng.f64() < 0.99;
                if !calm {
                    rig.otherwise(fault(&mut rng));
                }
                // Shorter than what is always left, by more than the longest backoff.
                let lasting = MINUTE * rng.u32(1..25);
                outage_ends = (!calm).then(|| Instant::now() + lasting);
            }
            if rng.f64() < 0.004 {
                rig.world.step_node(rng.i64(-7200..7200));
                stepped = true;
            }
            let mut answer = rig.reader.credentials();
            if answer.is_err() {
                // Every client asks again; meanwhile STS was asked for the time.
                sleep(SECOND).await;
                answer = rig.reader.credentials();
            }
            match answer {
                Ok(credentials) => {
                    stepped &= outage_ends.is_some();
                    let real = credentials
                        .expiration()
                        .duration_since(rig.world.sts_time());
                    assert!(
                        real.is_ok(),
                        "seed {seed}: expired credentials were given out"
                    );
                }
                Err(unavailable) => {
                    // A leap ahead can make live credentials look dead, and only STS can say that they are not: while it
                    // is down, and until the longest backoff after that, there is no telling.
                    let down = outage_ends.is_some_and(|until| Instant::now() < until + 2 * MINUTE);
                    assert!(
                        stepped && down,
                        "seed {seed}: a gap for {:?}",
                        unavailable.0.diagnosis.finding.id
                    );
                }
            }
            sleep(20 * SECOND).await;
        }
        let calls = rig.exchanges();
        assert!(calls < 24 * 12 * 10, "seed {seed}: {calls} calls");
    }
}

fn fault(rng: &mut Rng) -> Act {
    match rng.u32(0..4) {
        0 => Act::Down,
        1 => Act::Refuse(answered(400, "Throttling", "Rate exceeded").kind),
        2 => Act::Refuse(StsErrorKind::Garbled { status: Some(200) }),
        _ => Act::Refuse(answered(503, "ServiceUnavailable", "").kind),
    }
}

mod annotated_role;
mod log;
