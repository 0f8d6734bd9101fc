//! Clang, which compiles the C drivers that procmon is measured against, and
//! the tool that makes their import library.

use std::env;
use std::path::PathBuf;

use super::Requirement;

/// LLVM's C compiler.
pub const CLANG: Requirement<PathBuf> = Requirement {
    what: "clang",
    why: "it compiles the C drivers to measure against",
    find: || find("clang"),
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
    find: || find("llvm-dlltool"),
    packages: &[
        &["llvm-19"],
        &["llvm-20"],
        &["llvm-21"],
        &["llvm-18"],
        &["llvm"],
    ],
    elsewhere: "install LLVM so that llvm-dlltool is on the PATH",
};

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    super::llvm_versions()
        .map(|version| format!("{name}-{version}"))
        .chain([name.to_owned()])
        .find_map(|name| {
            env::split_paths(&path)
                .map(|folder| folder.join(&name))
                .find(|program| program.is_file())
        })
}
