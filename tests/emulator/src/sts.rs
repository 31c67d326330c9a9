//! AWS STS, emulated: verifies tokens, trust and signatures, and fails on request.

mod answer;
mod assume_role;
mod caller;
mod caller_identity;
mod error;
mod fault;
mod id_token;
mod oidc_provider;
mod parameters;
mod request;
mod role;
mod service;
mod session;
mod sigv4;
mod trust;
mod web_identity;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) use self::answer::Answer;
pub(crate) use self::caller::Caller;
pub(crate) use self::error::StsError;
pub use self::fault::Fault;
pub(crate) use self::fault::Faults;
pub(crate) use self::id_token::{Provider, claims_of, verify};
use self::oidc_provider::OidcProvider;
pub(crate) use self::request::AwsRequest;
use self::role::RegisteredRole;
pub use self::role::{ROLE_ARN, Role};
pub(crate) use self::service::{Replay, answer};
pub use self::session::Issued;
use self::session::Session;
use crate::clock;
use crate::issuer::Issuer;

/// As it stands in signatures.
const SERVICE: &str = "sts";

/// About what a session without tags or policies has.
const USUAL_SESSION_TOKEN_LENGTH: usize = 900;

/// Everything that one can set and ask about the emulated STS; clones are the same STS.
#[derive(Clone)]
pub struct Sts {
    state: Arc<Mutex<State>>,
    issuer: Issuer,
}

/// One request, as STS took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `Action`; empty when there was none.
    pub action: String,
    /// `Success`, the code of the error, or the name of the fault.
    pub result: String,
    /// By the machine's clock.
    pub at: SystemTime,
    /// `RoleSessionName`.
    pub session_name: Option<String>,
    /// `DurationSeconds`.
    pub duration_seconds: Option<u64>,
    /// `RoleArn`.
    pub role_arn: Option<String>,
    /// `sub` of the token, verified or not.
    pub subject: Option<String>,
    /// ARN of the session that signed, if its signature is good.
    pub caller: Option<String>,
    /// The access key id that the signature names, be it good or not.
    pub access_key_id: Option<String>,
}

struct State {
    roles: Vec<RegisteredRole>,
    oidc_providers: Vec<OidcProvider>,
    session_lifetime: Option<Duration>,
    session_token_length: usize,
    clock_skew: i64,
    clock_stands_at: Option<i64>,
    faults: Faults,
    fault_of_cluster_tokens: Option<Fault>,
    calls: Vec<Call>,
    sessions: Vec<Session>,
    chosen_credentials: VecDeque<Issued>,
    subscribers: Vec<UnboundedSender<Call>>,
}

impl Sts {
    /// An STS that trusts `issuer`, with the one role [`ROLE_ARN`].
    pub(crate) fn new(issuer: Issuer) -> Self {
        let role = Role::trusting(ROLE_ARN, issuer.iss(), "system:serviceaccount:team:app");
        let state = Arc::new(Mutex::new(State {
            roles: vec![RegisteredRole::new(role)],
            oidc_providers: vec![OidcProvider::new(issuer.iss(), &["sts.amazonaws.com"])],
            session_lifetime: None,
            session_token_length: USUAL_SESSION_TOKEN_LENGTH,
            clock_skew: 0,
            clock_stands_at: None,
            faults: Faults::default(),
            fault_of_cluster_tokens: None,
            calls: Vec::new(),
            sessions: Vec::new(),
            chosen_credentials: VecDeque::new(),
            subscribers: Vec::new(),
        }));
        Self { state, issuer }
    }

    /// Adds a role, or replaces the one of the same ARN.
    pub fn add_role(&self, role: Role) {
        let mut state = self.state();
        state
            .roles
            .retain(|registered| registered.role.arn != role.arn);
        state.roles.push(RegisteredRole::new(role));
    }

    /// Replaces the trust policy of a role, `aws iam update-assume-role-policy`; refuses what IAM would.
    pub fn set_trust_policy(&self, role_arn: &str, policy: &Value) -> Result<(), String> {
        trust::check(policy)?;
        let mut state = self.state();
        let mut roles = state.roles.iter_mut();
        let found = roles.find(|registered| registered.role.arn == role_arn);
        let registered = found.ok_or_else(|| format!("no role has the ARN `{role_arn}`"))?;
        registered.role.trust = policy.clone();
        Ok(())
    }

