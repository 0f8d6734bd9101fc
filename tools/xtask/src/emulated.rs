//! The embedded kernel for ARM64, and its tests, on another processor: compiled
//! for ARM64 Linux and run by an emulator of such programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cross::{clippy_for, host_cargo, use_compiler};
use crate::toolchain::{
    ARM64_GCC, ARM64_LINUX, ARM64_LINUX_COMPILER, Compiler, Need, QEMU_ARM64, StandardLibrary,
    provide, sysroot,
};
use crate::{command, repository};

/// The tools for it, found.
pub struct Emulated {
    compiler: Compiler,
    /// Where the standard library is, if not in the compiler's own sysroot.
    sysroot: Option<PathBuf>,
    linker: PathBuf,
    emulator: PathBuf,
}

impl Emulated {
    /// What it takes.
    pub fn needs() -> [&'static dyn Need; 3] {
        [&ARM64_LINUX_COMPILER, &ARM64_GCC, &QEMU_ARM64]
    }

    /// Finds the tools, or installs those that are missing.
    pub fn new() -> Result<Self> {
        provide(&Self::needs())?;
        let compiler = ARM64_LINUX_COMPILER.get()?;
        let linker = ARM64_GCC.get()?;
        let sysroot = match compiler.standard_library {
            StandardLibrary::Installed => None,
            StandardLibrary::Source => {
                let mut cargo = host_cargo();
                use_compiler(&mut cargo, &compiler);
                let built = target_folder().join(ARM64_LINUX);
                Some(sysroot::build_with_std(
                    &compiler,
                    ARM64_LINUX,
                    &linker,
                    cargo,
                    &built,
                )?)
            }
        };
        Ok(Self {
            compiler,
            sysroot,
            linker,
            emulator: QEMU_ARM64.get()?,
        })
    }

    /// The command `cargo SUBCOMMAND` for the tools' workspace, compiled for
    /// ARM64 and run by the emulator.
    pub fn cargo(&self, subcommand: &str) -> Command {
        self.prepared(host_cargo(), subcommand)
    }

    /// The command `cargo clippy`, as [`Self::cargo`].
    ///
    /// # Errors
    ///
    /// When there is no clippy for the compiler and none can be installed.
    pub fn clippy(&self) -> Result<Command> {
        let command = clippy_for(&self.compiler)?;
        Ok(self.prepared(command, "clippy"))
    }

    /// Adds to `cargo`, a program that takes cargo's arguments, all that makes
    /// it compile for ARM64 Linux.
    fn prepared(&self, mut cargo: Command, subcommand: &str) -> Command {
        use_compiler(&mut cargo, &self.compiler);
        // What this is for is stable; packages would take it for a nightly one.
        cargo.env_remove("RUSTC_BOOTSTRAP").arg(subcommand);
        // All of the program in one file: the emulator would find the ARM64
        // libraries of one installation, and the loader those of another.
        let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
        if let Some(sysroot) = &self.sysroot {
            flags.push(format!("--sysroot={}", sysroot.display()));
        }
        let linker = self.linker.display().to_string();
        let runner = self.emulator.display().to_string();
        for setting in [
            format!("target.{ARM64_LINUX}.linker={linker:?}"),
            format!("target.{ARM64_LINUX}.runner={runner:?}"),
            format!("target.{ARM64_LINUX}.rustflags={flags:?}"),
        ] {
            cargo.args(["--config", &setting]);
        }
        cargo
            .args(["--target", ARM64_LINUX, "--target-dir"])
            .arg(target_folder())
            .arg("--manifest-path")
            .arg(repository::tools().join("Cargo.toml"));
        cargo
    }

    /// Builds the embedded kernel and gives the command that runs it.
    pub fn build_ntsim(&self) -> Result<Command> {
        command::run(
            "build ntsim for ARM64",
            self.cargo("build").args(["--package", "ntsim-cli"]),
        )?;
        let mut ntsim = Command::new(&self.emulator);
        ntsim.arg(target_folder().join(ARM64_LINUX).join("debug/ntsim"));
        Ok(ntsim)
    }
}

/// Where cargo works for ARM64 Linux: apart from the others, whose compilers
/// may be others.
fn target_folder() -> PathBuf {
    repository::root().join("target/arm64-linux")
}
