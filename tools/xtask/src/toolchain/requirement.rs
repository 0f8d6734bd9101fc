//! A thing that a verb needs from the machine.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use super::apt;

/// Something that has to be on the machine, and what `T` is known of it once
/// it is found.
pub struct Requirement<T> {
    /// What it is, as a reader of an error message would call it.
    pub what: &'static str,
    /// What it is needed for.
    pub why: &'static str,
    /// Looks for it.
    pub find: fn() -> Option<T>,
    /// The Debian packages that bring it: alternatives, best first.
    pub packages: &'static [&'static [&'static str]],
    /// What to do where those packages cannot be had.
    pub elsewhere: &'static str,
}

impl<T> Requirement<T> {
    /// Finds it, or installs it where that is possible.
    ///
    /// # Errors
    ///
    /// When it is missing and cannot be installed; the error says what to type.
    pub fn get(&self) -> Result<T> {
        if let Some(found) = (self.find)() {
            return Ok(found);
        }
        provide(&[self])?;
        (self.find)().ok_or_else(|| {
            anyhow::anyhow!(
                "{} still cannot be found after the installation; {}",
                self.what,
                self.elsewhere
            )
        })
    }
}

/// A [`Requirement`] of any type, so that several can be provided at once.
pub trait Need {
    /// What it is and what it is needed for.
    fn reason(&self) -> String;
    /// Whether the machine lacks it.
    fn is_missing(&self) -> bool;
    /// The Debian packages that bring it: alternatives, best first.
    fn packages(&self) -> &'static [&'static [&'static str]];
    /// What to do where those packages cannot be had.
    fn elsewhere(&self) -> &'static str;
}

impl<T> Need for Requirement<T> {
    fn reason(&self) -> String {
        format!("{} ({})", self.what, self.why)
    }

    fn is_missing(&self) -> bool {
        (self.find)().is_none()
    }

    fn packages(&self) -> &'static [&'static [&'static str]] {
        self.packages
    }

    fn elsewhere(&self) -> &'static str {
        self.elsewhere
    }
}

/// Sees to it that all of `needs` are on the machine, installing those that
/// are missing in one go.
///
/// # Errors
///
/// When something is missing and cannot be installed; the error says what to
/// type.
pub fn provide(needs: &[&dyn Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| need.is_missing()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut reasons = String::new();
    let mut packages = Vec::new();
    for need in &missing {
        let separator = if reasons.is_empty() { "" } else { ", " };
        let _ = write!(reasons, "{separator}{}", need.reason());
        if !apt::is_here() {
            bail!("missing: {}; {}", need.reason(), need.elsewhere());
        }
        match apt::choose(need.packages())? {
            Some(chosen) => packages.extend_from_slice(chosen),
            None => bail!(
                "missing: {}; no Debian package brings it here: {}",
                need.reason(),
                need.elsewhere()
            ),
        }
    }
    if !rustix::process::geteuid().is_root() {
        bail!("missing: {reasons}; type: {}", apt::command_line(&packages));
    }
    eprintln!("installing {}: needed for {reasons}", packages.join(" "));
    apt::install(&packages)
}
