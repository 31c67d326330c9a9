//! Rust: a Cargo workspace of its own, with a driver for each row.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::row::{Ecosystem, ROW, Row};

pub const RUST: Ecosystem = Ecosystem {
    folder: "rust",
    title: "Rust",
    rows: ROWS,
    command,
};

const ROWS: &[Row] = &[
    // Of a session token in a file it takes what stands before the first `=` in it.
    Row {
        name: "rusoto_credential-0.48.0",
        doors: "FRIP",
        imds_v1: true,
        // It asks again at once, without end, for credentials that have less than 20 s left.
        session: Duration::from_secs(60),
        ..ROW
    },
    Row {
        name: "aws-config-1.13.0",
        doors: "FTRLIEPC",
        web_identity: "all",
        ..ROW
    },
    // Knows a full URI only together with a token file, and the endpoint of IMDS as AWS_METADATA_ENDPOINT.
    Row {
        name: "object_store-0.12.5",
        doors: "TRLIE",
        web_identity: "all",
        ..ROW
    },
    Row {
        name: "aws-creds-0.39.1",
        doors: "RC",
        web_identity: "all",
        ..ROW
    },
];

fn command(_: &Row, home: &Path) -> Command {
    Command::new(home.join("driver"))
}
