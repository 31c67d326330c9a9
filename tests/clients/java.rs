//! Java: one Maven project with a profile per row, and per SDK one class that is compiled against the row's jars.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::row::{Ecosystem, ROW, Row};

pub const JAVA: Ecosystem = Ecosystem {
    folder: "java",
    title: "Java",
    rows: ROWS,
    command,
};

/// A virtual machine that starts on a loaded machine wants longer than the others.
const SESSION: Duration = Duration::from_secs(30);

/// The SDK's 1.x.
const V1: Row = Row {
    driver: "V1",
    // It looks at the file five minutes after it did so last.
    asks_at_intervals: "C",
    session: SESSION,
    web_identity: "1.11.617",
    ..ROW
};

/// The SDK's 2.x.
const V2: Row = Row {
    driver: "V2",
    session: SESSION,
    web_identity: "2.10.11",
    ..ROW
};

/// What is late for the SDK's 1.12 asks instance metadata once in 50 to 70 s, and signs with what it has meanwhile.
const SEES_TWO_ANSWERS: Duration = Duration::from_secs(150);

// Where there is no P: it takes 1024 bytes from a process, and a session token alone can have as many.
const ROWS: &[Row] = &[
    Row {
        name: "aws-sdk-java-1.11.500",
        doors: "FRIC",
        imds_v1: true,
        ..V1
    },
    Row {
        name: "aws-sdk-java-1.12.797",
        doors: "FTRLIEPC",
        session: SEES_TWO_ANSWERS,
        ..V1
    },
    Row {
        name: "aws-sdk-java-v2-2.10.8",
        doors: "FRIEC",
        imds_v1: true,
        ..V2
    },
    Row {
        name: "aws-sdk-java-v2-2.21.29",
        doors: "FTRLIEPC",
        ..V2
    },
    Row {
        name: "aws-sdk-java-v2-2.57.8",
        doors: "FTRLIEPC",
        ..V2
    },
    // By the SDK's 1.12.367, of which it takes the container's and the instance's credentials only.
    Row {
        name: "hadoop-aws-3.3.6",
        driver: "S3A",
        doors: "FRIE",
        session: SEES_TWO_ANSWERS,
        ..ROW
    },
];

fn command(row: &Row, home: &Path) -> Command {
    let mut command = Command::new("java");
    let (classes, jars) = (home.join("classes"), home.join("lib/*"));
    command
        // They live for seconds, and many at once.
        .args([
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
        ])
        .arg("-cp")
        .arg(format!("{}:{}", classes.display(), jars.display()))
        .arg(row.driver);
    command
}
