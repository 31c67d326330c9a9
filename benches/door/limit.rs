//! The limit: hyper as it comes, answering the sidecar's very bytes without a look at the request. This program again,
//! under a hidden argument, so that it is a process on a core of its own.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use benches::process::Process;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Failure;
use crate::cores::Cores;
use crate::load::RawAnswer;

/// The hidden argument.
pub(crate) const ARGUMENT: &str = "--limit";

/// The running limit.
pub(crate) struct Limit {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Limit {
    /// Starts it with this answer.
    pub(crate) fn start(cores: &Cores, answer: &RawAnswer) -> Result<Self, Failure> {
        let mut child = cores
            .server(&std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().expect("it was asked for");
        stdin.write_all(&answer.bytes)?;
        drop(stdin);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut line)?;
        let process = Process(child);
        let address = line.trim().parse()?;
        Ok(Self { process, address })
    }
}

/// Reads the answer from stdin, prints its address, and serves until it is killed.
pub(crate) fn serve() -> Result<(), Failure> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let (headers, body) = parse(&RawAnswer { bytes })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (headers, body) = (headers.clone(), body.clone());
            let service = service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(body.clone()));
                response.headers_mut().clone_from(&headers);
                std::future::ready(Ok::<_, Infallible>(response))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

/// Headers and body as a service gives them to hyper, which adds length and date by itself.
fn parse(answer: &RawAnswer) -> Result<(HeaderMap, Bytes), Failure> {
    let (head, body) = answer.split()?;
    let mut headers = HeaderMap::new();
    for line in head.lines().skip(1) {
        let (name, value) = line.split_once(": ").ok_or("a header without a value")?;
        if !["content-length", "date"].contains(&name) {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    Ok((headers, Bytes::copy_from_slice(body)))
}
