//! From exec to ready, and what of it is the exchange.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use benches::median;
use benches::world::World;
use emulator::ROLE_ARN;
use tokio::time::Instant;

use crate::Failure;
use crate::cores::Cores;

const STARTS: usize = 21;

/// Medians.
pub(crate) struct Start {
    pub(crate) listening: Duration,
    pub(crate) ready: Duration,
    /// The same exchange by a client that has nothing else to do.
    pub(crate) exchange: Duration,
}

pub(crate) fn measure(world: &World, cores: &Cores, program: &Path) -> Result<Start, Failure> {
    eprintln!("start: {STARTS} times");
    let (mut listening, mut ready, mut exchanges) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        exchanges.push(exchange(world)?);
        let sidecar = world.start(cores.server(program))?;
        listening.push(sidecar.listening_after);
        ready.push(sidecar.ready_after);
    }
    let middle =
        |of: &[Duration]| Duration::from_secs_f64(median(of.iter().map(Duration::as_secs_f64)));
    Ok(Start {
        listening: middle(&listening),
        ready: middle(&ready),
        exchange: middle(&exchanges),
    })
}

/// One exchange on a connection of its own.
fn exchange(world: &World) -> Result<Duration, Failure> {
    let host = world.emulator.url().trim_start_matches("http://");
    // Nothing in these values needs escaping in a form but what a form may hold.
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={ROLE_ARN}&RoleSessionName=bench\
         &WebIdentityToken={}",
        world.token
    );
    let started = Instant::now();
    let mut stream = TcpStream::connect(host)?;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let took = started.elapsed();
    if !answer.starts_with("HTTP/1.1 200 ") {
        return Err(format!("the emulator refused the exchange: {answer}").into());
    }
    Ok(took)
}
