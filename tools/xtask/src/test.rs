//! `cargo xtask test`: everything that can be tested here, in one command.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::command;
use crate::cross::{self, Cross};
use crate::package::{OPENSSL, OSSLSIGNCODE};
use crate::toolchain::{CLIPPY, RUSTFMT, provide};
use crate::{check, repository};

/// Test everything: formats, lints, the image, the driver and the tools.
///
/// Installs what is missing, as `cargo xtask build` does, and stops at the
/// first step that fails.
#[derive(Args)]
pub struct Test {}

/// Names, for the tests that load the driver, its release image.
const RELEASE_IMAGE: &str = "PROCMON_SYS";
/// Names, for the tests that load the driver, its debug image.
const DEV_IMAGE: &str = "PROCMON_SYS_DEV";

impl Test {
    /// Carries the verb out.
    pub fn execute(self) -> Result<()> {
        let Self {} = self;
        let mut steps = Steps::default();
        let outcome = run_all(&mut steps);
        let failed = usize::from(outcome.is_err());
        println!("{} passed, {failed} failed", steps.passed);
        outcome
    }
}

fn run_all(steps: &mut Steps) -> Result<()> {
    let cross = steps.run("find or install the tools", || {
        provide(&[&RUSTFMT, &CLIPPY, &OPENSSL, &OSSLSIGNCODE])?;
        Cross::new(Arch::X64)
    })?;
    let before = driver_files();

    steps.run("format", || format(&packages()))?;
    let release = steps.run("build the release image", || {
        build::driver(&cross, Profile::Release)
    })?;
    let dev = steps.run("build the debug image", || {
        build::driver(&cross, Profile::Dev)
    })?;
    steps.run("check the image and the WDK bindings", || {
        check::driver(&cross)
    })?;
    steps.run("lint the driver", || lint_for_windows(&cross))?;
    steps.run("lint the tools", lint_tools)?;
    steps.run("unit and integration tests", || test_tools(&release, &dev))?;
    steps.run("the driver's manifest and lock file are unchanged", || {
        if before != driver_files() {
            bail!("Cargo.toml or Cargo.lock was changed by a build for another host");
        }
        Ok(())
    })
}

/// Counts and times what is done.
#[derive(Default)]
struct Steps {
    passed: usize,
}

impl Steps {
    fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("--- {name}");
        let start = Instant::now();
        let outcome = step();
        let seconds = start.elapsed().as_secs_f64();
        match &outcome {
            Ok(_) => {
                self.passed += 1;
                println!("ok    {name} ({seconds:.1} s)");
            }
            Err(_) => println!("FAIL  {name} ({seconds:.1} s)"),
        }
        outcome
    }
}

/// The packages and workspaces of this repository.
fn packages() -> [PathBuf; 3] {
    [
        repository::root().to_owned(),
        repository::tools(),
        repository::abi_check(),
    ]
}

fn format(packages: &[PathBuf]) -> Result<()> {
    for package in packages {
        command::run(
            "the format check (cargo fmt mends it)",
            cross::host_cargo()
                .args(["fmt", "--all", "--check", "--manifest-path"])
                .arg(package.join("Cargo.toml")),
        )?;
    }
    Ok(())
}

fn lint_for_windows(cross: &Cross) -> Result<()> {
    let deny = ["--", "--deny", "warnings"];
    command::run("clippy", cross.clippy()?.args(deny))?;
    command::run(
        "clippy",
        cross.clippy_for(&repository::abi_check())?.args(deny),
    )
}

fn lint_tools() -> Result<()> {
    command::run(
        "clippy",
        cross::host_cargo()
            .args(["clippy", "--workspace", "--all-targets", "--manifest-path"])
            .arg(repository::tools().join("Cargo.toml"))
            .args(["--", "--deny", "warnings"]),
    )
}

fn test_tools(release: &Path, dev: &Path) -> Result<()> {
    command::run(
        "cargo test",
        cross::host_cargo()
            .args(["test", "--workspace", "--manifest-path"])
            .arg(repository::tools().join("Cargo.toml"))
            .env(RELEASE_IMAGE, release)
            .env(DEV_IMAGE, dev),
    )
}

/// What a Windows user builds from, and no build of this command may touch.
fn driver_files() -> Vec<Option<Vec<u8>>> {
    ["Cargo.toml", "Cargo.lock"]
        .iter()
        .map(|name| fs::read(repository::root().join(name)).ok())
        .collect()
}
