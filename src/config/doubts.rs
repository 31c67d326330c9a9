//! What `serve` warns about at start, as `doctor` says it too: what will not do what it seems to, and settings that have
//! two values.

use super::resolver::Resolver;
use super::settings::{SETTINGS, Setting};
use super::sources::Origin;
use crate::diagnosis::{Diagnosis, findings, refused};

/// Settings of which two values are likely to be a mistake: they say who the pod is. That a flag or a variable changes
/// another setting of a file is what they are for, and of tokens the webhook's and the sidecar's own are both good.
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
        let contended = self.unused(|setting| CONTENDED.contains(&setting.name));
        (!contended.is_empty()).then(|| Diagnosis {
            finding: findings::CONFIGURATION_CONFLICT,
            found: contended.join("\n"),
            expected: "one value for each setting".into(),
            fix: "leave out the place that is not meant; a flag beats the variable IRSA_SIDECAR_…, that the settings file, and that AWS's own variable".into(),
        })
    }

    /// What is given and not used, where that is usual.
    pub(super) fn overridden(&self) -> Vec<String> {
        self.unused(|setting| !CONTENDED.contains(&setting.name))
    }

    /// A line for each of these settings with values beside the one that counts.
    fn unused(&self, is_meant: impl Fn(&Setting) -> bool) -> Vec<String> {
        let meant = SETTINGS.iter().filter(|setting| is_meant(setting));
        let lines = meant.filter_map(|setting| {
            let all = self.sources.all(setting);
            let (winner, losers) = all.split_first()?;
            let others: Vec<String> = losers
                .iter()
                .filter(|(value, _)| *value != winner.0)
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

fn shown(value: &str, origin: &Origin) -> String {
    // Nobody has looked yet whether it is one that the setting takes.
    format!("{} ({origin})", refused(value))
}
