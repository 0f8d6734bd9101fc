//! Rust's own installer.

use std::fmt;
use std::path::{Path, PathBuf};

use super::requirement::Need;
use super::{Host, rustc};
use crate::command::{self, Bound};
use crate::progress;

/// A part of a toolchain that is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The standard library for a target.
    Target(&'static str),
    /// A program that works on sources.
    Component(&'static str),
}

impl Part {
    /// The arguments of rustup that add parts of this kind.
    const fn verb(self) -> &'static [&'static str] {
        match self {
            Self::Target(_) => &["target", "add"],
            Self::Component(_) => &["component", "add"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Target(name) | Self::Component(name) => name,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rustup {} {}", self.verb().join(" "), self.name())
    }
}

/// Adds to the compiler in use what rustup has of `missing`. This needs no root.
///
/// # Errors
///
/// Returns why it cannot be had in this way.
pub fn add(host: &Host, missing: &[&dyn Need]) -> Result<(), String> {
    let parts: Vec<Part> = missing.iter().filter_map(|need| need.rustup()).collect();
    if parts.is_empty() {
        return Ok(());
    }
    if let Some(why) = host.rustup_hangs.get() {
        return Err(why.clone());
    }
    let toolchain = toolchain(host).map_err(|why| format!("rustup: {why}"))?;
    for verb in [Part::Target("").verb(), Part::Component("").verb()] {
        let names: Vec<&str> = parts
            .iter()
            .filter(|part| part.verb() == verb)
            .map(|part| part.name())
            .collect();
        if names.is_empty() {
            continue;
        }
        let line = format!("rustup {} {}", verb.join(" "), names.join(" "));
        progress::say(&format!("installing with {line}"));
        let mut rustup = host.command(&toolchain.rustup);
        rustup
            .args(verb)
            .args(["--toolchain", &toolchain.name])
            .args(names);
        command::bounded(&line, &mut rustup, Bound::NoProgress(host.patience)).map_err(
            |failure| {
                let why = format!("{line}: {failure}");
                if failure.was_ended() {
                    host.rustup_hangs.get_or_init(|| why.clone());
                }
                why
            },
        )?;
    }
    Ok(())
}

/// A toolchain that rustup looks after.
#[derive(Debug)]
pub struct Toolchain {
    rustup: PathBuf,
    name: String,
}

/// The toolchain of the compiler in use.
///
/// # Errors
///
/// Returns why rustup cannot add to it.
pub fn toolchain(host: &Host) -> Result<Toolchain, String> {
    let rustup = host.program("rustup").ok_or("not on the PATH")?;
    let rustc = rustc(host);
    let sysroot = host
        .answer(&rustc, &["--print", "sysroot"])
        .map(PathBuf::from)
        .ok_or_else(|| format!("{} does not name its sysroot", rustc.display()))?;
    let name = sysroot.file_name().and_then(|name| name.to_str());
    match name {
        Some(name) if is_rustups(&sysroot) => Ok(Toolchain {
            rustup,
            name: name.to_owned(),
        }),
        _ => Err(format!(
            "the compiler in use, {}, was not installed by it",
            rustc.display()
        )),
    }
}

/// Whether rustup installed this toolchain: it keeps the list of what it can
/// add in it.
fn is_rustups(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/multirust-channel-manifest.toml")
        .is_file()
}
