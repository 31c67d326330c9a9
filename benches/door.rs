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
#[path = "door/report.rs"]
mod report;
#[path = "door/rounds.rs"]
mod rounds;
#[path = "door/start.rs"]
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use benches::world::World;
use benches::{Failure, path_argument, write_json};

use crate::cores::Cores;
use crate::limit::Limit;
use crate::load::{Mode, RawAnswer};
use crate::report::Report;

/// What the command line names.
struct Arguments {
    sidecar: PathBuf,
    json: PathBuf,
}

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

    let world = World::new()?;
    let start_sidecar = || world.start(cores.server(&arguments.sidecar));
    let binary_bytes = std::fs::metadata(&arguments.sidecar)?.len();
    let start = start::measure(&world, &cores, &arguments.sidecar)?;

    let sidecar = start_sidecar()?;
    let answer = ask(&world, sidecar.address)?;
    let limit = Limit::start(&cores, &answer)?;
    answer.assert_same_but_for_the_date(&ask(&world, limit.address)?)?;
    let rounds = rounds::measure(&world, &sidecar, &limit, answer.bytes.len())?;
    drop((sidecar, limit));

    // Both anew: what the rounds left behind is not to be counted.
    let (sidecar, limit) = (start_sidecar()?, Limit::start(&cores, &answer)?);
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
    write_json(&arguments.json, &report.json())
}

fn ask(world: &World, address: SocketAddr) -> Result<RawAnswer, Failure> {
    load::probe(address, &load::request(world, address, Mode::KeepAlive)?)
}

fn parse(arguments: &[String]) -> Result<Arguments, Failure> {
    Ok(Arguments {
        sidecar: path_argument(arguments, "--sidecar")?,
        json: path_argument(arguments, "--json")?,
    })
}
