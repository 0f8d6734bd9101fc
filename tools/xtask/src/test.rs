//! `cargo xtask test`: everything that can be tested here, in one command.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Error, Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::command;
use crate::cross::{self, Cross};
use crate::emulated::Emulated;
use crate::package::{OPENSSL, OSSLSIGNCODE};
use crate::toolchain::{CLIPPY, RUSTFMT, WINE, provide};
use crate::{bench, breaker, check, repository, wine};

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
/// Names, for the tests of the kernel's rules, the driver that breaks them.
const BREAKER_IMAGE: &str = "BREAKER_SYS";

/// The steps that some machines have to do without.
const IN_WINE: &str = "the driver as a service in Wine";
const CODE_PAGES: &str = "the code pages of the embedded kernel against Wine's";
const EMULATED: &str = "unit and integration tests on ARM64, emulated";

impl Test {
    /// Carries the verb out.
    pub fn execute(self) -> Result<()> {
        let Self {} = self;
        let mut steps = Steps::default();
        let outcome = run_all(&mut steps);
        let failed = usize::from(outcome.is_err());
        println!(
            "{} passed, {} skipped, {failed} failed",
            steps.passed, steps.skipped
        );
        outcome
    }
}

fn run_all(steps: &mut Steps) -> Result<()> {
    let cross = steps.run("find or install the tools", || {
        provide(&[&RUSTFMT, &CLIPPY, &OPENSSL, &OSSLSIGNCODE])?;
        Cross::new(Arch::X64)
    })?;
    let before = pinned();

    steps.run("format", || format(&packages()))?;
    let images = Images::build(steps, &cross)?;
    steps.run("check the image and the WDK bindings", || {
        check::driver(&cross)
    })?;
    steps.run("lint the driver", || lint_for_windows(&cross))?;
    steps.run("lint the tools", lint_tools)?;
    steps.run("measure what is the same on every machine", || {
        bench::measure(&images.release, &["--counts".into(), "--check".into()])
    })?;
    steps.run("unit and integration tests", || {
        let tools = repository::tools().join("Cargo.toml");
        let mut cargo = cross::host_cargo();
        cargo.args(["test", "--workspace", "--manifest-path"]);
        test(cargo.arg(tools), &images)
    })?;
    match Emulated::provide() {
        Ok(()) => on_arm64(steps)?,
        Err(error) => steps.skip(EMULATED, &error),
    }
    match WINE.get() {
        Ok(wine) => {
            steps.run(CODE_PAGES, compare_code_pages)?;
            steps.run(IN_WINE, || {
                wine::verify(wine, &cross, &images.release, false).map(drop)
            })?;
        }
        Err(error) => {
            steps.skip(CODE_PAGES, &error);
            steps.skip(IN_WINE, &error);
        }
    }
    steps.run("manifest and lock files are unchanged", || {
        unchanged(&before)
    })
}

/// The same driver for the other processor, and what tests it there.
fn on_arm64(steps: &mut Steps) -> Result<()> {
    let cross = steps.run("find or install the tools for ARM64", || {
        Cross::new(Arch::Arm64)
    })?;
    let images = Images::build(steps, &cross)?;
    steps.run("check the ARM64 image and the WDK bindings", || {
        check::driver(&cross)
    })?;
    let emulated = steps.run("find or install what runs ARM64 programs", Emulated::new)?;
    steps.run("lint the driver and the embedded kernel for ARM64", || {
        let deny = ["--", "--deny", "warnings"];
        command::run("clippy", cross.clippy()?.args(deny))?;
        let mut clippy = emulated.clippy()?;
        clippy.args(["--package", "ntsim", "--all-targets"]);
        command::run("clippy", clippy.args(deny))
    })?;
    steps.run(EMULATED, || {
        test(emulated.cargo("test").args(EMULATED_TESTS), &images)
    })
}

/// The drivers that the tests load.
struct Images {
    release: PathBuf,
    dev: PathBuf,
    breaker: PathBuf,
}

