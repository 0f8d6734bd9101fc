//! Wine, which loads Windows drivers through its own service manager.

use std::path::PathBuf;

use super::{Requirement, path};

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
    find,
    packages: &[&["wine", "wine64"]],
    elsewhere: "install Wine 8 or newer, with its 64-bit half, so that wine and wineserver are on the PATH",
};

fn find() -> Option<Wine> {
    Some(Wine {
        wine: path::program("wine")?,
        server: path::program("wineserver")?,
    })
}
