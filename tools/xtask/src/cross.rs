//! Cargo, compiling for Windows on another host.
//!
//! Everything that makes the difference is given on cargo's command line and in
//! its environment, so that the packages' own manifests and the driver's lock
//! file stay what a Windows user builds from.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::arch::Arch;
use crate::repository;
use crate::toolchain::{
    Compiler, DDK_HEADERS, DDK_INCLUDE, LIBCLANG, LLD_LINK, StandardLibrary, WINDOWS_COMPILER,
    provide,
};

/// What the linker is told beyond what the driver's build script asks for: to
/// fill in the image's checksum, as signing does for a driver built on Windows.
const LINK_ARGUMENTS: &[&str] = &["/RELEASE"];

/// What a user's environment may hold that is meant for the host's builds:
/// flags that replace the target's, wrappers made for another compiler, folders.
const NOT_INHERITED: &[&str] = &[
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];

/// The tools of the cross build, found.
pub struct Cross {
    arch: Arch,
    compiler: Compiler,
    linker: PathBuf,
    libclang: PathBuf,
    ddk_headers: PathBuf,
}

impl Cross {
    /// Finds the tools, or installs those that are missing.
    pub fn new(arch: Arch) -> Result<Self> {
        provide(&[&WINDOWS_COMPILER, &LLD_LINK, &LIBCLANG, &DDK_HEADERS])?;
        Ok(Self {
            arch,
            compiler: WINDOWS_COMPILER.get()?,
            linker: LLD_LINK.get()?,
            libclang: LIBCLANG.get()?,
            ddk_headers: DDK_HEADERS.get()?,
        })
    }

    /// The processor that is compiled for.
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// The command `cargo SUBCOMMAND` for the driver's package.
    pub fn cargo(&self, subcommand: &str) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        self.prepare(&mut command, subcommand);
        command
    }

    /// Adds to `command`, a program that takes cargo's arguments, all that
    /// makes it compile for Windows.
    pub fn prepare(&self, command: &mut Command, subcommand: &str) {
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command
            .current_dir(repository::root())
            .env("RUSTC", &self.compiler.rustc)
            // A stable compiler takes cargo's unstable options only with this.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LIBCLANG_PATH", &self.libclang)
            .env(DDK_INCLUDE, &self.ddk_headers)
            .arg(subcommand)
            .args(["--config", "tools/cross/config.toml"])
            .args(
                self.target_settings()
                    .iter()
                    .flat_map(|setting| ["--config", setting]),
            )
            .args(["--target", self.arch.target()])
            .arg("--target-dir")
            .arg(repository::cross_target());
        if self.compiler.standard_library == StandardLibrary::Source {
            command.args([
                "-Zbuild-std=core,alloc,compiler_builtins",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
        }
    }

    /// The linker and its arguments, as settings of cargo's configuration.
    fn target_settings(&self) -> [String; 2] {
        let flags: Vec<_> = ["-Clinker-flavor=lld-link".to_owned()]
            .into_iter()
            .chain(LINK_ARGUMENTS.iter().map(|a| format!("-Clink-arg={a}")))
            .collect();
        let target = self.arch.target();
        let linker = self.linker.display().to_string();
        // Rust writes a string, and a list of strings, as TOML does.
        [
            format!("target.{target}.linker={linker:?}"),
            format!("target.{target}.rustflags={flags:?}"),
        ]
    }
}
