//! Wine, which loads Windows drivers through its own service manager.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// Wine's programs.
#[derive(Debug)]
pub struct Wine {
    /// Runs a Windows program.
    pub wine: PathBuf,
    /// The process that all programs of a prefix share; ends them as well.
    pub server: PathBuf,
}

/// Wine.
pub const WINE: Requirement<Wine> = Requirement {
    what: "Wine",
    why: "its service manager loads the driver",
    find: |host| {
        Some(Wine {
            wine: host.program("wine")?,
            server: host.program("wineserver")?,
        })
    },
    rustup: None,
    debian: &[Packages::any(&["wine", "wine64"])],
    elsewhere: Elsewhere {
        fedora: &["wine-core"],
        arch: &["wine"],
        otherwise: "install Wine 8 or newer, with its 64-bit half, so that wine and wineserver are on the PATH",
    },
};
