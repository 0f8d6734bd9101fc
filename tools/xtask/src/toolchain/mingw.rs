//! What compiles programs for Windows itself, which `cargo xtask wine` runs.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// The linker for `x86_64-pc-windows-gnu`, and the C runtime that it links.
pub const MINGW_GCC: Requirement<PathBuf> = Requirement {
    what: "mingw-w64's gcc",
    why: "build scripts are linked as programs for Windows",
    find: |host| host.program("x86_64-w64-mingw32-gcc"),
    rustup: None,
    debian: &[Packages::any(&["gcc-mingw-w64-x86-64"])],
    elsewhere: Elsewhere {
        fedora: &["mingw64-gcc"],
        arch: &["mingw-w64-gcc"],
        otherwise: "install mingw-w64's gcc so that x86_64-w64-mingw32-gcc is on the PATH",
    },
};
