//! What to do about a refusal of STS, with the names of this role and this token: commands and a policy to be pasted.

use std::fmt;

use serde_json::json;

use super::error::{Asked, By};
use super::trust_policy::{Provider, client_id, has_port, trust_policy};
use crate::claims::Claims;
use crate::diagnosis::{Finding, findings, quote, shell_word};
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
            findings::STS_ACCESS_DENIED
            | findings::STS_NO_PROVIDER
            | findings::STS_AUDIENCE
            | findings::STS_THUMBPRINT
                if has_port(claims) =>
            {
                Some(without_port(claims))
            }
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
        let (account, name) = (self.role.account(), shell_word(self.role.name()));
        Some(format!(
            "; what follows lets this very token in: usually its statement is added to the role's trust policy (which aws iam get-role --role-name {name} --query Role.AssumeRolePolicyDocument shows), since the command replaces all of it; with credentials of account {account}:\n\
             cat > trust.json <<'EOF'\n\
             {policy}\n\
             EOF\n\
             aws iam update-assume-role-policy --role-name {name} --policy-document file://trust.json\n"
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

    /// The thumbprint is that of the last certificate that the host of the keys sends.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>
    fn update_thumbprint(&self, claims: &Claims) -> Option<String> {
        let (account, provider) = (self.role.account(), Provider::of(claims, &self.role)?);
        let (issuer, arn) = (provider.url.trim_end_matches('/'), provider.arn);
        Some(format!(
            "; with credentials of account {account}:\n\
             host=$(curl -s {issuer}/.well-known/openid-configuration | jq -r .jwks_uri | cut -d/ -f3)\n\
             thumbprint=$(openssl s_client -showcerts -servername \"$host\" -connect \"$host:443\" </dev/null | awk '/BEGIN CERT/ {{ it = \"\" }} {{ it = it $0 \"\\n\" }} END {{ printf \"%s\", it }}' | openssl x509 -noout -fingerprint -sha1 | cut -d= -f2 | tr -d :)\n\
             aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {arn} --thumbprint-list \"$thumbprint\"\n"
        ))
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
        let (role, what_it_is_for) = (self.role.as_str(), role::WHAT_ROLE_ARN_IS_FOR);
        let action = "sts:AssumeRole";
        let lets = json!({ "Effect": "Allow", "Principal": { "AWS": own }, "Action": action });
        let may = json!({ "Effect": "Allow", "Action": action, "Resource": role });
        format!(
            "{what_it_is_for}; otherwise allow both sides: the trust policy of {role} needs {lets}, and {own} needs a policy with {may}; a service role, such as the cluster's own, trusts a service only"
        )
    }
}

fn without_port(claims: &Claims) -> String {
    format!(
        "; the token's iss {} names a port, and IAM takes none in the URL of an OIDC provider: serve the issuer on port 443 and give the API server its URL without one (--service-account-issuer)",
        quote(&claims.issuer)
    )
}
