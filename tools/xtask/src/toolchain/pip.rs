//! pip, which downloads packages of Python.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// pip.
pub const PIP: Requirement<PathBuf> = Requirement {
    what: "pip",
    why: "downloads libclang for Windows",
    find: |host| host.program("pip3").or_else(|| host.program("pip")),
    rustup: None,
    debian: &[Packages::any(&["python3-pip"])],
    elsewhere: Elsewhere {
        fedora: &["python3-pip"],
        arch: &["python-pip"],
        otherwise: "install Python with pip so that pip3 is on the PATH",
    },
};
