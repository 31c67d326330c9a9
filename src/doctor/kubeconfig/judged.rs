//! What was found of the kubeconfig, judged.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hyper::Uri;

use super::{FoundToken, Looked, LookedLogin, NoCommand, NoToken};
use crate::claims::STS_AUDIENCE;
use crate::diagnosis::{Diagnosis, Finding, Step, findings, plain_url, quote, steps};
use crate::doctor::Entry;
use crate::eks_token::PREFIX;
use crate::inspection::{Rule, inspect};
use crate::kubeconfig::{Exec, KubeconfigError, Login, Unusable, Used};

const STEP: Step = steps::KUBECONFIG;
/// The versions that kubectl takes.
const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];
/// What the names of the sidecar's token files end in.
const OF_THE_SIDECAR: &str = "eks-token";
/// How this program writes one.
const WRITE_ANOTHER: &str = "irsa-sidecar kubeconfig --cluster-name NAME --exec writes an entry that works, and leaves the others as they are";
/// What kubectl does in a pod where it finds nothing to use.
const IN_SILENCE: &str = "kubectl says nothing of it in a pod, and comes in with the service account's own token (Forbidden … system:serviceaccount:…) or asks localhost:8080";
/// Who keeps the token file.
const KEPT_BY: &str = "the sidecar writes it before it is ready and anew every 7 minutes, with --eks-cluster NAME --output-dir DIR: see whether it runs with that, and whether the volume is mounted in both containers; or have kubectl run this program with irsa-sidecar kubeconfig --cluster-name NAME --exec";

/// Judges it at `now`, by corrected time.
pub fn judge(looked: &Looked, now: SystemTime) -> Entry {
    let failed = |found: String, expected: &str, fix: String| {
        Entry::failed(
            STEP,
            diagnosis(findings::KUBECONFIG_UNREADABLE, found, expected, fix),
        )
    };
    match looked {
        Looked::Nothing => Entry::skipped(
            STEP,
            "no kubeconfig here: KUBECONFIG is not set, and there is no ~/.kube/config",
        ),
        Looked::Missing(files) => failed(
            format!(
                "KUBECONFIG names {}, and there is no such file: {IN_SILENCE}",
                shown(files)
            ),
            "a kubeconfig, before kubectl starts",
            format!(
                "make the sidecar write it (--eks-cluster NAME --output-dir DIR --kubeconfig) into a volume that both containers mount, and KUBECONFIG name it; or write one: {WRITE_ANOTHER}. automountServiceAccountToken: false keeps kubectl from the service account's token"
            ),
        ),
        Looked::Unreadable(error) => failed(
            unreadable(error),
            "a file that this user can read",
            format!(
                "make it readable for the user of this container, which fsGroup does for a volume of the pod; or set KUBECONFIG to another file: {WRITE_ANOTHER}"
            ),
        ),
        Looked::Unusable(_, error @ Unusable::NotRead(..)) => {
            Entry::skipped(STEP, format!("not judged: {error}, which is not read here"))
        }
        Looked::Unusable(files, error) => {
            let silence = match error {
                Unusable::NoCurrentContext => format!(": {IN_SILENCE}"),
                _ => String::new(),
            };
            failed(
                format!("{}: {error}{silence}", shown(files)),
                "YAML with a current-context that names a context, and in that a cluster with a server, and a user",
                format!(
                    "kubectl config get-contexts lists what there is, kubectl config use-context NAME chooses; or {WRITE_ANOTHER}"
                ),
            )
        }
        // kubectl shows nothing there, and whoever listens may log in by itself.
        Looked::Used { used, .. } if is_proxied(used) => Entry::fine(
            STEP,
            format!(
                "{}: kubectl sends no token to {}; who comes in is up to what listens there, as kubectl proxy does",
                place(used),
                server(used)
            ),
        ),
        Looked::Used { used, login } => match trouble(used, login, now) {
            Some(diagnosis) => Entry::failed(STEP, diagnosis),
            None => Entry::fine(STEP, fine(used, login)),
        },
    }
}

fn diagnosis(finding: Finding, found: String, expected: &str, fix: String) -> Diagnosis {
    Diagnosis {
        finding,
        found,
        expected: expected.to_owned(),
        fix,
    }
}

/// Plain http within the pod, as `kubectl proxy` speaks it.
fn is_proxied(used: &Used) -> bool {
    let uri: Option<Uri> = used.server.expose().parse().ok();
    uri.is_some_and(|uri| {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let ip: Option<IpAddr> = host.parse().ok();
        let is_here =
            host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback());
        uri.scheme_str() == Some("http") && is_here
    })
}

