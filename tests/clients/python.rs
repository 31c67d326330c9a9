//! Python: one interpreter, a folder of packages per row.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::row::{Ecosystem, ROW, Row, sources};

pub const PYTHON: Ecosystem = Ecosystem {
    folder: "python",
    title: "Python",
    rows: ROWS,
    command,
};

const ROWS: &[Row] = &[
    Row {
        name: "boto-2.49.0",
        driver: "boto2.py",
        doors: "I",
        imds_v1: true,
        ..ROW
    },
    Row {
        name: "botocore-1.5.27",
        doors: "FRIC",
        imds_v1: true,
        ..BOTOCORE
    },
    Row {
        name: "boto3-1.9.199",
        doors: "FRIPC",
        imds_v1: true,
        web_identity: "1.9.200",
        ..BOTOCORE
    },
    Row {
        name: "botocore-1.15.49",
        doors: "FRIPC",
        ..BOTOCORE
    },
    Row {
        name: "botocore-1.25.0",
        doors: "FRIEPC",
        extends_expiry: "IE",
        ..BOTOCORE
    },
    Row {
        name: "botocore-1.31.85",
        doors: "FRIEPC",
        extends_expiry: "IE",
        ..BOTOCORE
    },
    Row {
        name: "boto3-1.43.67",
        doors: "FTRLIEPC",
        extends_expiry: "IE",
        web_identity: "1.9.200",
        ..BOTOCORE
    },
    Row {
        name: "awscli-1.46.3",
        driver: "command.py",
        doors: "FTRLIEPC",
        web_identity: "1.16.210",
        ..ROW
    },
    Row {
        name: "awscrt-0.20.3",
        doors: "FRIPC",
        ..AWSCRT
    },
    Row {
        name: "awscrt-0.38.1",
        doors: "FTRLIEPC",
        ..AWSCRT
    },
    Row {
        name: "pyarrow-10.0.1",
        doors: "FRIPC",
        ..PYARROW
    },
    Row {
        name: "pyarrow-26.0.1",
        doors: "FTRLIEPC",
        ..PYARROW
    },
    Row {
        name: "minio-7.0.4",
        doors: "FRI",
        imds_v1: true,
        ..MINIO
    },
    Row {
        name: "minio-7.2.20",
        doors: "FTRI",
        ..MINIO
    },
    Row {
        name: "obstore-0.12.1",
        driver: "obstore_s3.py",
        doors: "TRLI",
        web_identity: "all",
        ..ROW
    },
    Row {
        name: "opendal-0.47.12",
        driver: "opendal_s3.py",
        // What expires within seconds, it does not take.
        session: Duration::from_secs(40),
        doors: "FTRLIEC",
        web_identity: "all",
        ..ROW
    },
    Row {
        name: "s3cmd-2.1.0",
        imds_v1: true,
        ..S3CMD
    },
    Row {
        name: "s3cmd-2.4.0",
        ..S3CMD
    },
];

const BOTOCORE: Row = Row {
    driver: "aws.py",
    web_identity: "1.12.200",
    ..ROW
};
const AWSCRT: Row = Row {
    driver: "awscrt_sts.py",
    // What expires within ten seconds, it keeps for fifteen minutes.
    session: Duration::from_secs(40),
    web_identity: "all",
    ..ROW
};
const PYARROW: Row = Row {
    driver: "pyarrow_s3.py",
    // Every five minutes.
    asks_at_intervals: "IEC",
    web_identity: "C++ 1.7.174",
    ..ROW
};
const MINIO: Row = Row {
    driver: "minio_buckets.py",
    web_identity: "7.0",
    ..ROW
};
const S3CMD: Row = Row {
    driver: "command.py",
    doors: "I",
    web_identity: "2.2.0",
    ..ROW
};

fn command(row: &Row, home: &Path) -> Command {
    let interpreter = home.with_file_name("interpreter").join("bin/python");
    let mut command = Command::new(interpreter);
    command
        .arg("-s")
        .arg(sources("python").join(row.driver))
        .env("PYTHONPATH", home)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
