//! The images that are loaded into Wine.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::build_script::BuildScript;
use crate::cross::Cross;
use crate::toolchain::{MINGW_GCC, WINDOWS_PROGRAMS, provide};
use crate::{command, progress, repository};

/// The driver that ships, and what `tools/wine-fixtures` is built to.
pub struct Fixtures {
    /// procmon.sys.
    pub procmon: PathBuf,
    /// A driver whose `DriverEntry` fails.
    pub refuser: PathBuf,
    /// A driver that registers an ETW provider.
    pub provider: PathBuf,
    /// The kernel's routines that Wine lacks.
    pub etw: PathBuf,
    /// A program that does what `install.cmd` asks of certutil.
    pub certutil: PathBuf,
    /// A system library that Wine lacks.
    pub bcryptprimitives: PathBuf,
    /// A program that is found where the resource compiler should be.
    pub rc: PathBuf,
    /// The driver's build script, where it can be compiled for Windows.
    pub build_script: Option<BuildScript>,
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
            provider: built.join("provider.dll"),
            etw: built.join("etw.dll"),
            certutil: built.join("certutil.exe"),
            bcryptprimitives: built.join("bcryptprimitives.dll"),
            rc: built.join("rc.exe"),
            build_script: build_script(cross)?,
        })
    }
}

/// The build script, or a line that says why not.
fn build_script(cross: &Cross) -> Result<Option<BuildScript>> {
    if let Err(why) = provide(&[&WINDOWS_PROGRAMS, &MINGW_GCC]) {
        progress::answer(&format!(
            "skip  the build script with Microsoft's wdk-build: {why:#}"
        ));
        return Ok(None);
    }
    let compiler = WINDOWS_PROGRAMS.get()?;
    BuildScript::build(cross, &MINGW_GCC.get()?, &compiler.rustc).map(Some)
}
