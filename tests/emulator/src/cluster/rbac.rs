//! RBAC, as far as a job meets it: who may do what to which resource where.

/// One thing that a user, or everybody in a group, may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// A user or a group.
    pub(super) subject: String,
    pub(super) verbs: Vec<String>,
    /// `pods`, `pods/log`, or `*`.
    pub(super) resource: String,
    /// `resourceNames`; empty: all.
    pub(super) names: Vec<String>,
    /// None: in all of them, and outside.
    pub(super) namespace: Option<String>,
}

/// What somebody is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Resource(ResourceAttempt),
    /// A path that is no resource, such as `/version`.
    Path {
        verb: String,
        path: String,
    },
}

/// What somebody is about to do to a resource. Empty: all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResourceAttempt {
    pub(super) verb: String,
    pub(super) group: String,
    /// `pods`, `pods/log`.
    pub(super) resource: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// All rules of a cluster; what none of them allows is forbidden.
#[derive(Clone, Debug, Default)]
pub(super) struct Rbac(Vec<Rule>);

/// Kubernetes' own `system:discovery` and `system:public-info-viewer`.
const EVERYBODY: [&str; 5] = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
const AUTHENTICATED: [&str; 3] = ["/api", "/apis", "/openapi"];
/// Its `system:basic-user`.
const ABOUT_ONESELF: [(&str, &str); 3] = [
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
];

impl Rbac {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    /// Whether somebody of this name and these groups may.
    pub(super) fn allows(&self, username: &str, groups: &[String], attempt: &Attempt) -> bool {
        let in_group = |name: &str| groups.iter().any(|group| group == name);
        let authenticated = in_group("system:authenticated");
        match attempt {
            Attempt::Path { verb, path } => {
                let below = |root: &str| {
                    path.strip_prefix(root)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                verb == "get"
                    && (EVERYBODY.contains(&path.as_str())
                        || authenticated && AUTHENTICATED.into_iter().any(below))
                    || in_group("system:masters")
            }
            Attempt::Resource(attempt) => {
                let about_oneself = ABOUT_ONESELF.contains(&(&attempt.group, &attempt.resource));
                authenticated && about_oneself && attempt.verb == "create"
                    || in_group("system:masters")
                    || self.of(username, groups).any(|rule| rule.allows(attempt))
            }
        }
    }

    /// The rules that concern somebody.
    pub(super) fn of<'a>(
        &'a self,
        username: &'a str,
        groups: &'a [String],
    ) -> impl Iterator<Item = &'a Rule> {
        let concerns =
            move |rule: &&Rule| rule.subject == username || groups.contains(&rule.subject);
        self.0.iter().filter(concerns)
    }
}

impl Rule {
    fn allows(&self, attempt: &ResourceAttempt) -> bool {
        let is = |wanted: &String, found: &str| wanted == "*" || wanted == found;
        self.verbs.iter().any(|verb| is(verb, &attempt.verb))
            && is(&self.resource, &attempt.resource)
            && (self.names.is_empty() || self.names.contains(&attempt.name))
            && self.is_in(&attempt.namespace)
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        let own = self.namespace.as_deref();
        own.is_none_or(|own| own == namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(namespace: Option<&str>) -> Rule {
        Rule {
            subject: "jobs".to_owned(),
            verbs: vec!["get".to_owned(), "list".to_owned()],
            resource: "pods".to_owned(),
            names: Vec::new(),
            namespace: namespace.map(str::to_owned),
        }
    }

    fn allowed(rule: Rule, groups: &[&str], verb: &str, resource: &str, namespace: &str) -> bool {
        let groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
        let attempt = ResourceAttempt {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            ..ResourceAttempt::default()
        };
        let mut rbac = Rbac::default();
        rbac.add(rule);
        rbac.allows("me", &groups, &Attempt::Resource(attempt))
    }

    #[test]
    fn a_rule_allows_what_it_names_and_nothing_else() {
        let in_default = || rule(Some("default"));
        assert!(allowed(in_default(), &["jobs"], "list", "pods", "default"));
        for (groups, verb, resource, namespace) in [
            (["others"], "list", "pods", "default"),
            (["jobs"], "delete", "pods", "default"),
            (["jobs"], "list", "secrets", "default"),
            (["jobs"], "get", "pods/log", "default"),
            (["jobs"], "list", "pods", "kube-system"),
            (["jobs"], "list", "pods", ""),
        ] {
            assert!(!allowed(in_default(), &groups, verb, resource, namespace));
        }
    }

    #[test]
    fn a_rule_without_a_namespace_holds_everywhere() {
        assert!(allowed(
            rule(None),
            &["jobs"],
            "list",
            "pods",
            "kube-system"
        ));
        assert!(allowed(rule(None), &["jobs"], "list", "pods", ""));
    }

    #[test]
    fn a_rule_may_name_a_user_and_stars() {
        let all = Rule {
            subject: "me".to_owned(),
            verbs: vec!["*".to_owned()],
            resource: "*".to_owned(),
            names: Vec::new(),
            namespace: None,
        };
        assert!(allowed(all, &[], "delete", "nodes", ""));
    }

    #[test]
    fn whoever_is_authenticated_may_look_around_and_ask_about_himself() {
        let rbac = Rbac::default();
        let may = |group: &str, path: &str| {
            let attempt = Attempt::Path {
                verb: "get".to_owned(),
                path: path.to_owned(),
            };
            rbac.allows("me", &[group.to_owned()], &attempt)
        };
        assert!(may("system:authenticated", "/apis/apps/v1"));
        assert!(!may("system:authenticated", "/apiserver"));
        assert!(!may("system:authenticated", "/metrics"));
        assert!(may("system:unauthenticated", "/version"));
        assert!(!may("system:unauthenticated", "/api"));
    }
}
