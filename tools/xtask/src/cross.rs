//! Cargo, compiling for Windows on another host.
//!
//! Everything that makes the difference is given on cargo's command line and in
//! its environment, so that the packages' own manifests and the driver's lock
//! file stay what a Windows user builds from.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::arch::Arch;
use crate::toolchain::{
    Compiler, DDK_HEADERS, DDK_INCLUDE, DEBIAN_CLIPPY, LIBCLANG, LLD_LINK, LLVM_RC, Need, RC_PATH,
    Requirement, StandardLibrary, provide, sysroot, windows_compiler,
};
use crate::{kit, repository};

/// What the linker is told beyond what the driver's build script asks for.
const LINK_ARGUMENTS: &[&str] = &[
    // Fill in the image's checksum, as signing does for a driver built on
    // Windows.
    "/RELEASE",
    // Name the symbols without the folder that they were made in, and put a
    // hash of the image where the time would be: the same sources give the
    // same bytes, wherever and whenever they are built.
    "/PDBALTPATH:%_PDB%",
    "/BREPRO",
];

/// What a user's environment may hold that is meant for the host's builds:
/// flags that replace the target's, wrappers made for another compiler, folders.
const NOT_INHERITED: &[&str] = &[
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTDOCFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// The tools of the cross build, found.
pub struct Cross {
    arch: Arch,
    compiler: Compiler,
    /// Where `core` and `alloc` are, if not in the compiler's own sysroot.
    sysroot: Option<PathBuf>,
    linker: PathBuf,
    resource_compiler: PathBuf,
    libclang: PathBuf,
    ddk_headers: PathBuf,
}

/// What compiling for Windows takes.
pub fn needs(arch: Arch) -> Vec<&'static dyn Need> {
    const X64: Requirement<Compiler> = windows_compiler(Arch::X64);
    const ARM64: Requirement<Compiler> = windows_compiler(Arch::Arm64);
    let compiler: &dyn Need = match arch {
        Arch::X64 => &X64,
        Arch::Arm64 => &ARM64,
    };
    vec![compiler, &LLD_LINK, &LLVM_RC, &LIBCLANG, &DDK_HEADERS]
}

impl Cross {
    /// Finds the tools, or installs those that are missing.
    pub fn new(arch: Arch) -> Result<Self> {
        provide(&needs(arch))?;
        let compiler = windows_compiler(arch).get()?;
        let sysroot = match compiler.standard_library {
            StandardLibrary::Installed => None,
            StandardLibrary::Source => {
                let mut cargo = host_cargo();
                use_compiler(&mut cargo, &compiler);
                Some(sysroot::build(&compiler, arch, cargo)?)
            }
        };
        Ok(Self {
            arch,
            compiler,
            sysroot,
            linker: LLD_LINK.get()?,
            resource_compiler: LLVM_RC.get()?,
            libclang: LIBCLANG.get()?,
            ddk_headers: DDK_HEADERS.get()?,
        })
    }

    /// The processor that is compiled for.
    pub const fn arch(&self) -> Arch {
        self.arch
    }

    /// The compiler.
    pub fn rustc(&self) -> &Path {
        &self.compiler.rustc
    }

    /// The command `cargo SUBCOMMAND` for the driver's package.
    pub fn cargo(&self, subcommand: &str) -> Command {
        self.prepared(host_cargo(), subcommand)
    }

    /// The command `cargo doc` for the driver's package, with warnings denied.
    pub fn doc(&self) -> Command {
        let mut flags = vec!["--deny=warnings".to_owned()];
        flags.extend(self.sysroot_flag());
        let mut cargo = self.cargo("doc");
        cargo
            .arg("--no-deps")
            .env("CARGO_ENCODED_RUSTDOCFLAGS", flags.join("\x1f"));
        cargo
    }

    /// The command `cargo SUBCOMMAND` for another package that is compiled for
    /// Windows, whose lock file lies beside its manifest.
    pub fn cargo_for(&self, subcommand: &str, package: &Path) -> Command {
        for_package(self.cargo(subcommand), package)
    }

