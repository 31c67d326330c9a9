//! One token, minted in this process by the sidecar's library: time and memory.

use std::hint::black_box;
use std::time::Duration;

use benches::median;
use benches::world::REGION;
use irsa_sidecar::clock::Clock;
use irsa_sidecar::credentials::{Credentials, Session};
use irsa_sidecar::eks_token::{ClusterName, EksToken, EksTokenError, mint};
use irsa_sidecar::partition::Region;
use irsa_sidecar::secret::Secret;
use tokio::time::Instant;

use crate::Failure;

/// Characters of a session token: as STS usually gives them, and as long as a cluster takes.
const SESSION_TOKENS: [usize; 2] = [1000, 2400];
/// Each so short that most of them are over before the machine turns to other work.
const BATCH: u32 = 50;
const BATCHES: usize = 1001;

/// With a session token of one length.
pub(crate) struct Mint {
    pub(crate) session_token: usize,
    pub(crate) token: usize,
    pub(crate) median: Duration,
    pub(crate) fastest: Duration,
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    /// At one time.
    pub(crate) peak_bytes: u64,
}

pub(crate) fn measure() -> Result<Vec<Mint>, Failure> {
    SESSION_TOKENS.into_iter().map(with).collect()
}

fn with(session_token: usize) -> Result<Mint, Failure> {
    eprintln!("mint: a session token of {session_token} characters");
    let clock = Clock::system();
    let credentials = credentials(session_token, &clock)?;
    let (region, cluster): (Region, ClusterName) = (REGION.parse()?, "demo".parse()?);
    let one = || {
        let (now, local) = (clock.now(), clock.local());
        mint(&credentials, &region, &cluster, false, now, local)
    };
    let token = one().map_err(|error| error.diagnosis().to_string())?;
    let allocated = allocation_counter::measure(|| drop(black_box(one())));
    let times = batches(one);
    let seconds = || times.iter().map(Duration::as_secs_f64);
    Ok(Mint {
        session_token,
        token: token.token().expose().len(),
        median: Duration::from_secs_f64(median(seconds())),
        fastest: Duration::from_secs_f64(seconds().fold(f64::INFINITY, f64::min)),
        allocations: allocated.count_total,
        allocated_bytes: allocated.bytes_total,
        peak_bytes: allocated.bytes_max,
    })
}

/// The time of one, from many at a time.
fn batches(one: impl Fn() -> Result<EksToken, EksTokenError>) -> Vec<Duration> {
    let batch = || {
        let started = Instant::now();
        for _ in 0..BATCH {
            drop(black_box(one()));
        }
        started.elapsed() / BATCH
    };
    batch();
    (0..BATCHES).map(|_| batch()).collect()
}

fn credentials(session_token: usize, clock: &Clock) -> Result<Credentials, Failure> {
    const HOUR: Duration = Duration::from_secs(3600);
    // One character in 20 has to be escaped, as in the tokens of STS.
    let text = "IQoJb3JpZ2luX2VjEPr/".chars().cycle().take(session_token);
    let session = Session {
        access_key_id: "ASIAIOSFODNN7EXAMPLE".into(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
        session_token: Secret::new(text.collect()),
        expiration: clock.local() + HOUR,
        account_id: "111122223333".into(),
        role_arn: emulator::ROLE_ARN.into(),
        session_name: "app-7d9f8b6c5-x2x4q".into(),
    };
    Ok(Credentials::new(session, clock.now(), HOUR).map_err(|useless| useless.to_string())?)
}
