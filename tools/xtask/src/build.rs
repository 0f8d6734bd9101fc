//! `cargo xtask build`: makes the driver's image and its debug symbols.

mod identity;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::arch::Arch;
use crate::cross::Cross;
use crate::kit::{self, Kit};
use crate::{breaker, command, repository};

/// Build procmon.sys and procmon.pdb, and print the image's path.
#[derive(Args)]
pub struct Build {
    /// Build with debug assertions and without optimisation, beside the
    /// release image
    #[arg(long)]
    dev: bool,
    /// Build breaker.sys instead, the driver that the tests of the embedded
    /// kernel break its rules with
    #[arg(long, conflicts_with = "dev")]
    breaker: bool,
    /// The processor to build for
    #[arg(long, value_enum, default_value_t = Arch::X64)]
    arch: Arch,
    #[command(flatten)]
    kit: Kit,
}

/// How the driver is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Optimised, unable to panic: what ships.
    Release,
    /// With debug assertions.
    Dev,
}

impl Profile {
    const fn cargo_name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "dev",
        }
    }

    const fn cargo_folder(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dev => "debug",
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Release => "",
            Self::Dev => "-dev",
        }
    }
}

impl Build {
    pub fn execute(self) -> Result<()> {
        self.kit.select()?;
        let profile = if self.dev {
            Profile::Dev
        } else {
            Profile::Release
        };
        let cross = Cross::new(self.arch)?;
        let image = if self.breaker {
            breaker::build(&cross)?
        } else {
            driver(&cross, profile)?
        };
        println!("{}", image.display());
        Ok(())
    }
}

/// Builds the driver and gives its image's path; the symbols lie beside it.
pub fn driver(cross: &Cross, profile: Profile) -> Result<PathBuf> {
    let mut cargo = cross.cargo("build");
    cargo.args(["--profile", profile.cargo_name()]);
    command::run("build the driver", &mut cargo)?;

    let arch = cross.arch();
    let built = repository::cross_target()
        .join(arch.target())
        .join(profile.cargo_folder());
    let folder = repository::root().join("target/driver").join(format!(
        "{}{}{}",
        arch.folder(),
        profile.suffix(),
        kit::suffix()
    ));
    place(&built, "procmon", &folder)
}

/// Puts the image of the package `name`, which cargo has built in `built`, into
/// `folder`, with its symbols and the list of its sources beside it, and returns
/// the image's path.
pub fn place(built: &Path, name: &str, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let image = folder.join(name).with_extension("sys");
    // A driver is a DLL to the linker; only its name says otherwise.
    let symbols = image.with_extension("pdb");
    copy(&built.join(name).with_extension("dll"), &image)?;
    copy(&built.join(name).with_extension("pdb"), &symbols)?;
    copy(
        &built.join(name).with_extension("d"),
        &image.with_extension("d"),
    )?;
    identity::derive(&image, &symbols)?;
    Ok(image)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
