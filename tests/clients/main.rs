//! The matrix: real SDKs, current and genuinely old, each by each door that it knows. What came out stands in
//! `docs/clients.md`, which these tests hold to the run; `tests/README.md` says how to add a row.

#![allow(
    unreachable_pub,
    reason = "one binary: `pub` is for the module next door"
)]

mod door;
mod driver;
mod go;
mod guide;
mod java;
mod javascript;
mod mask;
mod matrix;
mod outcome;
mod python;
mod row;
mod rust;
mod scenarios;
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the end-to-end tests, which use all of it"
)]
#[path = "../e2e/sidecar.rs"]
mod sidecar;
mod surroundings;
mod table;

use row::Ecosystem;

/// Everything that is run; the table has this order.
const ECOSYSTEMS: &[&Ecosystem] = &[
    &python::PYTHON,
    &javascript::JAVASCRIPT,
    &go::GO,
    &java::JAVA,
    &rust::RUST,
];

/// One old and one current client of each, in every run of the tests.
const IN_EVERY_RUN: &[&str] = &[
    "boto3-1.9.199",
    "boto3-1.43.67",
    "aws-sdk-js-2.516.0",
    "aws-sdk-js-3.1169.0",
];

#[test]
fn an_old_and_a_current_client_get_what_the_table_says() {
    matrix::run(
        "an_old_and_a_current_client_get_what_the_table_says",
        |row| IN_EVERY_RUN.contains(&row.name),
    );
}

#[test]
#[ignore = "minutes, and every ecosystem's tools: `make clients-test`"]
fn every_client_gets_what_the_table_says() {
    let wanted = row::chosen();
    matrix::run("every_client_gets_what_the_table_says", |row| {
        wanted
            .iter()
            .any(|prefix| row.name.starts_with(prefix.as_str()))
    });
}
