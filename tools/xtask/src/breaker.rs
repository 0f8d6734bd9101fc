//! The driver that breaks the kernel's rules, which the tests of the embedded
//! kernel load.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::place;
use crate::cross::Cross;
use crate::{command, repository};

/// Builds it and gives its image's path; the symbols lie beside it.
pub fn build(cross: &Cross) -> Result<PathBuf> {
    let mut cargo = cross.cargo_for("build", &repository::breaker());
    command::run(
        "build the driver that breaks rules",
        cargo.args(["--release", "--quiet"]),
    )?;
    let arch = cross.arch();
    let built = repository::cross_target()
        .join(arch.target())
        .join("release");
    let folder = format!("target/driver/{}-breaker", arch.folder());
    place(&built, "breaker", &repository::root().join(folder))
}
