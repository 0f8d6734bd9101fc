//! libclang, through which bindgen reads C headers.

use std::fs;
use std::path::{Path, PathBuf};

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement};

/// The folder that holds libclang.
pub const LIBCLANG: Requirement<PathBuf> = Requirement {
    what: "libclang",
    why: "bindgen reads the driver kit's headers through it",
    find,
    rustup: None,
    debian: &[
        Packages::any(&["libclang1-19", "libclang-common-19-dev"]),
        Packages::any(&["libclang1-20", "libclang-common-20-dev"]),
        Packages::any(&["libclang1-21", "libclang-common-21-dev"]),
        Packages::any(&["libclang1-18", "libclang-common-18-dev"]),
        Packages::any(&["libclang-dev"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["clang-libs", "clang-resource-filesystem"],
        arch: &["clang"],
        otherwise: "install LLVM's libclang and set LIBCLANG_PATH to its folder",
    },
};

fn find(host: &Host) -> Option<PathBuf> {
    if let Some(chosen) = host.variable("LIBCLANG_PATH") {
        return Some(PathBuf::from(chosen));
    }
    let debian = super::llvm_versions().map(|version| format!("/usr/lib/llvm-{version}/lib"));
    let llvm_config = host.answer("llvm-config", &["--libdir"]);
    debian
        .map(|folder| host.path(&folder))
        .chain(llvm_config.map(PathBuf::from))
        .chain(["/usr/lib", "/usr/lib64"].map(|folder| host.path(folder)))
        .find(|folder| holds_libclang(folder))
}

/// Whether `folder` holds a shared libclang and the headers that belong to it:
/// packages have them apart, and the driver kit's headers include `stddef.h`.
fn holds_libclang(folder: &Path) -> bool {
    let is_library = |name: &str| {
        name.starts_with("libclang.so") || (name.starts_with("libclang-") && name.contains(".so"))
    };
    // 64-bit libraries may lie in a folder of their own, the headers do not.
    let headers = [folder.join("clang"), folder.join("../lib/clang")];
    headers.iter().any(|folder| folder.is_dir())
        && fs::read_dir(folder).is_ok_and(|files| {
            files
                .flatten()
                .any(|file| file.file_name().to_str().is_some_and(is_library))
        })
}
