//! The command line of `emulator`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
An AWS STS, a kubelet's token volume and an EKS cluster on loopback, for trying the sidecar
without AWS.

Usage: emulator serve --token-dir DIR [OPTIONS]
       emulator demo --sidecar PATH [--once]

Options of serve:
  --token-dir DIR             writes DIR/token as a kubelet does, and rotates it
  --token-lifetime SECONDS    lifetime of each token [default: 3600]
  --rotate-every SECONDS      [default: 80 % of the token's lifetime, as a kubelet]
  --session-lifetime SECONDS  lifetime of the credentials [default: as the client asks]
  --listen 127.0.0.1:PORT     plain STS and EKS [default: a free port]
  --ca-file FILE              CA of the TLS door and of the cluster [default: DIR/../ca.pem]
  -h, --help                  this text

Options of demo, which runs this sidecar on an emulator of its own and shows what happens, up to kubectl:
  --sidecar PATH              the irsa-sidecar program
  --once                      goes through it once, instead of running until Ctrl-C

The service account is system:serviceaccount:team:app, the role
arn:aws:iam::111122223333:role/app, the audience sts.amazonaws.com. Signatures, tokens and
trust are verified as AWS does. The cluster is demo in eu-west-1; its aws-auth maps the role to
job:SESSION in the group jobs, which may get, list and watch pods in the namespace default.
stdout gets one line of JSON: url (STS, and EKS below /clusters), tls_url, control_url,
cluster_url, token_file, ca_file, role_arn, issuer. stderr gets one line per request and rotation.

Examples:
  # Credentials that live a minute, from a token that changes every ten seconds:
  emulator serve --token-dir /tmp/irsa/token --session-lifetime 60 --rotate-every 10

  # A client, with the url of that line. Its HOME is new, since the AWS CLI caches credentials:
  AWS_ROLE_ARN=arn:aws:iam::111122223333:role/app \\
  AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/irsa/token/token \\
  HOME=/tmp/irsa AWS_DEFAULT_REGION=eu-west-1 AWS_ENDPOINT_URL_STS=$url aws sts get-caller-identity

  # What the cluster makes of a token, and why, which it tells no client:
  printf '{\"token\":\"%s\"}' $token | curl -d @- $control_url/clusters/demo/review

  # Whom the cluster lets in; also mapUsers, or the whole ConfigMap as yaml:
  curl -d '{\"mapRoles\":\"[{rolearn: arn:aws:iam::111122223333:role/app, username: me}]\"}' \\
    $control_url/clusters/demo/aws-auth

  # An outage of STS, and its end:
  curl -d '{\"fault\":\"server-error\",\"status\":503}' $control_url/faults
  curl -X DELETE $control_url/faults

  # Also: POST /clock-skew and /session-lifetime {\"seconds\":N}, POST /keys/rotate
  # {\"published\":false}, GET /calls and /token?lifetime=60. Faults: latency (milliseconds), hang,
  # reset, error (code), throttle, server-error, garbage, empty-credentials,
  # expired-credentials, verification-key, idp-communication, down, no-date; with \"next\":N
  # for the next N requests only, with \"action\":\"AssumeRole\" for those alone.

  # Also: POST /trust-policy (role_arn, policy: what IAM stores) and /oidc-providers (url,
  # client_ids), POST /credentials (access_key_id, secret_access_key, session_token: those of the
  # next exchange), POST /clusters (name, region), POST /clusters/demo/access-entries (principal_arn,
  # username, groups) and /rbac (subject, verbs, resource, namespace), GET
  # /clusters/demo/requests, POST /authenticate?cluster=demo (a TokenReview).
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Serve(Options),
    Demo(Demo),
}

/// Options of `serve`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) token_dir: PathBuf,
    pub(crate) token_lifetime: Duration,
    pub(crate) rotate_every: Duration,
    pub(crate) session_lifetime: Option<Duration>,
    pub(crate) listen: SocketAddr,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Demo {
    pub(crate) sidecar: PathBuf,
    pub(crate) once: bool,
}

