//! `cargo xtask build`: makes the driver's image and its debug symbols.

mod identity;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;

use crate::arch::Arch;
use crate::cross::Cross;
use crate::{command, repository};

/// Build procmon.sys and procmon.pdb, and print the image's path.
#[derive(Args)]
pub struct Build {
    /// Build with debug assertions and without optimisation, beside the
    /// release image
    #[arg(long)]
    dev: bool,
    /// The processor to build for
    #[arg(long, value_enum, default_value_t = Arch::X64)]
    arch: Arch,
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
    /// Carries the verb out.
    pub fn execute(self) -> Result<()> {
        let profile = if self.dev {
            Profile::Dev
        } else {
            Profile::Release
        };
        println!("{}", driver(&Cross::new(self.arch)?, profile)?.display());
        Ok(())
    }
}

/// Builds the driver and gives its image's path; the symbols lie beside it.
pub fn driver(cross: &Cross, profile: Profile) -> Result<PathBuf> {
    let mut cargo = cross.cargo("build");
    cargo.args(["--profile", profile.cargo_name()]);
    command::run("building the driver", &mut cargo)?;

    let arch = cross.arch();
    let built = repository::cross_target()
        .join(arch.target())
        .join(profile.cargo_folder());
    let folder = repository::root().join("target/driver").join(format!(
        "{}{}",
        arch.folder(),
        profile.suffix()
    ));
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let image = folder.join("procmon.sys");
    // A driver is a DLL to the linker; only its name says otherwise.
    copy(&built.join("procmon.dll"), &image)?;
    let symbols = folder.join("procmon.pdb");
    copy(&built.join("procmon.pdb"), &symbols)?;
    identity::derive(&image, &symbols)?;
    Ok(image)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
