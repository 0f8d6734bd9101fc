//! libclang, through which bindgen reads C headers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Requirement;
use crate::command;

/// The folder that holds libclang.
pub const LIBCLANG: Requirement<PathBuf> = Requirement {
    what: "libclang",
    why: "bindgen reads the driver kit's headers through it",
    find,
    packages: &[
        &["libclang-19-dev"],
        &["libclang-20-dev"],
        &["libclang-21-dev"],
        &["libclang-18-dev"],
        &["libclang-dev"],
    ],
    elsewhere: "install LLVM's libclang and set LIBCLANG_PATH to its folder",
};

fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("LIBCLANG_PATH") {
        return Some(PathBuf::from(chosen));
    }
    let debian =
        super::llvm_versions().map(|version| PathBuf::from(format!("/usr/lib/llvm-{version}/lib")));
    let llvm_config = command::answer(Command::new("llvm-config").arg("--libdir"));
    debian
        .chain(llvm_config.map(PathBuf::from))
        .chain(["/usr/lib", "/usr/lib64"].map(PathBuf::from))
        .find(|folder| holds_libclang(folder))
}

/// Whether a shared libclang lies in `folder`, under its development name.
fn holds_libclang(folder: &Path) -> bool {
    folder.join("libclang.so").exists()
}
