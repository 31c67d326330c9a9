//! The load: clients on one thread that write a request, read as many bytes as the answer has, and start again.
//!
//! They know the length of the answer and parse nothing, so that the load's core has time left when the server's has
//! none.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::time::Duration;

use benches::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Failure;

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    KeepAlive,
    /// One connection for each request, closed by the server: a client that closes first would run out of ports.
    NewConnection,
}

/// When clients stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// Each client after this many requests.
    Requests(usize),
}

/// What came of it.
pub(crate) struct Sample {
    /// Of single requests, sorted.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) elapsed: Duration,
}

/// One answer from its first byte to its last.
pub(crate) struct RawAnswer {
    pub(crate) bytes: Vec<u8>,
}

impl RawAnswer {
    pub(crate) fn split(&self) -> Result<(&str, &[u8]), Failure> {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or("an answer without an end of its head")?;
        Ok((
            std::str::from_utf8(&self.bytes[..end])?,
            &self.bytes[end + 4..],
        ))
    }

    /// The comparison would mean nothing otherwise.
    pub(crate) fn assert_same_but_for_the_date(&self, other: &RawAnswer) -> Result<(), Failure> {
        let dateless = |head: &str| {
            let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
            lines.retain(|line| !line.starts_with("date: "));
            lines.sort();
            lines
        };
        let ((head, body), (other_head, other_body)) = (self.split()?, other.split()?);
        if dateless(head) != dateless(other_head) || body != other_body {
            return Err(
                format!("the two servers answer differently:\n{head}\n\n{other_head}").into(),
            );
        }
        Ok(())
    }
}

/// What a client with an authorization token sends.
pub(crate) fn request(world: &World, address: SocketAddr, mode: Mode) -> Result<String, Failure> {
    let authorization = fs::read_to_string(world.authorization_token_file())?;
    let connection = match mode {
        Mode::KeepAlive => "keep-alive",
        Mode::NewConnection => "close",
    };
    Ok(format!(
        "GET /v1/credentials HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
         user-agent: bench\r\naccept: */*\r\nconnection: {connection}\r\n\r\n"
    ))
}

/// One request, and its answer when it is a 200.
pub(crate) fn probe(address: SocketAddr, request: &str) -> Result<RawAnswer, Failure> {
    let mut stream = BlockingStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = vec![0; 64 * 1024];
    let mut length = 0;
    while !is_whole(&bytes[..length]) {
        match stream.read(&mut bytes[length..])? {
            0 => return Err("the connection was closed in the middle of an answer".into()),
            read => length += read,
        }
    }
    bytes.truncate(length);
    if !bytes.starts_with(b"HTTP/1.1 200 ") {
        return Err(format!("no 200: {}", String::from_utf8_lossy(&bytes)).into());
    }
    Ok(RawAnswer { bytes })
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        length.and_then(|length| length.parse().ok()) == Some(body.len())
    })
}

/// `clients` at a time ask the same of `address`.
pub(crate) fn run(
    address: SocketAddr,
    request: &str,
    answer_length: usize,
    (clients, mode, until): (usize, Mode, Until),
) -> Result<Sample, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let request: &'static str = request.to_owned().leak();
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            tasks.spawn(client(
                address,
                request,
                answer_length,
                mode,
                until,
                started,
            ));
        }
        let mut latencies = Vec::new();
        while let Some(done) = tasks.join_next().await {
            latencies.append(&mut done??);
        }
        let elapsed = started.elapsed();
        latencies.sort_unstable();
        Ok(Sample { latencies, elapsed })
    })
}

async fn client(
    address: SocketAddr,
    request: &str,
    answer_length: usize,
    mode: Mode,
    until: Until,
    started: Instant,
) -> std::io::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    let mut answer = vec![0; answer_length];
    let mut kept = None;
    loop {
        let goes_on = match until {
            Until::Elapsed(duration) => started.elapsed() < duration,
            Until::Requests(count) => latencies.len() < count,
        };
        if !goes_on {
            return Ok(latencies);
        }
        let asked = Instant::now();
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => connect(address).await?,
        };
        stream.write_all(request.as_bytes()).await?;
        match mode {
            Mode::KeepAlive => {
                stream.read_exact(&mut answer).await?;
                kept = Some(stream);
            }
            Mode::NewConnection => {
                answer.clear();
                stream.read_to_end(&mut answer).await?;
            }
        }
        latencies.push(asked.elapsed());
        if answer.len() < answer_length || !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(std::io::Error::other("an answer that is no whole 200"));
        }
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens this many connections, has each answered once, and keeps them.
pub(crate) fn open(
    count: usize,
    address: SocketAddr,
    request: &str,
    answer_length: usize,
) -> Result<Vec<BlockingStream>, Failure> {
    let mut answer = vec![0; answer_length];
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut stream = BlockingStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        stream.read_exact(&mut answer)?;
        connections.push(stream);
    }
    Ok(connections)
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this part of the requests did not exceed.
    pub(crate) fn percentile(&self, part: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}
