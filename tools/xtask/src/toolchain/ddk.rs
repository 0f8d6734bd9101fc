//! The headers of the driver kit, as mingw-w64 has them.

use std::path::PathBuf;

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement};

/// Names the folder by hand; the stand-in for wdk-build reads it as well.
pub const DDK_INCLUDE: &str = "PROCMON_DDK_INCLUDE";

/// The include folder of mingw-w64, with the driver kit in its `ddk`.
pub const DDK_HEADERS: Requirement<PathBuf> = Requirement {
    what: "mingw-w64's driver kit headers",
    why: "wdk-sys makes its bindings from them",
    find,
    rustup: None,
    debian: &[Packages::any(&["mingw-w64-x86-64-dev"])],
    elsewhere: Elsewhere {
        fedora: &["mingw64-headers"],
        arch: &["mingw-w64-headers"],
        otherwise: "install mingw-w64's headers and set PROCMON_DDK_INCLUDE to the folder that holds ddk/ntifs.h",
    },
};

fn find(host: &Host) -> Option<PathBuf> {
    if let Some(chosen) = host.variable(DDK_INCLUDE) {
        return Some(PathBuf::from(chosen));
    }
    [
        "/usr/x86_64-w64-mingw32/include",
        "/usr/share/mingw-w64/include",
        "/usr/x86_64-w64-mingw32/sys-root/mingw/include",
    ]
    .into_iter()
    .map(|folder| host.path(folder))
    .find(|folder| folder.join("ddk/ntifs.h").is_file())
}
