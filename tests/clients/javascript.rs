//! JavaScript: one tree of packages, in which each row has a name of its own.

use std::path::Path;
use std::process::Command;

use crate::row::{Ecosystem, ROW, Row, sources};

pub const JAVASCRIPT: Ecosystem = Ecosystem {
    folder: "javascript",
    title: "JavaScript",
    rows: ROWS,
    command,
};

/// The SDK's v2.
const V2: Row = Row {
    driver: "v2.cjs",
    web_identity: "2.517.0",
    ..ROW
};

/// The SDK's v3: a row's version is the client's of STS.
const V3: Row = Row {
    driver: "v3.cjs",
    web_identity: "3.15.0",
    ..ROW
};

const ROWS: &[Row] = &[
    Row {
        name: "aws-sdk-js-2.4.7",
        doors: "RIC",
        imds_v1: true,
        ..V2
    },
    Row {
        name: "aws-sdk-js-2.63.0",
        doors: "FRIC",
        imds_v1: true,
        ..V2
    },
    Row {
        name: "aws-sdk-js-2.516.0",
        doors: "FRIC",
        imds_v1: true,
        ..V2
    },
    Row {
        name: "aws-sdk-js-2.1693.0",
        doors: "FTRLIEPC",
        ..V2
    },
    Row {
        name: "aws-sdk-js-3.0.0",
        doors: "FRIPC",
        ..V3
    },
    Row {
        name: "aws-sdk-js-3.14.0",
        doors: "FRIPC",
        ..V3
    },
    Row {
        name: "aws-sdk-js-3.26.0",
        doors: "FRIEPC",
        ..V3
    },
    Row {
        name: "aws-sdk-js-3.458.0",
        doors: "FRIEPC",
        ..V3
    },
    Row {
        name: "aws-sdk-js-3.511.0",
        doors: "FTRLIEPC",
        ..V3
    },
    Row {
        name: "aws-sdk-js-3.1169.0",
        doors: "FTRLIEPC",
        ..V3
    },
];

fn command(row: &Row, _home: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(sources("javascript").join(row.driver));
    command
}
