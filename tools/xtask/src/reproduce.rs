//! `cargo xtask reproduce`: whether the same sources give the same image.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::Finding;
use crate::{command, repository};

/// Build the driver a second time, in another folder, and compare the images.
#[derive(Args)]
pub struct Reproduce {}

impl Reproduce {
    pub fn execute(self) -> Result<()> {
        let Self {} = self;
        let here = build::driver(&Cross::new(Arch::X64)?, Profile::Release)?;
        let folder = tempfile::Builder::new()
            .prefix("procmon-")
            .tempdir()
            .context("cannot create a folder for the second build")?;
        copy_sources(&repository::root(), folder.path())?;
        let there = build_in(folder.path())?;
        compare(&here, &there)
    }
}

/// Copies what version control knows, as it is in the working tree.
pub fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    let listing = command::output(
        "git ls-files",
        Command::new("git").current_dir(from).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]),
    )?;
    for name in listing.split(|&byte| byte == 0).filter(|n| !n.is_empty()) {
        let name = str::from_utf8(name).context("a file name here is not UTF-8")?;
        let (source, copy) = (from.join(name), to.join(name));
        // Deleted, and not yet committed as such.
        if !source.is_file() {
            continue;
        }
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        fs::copy(&source, &copy)
            .with_context(|| format!("cannot copy {} to {}", source.display(), copy.display()))?;
    }
    Ok(())
}

/// Has this very program build the driver of another copy of the repository.
fn build_in(root: &Path) -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell which program this is")?;
    command::run(
        "the second build",
        Command::new(program)
            .arg("build")
            .current_dir(root)
            .env("CARGO_MANIFEST_DIR", root.join("tools/xtask")),
    )?;
    Ok(root.join("target/driver/x64/procmon.sys"))
}

fn compare(here: &Path, there: &Path) -> Result<()> {
    let read =
        |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (first, second) = (read(here)?, read(there)?);
    if first != second {
        let kept = here.with_extension("second.sys");
        fs::write(&kept, &second).with_context(|| format!("cannot write {}", kept.display()))?;
        bail!(Finding(format!(
            "two builds of the same sources differ: compare {} with {}",
            here.display(),
            kept.display()
        )));
    }
    println!(
        "same bytes from two folders, SHA-256 {:x}",
        Sha256::digest(first)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_differ_by_a_byte_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.sys"), folder.path().join("b.sys"));
        fs::write(&a, [1, 2, 3]).unwrap();
        fs::write(&b, [1, 2, 3]).unwrap();
        compare(&a, &b).unwrap();
        fs::write(&b, [1, 2, 4]).unwrap();
        assert!(compare(&a, &b).unwrap_err().to_string().contains("differ"));
    }
}
