//! The command line: subcommands, flags made from the table of settings, and help that teaches.

mod subcommands;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

pub use self::subcommands::credential_process::CredentialProcess;
pub use self::subcommands::doctor::Doctor;
pub use self::subcommands::get_token::GetToken;
pub use self::subcommands::inspect_token::InspectToken;
pub use self::subcommands::kubeconfig::{Kubeconfig, Server};
pub use self::subcommands::shutdown::Shutdown;
pub use self::subcommands::wait::Wait;
use self::subcommands::{
    credential_process, doctor, get_token, inspect_token, install, kubeconfig, link_local,
    shutdown, wait,
};
use super::settings::{SETTINGS, Setting};
use super::sources::Flags;
use crate::diagnosis::without_tokens;
use crate::link_local::Wanted;

const ABOUT: &str =
    "Gives any program in a Kubernetes pod the AWS identity of its service account.";

const EXAMPLES: &str = "\
Examples:
  In a pod on EKS the webhook has set AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, and the token names the region:
    irsa-sidecar serve

  Anywhere else:
    irsa-sidecar serve --role-arn arn:aws:iam::111122223333:role/app --region eu-west-1 --token-file /var/run/token

  In the app's container, whatever the age of its AWS SDK (POD_UID from the downward API):
    AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9910/v2/credentials/$(POD_UID)

  For SDKs that know only 169.254.170.2, or only instance metadata (after an init container ran irsa-sidecar link-local --imds):
    irsa-sidecar serve --link-local-listen 169.254.170.2:80 --imds-listen 169.254.169.254:80

Each setting has three spellings: the flag --role-arn, the variable IRSA_SIDECAR_ROLE_ARN, and the key roleArn in the
file that --config names. A flag beats a variable, that the file, that the standard AWS variable, that the default.

Exit codes: 0 done (also after SIGTERM), 1 failed, 64 bad usage, 78 bad configuration.
Every message that the program can say is explained in docs/troubleshooting.md.";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// The sidecar, with these flags.
    Serve(Flags),
    /// The exec credential plugin.
    GetToken(GetToken),
    /// A look into a token.
    InspectToken(InspectToken),
    /// A kubeconfig.
    Kubeconfig(Kubeconfig),
    /// Credentials for a profile.
    CredentialProcess(CredentialProcess),
    /// Addresses on `lo`.
    LinkLocal(Wanted),
    /// Until a running sidecar is ready.
    Wait(Wait),
    /// A look at the whole way.
    Doctor(Box<Doctor>),
    /// The end of a running sidecar.
    Shutdown(Shutdown),
    /// A copy of this program in this directory.
    Install(PathBuf),
}

/// The program does not run: help was asked for, or the usage was bad.
#[derive(Debug, PartialEq, Eq)]
pub struct Usage {
    /// To be printed, with its line ends.
    pub text: String,
    /// Asked for: goes to stdout, and the exit code is 0.
    pub asked_for: bool,
    /// Whether `serve` was meant, with or without its name.
    pub of_serve: bool,
}

/// Parses the arguments, the program's name first.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Usage> {
    let arguments = get_token::as_the_aws_cli(arguments.into_iter().collect());
    let named = arguments.get(1).and_then(|name| name.to_str());
    let of_serve = !named.is_some_and(|name| subcommands::NAMES.contains(&name));
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| Usage {
            of_serve,
            text: without_tokens(&error.render().to_string()),
            asked_for: matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ),
        })?;
    Ok(match matches.subcommand() {
        Some((get_token::NAME, matches)) => Command::GetToken(GetToken::from_matches(matches)),
        Some((inspect_token::NAME, matches)) => {
            Command::InspectToken(InspectToken::from_matches(matches))
        }
        Some((kubeconfig::NAME, matches)) => Command::Kubeconfig(Kubeconfig::from_matches(matches)),
        Some((credential_process::NAME, matches)) => {
            Command::CredentialProcess(CredentialProcess::from_matches(matches))
        }
        Some((doctor::NAME, matches)) => Command::Doctor(Box::new(Doctor::from_matches(matches))),
        Some((link_local::NAME, matches)) => Command::LinkLocal(link_local::wanted(matches)),
        Some((wait::NAME, matches)) => Command::Wait(Wait::from_matches(matches)),
        Some((shutdown::NAME, matches)) => Command::Shutdown(Shutdown::from_matches(matches)),
        Some((install::NAME, matches)) => Command::Install(install::directory(matches)),
        Some((_, matches)) => Command::Serve(flags(matches)),
        None => Command::Serve(flags(&matches)),
    })
}

