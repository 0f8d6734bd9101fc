//! How long builds and tests take.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{command, cross, repository, reproduce};

/// What was done, and the seconds that it took, in a copy of the sources where
/// nothing is built.
///
/// # Errors
///
/// When a build or a test fails.
pub fn builds() -> Result<Vec<(&'static str, f64)>> {
    let folder = tempfile::Builder::new()
        .prefix("procmon-")
        .tempdir()
        .context("cannot create a folder for the builds")?;
    let folder = folder.path();
    reproduce::copy_sources(&repository::root(), folder)?;
    let cold = seconds(folder, "build")?;
    let warm = seconds(folder, "build")?;
    touch(&folder.join("src/lib.rs"))?;
    Ok(vec![
        ("cargo xtask build, cold", cold),
        ("cargo xtask build, warm", warm),
        (
            "cargo xtask build, after a change of the driver",
            seconds(folder, "build")?,
        ),
        ("cargo xtask test, the first time", seconds(folder, "test")?),
        ("cargo xtask test, again", seconds(folder, "test")?),
    ])
}

/// Runs `cargo xtask VERB` in another copy of the repository.
fn seconds(folder: &Path, verb: &str) -> Result<f64> {
    let start = Instant::now();
    command::run(
        &format!("cargo xtask {verb} in {}", folder.display()),
        cross::host_cargo()
            .args(["xtask", verb])
            .current_dir(folder)
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    Ok(start.elapsed().as_secs_f64())
}

fn touch(file: &Path) -> Result<()> {
    let failed = || format!("cannot change {}", file.display());
    let mut source = OpenOptions::new()
        .append(true)
        .open(file)
        .with_context(failed)?;
    source.write_all(b"\n// Changed.\n").with_context(failed)
}
