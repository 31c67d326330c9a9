//! What was to be reached, beside what was.

use serde_json::{Value, json};

/// One line of aims.
pub struct Aim {
    /// Of what.
    pub name: String,
    /// The number that was measured.
    pub reached: String,
    /// The number that it should be, or better.
    pub wanted: String,
    /// Whether it is.
    pub met: bool,
}

/// All of them, one below the other.
pub fn table(aims: &[Aim]) -> String {
    let mut table = format!("{:<52}{:>10}   {:<20}\n", "", "reached", "aim");
    for aim in aims {
        let verdict = if aim.met { "met" } else { "MISSED" };
        table.push_str(&format!(
            "{:<52}{:>10}   {:<20}{verdict}\n",
            aim.name, aim.reached, aim.wanted
        ));
    }
    table
}

/// The same for programs.
pub fn json(aims: &[Aim]) -> Value {
    let aim = |aim: &Aim| json!({ "name": aim.name.trim(), "reached": aim.reached, "aim": aim.wanted, "met": aim.met });
    aims.iter().map(aim).collect()
}