fn command() -> clap::Command {
    clap::Command::new("irsa-sidecar")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .args(SETTINGS.iter().map(argument))
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .next_line_help(true)
        .after_help(EXAMPLES)
        .subcommand(
            clap::Command::new("serve")
                .about("Runs the sidecar; also what runs without a subcommand")
                .args(SETTINGS.iter().map(argument))
                .next_line_help(true)
                .after_help(EXAMPLES),
        )
        .subcommands(subcommands::all())
}

/// The setting as a flag.
fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .help(help(setting));
    match setting.value {
        Some(value) if setting.list => argument.value_name(value).action(ArgAction::Append),
        Some(value) => argument.value_name(value),
        None => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("true|false"),
    }
}

fn help(setting: &Setting) -> String {
    let mut sources = vec![setting.variable()];
    sources.extend(setting.also.iter().map(|&name| name.to_owned()));
    format!(
        "{}\n[{}; default: {}]",
        setting.help,
        sources.join(", "),
        setting.default_shown()
    )
}

/// The text of every flag; a repeated one is a list.
fn flags(matches: &ArgMatches) -> Flags {
    SETTINGS
        .iter()
        .filter_map(|setting| {
            // A subcommand has only some of them, and may use a name for something else.
            let values = matches.try_get_many::<String>(setting.name).ok()??;
            let values: Vec<String> = values.cloned().collect();
            Some((setting.name, values.join(",")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Usage> {
        parse(
            ["irsa-sidecar"]
                .into_iter()
                .chain(line.split_whitespace())
                .map(OsString::from),
        )
    }

    fn flags_of(line: &str) -> Flags {
        match parsed(line).unwrap() {
            Command::Serve(flags) => flags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn serve_is_what_runs_without_a_subcommand() {
        assert_eq!(
            flags_of("--region eu-west-1"),
            flags_of("serve --region eu-west-1")
        );
        assert_eq!(flags_of(""), Flags::new());
    }

    #[test]
    fn switches_are_bare_or_have_a_value_and_lists_are_repeated() {
        assert_eq!(flags_of("--use-fips-endpoint")["use-fips-endpoint"], "true");
        assert_eq!(
            flags_of("--use-fips-endpoint=false")["use-fips-endpoint"],
            "false"
        );
        assert_eq!(
            flags_of("--authorization token --authorization pod-uid")["authorization"],
            "token,pod-uid"
        );
    }

    #[test]
    fn unknown_flags_subcommands_and_stray_words_are_bad_usage() {
        for line in [
            "--role x",
            "serve --nonsense",
            "start",
            "serve now",
            "--region",
            "--audience a --audience b",
        ] {
            let usage = parsed(line).unwrap_err();
            assert!(!usage.asked_for && !usage.text.is_empty(), "{line}");
        }
    }

    #[test]
    fn help_shows_every_setting_with_its_variable() {
        for line in ["--help", "serve --help", "-h"] {
            let usage = parsed(line).unwrap_err();
            assert!(usage.asked_for);
            for setting in SETTINGS {
                assert!(
                    usage.text.contains(&format!("--{}", setting.name))
                        && usage.text.contains(&setting.variable()),
                    "{} in {line}",
                    setting.name
                );
            }
        }
        assert!(parsed("--version").unwrap_err().asked_for);
    }
}
