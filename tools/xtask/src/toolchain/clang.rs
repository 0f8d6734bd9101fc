//! Clang, which compiles the C drivers that procmon is measured against, and
//! the tool that makes their import library.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// LLVM's C compiler.
pub const CLANG: Requirement<PathBuf> = Requirement {
    what: "clang",
    why: "compiles the C drivers to measure against",
    find: |host| host.llvm_programs("clang").next(),
    rustup: None,
    debian: &[
        Packages::any(&["clang-19"]),
        Packages::any(&["clang-20"]),
        Packages::any(&["clang-21"]),
        Packages::any(&["clang-18"]),
        Packages::any(&["clang"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["clang"],
        arch: &["clang"],
        otherwise: "install LLVM's clang so that it is on the PATH",
    },
};

/// LLVM's maker of import libraries.
pub const LLVM_DLLTOOL: Requirement<PathBuf> = Requirement {
    what: "llvm-dlltool",
    why: "makes the import library of the C drivers",
    find: |host| host.llvm_programs("llvm-dlltool").next(),
    rustup: None,
    debian: &[
        Packages::any(&["llvm-19"]),
        Packages::any(&["llvm-20"]),
        Packages::any(&["llvm-21"]),
        Packages::any(&["llvm-18"]),
        Packages::any(&["llvm"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["llvm"],
        arch: &["llvm"],
        otherwise: "install LLVM so that llvm-dlltool is on the PATH",
    },
};
