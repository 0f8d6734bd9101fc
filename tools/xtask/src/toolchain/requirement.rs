//! What a verb needs from the machine, and the ways in which it is had.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::{Host, apt, rustup};
use crate::progress;

/// Something that has to be on the machine, and the `T` that is known of it
/// once it is found.
pub struct Requirement<T> {
    /// What it is, as an error message calls it.
    pub what: &'static str,
    /// What it does for the verbs.
    pub why: &'static str,
    /// Looks for it.
    pub find: fn(&Host) -> Option<T>,
    /// The part of a Rust toolchain that rustup adds for it.
    pub rustup: Option<rustup::Part>,
    /// The Debian packages that bring it: alternatives, best first.
    pub debian: &'static [Packages],
    /// What brings it on other systems.
    pub elsewhere: Elsewhere,
}

/// Debian packages that are installed together.
#[derive(Debug)]
pub struct Packages {
    /// Their names.
    pub names: &'static [&'static str],
    /// The oldest version of the first one that will do: its first two numbers.
    pub oldest: Option<(u64, u64)>,
}

/// What a user installs where packages are not Debian's.
#[derive(Debug)]
pub struct Elsewhere {
    /// Fedora's packages.
    pub fedora: &'static [&'static str],
    /// Arch Linux's packages.
    pub arch: &'static [&'static str],
    /// What has to be done by hand on any other system.
    pub otherwise: &'static str,
}

impl Packages {
    /// Packages of any version.
    pub const fn any(names: &'static [&'static str]) -> Self {
        Self {
            names,
            oldest: None,
        }
    }
}

impl<T> Requirement<T> {
    /// Finds it, or installs it where that is possible.
    ///
    /// # Errors
    ///
    /// As [`provide`].
    pub fn get(&self) -> Result<T> {
        let host = Host::this();
        if let Some(found) = (self.find)(host) {
            return Ok(found);
        }
        provide(&[self])?;
        match (self.find)(host) {
            Some(found) => Ok(found),
            None => bail!("{} has gone while this ran", self.what),
        }
    }
}

/// A [`Requirement`] of any type, so that several are provided at once.
pub trait Need: Sync {
    /// What it is.
    fn what(&self) -> &'static str;
    /// What it does for the verbs.
    fn why(&self) -> &'static str;
    /// Whether the machine lacks it.
    fn is_missing(&self, host: &Host) -> bool;
    /// The part of a Rust toolchain that rustup adds for it.
    fn rustup(&self) -> Option<rustup::Part>;
    /// The Debian packages that bring it: alternatives, best first.
    fn debian(&self) -> &'static [Packages];
    /// What brings it on other systems.
    fn elsewhere(&self) -> &Elsewhere;
}

impl<T> Need for Requirement<T> {
    fn what(&self) -> &'static str {
        self.what
    }

    fn why(&self) -> &'static str {
        self.why
    }

    fn is_missing(&self, host: &Host) -> bool {
        (self.find)(host).is_none()
    }

    fn rustup(&self) -> Option<rustup::Part> {
        self.rustup
    }

    fn debian(&self) -> &'static [Packages] {
        self.debian
    }

    fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }
}

/// Sees to it that all of `needs` are on this machine, installing those that
/// are missing in one go.
///
/// # Errors
///
/// When something is missing and cannot be installed. The error names all that
/// is missing, each way that was tried and the command that mends it.
pub fn provide(needs: &[&dyn Need]) -> Result<()> {
    provide_on(Host::this(), needs)
}

pub(super) fn provide_on(host: &Host, needs: &[&dyn Need]) -> Result<()> {
    let mut missing: Vec<&dyn Need> = needs.to_vec();
    let mut tried = Vec::new();
    missing.retain(|need| need.is_missing(host));
    if missing.is_empty() {
        return Ok(());
    }
    if let Err(why) = rustup::add(host, &missing) {
        progress::say(&format!("{why}; looking for another way"));
        tried.push(why);
    }
    missing.retain(|need| need.is_missing(host));
    if missing.is_empty() {
        return Ok(());
    }
    let Err(failure) = apt::install(host, &missing) else {
        return Ok(());
    };
    missing.retain(|need| need.is_missing(host));
    tried.push(failure.why);
    let remedy = remedy(host, &missing, failure.lists_are_old);
    bail!("{}", explain(&missing, &tried, &remedy));
}

/// What is missing, what was tried, and what to type.
fn explain(missing: &[&dyn Need], tried: &[String], remedy: &[String]) -> String {
    let mut text = String::from("missing:");
    for need in missing {
        let _ = write!(text, "\n  {}: {}", need.what(), need.why());
    }
    if !tried.is_empty() {
        text.push_str("\ntried:");
    }
    for way in tried {
        let _ = write!(text, "\n  {way}");
    }
    for line in remedy {
        let _ = write!(text, "\n{line}");
    }
    text
}

/// The packages of a system.
type OfSystem = fn(&Elsewhere) -> &'static [&'static str];

/// What the user types, or does, to get what is missing.
fn remedy(host: &Host, missing: &[&dyn Need], lists_are_old: bool) -> Vec<String> {
    if apt::is_here(host) {
        let mut lines = Vec::new();
        let (packages, without) = apt::remedy(host, missing, lists_are_old);
        if !packages.is_empty() {
            lines.push(format!(
                "type: {}",
                apt::command_line(host, packages.as_slice())
            ));
        }
        for need in without {
            let by_hand = match need.rustup() {
                Some(part) if rustup::toolchain(host).is_ok() => {
                    format!("with a network that reaches rustup's server: {part}")
                }
                _ => need.elsewhere().otherwise.to_owned(),
            };
            lines.push(format!("{}: {by_hand}", need.what()));
        }
        return lines;
    }
    let systems: [(&str, &str, OfSystem); 2] = [
        ("dnf", "sudo dnf install", |elsewhere| elsewhere.fedora),
        ("pacman", "sudo pacman -S --needed", |elsewhere| {
            elsewhere.arch
        }),
    ];
    let system = systems
        .into_iter()
        .find(|(manager, ..)| host.program(manager).is_some());
    let mut packages: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for need in missing {
        match system.map(|(_, _, of_system)| of_system(need.elsewhere())) {
            Some(names @ [_, ..]) => packages.extend(names),
            _ => lines.push(format!("{}: {}", need.what(), need.elsewhere().otherwise)),
        }
    }
    if let Some((_, command, _)) = system
        && !packages.is_empty()
    {
        packages.sort_unstable();
        packages.dedup();
        lines.insert(0, format!("type: {command} {}", packages.join(" ")));
    }
    lines
}
