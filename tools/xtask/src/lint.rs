//! `cargo xtask lint`: clippy and rustdoc, with warnings denied.

use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::arch::Arch;
use crate::cross::{self, Cross};
use crate::emulated::Emulated;
use crate::exit::Finding;
use crate::toolchain::{CLIPPY, provide};
use crate::{command, repository};

const DENY_WARNINGS: [&str; 3] = ["--", "--deny", "warnings"];

/// Check the Rust sources of every package with clippy and rustdoc
#[derive(Args)]
pub struct Lint {}

impl Lint {
    pub fn execute(self) -> Result<()> {
        let Self {} = self;
        provide(&[&CLIPPY])?;
        windows_packages(&Cross::new(Arch::X64)?)?;
        driver(&Cross::new(Arch::Arm64)?)?;
        tools()
    }
}

/// The driver, and what else is compiled for Windows.
pub fn windows_packages(cross: &Cross) -> Result<()> {
    driver(cross)?;
    for package in repository::windows_packages() {
        clippy(cross.clippy_for(&package)?)?;
    }
    Ok(())
}

/// The driver.
pub fn driver(cross: &Cross) -> Result<()> {
    clippy(cross.clippy()?)?;
    rustdoc(&mut cross.doc())
}

/// The tools, for this machine.
pub fn tools() -> Result<()> {
    let mut cargo = cross::host_cargo();
    cargo
        .args(["clippy", "--workspace", "--all-targets", "--manifest-path"])
        .arg(repository::tools().join("Cargo.toml"));
    clippy(cargo)?;
    let mut cargo = cross::host_cargo();
    cargo
        .args(["doc", "--workspace", "--no-deps", "--manifest-path"])
        .arg(repository::tools().join("Cargo.toml"))
        .env("RUSTDOCFLAGS", "--deny=warnings");
    rustdoc(&mut cargo)
}

/// The embedded kernel, for ARM64.
pub fn emulated(emulated: &Emulated) -> Result<()> {
    let mut cargo = emulated.clippy()?;
    cargo.args([
        "--package",
        "ntsim-cli",
        "--package",
        "ntsim",
        "--all-targets",
    ]);
    clippy(cargo)
}

fn rustdoc(cargo: &mut Command) -> Result<()> {
    command::run("rustdoc", cargo).with_context(|| Finding("rustdoc found something".into()))
}

fn clippy(mut cargo: Command) -> Result<()> {
    command::run("clippy", cargo.args(DENY_WARNINGS))
        .with_context(|| Finding("clippy found something".into()))
}
