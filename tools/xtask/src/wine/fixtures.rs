//! The images that are loaded into Wine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::build_scripts::Scripts;
use super::{Unavailable, libclang};
use crate::cross::Cross;
use crate::{command, repository};

/// The driver that ships, and what `tools/wine-fixtures` is built to.
pub struct Fixtures {
    /// procmon.sys.
    pub procmon: PathBuf,
    /// A driver whose `DriverEntry` fails.
    pub refuser: PathBuf,
    /// The kernel's routines that Wine lacks.
    pub etw: PathBuf,
    /// A program that does what `install.cmd` asks of certutil.
    pub certutil: PathBuf,
    /// A system library that Wine lacks.
    pub bcryptprimitives: PathBuf,
    /// A program that is found where the resource compiler should be.
    pub rc: PathBuf,
    scripts: Result<Scripts, Unavailable>,
    libclang: Result<PathBuf, Unavailable>,
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
            etw: built.join("etw.dll"),
            certutil: built.join("certutil.exe"),
            bcryptprimitives: built.join("bcryptprimitives.dll"),
            rc: built.join("rc.exe"),
            scripts: Scripts::build(cross)?,
            libclang: libclang::provide()?,
        })
    }

    /// The build scripts for Windows.
    pub fn scripts(&self) -> Result<&Scripts, Unavailable> {
        self.scripts.as_ref().map_err(Clone::clone)
    }

    /// The folder of libclang for Windows.
    pub fn libclang(&self) -> Result<&Path, Unavailable> {
        self.libclang.as_deref().map_err(Clone::clone)
    }
}
