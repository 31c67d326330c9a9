//! `inspect-token`: what a token holds, and whether a cluster would take it.

use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Environment, Failure, Output};
use crate::clock::{Clock, rfc3339};
use crate::config::{self, InspectToken};
use crate::diagnosis::{findings, quote};
use crate::eks_token::{ClusterName, LONGEST};
use crate::identity::Identity;
use crate::inspection::{CLUSTER_HEADER, Inspection, inspect};
use crate::replay::{ReplayConfig, replay};
use crate::role::RoleArn;
use crate::secret::Secret;

/// More than any token, and than any ExecCredential around one.
const LARGEST_INPUT: u64 = 64 * 1024;

/// The report; a success where the cluster would take the token.
pub async fn run(asked: InspectToken, environment: Environment) -> Result<Output, Failure> {
    // Everything that can be wrong with the configuration is said before a token is waited for.
    let config = match &asked.cluster {
        Some(_) => Some(replay_config(&asked, environment.clone())?),
        None => None,
    };
    let given = match asked.token {
        Some(token) => token,
        None => read_stdin()?,
    };
    let token = token_in(&given);
    let clock = Clock::system();
    let inspection = inspect(token.expose(), clock.now().wall, None);
    let mut report = Report::default();
    report.inspection(&inspection);
    let mut success = inspection.verdict.is_ok();
    if let (Some(cluster), Some(config), true) = (&asked.cluster, config, success) {
        match replay(&inspection, cluster, &config, &clock).await {
            Ok(identity) => report.identity(&identity, cluster, role(&environment).as_ref()),
            Err(error) => {
                let diagnosis = error.diagnosis();
                report.line(
                    "replay",
                    &format!("refused ({}): {}", diagnosis.finding.id, diagnosis.found),
                );
                report.line("expected", &diagnosis.expected);
                report.line("fix", &diagnosis.fix);
                success = false;
            }
        }
    }
    Ok(Output {
        success,
        ..Output::of(report.0)
    })
}

fn replay_config(asked: &InspectToken, environment: Environment) -> Result<ReplayConfig, Failure> {
    let endpoints = config::endpoints(asked.flags.clone(), environment, false)?;
    Ok(ReplayConfig {
        endpoint_url: endpoints.sts,
        network: endpoints.eks.network,
    })
}

/// The role of this pod: brings the path that the ARN of a session does not show.
fn role(environment: &Environment) -> Option<RoleArn> {
    let named = super::variable(environment, "AWS_ROLE_ARN")?;
    named.to_str()?.parse().ok()
}

fn read_stdin() -> Result<Secret, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::Usage(
            "no token; give it as the argument or on stdin, such as: irsa-sidecar inspect-token < demo.eks-token".into(),
        ));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = stdin.take(LARGEST_INPUT + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::Failed(format!("stdin cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(Failure::Failed(format!(
            "stdin holds more than {LARGEST_INPUT} bytes, which is no token"
        )));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if text.trim().is_empty() => Err(Failure::Failed(
            "stdin is empty; a token begins with k8s-aws-v1.".into(),
        )),
        Ok(text) => Ok(Secret::new(text.to_owned())),
        Err(_) => Err(Failure::Failed(
            "stdin is not text, so it is no token".into(),
        )),
    }
}

/// The token itself, out of an ExecCredential, or without the newline that a shell leaves at its end.
fn token_in(given: &Secret) -> Secret {
    #[derive(Deserialize)]
    struct ExecCredential {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        token: String,
    }
    match serde_json::from_str::<ExecCredential>(given.expose()) {
        Ok(credential) => Secret::new(credential.status.token),
        Err(_) => Secret::new(given.expose().trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// Lines of a name and what there is to say.
#[derive(Default)]
struct Report(String);

impl Report {
    fn line(&mut self, name: &str, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{name:<15} {text}");
    }

    fn inspection(&mut self, found: &Inspection) {
        self.line("size", &format!("{} of {LONGEST} bytes", found.size));
        if let Some(host) = &found.host {
            self.line("host", &quote(host));
        }
        if let Some(region) = &found.scope_region {
            self.line("signed for", &quote(region));
        }
        let header = match found.signs_cluster_header() {
            true => format!("{CLUSTER_HEADER} is signed: good for one cluster only"),
            false => format!("{CLUSTER_HEADER} is not signed"),
        };
        self.line("cluster", &header);
        if let Some(key) = &found.access_key_id {
            self.line("access key id", &quote(key));
        }
        match found.session_token_length {
            Some(length) => self.line("session token", &format!("{length} characters")),
            None => self.line("session token", "none"),
        }
        if let Some(signed_at) = found.signed_at {
            let age = match found.ahead() {
                Some(ahead) => format!("{} ahead of this clock", whole(ahead)),
                None => format!("{} ago", whole(found.age().unwrap_or_default())),
            };
            self.line("signed at", &format!("{}, {age}", rfc3339(signed_at)));
            self.line("life left", &whole(found.remaining()));
        }
        for warning in &found.warnings {
            self.line("warning", warning);
        }
        match &found.verdict {
            Ok(()) => self.line("rules", "all hold"),
            Err(violation) => {
                let finding = findings::EKS_TOKEN_MALFORMED.id;
                self.line("rules", &format!("broken ({finding}): {violation}"));
                self.line("fix", violation.fix());
            }
        }
    }

    fn identity(&mut self, found: &Identity, cluster: &ClusterName, role: Option<&RoleArn>) {
        self.line("replay", "STS accepted it");
        self.line("arn", &found.arn);
        self.line("canonical arn", &found.canonical_arn);
        self.line("user id", &found.user_id);
        let (key, entry) = found.aws_auth_entry();
        self.0.push_str(&format!(
            "\nTo let it in, in the ConfigMap aws-auth of kube-system, under {key}:\n\n{entry}"
        ));
        match found.access_entry_commands(cluster.as_str(), role) {
            Some(commands) => self
                .0
                .push_str(&format!("\nor with an access entry:\n\n{commands}")),
            None => self
                .0
                .push_str("\nThere are no access entries for such an ARN.\n"),
        }
    }
}

fn whole(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}
