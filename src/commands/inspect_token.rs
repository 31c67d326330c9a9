//! `inspect-token`: what a token holds, and whether a cluster would take it.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Environment, Failure, Output};
use crate::clock::{Clock, rfc3339, whole};
use crate::config::{self, InspectToken};
use crate::diagnosis::{findings, quote};
use crate::eks_token::{ClusterName, LONGEST};
use crate::identity::Identity;
use crate::inspection::{CLUSTER_HEADER, Inspection, Rule, inspect};
use crate::partition::Region;
use crate::replay::{ReplayConfig, ask_time, replay};
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
    let judge = || inspect(token.expose(), clock.now().wall, asked.region.as_ref());
    let mut inspection = judge();
    if let Some(config) = &config {
        ask_time(&inspection, config, &clock).await;
        inspection = judge();
    }
    let mut report = Report::default();
    report.inspection(&inspection, clock.offset_millis());
    let mut success = inspection.verdict.is_ok();
    if let (Some(cluster), Some(config), true) = (&asked.cluster, config, success) {
        match replay(&inspection, cluster, &config, &clock).await {
            Ok(identity) => {
                // Brings the path that the ARN of a session does not show.
                let role = config::role(asked.flags.clone(), environment);
                // Where nobody names the cluster's region, it is taken to be that of the token.
                let signed_for = inspection.region.as_deref();
                let signed_for = signed_for.and_then(|region| region.parse().ok());
                let region = asked.region.as_ref().or(signed_for.as_ref());
                report.identity(&identity, cluster, region, role.as_ref());
            }
            Err(error) => {
                let diagnosis = error.diagnosis();
                report.line(
                    "replay",
                    &format!("refused ({}): {}", diagnosis.finding.id, diagnosis.found),
                );
                if let Some(words) = error.verifier() {
                    report.line("log", &format!("{words}…"));
                }
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

    /// `offset` is that of STS's clock to this machine's, where STS has told its time.
    fn inspection(&mut self, found: &Inspection, offset: Option<i64>) {
        self.line("size", &format!("{} of {LONGEST} bytes", found.size));
        if let Some(host) = &found.host {
            self.line("host", &quote(host));
        }
        if let Some(region) = &found.scope_region {
            self.line("signed for", &quote(region));
        }
        match found.signs_cluster_header() {
            Some(true) => self.line(
                "cluster",
                &format!("{CLUSTER_HEADER} is signed: good for one cluster only"),
            ),
            Some(false) => self.line("cluster", &format!("{CLUSTER_HEADER} is not signed")),
            None => {}
        }
        if let Some(key) = &found.access_key_id {
            self.line("access key id", &quote(key));
        }
        match found.session_token_length {
            Some(length) => self.line("session token", &format!("{length} characters")),
            None if found.is_presigned() => self.line("session token", "none"),
            None => {}
        }
        if let Some(signed_at) = found.signed_at {
            self.time(found, signed_at, offset);
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

    /// Everything that depends on a clock, and whose it is.
    fn time(&mut self, found: &Inspection, signed_at: SystemTime, offset: Option<i64>) {
        let whose = match offset {
            Some(_) => "the clock of STS",
            None => "this machine's clock",
        };
        let age = match found.ahead() {
            Some(ahead) => format!("{} ahead of {whose}", whole(ahead)),
            None => format!("{} ago by {whose}", whole(found.age().unwrap_or_default())),
        };
        self.line("signed at", &format!("{}, {age}", rfc3339(signed_at)));
        self.line("life left", &whole(found.remaining()).to_string());
        let is_old = matches!(&found.verdict, Err(violation) if violation.rule == Rule::Age);
        let wrong = |millis: i64, how: &str| {
            let distance = whole(Duration::from_millis(millis.unsigned_abs()));
            format!("this machine's is {distance} {how} that of STS, by which the token is judged")
        };
        match offset {
            Some(0) => {}
            Some(millis) if millis < 0 => self.line("clock", &wrong(millis, "ahead of")),
            Some(millis) => self.line("clock", &wrong(millis, "behind")),
            None if is_old || found.ahead().is_some() => self.line(
                "clock",
                "it may be this machine's that is wrong, not the token: the time of STS is not known (--cluster-name asks for it)",
            ),
            None => {}
        }
    }

    fn identity(
        &mut self,
        found: &Identity,
        cluster: &ClusterName,
        region: Option<&Region>,
        role: Option<&RoleArn>,
    ) {
        self.line("replay", "STS accepted it");
        self.line("arn", &found.arn);
        self.line("canonical arn", &found.canonical_arn);
        self.line("account", &found.account);
        self.line("user id", &found.user_id);
        if let Some(name) = &found.session_name {
            self.line("session name", name);
        }
        let (key, entry) = found.aws_auth_entry();
        self.0.push_str(&format!(
            "\nTo let it in, in the ConfigMap aws-auth of kube-system, under {key}:\n\n{entry}"
        ));
        match found.access_entry_commands(cluster.as_str(), region, role) {
            Some(commands) => self
                .0
                .push_str(&format!("\nor with an access entry:\n\n{commands}")),
            None => self
                .0
                .push_str("\nThere are no access entries for such an ARN.\n"),
        }
    }
}