/// Reads the arguments after the program's name; an error is for the user to read.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    match arguments.next().as_deref() {
        Some("serve") => {}
        Some("demo") => return demo(arguments),
        Some("-h" | "--help" | "help") => return Ok(Command::Help),
        Some(other) => {
            return Err(format!(
                "no command is named `{other}`, only serve and demo"
            ));
        }
        None => return Err("what to do is missing: serve or demo".to_owned()),
    }

    let (mut token_dir, mut rotate_every) = (None, None);
    let (mut session_lifetime, mut ca_file) = (None, None);
    let mut token_lifetime = Duration::from_secs(3600);
    let mut listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| arguments.next());
            value.ok_or_else(|| format!("{name} wants a value"))
        };
        match name {
            "-h" | "--help" => return Ok(Command::Help),
            "--token-dir" => token_dir = Some(PathBuf::from(value()?)),
            "--token-lifetime" => token_lifetime = seconds(name, &value()?)?,
            "--rotate-every" => rotate_every = Some(seconds(name, &value()?)?),
            "--session-lifetime" => session_lifetime = Some(seconds(name, &value()?)?),
            "--listen" => listen = loopback(&value()?)?,
            "--ca-file" => ca_file = Some(PathBuf::from(value()?)),
            _ => return Err(format!("no option is named `{name}`")),
        }
    }
    Ok(Command::Serve(Options {
        token_dir: token_dir.ok_or("--token-dir is missing")?,
        token_lifetime,
        rotate_every: rotate_every.unwrap_or(token_lifetime.mul_f64(0.8)),
        session_lifetime,
        listen,
        ca_file,
    }))
}

fn demo(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut sidecar, mut once) = (None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--once" => once = true,
            "--sidecar" => sidecar = Some(arguments.next().ok_or("--sidecar wants a value")?),
            _ => match argument.strip_prefix("--sidecar=") {
                Some(path) => sidecar = Some(path.to_owned()),
                None => return Err(format!("no option is named `{argument}`")),
            },
        }
    }
    Ok(Command::Demo(Demo {
        sidecar: sidecar.ok_or("--sidecar is missing")?.into(),
        once,
    }))
}

fn seconds(name: &str, value: &str) -> Result<Duration, String> {
    match value.parse() {
        Ok(0) | Err(_) => Err(format!(
            "{name} is a whole number of seconds, not `{value}`"
        )),
        Ok(seconds) => Ok(Duration::from_secs(u32::into(seconds))),
    }
}

/// It issues credentials to whoever asks well, so nobody else may ask.
fn loopback(value: &str) -> Result<SocketAddr, String> {
    match value.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        _ => Err(format!(
            "--listen is a loopback address and a port, not `{value}`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_token_directory_is_all_that_it_takes() {
        let Ok(Command::Serve(options)) = parse_line("serve --token-dir /tmp/t") else {
            panic!("not understood");
        };
        assert_eq!(options.token_dir, PathBuf::from("/tmp/t"));
        assert_eq!(options.rotate_every, Duration::from_secs(2880));
        assert_eq!(options.listen.to_string(), "127.0.0.1:0");
    }

    #[test]
    fn values_may_stand_after_a_space_or_an_equals_sign() {
        let spaced = parse_line("serve --token-dir d --rotate-every 5 --listen 127.0.0.1:80");
        let joined = parse_line("serve --token-dir=d --rotate-every=5 --listen=127.0.0.1:80");
        assert!(spaced.is_ok());
        assert_eq!(spaced, joined);
    }

    #[test]
    fn the_demo_wants_a_sidecar_and_runs_once_when_told() {
        let demo = |once| {
            let sidecar = PathBuf::from("s");
            Ok(Command::Demo(Demo { sidecar, once }))
        };
        assert_eq!(parse_line("demo --sidecar s"), demo(false));
        assert_eq!(parse_line("demo --sidecar=s --once"), demo(true));
    }

    #[test]
    fn bad_usage_is_named() {
        for (line, reason) in [
            ("", "what to do is missing"),
            ("run", "no command is named `run`"),
            ("serve", "--token-dir is missing"),
            ("demo", "--sidecar is missing"),
            ("demo --sidecar", "--sidecar wants a value"),
            ("demo --sidecar s --twice", "no option is named `--twice`"),
            ("serve --token-dir", "--token-dir wants a value"),
            (
                "serve --token-dir d --verbose",
                "no option is named `--verbose`",
            ),
            (
                "serve --token-dir d --rotate-every 0",
                "--rotate-every is a whole number",
            ),
            (
                "serve --token-dir d --listen 0.0.0.0:80",
                "--listen is a loopback address",
            ),
        ] {
            let error = parse_line(line).unwrap_err();
            assert!(error.starts_with(reason), "{line:?}: {error}");
        }
    }

    #[test]
    fn help_is_no_error_wherever_it_stands() {
        for line in [
            "--help",
            "help",
            "serve --help",
            "serve --token-dir d -h",
            "demo -h",
        ] {
            assert_eq!(parse_line(line), Ok(Command::Help));
        }
    }
}
