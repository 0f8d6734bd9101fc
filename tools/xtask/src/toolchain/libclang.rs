//! libclang, through which bindgen reads C headers.

use std::env;
use std::fs;
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
        &["libclang1-19", "libclang-common-19-dev"],
        &["libclang1-20", "libclang-common-20-dev"],
        &["libclang1-21", "libclang-common-21-dev"],
        &["libclang1-18", "libclang-common-18-dev"],
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

/// Whether `folder` holds a shared libclang and the headers that belong to it:
/// Debian packs them apart, and the driver kit's headers include `stddef.h`.
fn holds_libclang(folder: &Path) -> bool {
    let is_library = |name: &str| {
        name.starts_with("libclang.so") || (name.starts_with("libclang-") && name.contains(".so"))
    };
    folder.join("clang").is_dir()
        && fs::read_dir(folder).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| file.file_name().to_str().is_some_and(is_library))
        })
}
