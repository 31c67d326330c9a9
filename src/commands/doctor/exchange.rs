//! The exchange, and what comes of it.

use std::time::Duration;

use super::patience::TimeUp;
use super::{EXCHANGE, Local, Patience, skipped};
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::diagnosis::{Step, steps};
use crate::doctor::Entry;
use crate::doctor::exchange::{Asked, Facts, credentials, judge};
use crate::doctor::token_file::TokenFile;
use crate::refresh::web_identity::{Answered, ask};
use crate::role::SessionName;
use crate::service_account::Annotated;
use crate::sts::{AssumeRoleWithWebIdentity, Sts};

/// For the exchange, the second one for an hour included.
const ASKING: Duration = Duration::from_millis(6_500);
/// For who the credentials are.
const NAMING: Duration = Duration::from_secs(3);

/// What came of it.
pub(super) struct Exchanged {
    pub(super) entries: Vec<Entry>,
    /// None that STS refuses.
    pub(super) credentials: Option<Credentials>,
}

impl Exchanged {
    fn out_of_time(time: TimeUp) -> Self {
        const STEP: Step = steps::EXCHANGE;
        let mut entries = skipped(EXCHANGE, "it was not come to: see exchange");
        entries.retain(|entry| entry.step != STEP);
        entries.push(time.entry(STEP));
        Exchanged {
            entries,
            credentials: None,
        }
    }

    fn none(why: &str) -> Self {
        Exchanged {
            entries: skipped(EXCHANGE, why),
            credentials: None,
        }
    }
}

/// As the sidecar does it, once. `before` holds the entries of the way to STS and of the annotation.
pub(super) async fn walk(
    local: &Local,
    annotated: Option<&Annotated>,
    before: &[Entry],
    clock: &Clock,
    patience: &Patience,
) -> Exchanged {
    let examined = &local.examined;
    let (Some(config), Some(duration)) = (&examined.sts, examined.duration) else {
        return Exchanged::none(
            "it is not known which STS to ask, by which way and for how long: see configuration",
        );
    };
    let facts = Facts {
        before,
        token: local.token_file.as_ref().and_then(TokenFile::token),
        claims: local.claims.as_ref(),
        audience: examined.audience.as_deref(),
        role: examined.role.as_ref(),
        annotated,
        stand_in: examined
            .annotations
            .as_ref()
            .and_then(|config| config.stand_in.as_ref()),
        region: &config.region,
        now: clock.now(),
    };
    let ready = match facts.ready() {
        Ok(ready) => ready,
        Err(why) => return Exchanged::none(&why),
    };
    let derived = SessionName::from_claims(ready.claims);
    let request = AssumeRoleWithWebIdentity {
        token: ready.token,
        claims: ready.claims,
        role: ready.role,
        session_name: examined.session_name.as_ref().unwrap_or(&derived),
        duration,
    };
    let asked = Asked {
        role: request.role,
        session_name: request.session_name,
        duration,
        region: &config.region,
    };
    let sts = Sts::new(config, clock.clone());
    let late = sts.late(&request);
    let asking = patience.within(steps::EXCHANGE, ASKING, ask(&sts, request));
    let answered = match asking.await {
        Ok(answered) => answered,
        // Others have used up the time.
        Err(time @ TimeUp::OfAll(_)) => return Exchanged::out_of_time(time),
        Err(TimeUp::Own(_)) => Answered {
            outcome: Err(late),
            too_long: None,
        },
    };
    let mut entries = judge(&asked, &answered);
    let Ok(obtained) = answered.outcome else {
        entries.push(Entry::skipped(
            steps::CREDENTIALS,
            "there are none: see exchange",
        ));
        return Exchanged {
            entries,
            credentials: None,
        };
    };
    let naming = sts.caller(&obtained, asked.role);
    let caller = patience.within(steps::CREDENTIALS, NAMING, naming).await;
    let entry = match caller {
        Ok(caller) => credentials(caller, &obtained, clock.now()),
        Err(time) => time.entry(steps::CREDENTIALS),
    };
    let credentials = (!entry.is_failed()).then_some(obtained);
    entries.push(entry);
    Exchanged {
        entries,
        credentials,
    }
}
