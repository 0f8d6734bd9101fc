//! `cargo xtask check`: looks at the driver's image before Windows does.

mod hardening;
mod image;
mod imports;
mod metadata;
mod rules;
#[cfg(test)]
mod rules_fail;
mod version;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::{Finding, given_file};
use crate::kit::Kit;
use crate::progress;
use image::Image;
pub use image::{checksum_offset, computed_checksum};
use rules::Rule;

/// Check the release image, its symbols, and the WDK bindings behind it.
#[derive(Args)]
pub struct Check {
    /// The processor that the image is for
    #[arg(long, value_enum, default_value_t = Arch::X64)]
    arch: Arch,
    /// Check this image, with its .pdb beside it, and nothing else
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    #[command(flatten)]
    kit: Kit,
}

impl Check {
    pub fn execute(self) -> Result<()> {
        self.kit.select()?;
        match self.image {
            Some(file) => {
                given_file("--image", &file)?;
                check_image(&file, self.arch)
            }
            None => driver(&Cross::new(self.arch)?),
        }
    }
}

/// Builds the driver and checks all of it.
pub fn driver(cross: &Cross) -> Result<()> {
    check_image(&build::driver(cross, Profile::Release)?, cross.arch())?;
    metadata::agrees(cross)?;
    progress::answer("ok    the WDK bindings agree with Microsoft's metadata");
    metadata::notices_differences(cross)?;
    progress::answer("ok    a difference between them is noticed");
    Ok(())
}

/// Every rule for a processor's images, in the order of the report.
fn all_rules(arch: Arch) -> impl Iterator<Item = &'static Rule> {
    let more: &[Rule] = match arch {
        Arch::X64 => hardening::X64_RULES,
        Arch::Arm64 => &[],
    };
    rules::RULES.iter().chain(hardening::RULES).chain(more)
}

fn check_image(file: &Path, arch: Arch) -> Result<()> {
    let image = Image::open(file, arch)?;
    let mut failures = 0;
    for rule in all_rules(arch) {
        match (rule.check)(&image) {
            Ok(()) => progress::answer(&format!("ok    {}", rule.name)),
            Err(reason) => {
                failures += 1;
                progress::answer(&format!("FAIL  {}: {reason}", rule.name));
            }
        }
    }
    if failures != 0 {
        bail!(Finding(format!(
            "{}: {failures} of {} checks failed",
            file.display(),
            all_rules(arch).count()
        )));
    }
    Ok(())
}
