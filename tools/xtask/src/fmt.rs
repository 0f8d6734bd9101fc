//! `cargo xtask fmt`: formats the sources.

use anyhow::{Context as _, Result};
use clap::Args;

use crate::exit::Finding;
use crate::toolchain::{RUSTFMT, provide};
use crate::{command, cross, repository};

/// Format the Rust sources of every package
#[derive(Args)]
pub struct Fmt {
    /// Change nothing, and fail where a file is not formatted
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub fn execute(self) -> Result<()> {
        provide(&[&RUSTFMT])?;
        if self.check {
            return check();
        }
        format(&[])
    }
}

/// Fails where a file is not formatted.
pub fn check() -> Result<()> {
    format(&["--check"])
        .with_context(|| Finding("sources are not formatted; type: cargo xtask fmt".into()))
}

fn format(options: &[&str]) -> Result<()> {
    for manifest in repository::manifests() {
        command::run(
            "cargo fmt",
            cross::host_cargo()
                .args(["fmt", "--all"])
                .args(options)
                .arg("--manifest-path")
                .arg(manifest),
        )?;
    }
    Ok(())
}
