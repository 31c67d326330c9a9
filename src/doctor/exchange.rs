//! The exchange: what it needs, what came of it, and who the credentials are.

use std::time::Duration;

use super::{Entry, Verdict};
use crate::claims::{Claims, ClaimsError};
use crate::clock::{Moment, rfc3339, whole};
use crate::credentials::Credentials;
use crate::diagnosis::{Remedy, Step, findings, steps};
use crate::refresh::web_identity::Answered;
use crate::role::{RoleArn, SessionName};
use crate::service_account::Annotated;
use crate::sts::{Caller, StsError, StsErrorKind};
use crate::token::WebIdentityToken;

/// What the steps before have found, each as far as it is good.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The entries of the steps before.
    pub before: &'a [Entry],
    /// The token.
    pub token: Option<&'a WebIdentityToken>,
    /// What it says about itself.
    pub claims: Option<&'a Result<Claims, ClaimsError>>,
    /// What its `aud` has to hold, unless the annotation says otherwise.
    pub audience: Option<&'a str>,
    /// The role that a setting names.
    pub role: Option<&'a RoleArn>,
    /// The role and the audience in the service account's annotations.
    pub annotated: Option<&'a Annotated>,
    /// The role that counts while these cannot be read.
    pub stand_in: Option<&'a RoleArn>,
    /// The region whose STS is asked.
    pub region: &'a str,
    /// Corrected time.
    pub now: Moment,
}

/// What an exchange is made of.
#[derive(Debug)]
pub struct Ready<'a> {
    /// A token whose claims hold.
    pub token: &'a WebIdentityToken,
    /// Its claims.
    pub claims: &'a Claims,
    /// A role that STS can know.
    pub role: &'a RoleArn,
}

impl<'a> Facts<'a> {
    /// As the sidecar does it: what would be refused for reasons that are known here is not sent. The error says where
    /// to look.
    pub fn ready(&self) -> Result<Ready<'a>, String> {
        let token = self
            .token
            .ok_or("there is no token to exchange: see token-file")?;
        let claims = self.claims.and_then(|claims| claims.as_ref().ok());
        let claims =
            claims.ok_or("the token was not sent, as its claims cannot be read: see claims")?;
        let role = self.settled_role()?;
        if role.diagnosis(self.region).is_some() {
            return Err(format!("STS can give nobody a session of {role}: see role"));
        }
        let annotated = self.annotated.and_then(|found| found.audience.as_deref());
        let audience = annotated
            .or(self.audience)
            .ok_or("the audience is not known: see configuration")?;
        if claims.check(audience, self.now.wall).is_err() {
            return Err("the token was not sent, as its claims are wrong: see claims".to_owned());
        }
        const WAY: [Step; 3] = [steps::STS_ADDRESS, steps::STS_CONNECTION, steps::STS_ANSWER];
        if let Some(broken) = WAY.into_iter().find(|step| self.has_failed(*step)) {
            return Err(format!("STS does not answer: see {}", broken.id));
        }
        Ok(Ready {
            token,
            claims,
            role,
        })
    }

    /// A setting, the annotation, or what stands in for it where it could not be read and that is no failure.
    fn settled_role(&self) -> Result<&'a RoleArn, String> {
        let annotation = self
            .before
            .iter()
            .find(|entry| entry.step == steps::ANNOTATION);
        let is_unread = annotation.is_some_and(|entry| matches!(entry.verdict, Verdict::Warned(_)));
        let role = self
            .role
            .or(self.annotated.map(|found| &found.role))
            .or(self.stand_in.filter(|_| is_unread));
        let step = match self.has_failed(steps::ANNOTATION) {
            true => steps::ANNOTATION,
            false => steps::ROLE,
        };
        role.ok_or_else(|| format!("there is no role to assume: see {}", step.id))
    }

    fn has_failed(&self, step: Step) -> bool {
        let mut before = self.before.iter();
        before.any(|entry| entry.step == step && entry.is_failed())
    }
}

/// What was asked of STS.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The role.
    pub role: &'a RoleArn,
    /// What CloudTrail shows.
    pub session_name: &'a SessionName,
    /// How long the session should live.
    pub duration: Duration,
    /// Of the STS that was asked.
    pub region: &'a str,
}

/// Region, exchange and duration.
pub fn judge(asked: &Asked<'_>, answered: &Answered) -> Vec<Entry> {
    vec![
        region(asked, answered),
        exchange(asked, answered),
        duration(asked, answered),
    ]
}

fn region(asked: &Asked<'_>, answered: &Answered) -> Entry {
    const STEP: Step = steps::STS_REGION;
    let (region, account) = (asked.region, asked.role.account());
    let serves = format!("STS in {region} serves the account {account}");
    match &answered.outcome {
        Ok(_) => Entry::fine(STEP, serves),
        Err(error) if is_disabled(error) => Entry::failed(STEP, error.diagnosis()),
        Err(error) if has_judged(error) => Entry::fine(STEP, serves),
        Err(_) => Entry::skipped(
            STEP,
            format!("STS in {region} has not judged the request: see exchange"),
        ),
    }
}

fn exchange(asked: &Asked<'_>, answered: &Answered) -> Entry {
    const STEP: Step = steps::EXCHANGE;
    match &answered.outcome {
        Ok(_) => Entry::fine(
            STEP,
            format!(
                "{}, as the role session {}",
                asked.role,
                asked.session_name.as_str()
            ),
        ),
        Err(error) if is_disabled(error) => {
            Entry::skipped(STEP, "STS refuses the whole account there: see sts-region")
        }
        Err(error) => Entry::failed(STEP, error.diagnosis()),
    }
}

fn duration(asked: &Asked<'_>, answered: &Answered) -> Entry {
    const STEP: Step = steps::SESSION_DURATION;
    match (&answered.too_long, &answered.outcome) {
        (Some(refusal), _) => Entry::warned(STEP, refusal.diagnosis()),
        (None, Ok(credentials)) => {
            let (got, wanted) = (whole(credentials.lifetime()), whole(asked.duration));
            Entry::fine(STEP, format!("{got}, where {wanted} was asked for"))
        }
        (None, Err(_)) => Entry::skipped(STEP, "there is no session: see exchange"),
    }
}

fn is_disabled(error: &StsError) -> bool {
    error.diagnosis().finding == findings::STS_REGION_DISABLED
}

/// Whether it was STS that answered, and not for want of strength.
fn has_judged(error: &StsError) -> bool {
    let unjudged = [
        findings::STS_THROTTLED,
        findings::STS_UNAVAILABLE,
        findings::STS_GARBLED,
    ];
    matches!(error.kind, StsErrorKind::Answered { .. })
        && !unjudged.contains(&error.diagnosis().finding)
}

/// Who the credentials are, as STS says. `asked` is an error where it has not answered in time.
pub fn credentials(
    asked: Result<Caller, StsError>,
    credentials: &Credentials,
    now: Moment,
) -> Entry {
    const STEP: Step = steps::CREDENTIALS;
    match asked {
        Ok(caller) => Entry::fine(
            STEP,
            format!(
                "{} in account {}, access key {}, until {}, {} from now",
                caller.arn,
                caller.account,
                credentials.access_key_id(),
                rfc3339(credentials.expiration()),
                whole(credentials.remaining(now)),
            ),
        ),
        // They may be good all the same: nobody has said otherwise.
        Err(error) if error.remedy() == Remedy::Wait => Entry::warned(STEP, error.diagnosis()),
        Err(error) => Entry::failed(STEP, error.diagnosis()),
    }
}

#[cfg(test)]
mod tests;