    /// Makes an IAM OIDC provider in every account, or replaces the one of the same URL. Whatever its URL, tokens are
    /// verified with the one issuer's keys.
    pub fn add_oidc_provider(&self, url: &str, client_ids: &[&str]) {
        let mut state = self.state();
        state.oidc_providers.retain(|provider| provider.url != url);
        state
            .oidc_providers
            .push(OidcProvider::new(url, client_ids));
    }

    /// How long sessions live, from a second upward; `None`: as asked for.
    pub fn set_session_lifetime(&self, lifetime: Option<Duration>) {
        self.state().session_lifetime = lifetime;
    }

    /// How many characters session tokens have.
    pub fn set_session_token_length(&self, characters: usize) {
        self.state().session_token_length = characters;
    }

    /// How far the clock of STS is ahead of the machine's: its `Date`, its expirations, and all
    /// that it says about tokens and signatures.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.state().clock_skew = seconds;
    }

    /// Stops the clock of STS at this instant, for signatures that were made then.
    pub fn stop_clock_at(&self, instant: SystemTime) {
        self.state().clock_stands_at = Some(clock::unix(instant));
    }

    /// The credentials of the next exchange, of a token or of a session, instead of random ones;
    /// called again, of the one after it. An empty session token: none is needed to sign.
    pub fn issue_next(&self, access_key_id: &str, secret_access_key: &str, session_token: &str) {
        self.state().chosen_credentials.push_back(Issued {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: session_token.to_owned(),
            expiration: clock::system_time(0),
        });
    }

    /// The next `n` requests meet this fault; faults queue up in the order of these calls.
    pub fn fail_next(&self, n: u32, fault: Fault) {
        self.state().faults.next(n, fault);
    }

    /// Every request meets this fault until [`Sts::clear_faults`].
    pub fn fail(&self, fault: Fault) {
        self.state().faults.last(fault);
    }

    /// Every request for this action meets this fault until [`Sts::clear_faults`].
    pub fn fail_action(&self, action: &str, fault: Fault) {
        self.state().faults.of_action(action, fault);
    }

    /// Every token of a cluster that is sent to STS, by whomever, meets this fault until [`Sts::clear_faults`].
    pub fn fail_cluster_tokens(&self, fault: Fault) {
        self.state().fault_of_cluster_tokens = Some(fault);
    }

    /// Back to health.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.faults = Faults::default();
        state.fault_of_cluster_tokens = None;
    }

    /// Every request so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The calls from now on, as they come.
    pub fn subscribe(&self) -> UnboundedReceiver<Call> {
        let (sender, receiver) = unbounded_channel();
        self.state().subscribers.push(sender);
        receiver
    }

    /// How many calls of AssumeRoleWithWebIdentity were answered with good credentials.
    pub fn exchanges(&self) -> usize {
        let exchanged =
            |call: &&Call| call.action == "AssumeRoleWithWebIdentity" && call.result == "Success";
        self.state().calls.iter().filter(exchanged).count()
    }

    /// All credentials so far, oldest first.
    pub fn issued(&self) -> Vec<Issued> {
        self.state()
            .sessions
            .iter()
            .map(|session| session.issued.clone())
            .collect()
    }

    /// The id of a role, which a role of the same name made later does not share.
    pub(crate) fn role_id(&self, arn: &str) -> Option<String> {
        self.state()
            .role(arn)
            .map(|registered| registered.id.clone())
    }

    /// The time by the clock of STS.
    pub(crate) fn now(&self) -> i64 {
        self.state().now()
    }

    /// Whether to close a connection that has just come in, before it can send anything.
    pub(crate) fn turns_away(&self) -> bool {
        let mut state = self.state();
        let down = state.faults.take_down();
        if down {
            state.record(Call::without_request(Fault::Down.name()));
        }
        down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nobody panics while holding the state")
    }
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// A call of which nothing is known but how it went.
    fn without_request(result: &str) -> Self {
        Self {
            action: String::new(),
            result: result.to_owned(),
            at: clock::now(),
            session_name: None,
            duration_seconds: None,
            role_arn: None,
            subject: None,
            caller: None,
            access_key_id: None,
        }
    }
}

impl State {
    /// The time by the clock of STS.
    fn now(&self) -> i64 {
        self.clock_stands_at.unwrap_or_else(clock::unix_now) + self.clock_skew
    }

    fn role(&self, arn: &str) -> Option<&RegisteredRole> {
        self.roles
            .iter()
            .find(|registered| registered.role.arn == arn)
    }

    fn record(&mut self, call: Call) {
        // A subscriber that went away is forgotten.
        self.subscribers
            .retain(|subscriber| subscriber.send(call.clone()).is_ok());
        self.calls.push(call);
    }
}
