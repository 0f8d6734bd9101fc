//! A compiler of Windows resources.

use std::path::{Path, PathBuf};

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement};

/// Names the compiler by hand; winresource, which the driver's build script
/// uses, reads it.
pub const RC_PATH: &str = "RC_PATH";

/// LLVM's stand-in for Microsoft's rc.exe, and the clang that it has preprocess
/// what it reads.
pub const LLVM_RC: Requirement<PathBuf> = Requirement {
    what: "llvm-rc",
    why: "compiles the driver's version resource",
    find,
    rustup: None,
    debian: &[
        Packages::any(&["llvm-19", "clang-19"]),
        Packages::any(&["llvm-20", "clang-20"]),
        Packages::any(&["llvm-21", "clang-21"]),
        Packages::any(&["llvm-18", "clang-18"]),
        Packages::any(&["llvm", "clang"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["llvm", "clang"],
        arch: &["llvm", "clang"],
        otherwise: "install LLVM and clang, and set RC_PATH to its llvm-rc",
    },
};

fn find(host: &Host) -> Option<PathBuf> {
    if let Some(chosen) = host.variable(RC_PATH) {
        return Some(PathBuf::from(chosen));
    }
    host.llvm_programs("llvm-rc")
        .find(|program| finds_clang(host, program))
}

/// Whether llvm-rc finds a clang: beside itself, or on the path.
fn finds_clang(host: &Host, llvm_rc: &Path) -> bool {
    let beside = |name: &str| {
        let llvm_rc = llvm_rc.canonicalize().ok()?;
        Some(llvm_rc.with_file_name(name).is_file())
    };
    ["clang", "clang-cl"]
        .iter()
        .any(|name| beside(name) == Some(true) || host.program(name).is_some())
}
