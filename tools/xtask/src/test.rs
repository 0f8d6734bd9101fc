//! `cargo xtask test`: everything that can be tested here, in one command.

use std::env;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use crate::arch::Arch;
use crate::command::{is_cancelled, side_by_side};
use crate::cross::{self, Cross};
use crate::emulated::Emulated;
use crate::exit::Finding;
use crate::images::Images;
use crate::kit::Kit;
use crate::toolchain::{
    CLANG, CLIPPY, LLVM_DLLTOOL, MINGW_GCC, Need, OPENSSL, OSSLSIGNCODE, PIP, PYTHON, RUSTFMT,
    WINE, provide,
};
use crate::{bench, check, command, fmt, lint, progress, readers, repository, wine};

/// Test everything: formats, lints, the image, the driver and the tools
///
/// Installs what is missing, as `cargo xtask build` does, and stops at the
/// first step that fails. The log of each step is in target/logs.
#[derive(Args)]
pub struct Test {
    /// Run the tools' tests whose names contain one of these, with the drivers
    /// that they load built anew, and nothing else
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    kit: Kit,
}

/// How many steps there are, and how many of them run ARM64 programs.
const STEPS: u64 = 17;
const EMULATED_STEPS: u64 = 3;

/// What needs tools that some machines do without.
const EMULATED: &str = "unit and integration tests on ARM64, emulated";
const IN_WINE: &str = "the driver as a service in Wine";
const BY_READERS: &str = "the driver's events in public readers of event trace logs";

impl Test {
    pub fn execute(self) -> Result<()> {
        self.kit.select()?;
        if !self.filters.is_empty() {
            return narrow(&self.filters);
        }
        if env::var_os("CI").is_some() {
            progress::show_all_output();
        }
        let steps = Steps::of(STEPS);
        let outcome = run_all(&steps);
        steps.print_result();
        outcome
    }
}

fn narrow(filters: &[String]) -> Result<()> {
    let images = Images::build(&Cross::new(Arch::X64)?)?;
    command::run("build the tests", tools_tests().arg("--no-run"))?;
    let mut cargo = tools_tests();
    cargo.arg("--").args(filters);
    let outcome = command::run_to_end("cargo test", images.name_for(&mut cargo));
    outcome.context(Finding("a test failed".into()))
}

fn run_all(steps: &Steps) -> Result<()> {
    let has_emulation = steps.run("find or install the tools", provide_all)?;
    let before = pinned();
    steps.run("format", fmt::check)?;

    let (x64_images, for_host) = mpsc::channel();
    let (arm64_images, for_emulation) = mpsc::channel();
    // What each of these builds lies in a folder of its own, so that none waits
    // for another's lock.
    side_by_side(vec![
        Box::new(|| test_on_windows_target(steps, &x64_images, &arm64_images)),
        Box::new(move || test_on_host(steps, &for_host)),
        Box::new(move || match has_emulation {
            Ok(()) => test_emulated(steps, &for_emulation),
            Err(why) => {
                steps.skip(EMULATED, EMULATED_STEPS, &why);
                Ok(())
            }
        }),
    ])?;
    steps.run("manifest and lock files are unchanged", || {
        unchanged(&before)
    })
}

/// Provides the tools of every step at once, and tells whether ARM64 programs
/// can be run. A machine may lack those tools, and Wine.
fn provide_all() -> Result<Result<()>> {
    let mut needed = cross::needs(Arch::X64);
    needed.extend(cross::needs(Arch::Arm64));
    let more: [&dyn Need; 6] = [
        &RUSTFMT,
        &CLIPPY,
        &OPENSSL,
        &OSSLSIGNCODE,
        &CLANG,
        &LLVM_DLLTOOL,
    ];
    needed.extend(more);
    let mut wanted = needed.clone();
    wanted.extend(Emulated::needs());
    // What only rustup has is left to Wine's step: where rustup does not reach its
    // server, it would keep the rest from being installed together.
    let in_wine: [&dyn Need; 3] = [&WINE, &MINGW_GCC, &PIP];
    wanted.extend(in_wine);
    wanted.push(&PYTHON);
    if provide(&wanted).is_ok() {
        return Ok(Ok(()));
    }
    provide(&needed)?;
    Ok(provide(&Emulated::needs()))
}

/// The images, and what looks at them without running them here.
fn test_on_windows_target(
    steps: &Steps,
    x64_images: &Sender<Images>,
    arm64_images: &Sender<Images>,
) -> Result<()> {
    let x64 = Cross::new(Arch::X64)?;
    let images = steps.run("build the x64 images", || Images::build(&x64))?;
    // Nobody takes them where the other steps have failed already, or are
    // skipped.
    let _ = x64_images.send(images.clone());
    let arm64 = Cross::new(Arch::Arm64)?;
    let _ = arm64_images.send(steps.run("build the ARM64 images", || Images::build(&arm64))?);
    for (name, cross) in [("x64", &x64), ("ARM64", &arm64)] {
        steps.run(
            &format!("check the {name} image and the WDK bindings"),
            || check::driver(cross),
        )?;
    }
    steps.run("lint the driver", || lint::windows_packages(&x64))?;
    steps.run("lint the driver for ARM64", || lint::driver(&arm64))?;
    match WINE.get() {
        Ok(wine) => {
            let verify = || wine::verify(wine, &x64, &images.release);
            for (case, why) in steps.run(IN_WINE, verify)?.skipped {
                steps.skip(case, 0, &why);
            }
            Ok(())
        }
        Err(why) => {
            steps.skip(IN_WINE, 1, &why);
            Ok(())
        }
    }
}

