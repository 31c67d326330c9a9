//! `make bench`: the credentials door of the release binary beside a bare hyper server that answers the same bytes.
//!
//! The two are measured in turns, each server on one core and the load on another, so that what else the machine does
//! falls on both alike. Not a test: nothing fails because it is slow.

#[path = "door/cores.rs"]
mod cores;
#[path = "door/limit.rs"]
mod limit;
#[path = "door/load.rs"]
mod load;
#[path = "door/memory.rs"]
mod memory;
#[path = "door/process.rs"]
mod process;
#[path = "door/report.rs"]
mod report;
#[path = "door/rounds.rs"]
mod rounds;
#[path = "door/start.rs"]
mod start;
#[path = "door/world.rs"]
mod world;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cores::Cores;
use crate::limit::Limit;
use crate::load::{Mode, RawAnswer};
use crate::report::Report;
use crate::world::World;

/// What the command line names.
struct Arguments {
    sidecar: PathBuf,
    json: PathBuf,
}

/// Anything that ends the benchmark without a result.
type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if arguments
        .first()
        .is_some_and(|first| first == limit::ARGUMENT)
    {
        limit::serve()
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
    let cores = Cores::assign();
    cores.pin_this_process()?;
    eprintln!("{}", cores.describe());

    let world = World::new(&arguments.sidecar)?;
    let binary_bytes = std::fs::metadata(&arguments.sidecar)?.len();
    let start = start::measure(&world, &cores)?;

    let sidecar = world.start(&cores)?;
    let answer = ask(&world, sidecar.address)?;
    let limit = Limit::start(&cores, &answer)?;
    answer.assert_same_but_for_the_date(&ask(&world, limit.address)?)?;
    let rounds = rounds::measure(&world, &sidecar, &limit, answer.bytes.len())?;
    drop((sidecar, limit));

    // Both anew: what the rounds left behind is not to be counted.
    let (sidecar, limit) = (world.start(&cores)?, Limit::start(&cores, &answer)?);
    let memory = memory::measure(&world, &sidecar, &limit, answer.bytes.len())?;

    let report = Report {
        cores: cores.describe(),
        answer_bytes: answer.bytes.len(),
        binary_bytes,
        start,
        rounds,
        memory,
    };
    println!("{}", report.table());
    if let Some(dir) = arguments.json.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(&arguments.json, format!("{:#}\n", report.json()))?;
    println!("written to {}", arguments.json.display());
    Ok(())
}

fn ask(world: &World, address: SocketAddr) -> Result<RawAnswer, Failure> {
    load::probe(address, &world.request(address, Mode::KeepAlive)?)
}

fn parse(arguments: &[String]) -> Result<Arguments, Failure> {
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
            .map(PathBuf::from)
            .ok_or_else(|| format!("{name} PATH is missing; `make bench` gives it"))
    };
    Ok(Arguments {
        sidecar: value("--sidecar")?,
        json: value("--json")?,
    })
}