/// Whether a token for the cluster has to be one of EKS: by the cluster's address, or by who writes the file.
fn is_eks(used: &Used) -> bool {
    let uri: Option<Uri> = used.server.expose().parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let mut labels = host.split('.').skip(1);
    let by_file = match &used.login {
        Login::TokenFile(file) => file.extension() == Some(OF_THE_SIDECAR.as_ref()),
        _ => false,
    };
    by_file || labels.any(|label| label == "eks" || label == "eks-cluster")
}

fn trouble(used: &Used, login: &LookedLogin, now: SystemTime) -> Option<Diagnosis> {
    if !matches!(used.login, Login::Other) && used.server.expose().starts_with("http:") {
        return Some(diagnosis(
            findings::KUBECONFIG_PLAIN_HTTP,
            format!("{}: the server of cluster {} is {}: kubectl shows no token there and runs no command, and comes in as nobody", place(used), quote(&used.cluster), server(used)),
            "an https:// address",
            "set the server to the cluster's endpoint (aws eks describe-cluster --name NAME --query cluster.endpoint), with certificate-authority-data beside it".into(),
        ));
    }
    match (&used.login, login) {
        (Login::Exec(exec), LookedLogin::Command(found)) => version(used, exec).or_else(|| {
            found
                .as_ref()
                .err()
                .map(|why| command_missing(used, exec, why))
        }),
        (_, LookedLogin::Token(found)) => match found {
            Ok(token) => wrong_token(used, token, now),
            Err(why) => Some(token_missing(used, why)),
        },
        _ => None,
    }
}

fn version(used: &Used, exec: &Exec) -> Option<Diagnosis> {
    let (user, version) = (user(used), &exec.api_version);
    if !VERSIONS.contains(&version.as_str()) {
        let named = match version.is_empty() {
            true => "names no apiVersion for its command".to_owned(),
            false => format!("asks its command for {}", quote(version)),
        };
        return Some(diagnosis(
            findings::KUBECONFIG_API_VERSION,
            format!(
                "{}: {user} {named}; kubectl since 1.24 says: exec plugin: invalid apiVersion",
                place(used)
            ),
            "client.authentication.k8s.io/v1beta1, or /v1 with an interactiveMode",
            format!(
                "write apiVersion: client.authentication.k8s.io/v1beta1 there, in which irsa-sidecar and the AWS CLI since 1.24 answer, and take a newer command where it answers otherwise; or {WRITE_ANOTHER}"
            ),
        ));
    }
    let needs_mode = version == VERSIONS[0] && !exec.has_interactive_mode;
    needs_mode.then(|| {
        diagnosis(
            findings::KUBECONFIG_UNREADABLE,
            format!("{}: {user} runs a command with apiVersion {version} and says no interactiveMode, without which kubectl takes none of that version", place(used)),
            "interactiveMode beside it",
            "write interactiveMode: Never beside the command".into(),
        )
    })
}

fn command_missing(used: &Used, exec: &Exec, why: &NoCommand) -> Diagnosis {
    let command = quote(&exec.command.to_string_lossy());
    let says = format!(
        "; kubectl says: exec: executable {} not found",
        command.trim_matches('"')
    );
    let why = match why {
        NoCommand::NotInPath(path) if path.is_empty() => format!("and there is no PATH{says}"),
        NoCommand::NotInPath(path) => {
            let path = quote(&path.to_string_lossy());
            format!("which is in no directory of PATH ({path}){says}")
        }
        NoCommand::NotThere(_) => format!("which is not there{says}"),
        NoCommand::NotExecutable(_) => "which is there, but no file that may be run".to_owned(),
    };
    let as_it_is = exec.command.file_name() == Some("aws".as_ref());
    let instead = match as_it_is {
        true => "    command: /DIR/irsa-sidecar\nwith the arguments as they are",
        false => {
            "    command: /DIR/irsa-sidecar\n    args: [get-token, --cluster-name, NAME]\nin place of the other"
        }
    };
    diagnosis(
        findings::KUBECONFIG_COMMAND_MISSING,
        format!("{}: {} runs {command}, {why}", place(used), user(used)),
        "a program that is in the container where kubectl runs; a bare name is looked for in PATH, a path with a slash from the kubeconfig's directory on",
        format!(
            "put the program into the image; or let this one stand in for it, which irsa-sidecar install /DIR brings into a shared volume:\n{instead}. {WRITE_ANOTHER}"
        ),
    )
}

