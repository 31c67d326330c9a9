//! The parameters of AssumeRoleWithWebIdentity and the limits of the API reference.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::error::StsError;
use crate::form::Form;

/// Parameters within the limits.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) role_arn: String,
    pub(super) session_name: String,
    /// Empty where the action takes none.
    pub(super) token: String,
    pub(super) duration: Duration,
}

impl Parameters {
    /// Those of AssumeRole.
    pub(super) fn of_role(form: &Form) -> Result<Self, StsError> {
        Self::parse(form, |_| String::new())
    }

    /// Those of AssumeRoleWithWebIdentity.
    pub(super) fn of_web_identity(form: &Form) -> Result<Self, StsError> {
        let parameters = Self::parse(form, |violations| {
            violations.text(form, "WebIdentityToken", 4..=20_000)
        })?;
        if !fields(&parameters.role_arn)?[5].starts_with("role/") {
            return Err(StsError::validation("Request ARN is invalid"));
        }
        if form.get("ProviderId").is_some() {
            // For OAuth 2.0 access tokens of two named providers, never for OpenID Connect.
            return Err(StsError::validation(
                "ProviderId is not supported for OpenID Connect",
            ));
        }
        Ok(parameters)
    }

    /// Checks every parameter and reports all that is wrong at once, as STS does.
    fn parse(form: &Form, token: impl FnOnce(&mut Violations) -> String) -> Result<Self, StsError> {
        let mut violations = Violations::default();
        let role_arn = violations.text(form, "RoleArn", 20..=2048);
        let session_name = violations.text(form, "RoleSessionName", 2..=64);
        if !session_name.chars().all(is_session_name_character) {
            let rule = r"Member must satisfy regular expression pattern: [\w+=,.@-]*";
            violations.add(&quoted(&session_name), "roleSessionName", rule);
        }
        let token = token(&mut violations);
        let duration = violations.duration(form)?;
        if form.get("Policy").is_some() {
            let policy = violations.text(form, "Policy", 1..=2048);
            if serde_json::from_str::<Value>(&policy).is_err() {
                return Err(StsError::usual("MalformedPolicyDocument"));
            }
        }
        let is_policy_arn = |(name, _): &&(String, String)| name.starts_with("PolicyArns.member.");
        if form.0.iter().filter(is_policy_arn).count() > 10 {
            let rule = "Member must have length less than or equal to 10";
            violations.add("", "policyArns", rule);
        }
        violations.into_result()?;

        let [_, _, service, _, account, _] = fields(&role_arn)?;
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if service != "iam" || !is_account {
            return Err(StsError::validation("Request ARN is invalid"));
        }
        Ok(Self {
            role_arn,
            session_name,
            token,
            duration,
        })
    }
}

/// `\w`, which here is ASCII, and `+=,.@-`.
fn is_session_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@-".contains(character)
}

fn fields(arn: &str) -> Result<[&str; 6], StsError> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let invalid = |_| StsError::validation("Request ARN is invalid");
    fields.try_into().map_err(invalid)
}

/// What does not satisfy its constraint, in the words of STS.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn text(&mut self, form: &Form, name: &str, lengths: RangeInclusive<usize>) -> String {
        let member = lower_first(name);
        let Some(value) = form.get(name) else {
            self.add("null ", &member, "Member must not be null");
            return String::new();
        };
        let length = value.chars().count();
        // STS does not repeat what it holds for a secret.
        let shown = if name == "WebIdentityToken" {
            String::new()
        } else {
            quoted(value)
        };
        let (least, most) = (lengths.start(), lengths.end());
        if length < *least {
            let rule = format!("Member must have length greater than or equal to {least}");
            self.add(&shown, &member, &rule);
        } else if length > *most {
            let rule = format!("Member must have length less than or equal to {most}");
            self.add(&shown, &member, &rule);
        }
        value.to_owned()
    }

    fn duration(&mut self, form: &Form) -> Result<Duration, StsError> {
        let Some(text) = form.get("DurationSeconds") else {
            return Ok(Duration::from_secs(3600));
        };
        let malformed = |_| StsError::new(400, "MalformedInput", "DurationSeconds is not a number");
        let seconds: i64 = text.parse().map_err(malformed)?;
        if seconds < 900 {
            let rule = "Member must have value greater than or equal to 900";
            self.add(&quoted(text), "durationSeconds", rule);
        } else if seconds > 43_200 {
            let rule = "Member must have value less than or equal to 43200";
            self.add(&quoted(text), "durationSeconds", rule);
        }
        Ok(Duration::from_secs(seconds.unsigned_abs()))
    }

    fn add(&mut self, value: &str, member: &str, rule: &str) {
        self.0.push(format!(
            "Value {value}at '{member}' failed to satisfy constraint: {rule}"
        ));
    }

    fn into_result(self) -> Result<(), StsError> {
        let count = self.0.len();
        if count == 0 {
            return Ok(());
        }
        let noun = if count == 1 { "error" } else { "errors" };
        let list = self.0.join("; ");
        Err(StsError::validation(format!(
            "{count} validation {noun} detected: {list}"
        )))
    }
}

