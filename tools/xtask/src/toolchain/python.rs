//! Python, with which the public readers of event trace logs run.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// Python, with what makes virtual environments.
pub const PYTHON: Requirement<PathBuf> = Requirement {
    what: "Python with venv",
    why: "runs the public readers of event trace logs",
    find: |host| {
        host.answer("python3", &["-c", "import ensurepip, venv"])?;
        host.program("python3")
    },
    rustup: None,
    debian: &[Packages::any(&["python3-venv"])],
    elsewhere: Elsewhere {
        fedora: &["python3"],
        arch: &["python"],
        otherwise: "install Python 3 with its module venv so that python3 is on the PATH",
    },
};
