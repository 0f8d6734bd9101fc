//! The images that are loaded into Wine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cross::Cross;
use crate::{command, repository};

/// The driver that ships, and what `tools/wine-fixtures` is built to.
pub struct Fixtures {
    /// procmon.sys.
    pub procmon: PathBuf,
    /// A driver whose `DriverEntry` fails.
    pub refuser: PathBuf,
    /// A program that does what `install.cmd` asks of certutil.
    pub certutil: PathBuf,
}

impl Fixtures {
    /// Builds them, for the same processor as `procmon`, the driver's image.
    pub fn build(cross: &Cross, procmon: &Path) -> Result<Self> {
        let mut cargo = cross.cargo_for("build", &repository::wine_fixtures());
        command::run(
            "building the driver and the program that Wine loads beside procmon",
            cargo.args(["--release", "--quiet"]),
        )?;
        let built = repository::cross_target()
            .join(cross.arch().target())
            .join("release");
        Ok(Self {
            procmon: procmon.to_owned(),
            refuser: built.join("refuser.dll"),
            certutil: built.join("certutil.exe"),
        })
    }
}
