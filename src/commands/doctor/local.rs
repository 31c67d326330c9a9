//! What is in the pod: configuration, environment, token file. Nothing here leaves it.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::Patience;
use crate::claims::{self, Claims, ClaimsError};
use crate::commands::{Environment, variable};
use crate::config::{Doctor, Examined, Flags, Origin, Reported, SETTINGS, examine};
use crate::diagnosis::{Diagnosis, Step, findings, quote, steps};
use crate::doctor::token_file::{self, TokenFile};
use crate::doctor::{Entry, Verdict, claims as judged, role};
use crate::service_account::Annotated;

/// Files answer at once, or their file system hangs.
const FILES: Duration = Duration::from_secs(3);
/// … whose attributes say which of them it is.
const ATTRIBUTES: Duration = Duration::from_millis(500);

/// What there is to see without asking anybody.
pub(super) struct Local {
    /// The configuration.
    pub(super) examined: Examined,
    /// The token file, where a setting or the default says where it is.
    pub(super) token_file: Option<TokenFile>,
    /// The claims of a token that could be read.
    pub(super) claims: Option<Result<Claims, ClaimsError>>,
}

/// Reads whatever files there are. The error: one of them hangs, and what is for this walk to judge is not known.
pub(super) async fn look(
    asked: &Doctor,
    environment: &Environment,
    patience: &Patience,
) -> Result<Local, Vec<Entry>> {
    let (flags, variables) = (asked.flags.clone(), environment.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let examined = examine(flags, variables);
        let look = |path| Handle::current().block_on(token_file::look(path));
        let token_file = examined.token_file.as_deref().map(look);
        (examined, token_file)
    });
    let looked = patience.within(steps::CONFIGURATION, FILES, looking).await;
    match looked {
        Ok(Ok((examined, token_file))) => {
            let token = token_file.as_ref().and_then(TokenFile::token);
            Ok(Local {
                claims: token.map(claims::decode),
                examined,
                token_file,
            })
        }
        _ => Err(hanging(&asked.flags, environment).await),
    }
}

/// The one that is read from whatever is there, since a shell makes a pipe of `--config <(…)`.
const FROM_PIPES: &str = "config";
/// Settings that name files.
const FILES_READ: [&str; 3] = [FROM_PIPES, "ca-bundle", "token-file"];
/// The steps that need none of these files.
const WITHOUT: [Step; 4] = [
    steps::WEBHOOK,
    steps::SKIP_CONTAINERS,
    steps::APP_SDK,
    steps::KUBECONFIG,
];

async fn hanging(flags: &Flags, environment: &Environment) -> Vec<Entry> {
    let named = named(flags, environment);
    let mut unmoved = Vec::new();
    for file in &named {
        unmoved.extend(file.hangs().await);
    }
    let all: Vec<&str> = named.iter().map(|file| file.shown.as_str()).collect();
    let diagnosis = Diagnosis {
        finding: findings::FILE_HANGS,
        found: match (unmoved.as_slice(), all.as_slice()) {
            ([], []) => "the web identity token, or one of the system's roots (SSL_CERT_DIR), could not be read in time".into(),
            ([], all) => format!(
                "one of these, the web identity token, or one of the system's roots (SSL_CERT_DIR), could not be read in time: {}",
                all.join(", ")
            ),
            (unmoved, _) => unmoved.join("\n"),
        },
        expected: "files that answer at once".into(),
        fix: "see that --config names a file, or a pipe into which somebody writes, and that the volumes of --config, --ca-bundle and --token-file are mounted from somewhere that answers".into(),
    };
    let rest = steps::ALL
        .iter()
        .filter(|step| **step != steps::CONFIGURATION && !WITHOUT.contains(step));
    let skipped =
        rest.map(|step| Entry::skipped(*step, "not looked at: a file hangs; see configuration"));
    [Entry::failed(steps::CONFIGURATION, diagnosis)]
        .into_iter()
        .chain(skipped)
        .collect()
}

/// A file that a flag or a variable names.
struct Named {
    setting: &'static str,
    path: PathBuf,
    /// With the place where it is named.
    shown: String,
}

impl Named {
    /// In words, where it is this one that hangs.
    async fn hangs(&self) -> Option<String> {
        let (path, shown) = (self.path.clone(), &self.shown);
        let looking = tokio::task::spawn_blocking(move || fs::metadata(path));
        match timeout(ATTRIBUTES, looking).await {
            Err(_) => Some(format!("{shown} does not answer")),
            Ok(Ok(Ok(found))) if self.setting == FROM_PIPES && found.file_type().is_fifo() => {
                Some(format!("{shown} is a pipe into which nobody writes"))
            }
            Ok(_) => None,
        }
    }
}

/// Each file that a flag or a variable names, and by which.
fn named(flags: &Flags, environment: &Environment) -> Vec<Named> {
    let settings = SETTINGS
        .iter()
        .filter(|setting| FILES_READ.contains(&setting.name));
    let named = settings.flat_map(|setting| {
        let named = |path: &str, place: &str| Named {
            setting: setting.name,
            path: PathBuf::from(path),
            shown: format!("{} ({place})", quote(path)),
        };
        let flag = flags.get(setting.name);
        let flag = flag.map(|path| named(path, &format!("--{}", setting.name)));
        let variables = setting.also.iter().map(|&also| also.to_owned());
        let variables = [setting.variable()].into_iter().chain(variables);
        let variables = variables.filter_map(|name| {
            let path = variable(environment, &name)?.to_string_lossy();
            Some(named(&path, &name))
        });
        flag.into_iter().chain(variables).collect::<Vec<_>>()
    });
    named.collect()
}

