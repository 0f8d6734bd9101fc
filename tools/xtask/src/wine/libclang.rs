//! libclang for Windows, from the Python package that contains it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::Unavailable;
use crate::command::{self, Bound};
use crate::exit::Finding;
use crate::repository;
use crate::toolchain::PIP;

const PACKAGE: &str = "libclang==18.1.1";
const WHEEL: &str = "libclang-18.1.1-py2.py3-none-win_amd64.whl";
const WHEEL_SHA256: &str = "4dd2d3b82fab35e2bf9ca717d7b63ac990a3519c7e312f19fa8e86dcc712f7fb";
const LIBRARY: &str = "libclang-18.1.1.data/platlib/clang/native/libclang.dll";

/// The folder of `libclang.dll`, or why it cannot be had here.
///
/// # Errors
///
/// When the package is not the one that is known, or cannot be unpacked.
pub fn provide() -> Result<Result<PathBuf, Unavailable>> {
    let target = repository::root().join("target");
    let folder = target.join("libclang-18.1.1");
    if folder.is_dir() {
        return Ok(Ok(folder));
    }
    let pip = match PIP.get() {
        Ok(pip) => pip,
        Err(why) => return Ok(Err(Unavailable(format!("{why:#}")))),
    };
    let downloads = tempfile::tempdir_in(&target)?;
    let mut download = Command::new(pip);
    download
        .args(["download", "--no-deps", "--only-binary=:all:"])
        .args(["--platform=win_amd64", "--retries=1", "--timeout=15"])
        .arg("--dest")
        .args([downloads.path().as_os_str(), PACKAGE.as_ref()]);
    let bound = Bound::NoProgress(Duration::from_mins(1));
    if let Err(failure) = command::bounded("download libclang for Windows", &mut download, bound) {
        let last = failure.output.lines().last().unwrap_or_default();
        return Ok(Err(Unavailable(format!(
            "pip download {PACKAGE} {failure}: {last}"
        ))));
    }
    let unpacked = tempfile::tempdir_in(&target)?;
    unpack(&downloads.path().join(WHEEL), unpacked.path())?;
    fs::rename(unpacked.keep(), &folder)?;
    Ok(Ok(folder))
}

fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let bytes = fs::read(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
    let hash = format!("{:x}", Sha256::digest(&bytes));
    if hash != WHEEL_SHA256 {
        bail!(Finding(format!(
            "{WHEEL} from PyPI has the SHA-256 {hash} and not {WHEEL_SHA256}"
        )));
    }
    let mut archive = ZipArchive::new(io::Cursor::new(bytes))?;
    let mut library = archive.by_name(LIBRARY)?;
    io::copy(
        &mut library,
        &mut File::create(folder.join("libclang.dll"))?,
    )?;
    Ok(())
}