fn token_missing(used: &Used, why: &NoToken) -> Diagnosis {
    let why = match why {
        NoToken::NotThere => "which is not there".to_owned(),
        NoToken::NotAFile => "which is a directory, a pipe or a device".to_owned(),
        NoToken::Unreadable(error) => format!("which cannot be read: {error}"),
        NoToken::Empty => "which is empty".to_owned(),
        NoToken::NotText => "which is no text".to_owned(),
    };
    diagnosis(
        findings::KUBECONFIG_TOKEN_FILE,
        format!(
            "{}: {} shows the token in {}, {why}",
            place(used),
            user(used),
            shown_token(used)
        ),
        "a file with an EKS token, k8s-aws-v1.…, that is kept fresh",
        KEPT_BY.into(),
    )
}

fn wrong_token(used: &Used, token: &FoundToken, now: SystemTime) -> Option<Diagnosis> {
    let text = token.text.expose();
    let is_file = matches!(used.login, Login::TokenFile(_));
    let of_sts =
        |audiences: &Vec<String>| audiences.iter().any(|audience| audience == STS_AUDIENCE);
    let (found, fix) = match &token.audiences {
        _ if text.starts_with(PREFIX) => {
            let violation = inspect(text, now, None).verdict.err()?;
            let fix = match violation.rule {
                Rule::Age => {
                    format!("an EKS token lasts for 15 minutes, so write none down: {KEPT_BY}")
                }
                _ => format!("{}; {KEPT_BY}", violation.fix()),
            };
            (violation.to_string(), fix)
        }
        Some(audiences) if of_sts(audiences) => (
            format!(
                "it is a web identity token for {STS_AUDIENCE}, which STS takes and no cluster"
            ),
            KEPT_BY.into(),
        ),
        // The service account's own token, for the pod's own cluster or another one.
        Some(_) => return None,
        // Other clusters have tokens of other kinds.
        None if !is_file || !is_eks(used) => return None,
        None => (format!("it does not begin with {PREFIX}"), KEPT_BY.into()),
    };
    Some(diagnosis(
        findings::KUBECONFIG_TOKEN_FILE,
        format!(
            "{}: {} shows the token in {}: {found}",
            place(used),
            user(used),
            shown_token(used)
        ),
        "an EKS token, k8s-aws-v1.…, not older than 15 minutes",
        fix,
    ))
}

fn fine(used: &Used, login: &LookedLogin) -> String {
    let does = match (&used.login, login) {
        (Login::Exec(exec), LookedLogin::Command(Ok(path))) => {
            format!("runs {} for {}", path.display(), exec.api_version)
        }
        (Login::TokenFile(file), LookedLogin::Token(Ok(token))) => {
            let kind = match &token.audiences {
                _ if token.text.expose().starts_with(PREFIX) => "an EKS token",
                Some(_) => "a service account's token",
                None => "a token of another kind",
            };
            format!("shows {kind}, in {}", file.display())
        }
        (Login::Token(_), _) => "shows the token that stands there".to_owned(),
        _ => "logs in by a certificate or a password, or not at all".to_owned(),
    };
    format!(
        "{}: {} {does}, to {}",
        place(used),
        user(used),
        server(used)
    )
}

fn place(used: &Used) -> String {
    format!(
        "context {} of {}",
        quote(&used.context),
        used.file.display()
    )
}

fn user(used: &Used) -> String {
    used.user
        .as_deref()
        .map_or("nobody".to_owned(), |user| format!("user {}", quote(user)))
}

fn server(used: &Used) -> String {
    quote(&plain_url(used.server.expose()))
}

fn shown_token(used: &Used) -> String {
    match &used.login {
        Login::TokenFile(file) => file.display().to_string(),
        _ => "the kubeconfig itself".to_owned(),
    }
}

fn shown(files: &[PathBuf]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    files.join(" and ")
}

fn unreadable(error: &KubeconfigError) -> String {
    let is = |path: &Path, what: &str| format!("the kubeconfig {} {what}", path.display());
    match error {
        KubeconfigError::Unreadable(path, error) => is(path, &format!("cannot be read: {error}")),
        KubeconfigError::NotAFile(path) => is(path, "is a directory, a pipe or a device"),
        KubeconfigError::TooLarge(path) => is(path, "is larger than any kubeconfig"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