impl Images {
    fn build(steps: &mut Steps, cross: &Cross) -> Result<Self> {
        let arch = cross.arch().folder();
        Ok(Self {
            release: steps.run(&format!("build the {arch} release image"), || {
                build::driver(cross, Profile::Release)
            })?,
            dev: steps.run(&format!("build the {arch} debug image"), || {
                build::driver(cross, Profile::Dev)
            })?,
            breaker: steps.run(
                &format!("build the {arch} driver that breaks rules"),
                || breaker::build(cross),
            )?,
        })
    }
}

/// Counts and times what is done.
#[derive(Default)]
struct Steps {
    passed: usize,
    skipped: usize,
}

impl Steps {
    fn skip(&mut self, name: &str, why: &Error) {
        self.skipped += 1;
        println!("skip  {name}: {why:#}");
    }

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
fn packages() -> [PathBuf; 5] {
    [
        repository::root(),
        repository::tools(),
        repository::abi_check(),
        repository::breaker(),
        repository::wine_fixtures(),
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
    for package in [
        repository::abi_check(),
        repository::breaker(),
        repository::wine_fixtures(),
    ] {
        command::run("clippy", cross.clippy_for(&package)?.args(deny))?;
    }
    Ok(())
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

/// What of the tools depends on the processor, without what watches or starts
/// other programs, which an emulator of one program cannot; and without the test
/// that takes a minute there, since another tells the driver of such processes
/// too.
const EMULATED_TESTS: &[&str] = &[
    "--package=host-tests",
    "--package=ntsim",
    "--lib",
    "--test=driver",
    "--test=grammar",
    "--test=rules",
    "--test=text",
    "--",
    "--skip=source::",
    "--skip=whatever_is_announced_is_read_back",
];

fn test(cargo: &mut Command, images: &Images) -> Result<()> {
    command::run(
        "cargo test",
        cargo
            .env(RELEASE_IMAGE, &images.release)
            .env(DEV_IMAGE, &images.dev)
            .env(BREAKER_IMAGE, &images.breaker),
    )
}

/// The tests that read the tables which Wine installs.
fn compare_code_pages() -> Result<()> {
    let mut cargo = cross::host_cargo();
    cargo.args(["test", "--package=ntsim", "--lib", "--manifest-path"]);
    cargo.arg(repository::tools().join("Cargo.toml"));
    command::run(
        "cargo test",
        cargo.args(["--", "--ignored", "code_page::wine"]),
    )
}

/// What says which sources are compiled. The first two are what a Windows user
/// builds from, and no build for Windows on another host may touch them.
const PINNED: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "tools/abi-check/Cargo.lock",
    "tools/cross/Cargo.lock",
    "tools/ntsim/tests/breaker/Cargo.lock",
    "tools/Cargo.lock",
    "tools/wine-fixtures/Cargo.lock",
];

fn pinned() -> Vec<Option<Vec<u8>>> {
    PINNED
        .iter()
        .map(|name| fs::read(repository::root().join(name)).ok())
        .collect()
}

fn unchanged(before: &[Option<Vec<u8>>]) -> Result<()> {
    let after = pinned();
    let changed = (0..PINNED.len()).find(|&index| before[index] != after[index]);
    match changed {
        Some(index) => bail!(
            "{} was changed by the build; look at it and commit it, or take it back",
            PINNED[index]
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_lock_file_is_named() {
        let mut before = pinned();
        assert!(before.iter().all(Option::is_some), "every file is there");
        unchanged(&before).unwrap();
        before[3] = None;
        let error = unchanged(&before).unwrap_err().to_string();
        assert!(error.starts_with("tools/cross/Cargo.lock "), "{error}");
    }

    #[test]
    fn a_failed_step_is_not_counted_as_passed() {
        let mut steps = Steps::default();
        steps.run("one", || Ok(())).unwrap();
        steps
            .run("two", || -> Result<()> { bail!("two") })
            .unwrap_err();
        assert_eq!(steps.passed, 1);
    }
}
