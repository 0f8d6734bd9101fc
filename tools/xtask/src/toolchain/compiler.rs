//! A Rust compiler that has the standard library of a target, built or as
//! source.

use std::path::{Path, PathBuf};

use rustc_version::{Version, VersionMeta};

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement, rustup};
use crate::arch::Arch;

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

/// The oldest compiler that the wdk crates accept: the first two numbers of its
/// version.
const OLDEST: (u64, u64) = (1, 91);

/// Where Debian puts its compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The compiler for a driver that runs on `arch`.
pub const fn windows_compiler(arch: Arch) -> Requirement<Compiler> {
    match arch {
        Arch::X64 => Requirement {
            what: "the Rust standard library for x86_64-pc-windows-msvc",
            why: "the driver is compiled for Windows",
            find: |host| find(host, Arch::X64.target()),
            rustup: Some(rustup::Part::Target(Arch::X64.target())),
            debian: DEBIAN,
            elsewhere: Elsewhere {
                fedora: &[],
                arch: &[],
                otherwise: "install Rust from https://rustup.rs and type: rustup target add x86_64-pc-windows-msvc",
            },
        },
        Arch::Arm64 => Requirement {
            what: "the Rust standard library for aarch64-pc-windows-msvc",
            why: "the driver is compiled for Windows on ARM64",
            find: |host| find(host, Arch::Arm64.target()),
            rustup: Some(rustup::Part::Target(Arch::Arm64.target())),
            debian: DEBIAN,
            elsewhere: Elsewhere {
                fedora: &[],
                arch: &[],
                otherwise: "install Rust from https://rustup.rs and type: rustup target add aarch64-pc-windows-msvc",
            },
        },
    }
}

/// The Linux on which an ARM64 driver is run.
pub const ARM64_LINUX: &str = "aarch64-unknown-linux-gnu";

/// The compiler for the kernel that an ARM64 driver is run in.
pub const ARM64_LINUX_COMPILER: Requirement<Compiler> = Requirement {
    what: "the Rust standard library for aarch64-unknown-linux-gnu",
    why: "the kernel that runs ARM64 drivers is compiled for ARM64",
    find: |host| find(host, ARM64_LINUX),
    rustup: Some(rustup::Part::Target(ARM64_LINUX)),
    debian: DEBIAN,
    elsewhere: Elsewhere {
        fedora: &[],
        arch: &[],
        otherwise: "install Rust from https://rustup.rs and type: rustup target add aarch64-unknown-linux-gnu",
    },
};

/// The compiler for programs that run in Wine. Only rustup has a standard library
/// with what they need of it.
pub const WINDOWS_PROGRAMS: Requirement<Compiler> = Requirement {
    what: "the Rust standard library for x86_64-pc-windows-gnu",
    why: "build scripts are compiled as programs for Windows",
    find: |host| {
        find(host, "x86_64-pc-windows-gnu")
            .filter(|compiler| compiler.standard_library == StandardLibrary::Installed)
    },
    rustup: Some(rustup::Part::Target("x86_64-pc-windows-gnu")),
    debian: &[],
    elsewhere: Elsewhere {
        fedora: &[],
        arch: &[],
        otherwise: "install Rust from https://rustup.rs and type: rustup target add x86_64-pc-windows-gnu",
    },
};

/// Debian's compilers, with the source of their standard library.
const DEBIAN: &[Packages] = &[
    Packages {
        names: &["rustc-web", "rust-web-src"],
        oldest: Some(OLDEST),
    },
    Packages {
        names: &["rustc", "rust-src"],
        oldest: Some(OLDEST),
    },
];

impl Compiler {
    /// Whether this is Debian's compiler, which rustup's clippy cannot serve.
    pub fn is_debian(&self) -> bool {
        self.rustc == Path::new(DEBIAN_RUSTC)
    }
}

/// The compiler in use: the user's choice, or the one on the `PATH`.
pub(super) fn rustc(host: &Host) -> PathBuf {
    host.variable("RUSTC").unwrap_or("rustc".as_ref()).into()
}

fn find(host: &Host, target: &str) -> Option<Compiler> {
    let candidates = [rustc(host), host.path(DEBIAN_RUSTC)];
    // An installed standard library saves building one; look for that first.
    [StandardLibrary::Installed, StandardLibrary::Source]
        .into_iter()
        .find_map(|wanted| {
            candidates
                .iter()
                .find(|rustc| is_new_enough(host, rustc) && has(host, rustc, wanted, target))
                .map(|rustc| Compiler {
                    rustc: rustc.clone(),
                    standard_library: wanted,
                })
        })
}

fn has(host: &Host, rustc: &Path, wanted: StandardLibrary, target: &str) -> bool {
    let print = |arguments: &[&str]| host.answer(rustc, arguments).map(PathBuf::from);
    match wanted {
        StandardLibrary::Installed => print(&["--print", "target-libdir", "--target", target])
            .and_then(|folder| folder.read_dir().ok())
            .is_some_and(|files| {
                files
                    .flatten()
                    .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
            }),
        StandardLibrary::Source => print(&["--print", "sysroot"]).is_some_and(|sysroot| {
            sysroot
                .join("lib/rustlib/src/rust/library/core/src/lib.rs")
                .exists()
        }),
    }
}

fn is_new_enough(host: &Host, rustc: &Path) -> bool {
    let is_enough = |version: Version| (version.major, version.minor) >= OLDEST;
    VersionMeta::for_command(host.command(rustc)).is_ok_and(|version| is_enough(version.semver))
}
