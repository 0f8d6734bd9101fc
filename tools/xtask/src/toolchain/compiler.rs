//! A Rust compiler that has the standard library of a target, built or as
//! source.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustc_version::Version;

use super::Requirement;
use crate::arch::Arch;
use crate::command;

/// A compiler that can produce code for a target.
#[derive(Debug)]
pub struct Compiler {
    /// The compiler's program.
    pub rustc: PathBuf,
    /// How its standard library for the target is had.
    pub standard_library: StandardLibrary,
}

/// Where the standard library for a target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardLibrary {
    /// The target is installed (`rustup target add`).
    Installed,
    /// Only the source is there; [`sysroot`](super::sysroot) builds it.
    Source,
}

/// The oldest compiler that the wdk crates accept.
const OLDEST: Version = Version::new(1, 91, 0);

/// Where Debian puts its compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The compiler for a driver that runs on `arch`.
pub const fn windows_compiler(arch: Arch) -> Requirement<Compiler> {
    match arch {
        Arch::X64 => Requirement {
            what: "a Rust standard library for x86_64-pc-windows-msvc",
            why: "the driver is compiled for Windows",
            find: || find(Arch::X64.target()),
            packages: PACKAGES,
            elsewhere: "type: rustup target add x86_64-pc-windows-msvc",
        },
        Arch::Arm64 => Requirement {
            what: "a Rust standard library for aarch64-pc-windows-msvc",
            why: "the driver is compiled for Windows on ARM64",
            find: || find(Arch::Arm64.target()),
            packages: PACKAGES,
            elsewhere: "type: rustup target add aarch64-pc-windows-msvc",
        },
    }
}

/// The Linux on which an ARM64 driver is run.
pub const ARM64_LINUX: &str = "aarch64-unknown-linux-gnu";

/// The compiler for the kernel that an ARM64 driver is run in.
pub const ARM64_LINUX_COMPILER: Requirement<Compiler> = Requirement {
    what: "a Rust standard library for aarch64-unknown-linux-gnu",
    why: "the kernel that runs ARM64 drivers is compiled for ARM64",
    find: || find(ARM64_LINUX),
    packages: PACKAGES,
    elsewhere: "type: rustup target add aarch64-unknown-linux-gnu",
};

/// Debian's compilers, with the source of their standard library.
const PACKAGES: &[&[&str]] = &[&["rustc-web", "rust-web-src"], &["rustc", "rust-src"]];

impl Compiler {
    /// Whether this is Debian's compiler, which rustup's clippy cannot serve.
    pub fn is_debian(&self) -> bool {
        self.rustc == Path::new(DEBIAN_RUSTC)
    }
}

fn find(target: &str) -> Option<Compiler> {
    let usual = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let candidates = [PathBuf::from(usual), PathBuf::from(DEBIAN_RUSTC)];
    // An installed standard library saves building one; look for that first.
    [StandardLibrary::Installed, StandardLibrary::Source]
        .into_iter()
        .find_map(|wanted| {
            candidates
                .iter()
                .find(|rustc| is_new_enough(rustc) && has(rustc, wanted, target))
                .map(|rustc| Compiler {
                    rustc: rustc.clone(),
                    standard_library: wanted,
                })
        })
}

fn has(rustc: &Path, wanted: StandardLibrary, target: &str) -> bool {
    let print = |what, target: &[&str]| {
        command::answer(Command::new(rustc).args(["--print", what]).args(target)).map(PathBuf::from)
    };
    match wanted {
        StandardLibrary::Installed => print("target-libdir", &["--target", target])
            .and_then(|folder| folder.read_dir().ok())
            .is_some_and(|files| {
                files
                    .flatten()
                    .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
            }),
        StandardLibrary::Source => print("sysroot", &[]).is_some_and(|sysroot| {
            sysroot
                .join("lib/rustlib/src/rust/library/core/src/lib.rs")
                .exists()
        }),
    }
}

fn is_new_enough(rustc: &Path) -> bool {
    rustc_version::VersionMeta::for_command(Command::new(rustc))
        .is_ok_and(|version| version.semver >= OLDEST)
}
