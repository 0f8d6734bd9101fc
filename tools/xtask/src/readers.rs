//! `cargo xtask readers`: has readers that nobody here wrote read an event trace
//! log of procmon.
//!
//! They are Python packages of `PyPI`, in a virtual environment of their own.
//! `tools/readers/compare.py` calls them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::Finding;
use crate::toolchain::PYTHON;
use crate::{command, progress, repository, run};

/// Have two public readers of event trace logs read the events of procmon.sys.
///
/// Runs the demo with --etl, and compares what each reader makes of each event
/// with the log of the run.
#[derive(Args)]
pub struct Readers {}

impl Readers {
    #[expect(clippy::unused_self, reason = "as all verbs")]
    pub fn execute(self) -> Result<()> {
        let python = environment()?;
        let image = build::driver(&Cross::new(Arch::X64)?, Profile::Release)?;
        progress::answer(verify(&python, &image)?.trim_end());
        Ok(())
    }
}

/// Where the virtual environment, the log and the trace are.
fn folder() -> PathBuf {
    repository::root().join("target/readers")
}

fn scripts() -> PathBuf {
    repository::tools().join("readers")
}

/// Makes the virtual environment with the readers in it, and gives its Python.
///
/// # Errors
///
/// Where Python is missing, or the readers cannot be downloaded.
pub fn environment() -> Result<PathBuf> {
    let python = PYTHON.get()?;
    let requirements = scripts().join("requirements.txt");
    let wanted = fs::read(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let environment = folder().join("environment");
    let own_python = environment.join("bin/python");
    // Written last, so that it tells a whole environment from one that is not.
    let installed = environment.join("requirements.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(own_python);
    }
    command::run(
        "make a virtual environment of Python",
        Command::new(&python)
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )?;
    command::run(
        "download the readers from PyPI",
        Command::new(&own_python)
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["--retries=2", "--no-deps", "--requirement"])
            .arg(&requirements),
    )?;
    fs::write(&installed, wanted)
        .with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(own_python)
}

/// Runs the demo with `image`, the driver's release image, and compares what the
/// readers make of its trace with its log. Gives what they say.
///
/// # Errors
///
/// Where they disagree.
pub fn verify(python: &Path, image: &Path) -> Result<String> {
    let [trace, log, changed] =
        ["demo.etl", "demo.json", "changed.json"].map(|name| folder().join(name));
    let objects = command::output(
        "run the demo",
        Command::new(run::build_ntsim()?)
            .arg("run")
            .arg(image)
            .args(["--demo", "--for", "3", "--json", "--etl"])
            .arg(&trace),
    )?;
    write(&log, &objects)?;
    let answer = compare(python, &trace, &log)?;
    if !answer.succeeded {
        bail!(Finding(format!(
            "the readers disagree with {}:\n{}",
            log.display(),
            answer.text.trim_end()
        )));
    }
    write(&changed, &with_other_logons(&objects))?;
    if compare(python, &trace, &changed)?.succeeded {
        bail!("the readers did not notice another LogonId in each event");
    }
    Ok(answer.text)
}

/// A log in which each event has another `LogonId`, to see that it is noticed.
fn with_other_logons(objects: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(objects);
    text.replace("\"LogonId\":", "\"LogonId\":1").into_bytes()
}

/// What the comparison says.
struct Answer {
    text: String,
    succeeded: bool,
}

fn compare(python: &Path, trace: &Path, log: &Path) -> Result<Answer> {
    let output = Command::new(python)
        .arg("-I")
        .arg(scripts().join("compare.py"))
        .args([trace, log])
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(text, "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Answer {
        text,
        succeeded: output.status.success(),
    })
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_and_what_they_need_are_pinned() {
        let requirements = fs::read_to_string(scripts().join("requirements.txt")).unwrap();
        let packages: Vec<&str> = requirements
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert!(packages.iter().all(|package| package.contains("==")));
        for reader in ["dissect.etl==", "etl-parser=="] {
            assert!(packages.iter().any(|package| package.starts_with(reader)));
        }
    }
}
