//! The settings: the one home of their names, defaults and explanations. Flags, variables, file keys, `--help` and the
//! start-up log are derived from this table, and a test holds `docs/configuration.md` to it.

/// The prefix of the variable of every setting.
pub(super) const PREFIX: &str = "IRSA_SIDECAR_";

/// One setting in its three spellings.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes; variable and key follow from it.
    pub name: &'static str,
    /// What stands for the value in `--help`; `None` for a switch.
    pub value: Option<&'static str>,
    /// May be given several times, as a YAML list, or with commas.
    pub list: bool,
    /// The value when nobody sets it, in its textual form; `None` where it is found out or left off.
    pub default: Option<&'static str>,
    /// What happens without a value, where `default` cannot say it.
    pub otherwise: &'static str,
    /// Standard variables that are read after our own and the file, in this order.
    pub also: &'static [&'static str],
    /// What it is, in a line or two.
    pub help: &'static str,
}

impl Setting {
    /// `IRSA_SIDECAR_ROLE_ARN` for `role-arn`.
    pub fn variable(&self) -> String {
        format!(
            "{PREFIX}{}",
            self.name.to_ascii_uppercase().replace('-', "_")
        )
    }

    /// `roleArn` for `role-arn`.
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(self.name.len());
        for (index, word) in self.name.split('-').enumerate() {
            match word.chars().next() {
                Some(first) if index > 0 => {
                    key.push(first.to_ascii_uppercase());
                    key.push_str(&word[1..]);
                }
                _ => key.push_str(word),
            }
        }
        key
    }

    /// The default as `--help` and the documentation show it.
    pub fn default_shown(&self) -> &'static str {
        self.default.unwrap_or(self.otherwise)
    }

    /// The places where the setting can be made, for an error that asks for it. In a subcommand a flag of this name may
    /// be for something else.
    pub fn places(&self, as_flag: bool) -> String {
        let flag = as_flag.then(|| format!("--{}", self.name));
        let also = self.also.iter().map(|&name| name.to_owned());
        let places: Vec<String> = flag
            .into_iter()
            .chain([self.variable()])
            .chain(also)
            .collect();
        places.join(" or ")
    }
}

const fn setting(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    also: &'static [&'static str],
    help: &'static str,
) -> Setting {
    Setting {
        name,
        value: Some(value),
        list: false,
        default: Some(default),
        otherwise: "",
        also,
        help,
    }
}

const fn list(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    also: &'static [&'static str],
    help: &'static str,
) -> Setting {
    Setting {
        list: true,
        ..setting(name, value, default, also, help)
    }
}

const fn list_without_default(
    name: &'static str,
    value: &'static str,
    otherwise: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        list: true,
        ..without_default(name, value, otherwise, &[], help)
    }
}

const fn without_default(
    name: &'static str,
    value: &'static str,
    otherwise: &'static str,
    also: &'static [&'static str],
    help: &'static str,
) -> Setting {
    Setting {
        default: None,
        otherwise,
        ..setting(name, value, "", also, help)
    }
}

