//! What `serve` warns about at start, as `doctor` says it too: what will not do what it seems to, and settings that have
//! two values.

use super::resolver::Resolver;
use super::settings::{SETTINGS, Setting};
use super::sources::Origin;
use crate::diagnosis::{Diagnosis, findings, refused};

/// Settings of which another value in AWS's own variable is likely to be a mistake. `token-file` is none of them: the
/// webhook's token and the sidecar's own are both good.
const CONTENDED: [&str; 3] = ["role-arn", "audience", "region"];

/// One that was found: what will not do what it seems to.
pub(super) fn doubt(found: String) -> Diagnosis {
    Diagnosis {
        finding: findings::CONFIGURATION_DOUBTFUL,
        found,
        expected: "settings that do what they seem to".into(),
        fix: "change or leave out what is named".into(),
    }
}

/// All of them as one; `None` where there are none.
pub(super) fn together(warnings: &[Diagnosis]) -> Option<Diagnosis> {
    let doubts = warnings
        .iter()
        .filter(|warning| warning.finding == findings::CONFIGURATION_DOUBTFUL);
    let found: Vec<&str> = doubts.map(|doubt| doubt.found.as_str()).collect();
    (!found.is_empty()).then(|| doubt(found.join("\n")))
}

impl Resolver {
    pub(super) fn doubt(&mut self, found: impl Into<String>) {
        self.warnings.push(doubt(found.into()));
    }

    pub(super) fn conflict(&self) -> Option<Diagnosis> {
        let contended = self.unused(|setting, origin| {
            CONTENDED.contains(&setting.name) || !is_standard(setting, origin)
        });
        (!contended.is_empty()).then(|| Diagnosis {
            finding: findings::CONFIGURATION_CONFLICT,
            found: contended.join("\n"),
            expected: "one value for each setting".into(),
            fix: "leave out the place that is not meant; a flag beats the variable IRSA_SIDECAR_…, that the settings file, and that AWS's own variable".into(),
        })
    }

    /// What stands in variables of AWS's and is not used, where that is usual.
    pub(super) fn overridden(&self) -> Vec<String> {
        self.unused(|setting, origin| {
            !CONTENDED.contains(&setting.name) && is_standard(setting, origin)
        })
    }

    /// A line for each setting with values beside the one that counts, of those that `matter` by where they are.
    fn unused(&self, matter: impl Fn(&Setting, &Origin) -> bool) -> Vec<String> {
        let lines = SETTINGS.iter().filter_map(|setting| {
            let all = self.sources.all(setting);
            let (winner, losers) = all.split_first()?;
            let others: Vec<String> = losers
                .iter()
                .filter(|(value, origin)| *value != winner.0 && matter(setting, origin))
                .map(|(value, origin)| shown(value, origin))
                .collect();
            (!others.is_empty()).then(|| {
                format!(
                    "{} is {}, and {} is not used",
                    setting.name,
                    shown(&winner.0, &winner.1),
                    others.join(", nor "),
                )
            })
        });
        lines.collect()
    }
}

/// Whether it is a variable of AWS's, which may be there for others.
fn is_standard(setting: &Setting, origin: &Origin) -> bool {
    matches!(origin, Origin::Variable(name) if setting.also.contains(&name.as_str()))
}

fn shown(value: &str, origin: &Origin) -> String {
    // Nobody has looked yet whether it is one that the setting takes.
    format!("{} ({origin})", refused(value))
}
