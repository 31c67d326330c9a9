//! `docs/legacy-apps.md` against the rows: the first version that it names for a door is not newer than a row that knows
//! it, nor as old as one that does not.

use std::path::Path;

use crate::ECOSYSTEMS;
use crate::door::Door;

/// A line of the guide, and the rows that it is about: the name, and what their version begins with.
const LINES: &[(&str, &str, &str)] = &[
    ("boto3, botocore", "botocore", ""),
    ("AWS CLI v1", "awscli", "1."),
    ("boto 2", "boto", "2."),
    ("Go v1", "aws-sdk-go", "1."),
    ("Go v2", "aws-sdk-go-v2", ""),
    ("JavaScript v2", "aws-sdk-js", "2."),
    ("JavaScript v3", "aws-sdk-js", "3."),
    ("Java v1", "aws-sdk-java", "1."),
    ("Java v2", "aws-sdk-java-v2", ""),
    ("Rust (aws-config)", "aws-config", ""),
    ("rusoto", "rusoto_credential", ""),
    ("minio-go", "minio-go-v6", ""),
    ("minio-go", "minio-go-v7", ""),
    ("minio-py", "minio", ""),
    ("object_store", "object_store", ""),
    ("s3cmd", "s3cmd", ""),
];

/// The columns, in their order.
const COLUMNS: [Door; 3] = [Door::FullUri, Door::TokenFile, Door::RelativeUri];

#[test]
fn the_guide_names_first_versions_that_agree_with_the_rows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/legacy-apps.md");
    let guide = std::fs::read_to_string(path).expect("the guide");
    for &(title, client, version) in LINES {
        let begin = format!("| {title} | ");
        let line = guide.lines().find_map(|line| line.strip_prefix(&begin));
        let line = line.unwrap_or_else(|| panic!("no line {title:?} in the guide"));
        let rows: Vec<_> = ECOSYSTEMS
            .iter()
            .flat_map(|ecosystem| ecosystem.rows)
            .filter(|row| row.client() == client && row.version().starts_with(version))
            .collect();
        assert!(!rows.is_empty(), "no row is about {title:?}");
        for row in rows {
            for (cell, door) in line.split(" | ").zip(COLUMNS) {
                let knows = row.doors.contains(door.letter());
                let said = is_known(cell, row.version());
                assert_eq!(
                    knows, said,
                    "{} by {door:?}: the guide says {cell:?}",
                    row.name
                );
            }
        }
    }
}

/// By a cell such as `all`, `never`, `1.8.13`, `config 1.25.0`, or words about another condition.
fn is_known(cell: &str, version: &str) -> bool {
    match cell.rsplit(' ').next().map(numbers) {
        _ if cell == "all" => true,
        Some(Some(first)) => numbers(version).is_some_and(|version| version >= first),
        _ => false,
    }
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}
