//! Go: one program per row, built from one source per SDK.

use std::path::Path;
use std::process::Command;

use crate::row::{Ecosystem, ROW, Row};

pub const GO: Ecosystem = Ecosystem {
    folder: "go",
    title: "Go",
    rows: ROWS,
    command,
};

const V1: Row = Row {
    driver: "aws-sdk-go",
    web_identity: "1.21.0",
    ..ROW
};

/// A row's version is that of the module `config`.
const V2: Row = Row {
    driver: "aws-sdk-go-v2",
    web_identity: "all",
    ..ROW
};

const ROWS: &[Row] = &[
    Row {
        name: "aws-sdk-go-1.4.10",
        doors: "RIC",
        imds_v1: true,
        ..V1
    },
    Row {
        name: "aws-sdk-go-1.8.13",
        doors: "FRIC",
        imds_v1: true,
        ..V1
    },
    Row {
        name: "aws-sdk-go-1.20.21",
        // Before 1.25.42 it takes 1,024 bytes from a credential_process, which a session token alone fills.
        doors: "FRIC",
        imds_v1: true,
        ..V1
    },
    Row {
        name: "aws-sdk-go-1.55.6",
        doors: "FTRLIEPC",
        ..V1
    },
    Row {
        name: "aws-sdk-go-v2-1.17.10",
        doors: "FRIEPC",
        ..V2
    },
    Row {
        name: "aws-sdk-go-v2-1.32.37",
        doors: "FTRLIEPC",
        ..V2
    },
    Row {
        name: "minio-go-v6-6.0.44",
        driver: "minio-go-v6",
        doors: "FRIC",
        web_identity: "6.0.45",
        imds_v1: true,
        ..ROW
    },
    Row {
        name: "minio-go-v7-7.4.1",
        driver: "minio-go-v7",
        doors: "FTRLIPC",
        web_identity: "all",
        ..ROW
    },
];

fn command(row: &Row, home: &Path) -> Command {
    Command::new(home.join(row.driver))
}
