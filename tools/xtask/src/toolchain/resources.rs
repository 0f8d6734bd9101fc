//! A compiler of Windows resources.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Requirement;

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
    let path = env::var_os("PATH")?;
    super::llvm_versions()
        .map(|version| format!("llvm-rc-{version}"))
        .chain([String::from("llvm-rc")])
        .filter_map(|name| {
            env::split_paths(&path)
                .map(|folder| folder.join(&name))
                .find(|program| program.is_file())
        })
        .find(|program| finds_clang(program, &path))
}

/// Whether llvm-rc finds a clang: beside itself, or on the path.
fn finds_clang(llvm_rc: &Path, path: &OsStr) -> bool {
    let own_folder = llvm_rc
        .canonicalize()
        .ok()
        .and_then(|program| Some(program.parent()?.to_owned()));
    own_folder
        .into_iter()
        .chain(env::split_paths(path))
        .any(|folder| {
            ["clang", "clang-cl"]
                .iter()
                .any(|name| folder.join(name).is_file())
        })
}
