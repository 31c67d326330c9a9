//! Arguments in, exit code out.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use irsa_sidecar::commands::{
    Environment, Failure, Output, credential_process, doctor, get_token, inspect_token, install,
    kubeconfig, link_local, say, shutdown, wait,
};
use irsa_sidecar::config::{self, Command, Config, Flags};
use irsa_sidecar::{app, telemetry};

/// From sysexits(3).
const BAD_USAGE: u8 = 64;
const BAD_CONFIGURATION: u8 = 78;
const FAILED: u8 = 1;

/// A file that is being written is written to its end, or it would leave a draft; and a disk or a name resolution that
/// hangs keeps the process no longer than this.
const LAST_WORK: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    match config::parse(std::env::args_os()) {
        Ok(Command::Serve(flags)) => serve(flags),
        Ok(Command::GetToken(asked)) => run(get_token::run(asked, environment())),
        Ok(Command::InspectToken(asked)) => run(inspect_token::run(asked, environment())),
        Ok(Command::Kubeconfig(asked)) => run(kubeconfig::run(asked, environment())),
        Ok(Command::CredentialProcess(asked)) => run(credential_process::run(asked, environment())),
        Ok(Command::Doctor(asked)) => run(doctor::run(*asked, environment())),
        Ok(Command::LinkLocal(wanted)) => run(link_local::run(wanted)),
        Ok(Command::Wait(asked)) => run(wait::run(asked, environment())),
        Ok(Command::Shutdown(asked)) => run(shutdown::run(asked, environment())),
        Ok(Command::Install(directory)) => run(install::run(directory)),
        Err(usage) if usage.asked_for => {
            // A reader that closed the pipe has seen enough.
            let _ = std::io::stdout().write_all(usage.text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(usage) => {
            say(&usage.text);
            if usage.of_serve {
                last_words(&usage.text);
            }
            ExitCode::from(BAD_USAGE)
        }
    }
}

fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// A subcommand that ends by itself.
fn run(command: impl Future<Output = Result<Output, Failure>>) -> ExitCode {
    // The termination message is the app's, in whose container a plugin runs.
    exit_on_panic(|_| ());
    let outcome = in_runtime(command).unwrap_or_else(|error| Err(Failure::Failed(error)));
    match outcome {
        Ok(output) => {
            for words in &output.words {
                say(&format!("{words}\n"));
            }
            let mut stdout = std::io::stdout();
            let written = stdout
                .write_all(&output.product)
                .and_then(|()| stdout.flush());
            match written {
                Ok(()) if output.success => ExitCode::SUCCESS,
                Ok(()) => ExitCode::from(FAILED),
                Err(error) => {
                    say(&format!(
                        "irsa-sidecar: stdout cannot be written: {error}\n"
                    ));
                    ExitCode::from(FAILED)
                }
            }
        }
        Err(failure) => {
            say(&format!("irsa-sidecar: {failure}\n"));
            ExitCode::from(match failure {
                Failure::Usage(_) => BAD_USAGE,
                Failure::Configuration(_) => BAD_CONFIGURATION,
                Failure::Failed(_) => FAILED,
            })
        }
    }
}

/// The error is that of making the runtime.
fn in_runtime<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot be started: {error}"))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WORK);
    Ok(outcome)
}

fn serve(flags: Flags) -> ExitCode {
    let config: Config = match config::load(flags, std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            say(&format!("irsa-sidecar: {errors}\n"));
            last_words(&errors.to_string());
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    telemetry::init(config.log);
    exit_on_panic(last_words);
    let outcome = in_runtime(app::serve(config))
        .and_then(|outcome| outcome.map_err(|error| error.to_string()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            tracing::error!("{reason}");
            last_words(&reason);
            ExitCode::from(FAILED)
        }
    }
}

/// A panic that aborts ends PID 1 oddly (signals to PID 1 are ignored, and what follows looks like a crash of the
/// kernel's making), and a panic that unwinds would leave a door without a refresh behind it.
fn exit_on_panic(last_words: fn(&str)) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map_or("an unknown place".to_owned(), ToString::to_string);
        let reason = format!("bug: panicked at {place}; please report it");
        say(&format!("irsa-sidecar: {reason}\n"));
        last_words(&reason);
        std::process::exit(i32::from(FAILED));
    }));
}

/// Kubernetes shows this in the container's status. The file is there or it is not: outside a pod none is made.
fn last_words(reason: &str) {
    let log = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open("/dev/termination-log");
    if let Ok(mut log) = log {
        let _ = log.write_all(reason.as_bytes());
    }
}
