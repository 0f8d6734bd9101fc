//! Debian's package manager.

use std::collections::HashMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustc_version::Version;

use super::Host;
use super::requirement::{Need, Packages};
use crate::command::{self, Bound};
use crate::progress;

/// Whether this machine installs packages with apt.
pub fn is_here(host: &Host) -> bool {
    host.answer("apt-get", &["--version"]).is_some()
}

/// Why packages could not be installed.
pub struct Failure {
    /// What went wrong.
    pub why: String,
    /// Whether it may go well with lists that are newer than those at hand.
    pub lists_are_old: bool,
}

/// Installs what brings `missing`. Package lists that are missing or too old
/// are fetched, once.
///
/// # Errors
///
/// Returns why it cannot be had in this way. Nothing is installed then, unless
/// an installation was what failed, or did not bring what it was for.
pub fn install(host: &Host, missing: &[&dyn Need]) -> Result<(), Failure> {
    let mut lists = Lists::Old;
    install_with(host, missing, &mut lists).map_err(|why| Failure {
        why,
        lists_are_old: matches!(lists, Lists::Old),
    })
}

fn install_with(host: &Host, missing: &[&dyn Need], lists: &mut Lists) -> Result<(), String> {
    if !is_here(host) {
        return Err("apt-get: not on this machine".into());
    }
    if !host.is_root {
        return Err("apt-get: only root installs packages".into());
    }
    let mut chosen = if let Ok(chosen) = choose(host, missing) {
        chosen
    } else {
        lists.refresh(host)?;
        choose(host, missing).map_err(|why| lists.explain(&why))?
    };
    loop {
        let outcome = run_install(host, missing, &chosen);
        let satisfied = missing.iter().all(|need| !need.is_missing(host));
        match (outcome, &*lists) {
            (Ok(()), _) if satisfied => return Ok(()),
            (Err(why), _) if is_locked(&why) => return Err(lists.explain(&why)),
            // The archive may no longer have what old lists name, or the
            // package in it may be too old.
            (_, Lists::Old) => {
                lists.refresh(host)?;
                chosen = choose(host, missing).map_err(|why| lists.explain(&why))?;
            }
            (Ok(()), Lists::Fresh(_)) => {
                return Err(lists.explain(&format!(
                    "{} did not bring it",
                    package_names(&chosen).join(" ")
                )));
            }
            (Err(why), Lists::Fresh(_)) => return Err(lists.explain(&why)),
        }
    }
}

/// The packages that a user installs to get `missing`, and what no package
/// brings. Where the lists are old, newer ones may have what they lack.
pub fn remedy<'a>(
    host: &Host,
    missing: &[&'a dyn Need],
    lists_are_old: bool,
) -> (Vec<&'static str>, Vec<&'a dyn Need>) {
    let mut packages = Vec::new();
    let mut without = Vec::new();
    for need in missing {
        match (choose(host, &[*need]), need.debian()) {
            (Ok(chosen), _) => packages.extend(chosen),
            (Err(_), [best, ..]) if lists_are_old => packages.push(best),
            (Err(_), _) => without.push(*need),
        }
    }
    (package_names(&packages), without)
}

/// The line that a user types to install packages.
pub fn command_line(host: &Host, packages: &[&str]) -> String {
    let sudo = if host.is_root { "" } else { "sudo " };
    format!(
        "{sudo}apt-get update && {sudo}apt-get install --no-install-recommends {}",
        packages.join(" ")
    )
}

/// How new the machine's package lists are.
enum Lists {
    /// As they were found.
    Old,
    /// Fetched by this program, with apt's warning where some were not.
    Fresh(Option<String>),
}

impl Lists {
    fn refresh(&mut self, host: &Host) -> Result<(), String> {
        progress::say("fetching package lists with apt-get update");
        let warning = update(host).map_err(|why| format!("apt-get update: {why}"))?;
        if let Some(warning) = &warning {
            progress::say(&format!("warning: apt-get update: {warning}"));
        }
        *self = Self::Fresh(warning);
        Ok(())
    }

    fn explain(&self, why: &str) -> String {
        match self {
            Self::Old => format!("apt-get: {why}"),
            Self::Fresh(None) => format!("apt-get: {why} (package lists just fetched)"),
            Self::Fresh(Some(warning)) => format!("apt-get: {why} (apt-get update: {warning})"),
        }
    }
}

