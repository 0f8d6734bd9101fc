//! A compiler of Windows resources.

use std::env;
use std::path::{Path, PathBuf};

use super::{Requirement, path};

/// Names the compiler by hand; winresource, which the driver's build script
/// uses, reads it.
pub const RC_PATH: &str = "RC_PATH";

/// LLVM's stand-in for Microsoft's rc.exe, and the clang that it has preprocess
/// what it reads.
pub const LLVM_RC: Requirement<PathBuf> = Requirement {
    what: "llvm-rc",
    why: "it compiles the driver's version resource",
    find,
    packages: &[
        &["llvm-19", "clang-19"],
        &["llvm-20", "clang-20"],
        &["llvm-21", "clang-21"],
        &["llvm-18", "clang-18"],
        &["llvm", "clang"],
    ],
    elsewhere: "install LLVM and clang, and set RC_PATH to its llvm-rc",
};

fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os(RC_PATH) {
        return Some(PathBuf::from(chosen));
    }
    path::llvm_programs("llvm-rc").find(|program| finds_clang(program))
}

/// Whether llvm-rc finds a clang: beside itself, or on the path.
fn finds_clang(llvm_rc: &Path) -> bool {
    let beside = |name: &str| {
        let llvm_rc = llvm_rc.canonicalize().ok()?;
        Some(llvm_rc.with_file_name(name).is_file())
    };
    ["clang", "clang-cl"]
        .iter()
        .any(|name| beside(name) == Some(true) || path::program(name).is_some())
}
