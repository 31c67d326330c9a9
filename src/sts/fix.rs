//! What to do about a refusal of STS, with the names of this role and this token: commands and a policy to be pasted.

use std::fmt;

use super::error::{Asked, By};
use super::trust_policy::{Provider, client_id, trust_policy};
use crate::claims::Claims;
use crate::diagnosis::{Finding, findings, shell_word};
use crate::role;

/// A role that allows less cannot be made.
const AN_HOUR: u64 = 3600;

impl Asked {
    /// What the table's own words are followed by; `None` where there is nothing to add to them.
    pub(super) fn fix(&self, finding: Finding) -> Option<String> {
        let claims = match &self.by {
            By::Token(claims) => claims,
            By::Role(own) if finding == findings::ASSUME_ROLE_DENIED => {
                return Some(self.allow(own));
            }
            By::Role(_) if finding == findings::STS_REGION_DISABLED => {
                return Some(self.activate());
            }
            By::Role(_) | By::Itself(_) => return None,
        };
        match finding {
            findings::STS_ACCESS_DENIED => self.trust(claims),
            findings::STS_NO_PROVIDER => self.make_provider(claims),
            findings::STS_AUDIENCE => self.add_client_id(claims),
            findings::STS_THUMBPRINT => self.update_thumbprint(claims),
            findings::STS_DURATION => Some(self.allow_duration()),
            findings::STS_REGION_DISABLED => Some(self.activate()),
            _ => None,
        }
    }

    fn trust(&self, claims: &Claims) -> Option<String> {
        let policy = trust_policy(claims, &self.role)?;
        let command = self.command(format_args!(
            "update-assume-role-policy --role-name {} --policy-document file://trust.json",
            shell_word(self.role.name())
        ));
        Some(format!(
            "; what follows lets this very token in: save it as trust.json, with whatever else has to stay in the role's trust policy, since that is replaced{command}{policy}\n"
        ))
    }

    fn make_provider(&self, claims: &Claims) -> Option<String> {
        let provider = Provider::of(claims, &self.role)?;
        let command = self.command(format_args!(
            "create-open-id-connect-provider --url {} --client-id-list {}",
            provider.url,
            shell_word(client_id(claims)?)
        ));
        Some(format!("; what is missing is {}{command}", provider.arn))
    }

    fn add_client_id(&self, claims: &Claims) -> Option<String> {
        Some(self.command(format_args!(
            "add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {}",
            Provider::of(claims, &self.role)?.arn,
            shell_word(client_id(claims)?)
        )))
    }

    fn update_thumbprint(&self, claims: &Claims) -> Option<String> {
        Some(self.command(format_args!(
            "update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {} --thumbprint-list THUMBPRINT",
            Provider::of(claims, &self.role)?.arn
        )))
    }

    fn allow_duration(&self) -> String {
        self.command(format_args!(
            "update-role --role-name {} --max-session-duration {}",
            shell_word(self.role.name()),
            self.duration.as_secs().max(AN_HOUR)
        ))
    }

    /// On a line of its own, to be pasted.
    fn command(&self, command: fmt::Arguments<'_>) -> String {
        let account = self.role.account();
        format!("; with credentials of account {account}:\naws iam {command}\n")
    }

    fn activate(&self) -> String {
        let (account, region) = (self.role.account(), shell_word(&self.region));
        format!(
            "; it is the region {region} for account {account}: an opt-in region by aws account enable-region --region-name {region}, any other in the IAM console under Account settings, Security Token Service"
        )
    }

    /// Both sides have to allow it, and people give ARNs that nobody can assume.
    fn allow(&self, own: &str) -> String {
        format!(
            "{}; otherwise allow both sides: the trust policy of {role} needs {{\"Effect\":\"Allow\",\"Principal\":{{\"AWS\":\"{own}\"}},\"Action\":\"sts:AssumeRole\"}}, and {own} needs a policy with {{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"{role}\"}}; a service role, such as the cluster's own, trusts a service only",
            role::WHAT_ROLE_ARN_IS_FOR,
            role = self.role
        )
    }
}
