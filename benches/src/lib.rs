//! What the benchmarks share: a sidecar in a world of its own, and how results are said.

pub mod aim;
pub mod process;
pub mod world;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Anything that ends a benchmark without a result.
pub type Failure = Box<dyn Error>;

/// The middle one.
pub fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = of.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The path that the command line gives under this name.
pub fn path_argument(arguments: &[String], name: &str) -> Result<PathBuf, Failure> {
    let at = arguments.iter().position(|argument| argument == name);
    let path = at.and_then(|at| arguments.get(at + 1)).map(PathBuf::from);
    Ok(path.ok_or_else(|| format!("{name} PATH is missing; `make bench` gives it"))?)
}

/// Writes the results, and says where.
pub fn write_json(path: &Path, results: &Value) -> Result<(), Failure> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, format!("{results:#}\n"))?;
    println!("written to {}", path.display());
    Ok(())
}