fn quoted(value: &str) -> String {
    format!("'{value}' ")
}

fn lower_first(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_lowercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(change: &[(&str, Option<&str>)]) -> Result<Parameters, StsError> {
        let mut parameters = vec![
            ("RoleArn", "arn:aws:iam::111122223333:role/app"),
            ("RoleSessionName", "pod-1"),
            ("WebIdentityToken", "a.b.c"),
        ];
        for (name, value) in change {
            parameters.retain(|(kept, _)| kept != name);
            parameters.extend(value.map(|value| (*name, value)));
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Parameters::of_web_identity(&Form(parameters.into_iter().map(owned).collect()))
    }

    fn message(change: &[(&str, Option<&str>)]) -> String {
        let error = parse(change).unwrap_err();
        assert_eq!(
            (error.status, error.code.as_str()),
            (400, "ValidationError")
        );
        error.message
    }

    #[test]
    fn a_session_lasts_an_hour_unless_asked_otherwise() {
        assert_eq!(parse(&[]).unwrap().duration, Duration::from_secs(3600));
        let two_hours = parse(&[("DurationSeconds", Some("7200"))]).unwrap();
        assert_eq!(two_hours.duration, Duration::from_secs(7200));
    }

    #[test]
    fn a_session_name_is_held_to_its_length_and_its_alphabet() {
        assert_eq!(
            message(&[("RoleSessionName", Some("x"))]),
            "1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy \
             constraint: Member must have length greater than or equal to 2",
        );
        assert_eq!(
            message(&[("RoleSessionName", Some("system:x"))]),
            "1 validation error detected: Value 'system:x' at 'roleSessionName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        );
        assert!(message(&[("RoleSessionName", Some(&"x".repeat(65)))]).ends_with("equal to 64"));
        assert!(parse(&[("RoleSessionName", Some(&"x".repeat(64)))]).is_ok());
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        let text = message(&[("RoleArn", None), ("DurationSeconds", Some("899"))]);
        assert_eq!(
            text,
            "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: \
             Member must not be null; Value '899' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value greater than or equal to 900",
        );
    }

    #[test]
    fn a_token_is_never_repeated_in_an_error() {
        let text = message(&[("WebIdentityToken", Some("abc"))]);
        assert!(text.contains("Value at 'webIdentityToken'"), "{text}");
    }

    #[test]
    fn what_is_no_role_arn_is_refused() {
        for arn in [
            "arn:aws:iam::111122223333:user/app",
            "arn:aws:iam::1111:role/application",
            "a role of twenty letters and more",
        ] {
            assert_eq!(message(&[("RoleArn", Some(arn))]), "Request ARN is invalid");
        }
    }

    #[test]
    fn longer_than_twelve_hours_and_provider_ids_are_refused() {
        assert!(message(&[("DurationSeconds", Some("43201"))]).ends_with("equal to 43200"));
        assert!(message(&[("ProviderId", Some("www.amazon.com"))]).contains("ProviderId"));
        assert_eq!(
            parse(&[("DurationSeconds", Some("1h"))]).unwrap_err().code,
            "MalformedInput"
        );
    }
}
