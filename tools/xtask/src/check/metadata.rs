//! The WDK bindings against Microsoft's metadata: `tools/abi-check`, which
//! compiles only where they agree.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::cross::Cross;
use crate::repository;

/// What is reported of each comparison that is made to fail.
const DIFFERENCES: &[&str] = &[
    "the offset of Swapped.UniqueProcess differs",
    "the size of Longer differs",
    "the value of wdk_sys::TRUE differs",
    "the signature of ZwClose differs",
    "the signature of wdk_sys::PDRIVER_UNLOAD differs",
];

/// Compares the bindings that the driver uses with the metadata.
pub fn agrees(cross: &Cross) -> Result<()> {
    command::run(
        "comparing the WDK bindings with Microsoft's metadata",
        &mut compile(cross),
    )
}

/// Sees to it that a difference is an error, whatever its kind.
pub fn notices_differences(cross: &Cross) -> Result<()> {
    let output = compile(cross)
        .args(["--features", "differences"])
        .output()
        .context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        bail!("abi-check compiled in spite of differences");
    }
    match DIFFERENCES
        .iter()
        .find(|difference| !messages.contains(*difference))
    {
        Some(missed) => bail!("abi-check did not report {missed:?}, but:\n{messages}"),
        None => Ok(()),
    }
}

fn compile(cross: &Cross) -> Command {
    cross.cargo_for("check", &repository::abi_check())
}
