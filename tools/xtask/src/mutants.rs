//! `cargo xtask mutants`: shows that the tests would notice a wrong driver.
//!
//! Each mutant is the driver with one defect, put in by replacing a piece of
//! its source. It is built as the driver is, and the tests that load the driver
//! must fail for it.

mod defects;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::cross::{self, Cross};
use crate::exit::{Finding, Usage};
use crate::{build, command, progress, repository};
use defects::{DEFECTS, Defect};

/// Give the driver one defect after the other, and see the tests fail for each.
///
/// Prints a table of what caught which, in Markdown, and fails where a defect
/// goes unnoticed.
#[derive(Args)]
pub struct Mutants {
    /// Only those whose name contains this
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// The tests that hold the image to the contract.
const TESTS: &[&str] = &["--test", "driver", "--test", "grammar", "--test", "oracle"];

/// Those of them that take long and judge by what the others judge by, and
/// those that damage the image, whatever is in it.
const OTHER_TESTS: &[&str] = &["trials::", "images::", "faults::"];

/// What the driver is built from.
const SOURCES: &[&str] = &["Cargo.toml", "Cargo.lock", "build.rs", "src"];

impl Mutants {
    pub fn execute(self) -> Result<()> {
        let chosen: Vec<&Defect> = DEFECTS
            .iter()
            .filter(|defect| {
                let wanted = self.name.as_deref();
                wanted.is_none_or(|name| defect.name.contains(name))
            })
            .collect();
        if chosen.is_empty() {
            bail!(Usage(
                "no defect has that name; `cargo xtask mutants` tries them all".into()
            ));
        }
        every_defect_fits()?;
        let start = Instant::now();
        let cross = Cross::new(Arch::X64)?;
        build_tests()?;
        // Tests that fail anyway would catch everything.
        let sound = mutant(&cross, None)?;
        if let Some(test) = failures(&sound)?.first() {
            bail!("{test} fails for the driver as it is; `cargo xtask test` says why");
        }

        progress::answer("| Defect | Caught by |\n| --- | --- |");
        let survivors = try_all(&cross, &chosen)?;
        let seconds = start.elapsed().as_secs();
        progress::say(&format!("{} mutants in {seconds} s", chosen.len()));
        if !survivors.is_empty() {
            bail!(Finding(format!(
                "no test notices: {}",
                survivors.join(", ")
            )));
        }
        Ok(())
    }
}

/// Fails where a defect does not fit the driver's source, before anything is
/// built; the error names each.
fn every_defect_fits() -> Result<()> {
    let outdated: Vec<String> = DEFECTS
        .iter()
        .filter_map(|defect| {
            let error = defect.applied(&repository::root()).err()?;
            Some(format!("{}: {error:#}", defect.name))
        })
        .collect();
    if !outdated.is_empty() {
        bail!("bring these defects up to date:\n{}", outdated.join("\n"));
    }
    Ok(())
}

/// Builds one mutant while the one before is tested, and gives the names of
/// those that no test noticed.
fn try_all(cross: &Cross, defects: &[&Defect]) -> Result<Vec<&'static str>> {
    thread::scope(|scope| {
        let (built, mutants) = mpsc::sync_channel(1);
        let builder = scope.spawn(move || -> Result<()> {
            for &defect in defects {
                let image = mutant(cross, Some(defect))
                    .with_context(|| format!("the defect {}", defect.name))?;
                if built.send((defect, image)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let mut survivors = Vec::new();
        for (defect, image) in mutants {
            let failed = failures(&image)?;
            let caught = match failed.split_first() {
                None => {
                    survivors.push(defect.name);
                    "**nothing**".to_owned()
                }
                Some((first, [])) => format!("`{first}`"),
                Some((first, others)) => format!("`{first}` and {} more", others.len()),
            };
            progress::answer(&format!("| {} | {caught} |", defect.name));
        }
        builder.join().expect("the builder does not panic")?;
        Ok(survivors)
    })
}

/// Builds the driver with a defect, or without one, and gives its image.
fn mutant(cross: &Cross, defect: Option<&Defect>) -> Result<PathBuf> {
    let folder = repository::root().join("target/mutants");
    let source = folder.join("source");
    for name in SOURCES {
        copy(&repository::root().join(name), &source.join(name))?;
    }
    if let Some(defect) = defect {
        defect.put_into(&source)?;
    }
    let mut cargo = cross.cargo("build");
    cargo
        .arg("--manifest-path")
        .arg(source.join("Cargo.toml"))
        .args(["--release", "--quiet"]);
    command::run("build a mutant", &mut cargo)?;
    let built = repository::cross_target()
        .join(cross.arch().target())
        .join("release");
    let name = defect.map_or("sound", |defect| defect.name);
    build::place(&built, "procmon", &folder.join(name.replace(' ', "-")))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("cannot copy {} to {}", from.display(), to.display());
    if from.is_dir() {
        for entry in fs::read_dir(from).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    // What is the same stays as it is, and cargo has nothing to do for it.
    let contents = fs::read(from).with_context(cannot)?;
    if fs::read(to).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    fs::write(to, contents).with_context(cannot)
}

fn test_command() -> std::process::Command {
    let mut cargo = cross::host_cargo();
    cargo
        .args(["test", "--package", "ntsim", "--package", "procmon-oracle"])
        .args(TESTS)
        .arg("--manifest-path")
        .arg(repository::tools().join("Cargo.toml"));
    cargo
}

fn build_tests() -> Result<()> {
    command::run("build the tests", test_command().arg("--no-run"))
}

/// The tests that fail for the driver at `image`.
fn failures(image: &Path) -> Result<Vec<String>> {
    let output = test_command()
        .arg("--no-fail-fast")
        .arg("--")
        .args(OTHER_TESTS.iter().flat_map(|name| ["--skip", name]))
        .env("PROCMON_SYS", image)
        .env("PROCMON_SYS_DEV", image)
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut failed: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect();
    failed.sort_unstable();
    if failed.is_empty() && !output.status.success() {
        bail!(
            "the tests ended without a result ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(failed)
}