const fn switch(name: &'static str, also: &'static [&'static str], help: &'static str) -> Setting {
    Setting {
        value: None,
        ..setting(name, "", "false", also, help)
    }
}

/// Where the file of settings is; the only setting that the file cannot hold.
pub(super) const CONFIG: &str = "config";

/// Whether the service account's annotation names the role,
pub(super) const ROLE_FROM_ANNOTATION: &str = "role-from-annotation";
/// … and how it is called.
pub(super) const ANNOTATION_PREFIX: &str = "annotation-prefix";

/// Every setting, in the order of the pipeline.
pub const SETTINGS: &[Setting] = &[
    without_default(
        CONFIG,
        "FILE",
        "no file",
        &[],
        "A YAML file with any of these settings; its keys are the flags in camelCase",
    ),
    without_default(
        "role-arn",
        "ARN",
        "required, unless role-from-annotation is on",
        &["AWS_ROLE_ARN"],
        "The IAM role to assume; the EKS webhook writes AWS_ROLE_ARN from the service account's annotation",
    ),
    switch(
        ROLE_FROM_ANNOTATION,
        &[],
        "Take the role from the service account's annotation, read from the Kubernetes API every 5 minutes; needs get on that service account",
    ),
    setting(
        ANNOTATION_PREFIX,
        "PREFIX",
        crate::service_account::ANNOTATION_PREFIX,
        &[],
        "What stands before /role-arn and /audience in the names of the annotations",
    ),
    setting(
        "token-file",
        "FILE",
        "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        &["AWS_WEB_IDENTITY_TOKEN_FILE"],
        "The projected service account token",
    ),
    setting(
        "audience",
        "TEXT",
        crate::claims::STS_AUDIENCE,
        &[],
        "What the token's aud has to hold",
    ),
    without_default(
        "role-session-name",
        "NAME",
        "the pod's name, from the token",
        &["AWS_ROLE_SESSION_NAME"],
        "What CloudTrail shows; 2 to 64 of letters, digits and _+=,.@-",
    ),
    setting(
        "duration",
        "DURATION",
        "1h",
        &[],
        "How long sessions live, 15m to 12h; falls back to 1h where the role allows less",
    ),
    without_default(
        "region",
        "REGION",
        "from the issuer of an EKS token, otherwise required",
        &["AWS_REGION", "AWS_DEFAULT_REGION"],
        "The region whose STS is asked; never the global endpoint",
    ),
    without_default(
        "sts-endpoint-url",
        "URL",
        "the regional endpoint",
        &["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"],
        "Another address of STS; http only on loopback, since the request carries the token",
    ),
    without_default(
        "eks-endpoint-url",
        "URL",
        "the regional endpoint",
        &["AWS_ENDPOINT_URL_EKS", "AWS_ENDPOINT_URL"],
        "Another address of the EKS API, which kubeconfigs are made from; http only on loopback",
    ),
    switch(
        "use-fips-endpoint",
        &["AWS_USE_FIPS_ENDPOINT"],
        "Use the region's FIPS endpoints; in EKS tokens only where STS has one",
    ),
    switch(
        "use-dualstack-endpoint",
        &["AWS_USE_DUALSTACK_ENDPOINT"],
        "Use the region's dual-stack endpoints; never in EKS tokens",
    ),
    without_default(
        "ca-bundle",
        "FILE",
        "the system's roots",
        &["AWS_CA_BUNDLE", "SSL_CERT_FILE"],
        "PEM certificates to trust instead of the system's",
    ),
    setting(
        "listen",
        "ADDRESS",
        crate::outputs::container_credentials::ADDRESS,
        &[],
        "The credentials door, on loopback only; 127.0.0.1 brings [::1] along where IPv6 exists",
    ),
    setting(
        "ops-listen",
        "ADDRESS",
        ":9911",
        &[],
        "Health and metrics; IP:PORT, or :PORT for all addresses, since probes come to the pod's IP",
    ),
    list_without_default(
        "link-local-listen",
        "ADDRESS",
        "off",
        "The credentials door on link-local addresses too, such as 169.254.170.2:80 (no authorization there) or 169.254.170.23:80",
    ),
    without_default(
        "imds-listen",
        "ADDRESS",
        "off",
        &[],
        "Instance metadata with the pod's role, on 169.254.169.254:80 or on loopback; needs a duration of 30m or more",
    ),
    switch(
        "imds-v1",
        &[],
        "Answer clients there that know no session tokens (IMDSv1)",
    ),
    list(
        "authorization",
        "SET",
        "token,pod-uid",
        &[],
        "What clients may show: token, pod-uid, both, or none",
    ),
    setting(
        "authorization-token-file",
        "FILE",
        "/var/run/irsa-sidecar/authorization-token",
        &[],
        "Read where it exists, otherwise made with 32 random bytes",
    ),
    setting(
        "authorization-token-mode",
        "MODE",
        "0640",
        &[],
        "The mode of that file when it is made",
    ),
    list_without_default(
        "eks-cluster",
        "NAME[=REGION]",
        "none",
        "A cluster whose EKS token is kept in output-dir as NAME.eks-token; in the sidecar's region unless one is named",
    ),
    without_default(
        "output-dir",
        "DIR",
        "no files",
        &[],
        "Where files go that were asked for; best a memory-backed volume",
    ),
    setting(
        "output-mode",
        "MODE",
        "0640",
        &[],
        "The mode of those files",
    ),
    switch(
        "kubeconfig",
        &[],
        "Write output-dir/kubeconfig too, for every eks-cluster, from eks:DescribeCluster",
    ),
    switch(
        "credentials-file",
        &[],
        "Write output-dir/credentials too, in the shared credentials file format; the last resort",
    ),
    setting(
        "credentials-profile",
        "NAME",
        "default",
        &[],
        "The profile in that file; others in it are left alone",
    ),
    without_default(
        "log-format",
        "FORMAT",
        "json, on a terminal text",
        &[],
        "json or text",
    ),
    setting(
        "log-level",
        "LEVEL",
        "info",
        &[],
        "error, warn, info, debug or trace; never shows a secret",
    ),
    setting(
        "drain-delay",
        "DURATION",
        "0s",
        &[],
        "How long to go on answering after SIGTERM, for an app that stops slowly",
    ),
];

/// The setting of this name; the table has it, or the caller is wrong.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_and_key_follow_from_the_name() {
        let setting = find("use-fips-endpoint").unwrap();
        assert_eq!(setting.variable(), "IRSA_SIDECAR_USE_FIPS_ENDPOINT");
        assert_eq!(setting.key(), "useFipsEndpoint");
    }
}
