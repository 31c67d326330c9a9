//! What a program costs, from exec to exit. This program again, under a hidden argument, runs it: what a process knows
//! of its children is of all that it ever had, so each measurement takes a process of its own.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Failure;
use crate::client::Client;

/// The hidden argument.
pub(crate) const ARGUMENT: &str = "--cost";

/// Of one run, or of several at once.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Until the last has ended.
    pub(crate) wall_seconds: f64,
    /// In the programs and in the kernel on their behalf, all together.
    pub(crate) cpu_seconds: f64,
    /// Of the one that had most.
    pub(crate) peak_bytes: f64,
}

impl Cost {
    /// Runs a client `count` times at once.
    pub(crate) fn of(client: &Client, count: usize) -> Result<Self, Failure> {
        let output = client
            .environment_of(&std::env::current_exe()?)
            .arg(ARGUMENT)
            .arg(count.to_string())
            .args(&client.arguments)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{client}: no result").into());
        }
        let result: Value = serde_json::from_slice(&output.stdout)?;
        let number = |name: &str| result[name].as_f64().ok_or("a result without a number");
        Ok(Self {
            wall_seconds: number("wall_seconds")?,
            cpu_seconds: number("cpu_seconds")?,
            peak_bytes: number("peak_bytes")?,
        })
    }
}

/// `COUNT PROGRAM ARGUMENT…`: runs it that often at once, and prints what it cost.
pub(crate) fn of_children(arguments: &[String]) -> Result<(), Failure> {
    let [count, program, arguments @ ..] = arguments else {
        return Err("nothing to run".into());
    };
    let count: usize = count.parse()?;
    let own_peak = own_peak()?;
    let started = Instant::now();
    let children: Vec<Child> = (0..count)
        .map(|_| start(program, arguments))
        .collect::<Result<_, _>>()?;
    for child in children {
        finish(child)?;
    }
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let peak = usage.max_rss() * 1024;
    // A child is a copy of its parent until it execs, and the kernel counts that.
    if peak <= own_peak {
        return Err("a program that is smaller than the one that measures it".into());
    }
    let cpu = microseconds(usage.user_time()) + microseconds(usage.system_time());
    let result = json!({
        "wall_seconds": wall.as_secs_f64(),
        "cpu_seconds": cpu.as_secs_f64(),
        "peak_bytes": peak,
    });
    println!("{result}");
    Ok(())
}

fn start(program: &str, arguments: &[String]) -> Result<Child, Failure> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// As kubectl does it: reads to the end, and wants a token.
fn finish(child: Child) -> Result<(), Failure> {
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || !text.contains("\"k8s-aws-v1.") {
        return Err(format!("{} and no token", output.status).into());
    }
    Ok(())
}

fn microseconds(time: TimeVal) -> Duration {
    Duration::from_micros(time.num_microseconds().unsigned_abs())
}

/// The most that this process has had resident since its exec, in bytes.
fn own_peak() -> Result<i64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmHWM in /proc")?.parse::<i64>()? * 1024)
}
