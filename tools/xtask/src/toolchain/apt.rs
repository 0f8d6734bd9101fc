//! Debian's package manager.

use std::process::Command;
use std::sync::Once;

use anyhow::Result;

use crate::command;

/// Whether this machine installs packages with apt.
pub fn is_here() -> bool {
    command::answer(Command::new("apt-get").arg("--version")).is_some()
}

/// The first of `alternatives` whose packages can all be installed.
///
/// # Errors
///
/// When the package lists have to be fetched and cannot be.
pub fn choose(
    alternatives: &'static [&'static [&'static str]],
) -> Result<Option<&'static [&'static str]>> {
    let find = || {
        alternatives
            .iter()
            .copied()
            .find(|packages| packages.iter().all(|package| has_candidate(package)))
    };
    if let Some(packages) = find() {
        return Ok(Some(packages));
    }
    // A new machine has no package lists at all.
    if rustix::process::geteuid().is_root() {
        update()?;
    }
    Ok(find())
}

/// Installs `packages`, with newer package lists where the machine's are too
/// old for the archive.
///
/// # Errors
///
/// When apt-get fails.
pub fn install(packages: &[&str]) -> Result<()> {
    let mut install = apt_get();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    if command::run("apt-get install", &mut install).is_ok() {
        return Ok(());
    }
    update()?;
    command::run(&command_line(packages), &mut install)
}

/// What a user types to install `packages`.
pub fn command_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

fn has_candidate(package: &str) -> bool {
    command::answer(Command::new("apt-cache").args(["policy", package])).is_some_and(|policy| {
        policy
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Candidate: "))
            .any(|version| version != "(none)")
    })
}

fn update() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut outcome = Ok(());
    ONCE.call_once(|| outcome = command::run("apt-get update", apt_get().arg("update")));
    outcome
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation may be going on; wait for it.
        .args(["--quiet", "--option", "DPkg::Lock::Timeout=120"]);
    command
}