    /// The command `cargo clippy` for the driver's package.
    ///
    /// # Errors
    ///
    /// When there is no clippy for the compiler and none can be installed.
    pub fn clippy(&self) -> Result<Command> {
        let command = clippy_for(&self.compiler)?;
        Ok(self.prepared(command, "clippy"))
    }

    /// The command `cargo clippy` for another package, as [`Self::cargo_for`].
    ///
    /// # Errors
    ///
    /// As [`Self::clippy`].
    pub fn clippy_for(&self, package: &Path) -> Result<Command> {
        Ok(for_package(self.clippy()?, package))
    }

    /// Adds to `command`, a program that takes cargo's arguments, all that
    /// makes it compile for Windows.
    fn prepared(&self, mut command: Command, subcommand: &str) -> Command {
        use_compiler(&mut command, &self.compiler);
        command
            .env("LIBCLANG_PATH", &self.libclang)
            .env(RC_PATH, &self.resource_compiler)
            .env(DDK_INCLUDE, &self.ddk_headers)
            .env(kit::VARIABLE, kit::selected().unwrap_or(Path::new("")))
            // winresource looks for GNU's compiler before it takes the one
            // above, and warns where it knows no name of it for the target.
            .env("CROSS_COMPILE", "")
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
        command
    }

    fn sysroot_flag(&self) -> Option<String> {
        let sysroot = self.sysroot.as_ref()?;
        Some(format!("--sysroot={}", sysroot.display()))
    }

    /// The linker and its arguments, as settings of cargo's configuration.
    fn target_settings(&self) -> [String; 2] {
        let mut flags = vec!["-Clinker-flavor=lld-link".to_owned()];
        flags.extend(LINK_ARGUMENTS.iter().map(|a| format!("-Clink-arg={a}")));
        flags.extend(without_folders());
        flags.extend(self.sysroot_flag());
        let target = self.arch.target();
        let linker = self.linker.display().to_string();
        // Rust writes a string, and a list of strings, as TOML does.
        [
            format!("target.{target}.linker={linker:?}"),
            format!("target.{target}.rustflags={flags:?}"),
        ]
    }
}

/// Has the compiler call this repository and cargo's folder by names that are
/// the same on every machine.
fn without_folders() -> impl Iterator<Item = String> {
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(
        || env::home_dir().unwrap_or_default().join(".cargo"),
        PathBuf::from,
    );
    [
        (repository::root(), "/procmon".to_owned()),
        (cargo_home, "/cargo".to_owned()),
    ]
    .into_iter()
    .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
}

/// Cargo, as it was when it started this program.
pub fn host_cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The program that takes cargo's arguments and has clippy for a compiler.
///
/// # Errors
///
/// When there is none and none can be installed.
pub fn clippy_for(compiler: &Compiler) -> Result<Command> {
    let mut command = if compiler.is_debian() {
        Command::new(DEBIAN_CLIPPY.get()?)
    } else {
        host_cargo()
    };
    command.env("CARGO", host_cargo().get_program());
    Ok(command)
}

/// Has `cargo` work on the package in a folder instead of the driver's.
fn for_package(mut cargo: Command, package: &Path) -> Command {
    let lock = package.join("Cargo.lock").display().to_string();
    cargo
        .arg("--config")
        .arg(format!("resolver.lockfile-path={lock:?}"))
        .arg("--manifest-path")
        .arg(package.join("Cargo.toml"));
    cargo
}

/// Has cargo use `compiler` and nothing that the user's environment holds for
/// another one.
pub fn use_compiler(cargo: &mut Command, compiler: &Compiler) {
    for name in NOT_INHERITED {
        cargo.env_remove(name);
    }
    cargo
        .current_dir(repository::root())
        .env("RUSTC", &compiler.rustc)
        // Of the same version, or it reads nothing that the compiler wrote.
        .env("RUSTDOC", compiler.rustc.with_file_name("rustdoc"))
        // A stable compiler takes cargo's unstable settings only with this.
        .env("RUSTC_BOOTSTRAP", "1");
}
