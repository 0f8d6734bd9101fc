//! rustfmt and clippy.

use std::path::PathBuf;

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement, rustup};

/// rustfmt, for the toolchain that `cargo xtask` was started with.
pub const RUSTFMT: Requirement<()> = Requirement {
    what: "rustfmt",
    why: "checks the format of the sources",
    find: |host| cargo_has(host, "fmt"),
    rustup: Some(rustup::Part::Component("rustfmt")),
    debian: &[],
    elsewhere: Elsewhere {
        fedora: &["rustfmt"],
        arch: &[],
        otherwise: "type: rustup component add rustfmt",
    },
};

/// clippy, for the toolchain that `cargo xtask` was started with.
pub const CLIPPY: Requirement<()> = Requirement {
    what: "clippy",
    why: "checks the sources",
    find: |host| cargo_has(host, "clippy"),
    rustup: Some(rustup::Part::Component("clippy")),
    debian: &[],
    elsewhere: Elsewhere {
        fedora: &["clippy"],
        arch: &[],
        otherwise: "type: rustup component add clippy",
    },
};

/// `cargo-clippy` for Debian's compiler: clippy only works with the compiler
/// that it was made with.
pub const DEBIAN_CLIPPY: Requirement<PathBuf> = Requirement {
    what: "clippy for Debian's Rust compiler",
    why: "checks the driver, which that compiler builds",
    find: |host| Some(host.path("/usr/bin/cargo-clippy")).filter(|program| program.is_file()),
    rustup: None,
    debian: &[
        Packages::any(&["rust-web-clippy"]),
        Packages::any(&["rust-clippy"]),
    ],
    elsewhere: Elsewhere {
        fedora: &[],
        arch: &[],
        otherwise: "type: rustup target add x86_64-pc-windows-msvc, so that rustup's compiler builds the driver",
    },
};

fn cargo_has(host: &Host, subcommand: &str) -> Option<()> {
    let cargo = host.variable("CARGO").unwrap_or("cargo".as_ref());
    host.answer(cargo, &[subcommand, "--version"]).map(drop)
}
