//! What makes programs for ARM64 Linux on another processor, and runs them.

use std::path::PathBuf;
use std::process::Command;

use super::{Requirement, path};
use crate::command;

/// GCC for ARM64, which links with a C library that needs no other files where
/// the program is run.
pub const ARM64_GCC: Requirement<PathBuf> = Requirement {
    what: "GCC and the C library for ARM64",
    why: "they link the kernel that runs ARM64 drivers",
    find: || {
        let gcc = path::program("aarch64-linux-gnu-gcc")?;
        // What is not found is answered by the bare name.
        let library = command::answer(Command::new(&gcc).arg("-print-file-name=libc.a"))?;
        PathBuf::from(library).is_absolute().then_some(gcc)
    },
    packages: &[&["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"]],
    elsewhere: "install GCC for ARM64 so that aarch64-linux-gnu-gcc is on the PATH, with a static C library",
};

/// QEMU, for single programs.
pub const QEMU_ARM64: Requirement<PathBuf> = Requirement {
    what: "QEMU for ARM64 programs",
    why: "it runs the kernel that runs ARM64 drivers",
    find: || path::program("qemu-aarch64").or_else(|| path::program("qemu-aarch64-static")),
    packages: &[&["qemu-user"], &["qemu-user-static"]],
    elsewhere: "install QEMU so that qemu-aarch64 is on the PATH",
};
