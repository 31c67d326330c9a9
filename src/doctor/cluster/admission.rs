//! What lets an identity into a cluster, ready to paste.

use crate::diagnosis::{Diagnosis, findings};
use crate::eks::AuthenticationMode;
use crate::eks_token::ClusterName;
use crate::identity::Identity;
use crate::partition::Region;
use crate::role::RoleArn;

/// Who wants to come in, and where.
#[derive(Debug)]
pub struct Admission<'a> {
    /// Whom the cluster sees.
    pub identity: &'a Identity,
    /// The role with its path, which the session's ARN does not show.
    pub role: Option<&'a RoleArn>,
    /// As the token is signed for it.
    pub cluster: &'a ClusterName,
    /// The cluster's; its control plane sends the token to STS there.
    pub region: &'a Region,
    /// Where the cluster looks up who may come in, if that is known.
    pub mode: Option<AuthenticationMode>,
}

impl Admission<'_> {
    /// 401, with which the API server says nothing about its reasons.
    pub(super) fn refused(&self, server: &str) -> Diagnosis {
        let (arn, canonical) = (&self.identity.arn, &self.identity.canonical_arn);
        let principal = self.principal();
        let expected = match self.mode {
            Some(AuthenticationMode::Api) => format!(
                "an access entry for {principal}: the authentication mode is API, and what stands in aws-auth does not count"
            ),
            Some(AuthenticationMode::ConfigMap) => format!(
                "an entry in aws-auth for {canonical}: the authentication mode is CONFIG_MAP, and access entries do not count"
            ),
            _ => {
                format!("an entry in aws-auth for {canonical}, or an access entry for {principal}")
            }
        };
        Diagnosis {
            finding: findings::EKS_UNAUTHORIZED,
            found: format!(
                "the cluster {} does not let {arn} in: {server} answered 401, of which kubectl says \"You must be logged in to the server (Unauthorized)\"",
                self.cluster
            ),
            expected,
            fix: format!("{}\n{}", self.entries(), self.pitfalls()),
        }
    }

    /// The entry, the commands, or both, after what to do with them. A blank line stands before and after each.
    pub fn entries(&self) -> String {
        let (key, entry) = self.identity.aws_auth_entry();
        let config_map = format!(
            "add this to {key} in the ConfigMap aws-auth (kubectl edit -n kube-system configmap aws-auth), indented as what is there:\n\n{entry}"
        );
        let commands = self.identity.access_entry_commands(
            self.cluster.as_str(),
            Some(self.region),
            self.role,
        );
        let commands = commands.map(|commands| format!("make an access entry:\n\n{commands}"));
        let ways = match (self.mode, commands) {
            (Some(AuthenticationMode::Api), Some(commands)) => commands,
            (Some(AuthenticationMode::Api), None) => {
                "take other credentials: there are no access entries for such an ARN\n".to_owned()
            }
            (Some(AuthenticationMode::ConfigMap), _) | (_, None) => config_map,
            (_, Some(commands)) => format!("{config_map}\nor {commands}"),
        };
        format!("{ways}\nwhere RBAC_GROUP is a group that a RoleBinding of the cluster names")
    }

    /// What is wrong where there is an entry already.
    fn pitfalls(&self) -> String {
        let canonical = &self.identity.canonical_arn;
        let mut found = vec!["if there is an entry already:".to_owned()];
        if self.mode != Some(AuthenticationMode::Api) {
            found.push(format!(
                "- aws-auth has to name exactly {canonical}, without the role's path, not a session's ARN (assumed-role) or an instance profile's, in mapRoles for roles and mapUsers for users; YAML that is broken in one place voids all entries of its key"
            ));
        }
        if self.mode != Some(AuthenticationMode::ConfigMap) {
            found.push("- an access entry of a role that was deleted and made again is that of the old role: delete it and make it anew".to_owned());
        }
        found.push(format!(
            "- the token is good for a cluster that is called exactly {}, and its control plane has to reach STS in {} and not be throttled there",
            self.cluster, self.region
        ));
        found.join("\n")
    }

    fn principal(&self) -> &str {
        let canonical = self.identity.canonical_arn.as_str();
        let role = self.role.filter(|role| self.identity.is_session_of(role));
        role.map_or(canonical, RoleArn::as_str)
    }
}
