//! Resident memory of a server that is young, has answered many requests, and holds many connections.

use std::net::SocketAddr;

use benches::process::Process;
use benches::world::{Sidecar, World};

use crate::Failure;
use crate::limit::Limit;
use crate::load::{self, Mode, Until};
use crate::rounds::CLIENTS;

const REQUESTS: usize = 1_000_000;
const CONNECTIONS: usize = 500;

/// In bytes.
pub(crate) struct Memory {
    pub(crate) idle: u64,
    pub(crate) half_way: u64,
    pub(crate) after_requests: u64,
    pub(crate) with_connections: u64,
    /// What one of many connections costs, here
    pub(crate) connection: u64,
    /// … and where hyper is alone.
    pub(crate) connection_of_limit: u64,
}

/// Measures the two.
pub(crate) fn measure(
    world: &World,
    sidecar: &Sidecar,
    limit: &Limit,
    answer_length: usize,
) -> Result<Memory, Failure> {
    let idle = sidecar.process.rss()?;
    let address = sidecar.address;
    let request = load::request(world, address, Mode::KeepAlive)?;
    let ask_half = || {
        let until = Until::Requests(REQUESTS / 2 / CLIENTS);
        load::run(
            address,
            &request,
            answer_length,
            (CLIENTS, Mode::KeepAlive, until),
        )
    };
    eprintln!("memory: {REQUESTS} requests");
    ask_half()?;
    let half_way = sidecar.process.rss()?;
    ask_half()?;
    let after_requests = sidecar.process.rss()?;
    eprintln!("memory: {CONNECTIONS} connections");
    let with_many = |process: &Process, address: SocketAddr| {
        let request = load::request(world, address, Mode::KeepAlive)?;
        let before = process.rss()?;
        let connections = load::open(CONNECTIONS, address, &request, answer_length)?;
        let with = process.rss()?;
        drop(connections);
        Ok::<_, Failure>((with, with.saturating_sub(before) / CONNECTIONS as u64))
    };
    let (with_connections, connection) = with_many(&sidecar.process, address)?;
    let (_, connection_of_limit) = with_many(&limit.process, limit.address)?;
    Ok(Memory {
        idle,
        half_way,
        after_requests,
        with_connections,
        connection,
        connection_of_limit,
    })
}
