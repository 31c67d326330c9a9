//! The app in the pod: asks the sidecar for credentials, and keeps of them only what may be shown.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Credentials without what is secret in them.
pub(super) struct Served {
    pub(super) content_type: String,
    pub(super) key_id_prefix: String,
    pub(super) secret_length: usize,
    pub(super) token_length: usize,
    pub(super) expiration: String,
    pub(super) account_id: String,
    pub(super) role_arn: String,
}

/// `GET /v1/credentials`.
pub(super) fn get_credentials(address: SocketAddr, authorization: &str) -> io::Result<Served> {
    let answer = send(address, "GET", "/v1/credentials", authorization)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or("nothing");
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    if !status.contains(" 200 ") {
        let reason = body["message"].as_str().unwrap_or_default();
        return Err(wrong(format!("{status}: {reason}")));
    }
    let text = |name: &str| {
        let text = body[name].as_str().filter(|text| !text.is_empty());
        text.map(str::to_owned)
            .ok_or_else(|| wrong(format!("a 200 without {name}")))
    };
    let content_type = head
        .lines()
        .find_map(|line| line.strip_prefix("content-type: "));
    Ok(Served {
        content_type: content_type.unwrap_or_default().to_owned(),
        key_id_prefix: text("AccessKeyId")?.chars().take(8).chain(['…']).collect(),
        secret_length: text("SecretAccessKey")?.len(),
        token_length: text("Token")?.len(),
        expiration: text("Expiration")?,
        account_id: text("AccountId")?,
        role_arn: text("RoleArn")?,
    })
}

/// `POST /v1/shutdown`.
pub(super) fn shut_down(address: SocketAddr, authorization: &str) -> io::Result<()> {
    send(address, "POST", "/v1/shutdown", authorization).map(drop)
}

fn send(address: SocketAddr, method: &str, path: &str, authorization: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn wrong(what: impl fmt::Display) -> io::Error {
    io::Error::other(format!("a client asked for credentials and got {what}"))
}
