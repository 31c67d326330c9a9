//! `emulator serve`: the emulator as a program, with a token volume that it rotates by itself. `emulator demo`: the same
//! with a sidecar, for people to look at.

mod cli;
mod demo;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use emulator::{ApiRequest, Call, Emulator, ROLE_ARN, TokenRequest, Volume};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::cli::{Command, Options};
use crate::demo::End;

/// `EX_USAGE` of sysexits.
const BAD_USAGE: u8 = 64;

fn main() -> ExitCode {
    match cli::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", cli::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Serve(options)) => match serve(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error.to_string()),
        },
        Ok(Command::Demo(options)) => match demo::run(&options) {
            Ok(End::Done) => ExitCode::SUCCESS,
            Ok(End::Failed { reason, log }) => {
                failure(&format!("{reason}\nThe sidecar's log:\n{log}"))
            }
            Err(error) => failure(&error.to_string()),
        },
        Err(reason) => {
            eprintln!("emulator: {reason}\nTry `emulator --help`.");
            ExitCode::from(BAD_USAGE)
        }
    }
}

fn failure(reason: &str) -> ExitCode {
    eprintln!("emulator: {reason}");
    ExitCode::FAILURE
}

fn serve(options: &Options) -> io::Result<()> {
    let emulator = Emulator::start_at(options.listen)?;
    emulator
        .sts()
        .set_session_lifetime(options.session_lifetime);
    fs::create_dir_all(&options.token_dir)?;
    // Absolute, since whoever reads the line may stand elsewhere.
    let dir = options.token_dir.canonicalize()?;
    let request = TokenRequest {
        lifetime: options.token_lifetime,
        ..TokenRequest::default()
    };
    let volume = Volume::create(&dir, &emulator.issuer().token(&request))?;
    let ca_file = write_ca(options, &dir, emulator.ca_pem())?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before the line is printed: whoever reads it may already call, or send a signal.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut calls = emulator.sts().subscribe();
        let mut requests = emulator.cluster().subscribe();
        announce(&emulator, &volume.token_path(), &ca_file)?;

        let started = Instant::now();
        let log = |event: &str| eprintln!("{:9.3} {event}", started.elapsed().as_secs_f64());
        let mut rotation = tokio::time::interval(options.rotate_every);
        // The first tick is now, and the first token is written.
        rotation.tick().await;
        loop {
            tokio::select! {
                // Calls first: what came before the end is logged before the end.
                biased;
                Some(call) = calls.recv() => log(&describe(&call)),
                Some(request) = requests.recv() => log(&describe_request(&request)),
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = rotation.tick() => {
                    volume.rotate(&emulator.issuer().token(&request))?;
                    log("kubelet: rotated the token");
                }
            }
        }
    })
}

fn write_ca(options: &Options, token_dir: &Path, ca_pem: &str) -> io::Result<PathBuf> {
    let beside = || token_dir.parent().unwrap_or(token_dir).join("ca.pem");
    let path = options.ca_file.clone().unwrap_or_else(beside);
    fs::write(&path, ca_pem)?;
    path.canonicalize()
}

/// The one line on stdout: where everything is.
fn announce(emulator: &Emulator, token_file: &Path, ca_file: &Path) -> io::Result<()> {
    let line = json!({
        "url": emulator.url(),
        "tls_url": emulator.tls_url(),
        "control_url": emulator.control_url(),
        "cluster_url": emulator.cluster().url(),
        "token_file": token_file,
        "ca_file": ca_file,
        "role_arn": ROLE_ARN,
        "issuer": emulator.issuer().iss(),
    });
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn describe(call: &Call) -> String {
    let action = if call.action.is_empty() {
        "a request without action"
    } else {
        &call.action
    };
    let mut line = format!("sts: {action}: {}", call.result);
    if let Some(session_name) = &call.session_name {
        line.push_str(&format!(", session {session_name}"));
    }
    if let Some(subject) = &call.subject {
        line.push_str(&format!(", subject {subject}"));
    }
    line
}

fn describe_request(request: &ApiRequest) -> String {
    let ApiRequest {
        method,
        path,
        status,
        username,
        ..
    } = request;
    let who = username.as_deref().unwrap_or("nobody");
    format!("kubernetes: {method} {path}: {status}, {who}")
}
