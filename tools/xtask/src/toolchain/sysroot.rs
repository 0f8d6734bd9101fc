//! The standard library for another target, built once from source and kept like
//! an installed target, for every later compilation and lint to share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustc_build_sysroot::{SysrootBuilder, SysrootConfig, SysrootStatus, rustc_sysroot_src};

use super::Compiler;
use crate::arch::Arch;
use crate::{progress, repository};

/// Builds `core` and `alloc` for a driver on `arch` with `compiler`, unless that
/// is done already, and gives the folder to pass as `--sysroot`. `cargo` is
/// cargo set up to use that compiler.
///
/// # Errors
///
/// When they do not build.
pub fn build(compiler: &Compiler, arch: Arch, cargo: Command) -> Result<PathBuf> {
    let flags = ["-Ccontrol-flow-guard"];
    let built = repository::cross_target().join(arch.target());
    let config = SysrootConfig::NoStd;
    build_library(compiler, arch.target(), config, &flags, cargo, &built)
}

/// Builds all of the standard library for programs of the Linux `target`, as
/// [`build`] does its parts. It takes a `linker`; `built` is where cargo puts
/// what it compiles against it.
///
/// # Errors
///
/// When it does not build.
pub fn build_with_std(
    compiler: &Compiler,
    target: &str,
    linker: &Path,
    cargo: Command,
    built: &Path,
) -> Result<PathBuf> {
    let config = SysrootConfig::WithStd {
        std_features: Vec::new(),
    };
    let linker = format!("-Clinker={}", linker.display());
    build_library(compiler, target, config, &[&linker], cargo, built)
}

fn build_library(
    compiler: &Compiler,
    target: &str,
    config: SysrootConfig,
    flags: &[&str],
    cargo: Command,
    built: &Path,
) -> Result<PathBuf> {
    let folder = repository::cross_target().join("sysroot").join(target);
    let rustc = || Command::new(&compiler.rustc);
    let source = rustc_sysroot_src(rustc())?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let work = progress::work(&format!("build the standard library for {target}"))?;
    let status = SysrootBuilder::new(&folder, target)
        .sysroot_config(config)
        // As in the libraries that Rust distributes: bitcode for link-time
        // optimisation, and lines for backtraces.
        .rustflags(["-Cembed-bitcode=yes", "-Cdebuginfo=line-tables-only"])
        .rustflags(flags)
        .rustc_version(rustc_version::VersionMeta::for_command(rustc())?)
        .cargo(cargo)
        .build_from_source(&source)
        .with_context(|| format!("cannot build the standard library for {target}"))?;
    work.end(true);
    if status == SysrootStatus::SysrootBuilt {
        // Cargo does not look into a sysroot: it would go on using what was
        // compiled against the one before.
        match fs::remove_dir_all(built) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", built.display()));
            }
            _ => {}
        }
    }
    Ok(folder)
}
