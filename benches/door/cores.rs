//! Which core a server gets and which the load: `taskset` of util-linux does it, since setting an affinity in this
//! process would take unsafe code.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// Two cores, if this machine has them and can pin.
pub(crate) struct Cores {
    assigned: Result<Pair, &'static str>,
}

struct Pair {
    server: usize,
    load: usize,
}

impl Cores {
    /// The first two cores that this process may use.
    pub(crate) fn assign() -> Self {
        let found = Command::new("taskset")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let assigned = match (found, &allowed().unwrap_or_default()[..]) {
            (Err(_), _) => Err("taskset (util-linux) is missing"),
            (Ok(_), [server, load, ..]) => Ok(Pair {
                server: *server,
                load: *load,
            }),
            (Ok(_), _) => Err("there is one core only"),
        };
        Self { assigned }
    }

    /// The load and the emulator: threads started later inherit it.
    pub(crate) fn pin_this_process(&self) -> Result<(), Failure> {
        let Ok(Pair { load, .. }) = self.assigned else {
            return Ok(());
        };
        let pinned = Command::new("taskset")
            .args([
                "-a",
                "-c",
                "-p",
                &load.to_string(),
                &std::process::id().to_string(),
            ])
            .stdout(Stdio::null())
            .status()?;
        if pinned.success() {
            Ok(())
        } else {
            Err("taskset cannot pin this process".into())
        }
    }

    /// A server's command, on its own core.
    pub(crate) fn server(&self, program: &Path) -> Command {
        match &self.assigned {
            Ok(pair) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &pair.server.to_string()]).arg(program);
                command
            }
            Err(_) => Command::new(program),
        }
    }

    /// For the report.
    pub(crate) fn describe(&self) -> String {
        match &self.assigned {
            Ok(pair) => format!(
                "each server on core {}, the load on core {}",
                pair.server, pair.load
            ),
            Err(reason) => format!("NOT pinned to cores, {reason}: the numbers mean little"),
        }
    }
}

/// `Cpus_allowed_list: 0-1,4`
fn allowed() -> io::Result<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap_or_default();
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    Ok(list.trim().split(',').filter_map(range).flatten().collect())
}