/// The first alternative of each need whose packages can all be installed.
fn choose(host: &Host, missing: &[&dyn Need]) -> Result<Vec<&'static Packages>, String> {
    let names: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.debian())
        .flat_map(|packages| packages.names)
        .copied()
        .collect();
    let candidates = candidates(host, &names);
    let mut chosen: Vec<&'static Packages> = Vec::new();
    let mut reasons = Vec::new();
    for need in missing {
        let alternatives = need.debian();
        match alternatives
            .iter()
            .find(|packages| obstacle(packages, &candidates).is_none())
        {
            Some(packages) => chosen.push(packages),
            None => reasons.push(match alternatives {
                [] => format!("no package brings {}", need.what()),
                [best, ..] => obstacle(best, &candidates).unwrap_or_default(),
            }),
        }
    }
    reasons.dedup();
    if reasons.is_empty() {
        Ok(chosen)
    } else {
        Err(reasons.join("; "))
    }
}

/// Why `packages` cannot be installed, or would not do.
fn obstacle(packages: &Packages, candidates: &HashMap<String, String>) -> Option<String> {
    if let Some(absent) = packages
        .names
        .iter()
        .find(|name| !candidates.contains_key(**name))
    {
        return Some(format!("no {absent} in the package lists"));
    }
    let (name, oldest) = (packages.names.first()?, packages.oldest?);
    let candidate = &candidates[*name];
    let is_enough =
        upstream_version(candidate).is_some_and(|version| (version.major, version.minor) >= oldest);
    let (major, minor) = oldest;
    (!is_enough).then(|| format!("{name} is {candidate}, and {major}.{minor} or newer is needed"))
}

/// The version that each package would be installed in.
fn candidates(host: &Host, names: &[&str]) -> HashMap<String, String> {
    let mut candidates = HashMap::new();
    let Some(policy) = command::answer(host.command("apt-cache").arg("policy").args(names)) else {
        return candidates;
    };
    let mut package = String::new();
    for line in policy.lines() {
        match line.trim().strip_prefix("Candidate: ") {
            Some("(none)") => {}
            Some(version) => {
                candidates.insert(package.clone(), version.to_owned());
            }
            None if !line.starts_with(' ') => line.trim_end_matches(':').clone_into(&mut package),
            None => {}
        }
    }
    candidates
}

/// The version without what Debian puts before and after it.
fn upstream_version(version: &str) -> Option<Version> {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    Version::parse(version.split(['+', '-', '~']).next()?).ok()
}

fn package_names(packages: &[&'static Packages]) -> Vec<&'static str> {
    let mut names: Vec<&str> = packages
        .iter()
        .flat_map(|packages| packages.names)
        .copied()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn run_install(
    host: &Host,
    missing: &[&dyn Need],
    chosen: &[&'static Packages],
) -> Result<(), String> {
    let names = package_names(chosen);
    progress::say(&format!("installing with apt-get{}:", size(host, &names)));
    for (need, packages) in missing.iter().zip(chosen) {
        let (what, why) = (need.what(), need.why());
        progress::say(&format!("  {}: {what}; {why}", packages.names.join(" ")));
    }
    let mut install = apt_get(host);
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(names);
    command::bounded("apt-get install", &mut install, Bound::None)
        .map_err(|why| format!("apt-get install {why}"))?;
    Ok(())
}

/// What packages take, as apt says it; empty where it does not.
fn size(host: &Host, names: &[&str]) -> String {
    let mut install = apt_get(host);
    install
        .args(["install", "--assume-no", "--no-install-recommends"])
        .args(names);
    let Ok(output) = install.output() else {
        return String::new();
    };
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let between = |before: &str, after: &str| {
        output.lines().find_map(|line| {
            let rest = line.strip_prefix(before)?;
            Some(rest.split_once(after)?.0.to_owned())
        })
    };
    match (
        between("Need to get ", " of archives"),
        between("After this operation, ", " of additional"),
    ) {
        (Some(download), Some(disk)) => format!(" ({download} to download, {disk} on disk)"),
        _ => String::new(),
    }
}

/// Fetches package lists, and gives apt's warning where some could not be.
fn update(host: &Host) -> Result<Option<String>, String> {
    let start = Instant::now();
    loop {
        let outcome = command::bounded("apt-get update", apt_get(host).arg("update"), Bound::None);
        match outcome {
            Ok(output) => {
                let warning = output.lines().find(|line| line.starts_with("W: "));
                return Ok(warning.map(str::to_owned));
            }
            // apt-get waits for dpkg's lock by itself, but not for that of the
            // lists.
            Err(why) if is_locked(&why.output) && start.elapsed() < host.lock_patience => {
                thread::sleep(Duration::from_millis(500).min(host.lock_patience / 4));
            }
            Err(why) => return Err(why.to_string()),
        }
    }
}

/// Whether another installation is what stood in the way.
fn is_locked(message: &str) -> bool {
    message.contains("Could not get lock")
}

fn apt_get(host: &Host) -> Command {
    let mut command = host.command("apt-get");
    let lock = format!("DPkg::Lock::Timeout={}", host.lock_patience.as_secs());
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation may be going on; wait for it.
        .args(["--quiet", "--option", &lock]);
    command
}
