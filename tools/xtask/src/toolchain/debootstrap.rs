//! What makes root filesystems of Debian.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// debootstrap.
pub const DEBOOTSTRAP: Requirement<PathBuf> = Requirement {
    what: "debootstrap",
    why: "makes the root filesystem of a fresh machine",
    find: |host| {
        host.program("debootstrap")
            .or_else(|| Some(host.path("/usr/sbin/debootstrap")).filter(|file| file.is_file()))
    },
    rustup: None,
    debian: &[Packages::any(&["debootstrap"])],
    elsewhere: Elsewhere {
        fedora: &["debootstrap"],
        arch: &["debootstrap"],
        otherwise: "install debootstrap so that it is on the PATH",
    },
};
