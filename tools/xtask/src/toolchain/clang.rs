//! Clang, which compiles the C drivers that procmon is measured against, and
//! the tool that makes their import library.

use std::path::PathBuf;

use super::{Requirement, path};

/// LLVM's C compiler.
pub const CLANG: Requirement<PathBuf> = Requirement {
    what: "clang",
    why: "it compiles the C drivers to measure against",
    find: || path::llvm_programs("clang").next(),
    packages: &[
        &["clang-19"],
        &["clang-20"],
        &["clang-21"],
        &["clang-18"],
        &["clang"],
    ],
    elsewhere: "install LLVM's clang so that it is on the PATH",
};

/// LLVM's maker of import libraries.
pub const LLVM_DLLTOOL: Requirement<PathBuf> = Requirement {
    what: "llvm-dlltool",
    why: "it makes the import library of the C drivers",
    find: || path::llvm_programs("llvm-dlltool").next(),
    packages: &[
        &["llvm-19"],
        &["llvm-20"],
        &["llvm-21"],
        &["llvm-18"],
        &["llvm"],
    ],
    elsewhere: "install LLVM so that llvm-dlltool is on the PATH",
};
