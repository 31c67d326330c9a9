//! `make bench`: an EKS token, minted in this process, and `irsa-sidecar get-token` beside `aws eks get-token`, both fed
//! by the same running sidecar.
//!
//! The two take turns, so that what else the machine does falls on both alike. Not a test: nothing fails because it is
//! slow.

#[path = "get_token/client.rs"]
mod client;
#[path = "get_token/cost.rs"]
mod cost;
#[path = "get_token/mint.rs"]
mod mint;
#[path = "get_token/report.rs"]
mod report;
#[path = "get_token/rounds.rs"]
mod rounds;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use benches::world::World;
use benches::{Failure, path_argument, write_json};

use crate::client::Client;
use crate::report::Report;

/// What the command line names.
struct Arguments {
    sidecar: PathBuf,
    aws: PathBuf,
    json: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if arguments
        .first()
        .is_some_and(|first| first == cost::ARGUMENT)
    {
        cost::of_children(&arguments[1..])
    } else {
        parse(&arguments).and_then(|arguments| measure(&arguments))
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let load_before = load()?;
    let mints = mint::measure()?;

    let world = World::new()?;
    let sidecar = world.start(Command::new(&arguments.sidecar))?;
    let client = |program, subcommand| Client::new(&world, &sidecar, program, subcommand);
    let ours = client(&arguments.sidecar, &["get-token"]);
    let theirs = client(&arguments.aws, &["eks", "get-token"]);
    // The comparison would mean nothing otherwise. Python writes its compiled modules the first time, too.
    for client in [&ours, &theirs] {
        let name = client.identity(&world)?;
        eprintln!("{client}: the cluster takes its token, for {name}");
    }

    let report = Report {
        aws_version: version(&arguments.aws)?,
        mints,
        alone: rounds::measure(&ours, &theirs, rounds::ALONE)?,
        at_once: rounds::measure(&ours, &theirs, rounds::AT_ONCE)?,
        load_before,
        load_after: load()?,
    };
    println!("{}", report.table());
    write_json(&arguments.json, &report.json())
}

/// What else the machine did.
fn load() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let averages: Vec<&str> = text.split(' ').take(2).collect();
    Ok(averages.join(" "))
}

fn version(aws: &Path) -> Result<String, Failure> {
    let output = Command::new(aws).arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

fn parse(arguments: &[String]) -> Result<Arguments, Failure> {
    Ok(Arguments {
        sidecar: path_argument(arguments, "--sidecar")?,
        aws: path_argument(arguments, "--aws")?,
        json: path_argument(arguments, "--json")?,
    })
}
