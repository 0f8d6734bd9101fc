//! `core` and `alloc` for Windows, built once from source and kept like an
//! installed target, for every later compilation and lint to share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustc_build_sysroot::{SysrootBuilder, SysrootConfig, SysrootStatus, rustc_sysroot_src};

use super::Compiler;
use crate::arch::Arch;
use crate::repository;

/// Builds the standard library for `arch` with `compiler`, unless that is done
/// already, and gives the folder to pass as `--sysroot`. `cargo` is cargo set
/// up to use that compiler.
///
/// # Errors
///
/// When the library does not build.
pub fn build(compiler: &Compiler, arch: Arch, cargo: Command) -> Result<PathBuf> {
    let folder = repository::cross_target().join("sysroot");
    let rustc = || Command::new(&compiler.rustc);
    let source = rustc_sysroot_src(rustc())?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let status = SysrootBuilder::new(&folder, arch.target())
        .sysroot_config(SysrootConfig::NoStd)
        // As in the libraries that Rust distributes: bitcode for link-time
        // optimisation, and lines for backtraces.
        .rustflags([
            "-Cembed-bitcode=yes",
            "-Cdebuginfo=line-tables-only",
            "-Ccontrol-flow-guard",
        ])
        .rustc_version(rustc_version::VersionMeta::for_command(rustc())?)
        .cargo(cargo)
        .when_build_required(|| announce(&source, arch))
        .build_from_source(&source)
        .with_context(|| format!("cannot build core and alloc for {}", arch.target()))?;
    if status == SysrootStatus::SysrootBuilt {
        // Cargo does not look into a sysroot: it would go on using what was
        // compiled against the one before.
        let stale = repository::cross_target().join(arch.target());
        match fs::remove_dir_all(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", stale.display()));
            }
            _ => {}
        }
    }
    Ok(folder)
}

fn announce(source: &Path, arch: Arch) {
    eprintln!(
        "building core and alloc for {} from {} (once)",
        arch.target(),
        source.display()
    );
}