/// The tools, and the x64 images in the embedded kernel.
fn test_on_host(steps: &Steps, images: &Receiver<Images>) -> Result<()> {
    steps.run("lint the tools", lint::tools)?;
    let images = wait_for(images)?;
    steps.run("unit and integration tests", || {
        command::run("build the tests", tools_tests().arg("--no-run"))?;
        test(images.name_for(&mut tools_tests()))
    })?;
    steps.run("measure what is the same on every machine", || {
        bench::measure(&images.release, &["--counts".into(), "--check".into()])
    })?;
    match readers::environment() {
        Ok(python) => steps.run(BY_READERS, || {
            readers::verify(&python, &images.release).map(drop)
        }),
        Err(why) => {
            steps.skip(BY_READERS, 1, &why);
            Ok(())
        }
    }
}

/// The ARM64 images in the embedded kernel, emulated.
fn test_emulated(steps: &Steps, images: &Receiver<Images>) -> Result<()> {
    let emulated = steps.run("prepare for ARM64 programs", || {
        let emulated = Emulated::new()?;
        let mut cargo = emulated.cargo("test");
        command::run("cargo test", cargo.args(["--no-run"]).args(EMULATED_TESTS))?;
        Ok(emulated)
    })?;
    steps.run("lint the embedded kernel for ARM64", || {
        lint::emulated(&emulated)
    })?;
    let images = wait_for(images)?;
    steps.run(EMULATED, || {
        let mut cargo = emulated.cargo("test");
        cargo.args(EMULATED_TESTS).arg("--").args(NOT_EMULATED);
        test(images.name_for(&mut cargo))
    })
}

/// Waits until the images are built, or the step that builds them has failed.
fn wait_for(images: &Receiver<Images>) -> Result<Images> {
    loop {
        match images.recv_timeout(Duration::from_millis(100)) {
            Ok(images) => return Ok(images),
            Err(_) if is_cancelled() => bail!("there are no images to test"),
            Err(_) => {}
        }
    }
}

/// What of the tools depends on the processor.
const EMULATED_TESTS: &[&str] = &[
    "--package=host-tests",
    "--package=ntsim",
    "--package=ntsim-trials",
    "--package=procmon-oracle",
    "--lib",
    "--test=driver",
    "--test=grammar",
    "--test=oracle",
    "--test=rules",
    "--test=text",
];

/// The test that takes a minute there, since another tells the driver of such
/// processes too.
const NOT_EMULATED: &[&str] = &["--skip=whatever_is_announced_is_read_back"];

fn tools_tests() -> Command {
    let mut cargo = cross::host_cargo();
    cargo
        .args(["test", "--workspace", "--manifest-path"])
        .arg(repository::tools().join("Cargo.toml"));
    cargo
}

fn test(cargo: &mut Command) -> Result<()> {
    command::run("cargo test", cargo).context(Finding("a test failed".into()))
}

/// Counts and times what is done.
struct Steps {
    bar: ProgressBar,
    passed: AtomicUsize,
    skipped: AtomicUsize,
    failed: AtomicUsize,
}

impl Steps {
    fn of(steps: u64) -> Self {
        Self {
            bar: progress::count(steps),
            passed: AtomicUsize::new(0),
            skipped: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        }
    }

    fn skip(&self, name: &str, steps: u64, why: &Error) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        self.bar.inc(steps);
        progress::answer(&format!("skip  {name}: {why:#}"));
    }

    fn run<T>(&self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        if is_cancelled() {
            bail!("{name}: not begun, since another step failed");
        }
        let start = Instant::now();
        let outcome = progress::step(name, step);
        let seconds = start.elapsed().as_secs_f64();
        let (word, count) = match &outcome {
            Ok(_) => ("ok   ", Some(&self.passed)),
            // It may have been stopped for a failure elsewhere.
            Err(_) if is_cancelled() => ("stop ", None),
            Err(_) => ("FAIL ", Some(&self.failed)),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.bar.inc(1);
        progress::answer(&format!("{word} {name} ({seconds:.1} s)"));
        outcome.with_context(|| name.to_owned())
    }

    fn print_result(&self) {
        self.bar.finish_and_clear();
        let [passed, failed, skipped] =
            [&self.passed, &self.failed, &self.skipped].map(|count| count.load(Ordering::Relaxed));
        progress::answer(&format!(
            "{passed} passed, {failed} failed, {skipped} skipped"
        ));
    }
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
    "tools/windows-build/Cargo.lock",
];

fn pinned() -> Vec<Option<Vec<u8>>> {
    PINNED
        .iter()
        .map(|name| fs::read(repository::root().join(name)).ok())
        .collect()
}

fn unchanged(before: &[Option<Vec<u8>>]) -> Result<()> {
    let after = pinned();
    match (0..PINNED.len()).find(|&index| before[index] != after[index]) {
        Some(index) => bail!(Finding(format!(
            "{} was changed by the build; look at it and commit it, or take it back",
            PINNED[index]
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

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
        let steps = Steps::of(2);
        steps.run("one", || Ok(())).unwrap();
        steps
            .run("two", || -> Result<()> { bail!("two") })
            .unwrap_err();
        assert_eq!(steps.passed.into_inner(), 1);
        assert_eq!(steps.failed.into_inner(), 1);
    }

    #[test]
    fn a_skipped_part_of_a_step_is_counted_and_is_no_step() {
        let steps = Steps::of(1);
        steps.skip("a part", 0, &anyhow!("no network"));
        steps.run("one", || Ok(())).unwrap();
        assert_eq!(steps.skipped.into_inner(), 1);
        assert_eq!(steps.bar.position(), 1);
    }
}
