//! One client in one version, and what is known of it before it runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The clients of one language: where they lie and how their drivers are started.
pub struct Ecosystem {
    /// Under `matrix/` in the folder of installed clients, and in `tests/clients/`.
    pub folder: &'static str,
    /// As the table calls it.
    pub title: &'static str,
    pub rows: &'static [Row],
    /// The driver of a row: the program and its first arguments; the door follows. MATRIX_HOME is the row's folder.
    pub command: fn(row: &Row, home: &Path) -> Command,
}

/// One line of the table.
pub struct Row {
    /// `NAME-VERSION`: also the folder in which it is installed.
    pub name: &'static str,
    /// What starts it, in the words of its ecosystem: a script, a program, a class.
    pub driver: &'static str,
    /// The letters of the doors that it knows, as in [`crate::door::Door`].
    pub doors: &'static str,
    /// The first version of this client that knows web identity by itself, or `never`.
    pub web_identity: &'static str,
    /// Knows instance metadata without session tokens only.
    pub imds_v1: bool,
    /// Doors whose credentials it keeps beyond their expiry, by a rule of its own: its driver knows `later`.
    pub extends_expiry: &'static str,
    /// Doors at which it asks again every few minutes, whenever its credentials expire: longer than a run waits.
    pub asks_at_intervals: &'static str,
    /// How long the sessions live that it is tried with.
    pub session: Duration,
}

/// For `..ROW`.
pub const ROW: Row = Row {
    name: "",
    driver: "",
    doors: "",
    web_identity: "never",
    imds_v1: false,
    extends_expiry: "",
    asks_at_intervals: "",
    // Long enough for a driver that starts on a loaded machine, short enough to see the end of it.
    session: Duration::from_secs(14),
};

impl Row {
    pub fn client(&self) -> &str {
        self.split().0
    }

    pub fn version(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        let split = self.name.rsplit_once('-');
        split.expect("a row is called NAME-VERSION")
    }
}

impl Ecosystem {
    /// Where the row is installed. A test that cannot run has not passed.
    pub fn home(&self, row: &Row) -> PathBuf {
        let clients = std::env::var_os("IRSA_SIDECAR_TEST_CLIENTS").expect(
            "the real clients are not there: run `make clients-test`, or set IRSA_SIDECAR_TEST_CLIENTS to the folder that it fills",
        );
        let home = Path::new(&clients)
            .join("matrix")
            .join(self.folder)
            .join(row.name);
        assert!(
            home.exists(),
            "{} is missing: run `make clients-test`",
            home.display()
        );
        home
    }
}

/// The drivers' sources.
pub fn sources(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(folder)
}

/// What the developer wants to see, as prefixes of names in `MATRIX_ROWS`, with commas; everything by default.
pub fn chosen() -> Vec<String> {
    let chosen = std::env::var_os("MATRIX_ROWS").unwrap_or_default();
    let chosen = chosen.to_string_lossy();
    chosen.split(',').map(str::to_owned).collect()
}
