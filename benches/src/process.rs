//! A server under measurement, as `/proc` sees it; killed when dropped.

use std::fs;
use std::io;
use std::process::Child;

use crate::Failure;

/// A running server.
pub struct Process(pub Child);

impl Process {
    /// Resident memory in bytes.
    pub fn rss(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no VmRSS in /proc")?.parse::<u64>()? * 1024)
    }

    /// Processor time so far in seconds, in the server and in the kernel on its behalf.
    pub fn cpu_seconds(&self) -> Result<f64, Failure> {
        // USER_HZ: 100 on every architecture that this runs on (proc_pid_stat(5)).
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name in parentheses may hold anything; `state` after it is field 3, utime 14, stime 15.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = |field: usize| -> Result<f64, Failure> {
            let text = fields.split_whitespace().nth(field - 3);
            Ok(text.ok_or("no processor time in /proc")?.parse()?)
        };
        Ok((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails when it has ended already, and then there is nothing to do.
        let _ = self.end();
    }
}