impl Local {
    /// Judged at `now`, which is corrected time where STS has told it, and with what the annotation says, where it was read.
    pub(super) fn entries(&self, now: SystemTime, annotated: Option<&Annotated>) -> Vec<Entry> {
        let mut entries = vec![self.configuration(), self.precedence()];
        match &self.token_file {
            Some(file) => entries.extend(file.entries()),
            None => entries.extend(super::skipped(
                &[steps::TOKEN_FILE, steps::TOKEN_MOUNT, steps::TOKEN_TEXT],
                "not looked at: no good setting says where it is; see configuration",
            )),
        }
        entries.extend(self.claims(now, annotated));
        entries.push(self.role(annotated));
        entries
    }

    fn configuration(&self) -> Entry {
        let Examined { errors, doubts, .. } = &self.examined;
        match (errors, doubts) {
            (Some(errors), _) => Entry::failed(steps::CONFIGURATION, errors.clone()),
            (None, Some(doubts)) => Entry::warned(steps::CONFIGURATION, doubts.clone()),
            (None, None) => Entry::fine(steps::CONFIGURATION, shown(&self.examined.report)),
        }
    }

    fn precedence(&self) -> Entry {
        match &self.examined.conflict {
            Some(conflict) => Entry::warned(steps::PRECEDENCE, conflict.clone()),
            None => Entry::fine(steps::PRECEDENCE, overridden(&self.examined.overridden)),
        }
    }

    fn claims(&self, now: SystemTime, annotated: Option<&Annotated>) -> [Entry; 2] {
        let without =
            |why| [steps::CLAIMS, steps::TOKEN_ROTATION].map(|step| Entry::skipped(step, why));
        let of_annotation = annotated.and_then(|found| found.audience.as_deref());
        let audience = of_annotation.or(self.examined.audience.as_deref());
        let (claims, audience) = match (&self.claims, audience) {
            (None, _) => {
                return without("not judged: there is no token to look into; see token-file");
            }
            (_, None) => {
                return without("not judged: audience has no good value; see configuration");
            }
            (Some(Err(error)), _) => {
                let rotation = "not judged: the token does not tell its age; see claims";
                return [
                    Entry::failed(steps::CLAIMS, error.diagnosis()),
                    Entry::skipped(steps::TOKEN_ROTATION, rotation),
                ];
            }
            (Some(Ok(claims)), Some(audience)) => (claims, audience),
        };
        let rotates = self.token_file.as_ref().is_some_and(TokenFile::rotates);
        let rotation = match rotates {
            true => judged::rotation(claims, now),
            false => Entry::skipped(
                steps::TOKEN_ROTATION,
                "not judged: mounted like this it never rotates; see token-mount",
            ),
        };
        let entry = judged::judge(claims, audience, now);
        let entry = match self.is_audience_unread(annotated) && is_about_audience(&entry) {
            true => Entry::skipped(
                steps::CLAIMS,
                "not judged: the token is not for the usual audience, and the service account's annotation, which may name another, was not read; see annotation",
            ),
            false => entry,
        };
        [entry, rotation]
    }

    /// Whether another audience may stand in an annotation that nobody has read.
    fn is_audience_unread(&self, annotated: Option<&Annotated>) -> bool {
        let reads = self.examined.annotations.as_ref();
        annotated.is_none() && reads.is_some_and(|config| config.reads_audience)
    }

    fn role(&self, annotated: Option<&Annotated>) -> Entry {
        let of_annotation = annotated.map(|found| &found.role);
        match self.examined.role.as_ref().or(of_annotation) {
            Some(role) => role::judge(role, self.examined.region.as_deref()),
            None if self.examined.annotations.is_some() => Entry::skipped(
                steps::ROLE,
                "not judged: the service account's annotation names it and was not read; see annotation",
            ),
            None => Entry::skipped(
                steps::ROLE,
                "not judged: no good setting names a role; see configuration",
            ),
        }
    }
}

fn is_about_audience(entry: &Entry) -> bool {
    matches!(&entry.verdict, Verdict::Failed(diagnosis) if diagnosis.finding == findings::TOKEN_AUDIENCE)
}

/// A flag that changes what the settings file says is no conflict, and yet may be what somebody looks for.
fn overridden(lines: &[String]) -> String {
    const NONE: &str = "none: no two places give role-arn, audience or region different values";
    match lines {
        [] => NONE.to_owned(),
        lines => format!(
            "{NONE}; values that are not used, as is usual:\n{}",
            lines.join("\n")
        ),
    }
}

/// What somebody has set, and how much else there is.
fn shown(report: &[Reported]) -> String {
    let set = report
        .iter()
        .filter(|setting| setting.origin != Origin::Default);
    let set: Vec<String> = set
        .map(
            |Reported {
                 name,
                 value,
                 origin,
             }| format!("{name} {} ({origin})", quote(value)),
        )
        .collect();
    format!(
        "{} of {} are set: {}",
        set.len(),
        report.len(),
        set.join(", ")
    )
}
