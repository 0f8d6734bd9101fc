//! A compiler of Windows resources.

use std::env;
use std::path::PathBuf;

use super::Requirement;

/// Names the compiler by hand; winresource, which the driver's build script
/// uses, reads it.
pub const RC_PATH: &str = "RC_PATH";

/// LLVM's stand-in for Microsoft's rc.exe.
pub const LLVM_RC: Requirement<PathBuf> = Requirement {
    what: "llvm-rc",
    why: "it compiles the driver's version resource",
    find,
    packages: &[
        &["llvm-19"],
        &["llvm-20"],
        &["llvm-21"],
        &["llvm-18"],
        &["llvm"],
    ],
    elsewhere: "install LLVM and set RC_PATH to its llvm-rc",
};

fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os(RC_PATH) {
        return Some(PathBuf::from(chosen));
    }
    let path = env::var_os("PATH")?;
    super::llvm_versions()
        .map(|version| format!("llvm-rc-{version}"))
        .chain([String::from("llvm-rc")])
        .find_map(|name| {
            env::split_paths(&path)
                .map(|folder| folder.join(&name))
                .find(|program| program.is_file())
        })
}
