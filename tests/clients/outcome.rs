//! What became of a row, as it goes from its namespace to the table.

use serde_json::{Value, json};

use crate::door::Door;

/// How a client that lives on comes to newer credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Before the old ones expire.
    InTime,
    /// Only after a call that was refused for its expired credentials.
    AfterRefusal,
    /// Every few minutes, which nobody has waited for.
    AtIntervals,
    /// Not at all: it has to be started again.
    Never,
}

/// One client by one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub door: Door,
    pub refresh: Refresh,
    /// Its error where the sidecar has no credentials.
    pub unavailable: String,
    /// Its error where the authorization is wrong.
    pub forbidden: Option<String>,
}

const REFRESHES: [(Refresh, &str); 4] = [
    (Refresh::InTime, "in-time"),
    (Refresh::AfterRefusal, "after-refusal"),
    (Refresh::AtIntervals, "at-intervals"),
    (Refresh::Never, "never"),
];

impl Outcome {
    pub fn to_json(&self) -> Value {
        let refresh = REFRESHES
            .iter()
            .find(|(refresh, _)| *refresh == self.refresh);
        json!({
            "door": self.door.letter().to_string(),
            "refresh": refresh.expect("all are listed").1,
            "unavailable": self.unavailable,
            "forbidden": self.forbidden,
        })
    }

    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().expect("a text");
        let refresh = REFRESHES.iter().find(|(_, name)| *name == text("refresh"));
        Outcome {
            door: Door::of(text("door"))[0],
            refresh: refresh.expect("a known one").0,
            unavailable: text("unavailable").to_owned(),
            forbidden: value["forbidden"].as_str().map(str::to_owned),
        }
    }
}
