//! What makes programs for ARM64 Linux on another processor, and runs them.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// GCC for ARM64, which links with a C library that needs no other files where
/// the program is run.
pub const ARM64_GCC: Requirement<PathBuf> = Requirement {
    what: "GCC and the C library for ARM64",
    why: "link the kernel that runs ARM64 drivers",
    find: |host| {
        let gcc = host.program("aarch64-linux-gnu-gcc")?;
        // What is not found is answered by the bare name.
        let library = host.answer(&gcc, &["-print-file-name=libc.a"])?;
        PathBuf::from(library).is_absolute().then_some(gcc)
    },
    rustup: None,
    debian: &[Packages::any(&[
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
    ])],
    elsewhere: Elsewhere {
        fedora: &[],
        arch: &["aarch64-linux-gnu-gcc", "aarch64-linux-gnu-glibc"],
        otherwise: "install GCC for ARM64 so that aarch64-linux-gnu-gcc is on the PATH, with a static C library",
    },
};

/// QEMU, for single programs.
pub const QEMU_ARM64: Requirement<PathBuf> = Requirement {
    what: "QEMU for ARM64 programs",
    why: "runs the kernel that runs ARM64 drivers",
    find: |host| {
        host.program("qemu-aarch64")
            .or_else(|| host.program("qemu-aarch64-static"))
    },
    rustup: None,
    debian: &[
        Packages::any(&["qemu-user"]),
        Packages::any(&["qemu-user-static"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["qemu-user"],
        arch: &["qemu-user"],
        otherwise: "install QEMU so that qemu-aarch64 is on the PATH",
    },
};
