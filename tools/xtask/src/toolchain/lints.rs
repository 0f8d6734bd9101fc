//! rustfmt and clippy.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::Requirement;
use crate::command;

/// rustfmt, for the toolchain that `cargo xtask` was started with.
pub const RUSTFMT: Requirement<()> = Requirement {
    what: "rustfmt",
    why: "the tests check the sources' format",
    find: || cargo_has("fmt"),
    packages: &[],
    elsewhere: "type: rustup component add rustfmt",
};

/// clippy, for the toolchain that `cargo xtask` was started with.
pub const CLIPPY: Requirement<()> = Requirement {
    what: "clippy",
    why: "the tests check the sources with it",
    find: || cargo_has("clippy"),
    packages: &[],
    elsewhere: "type: rustup component add clippy",
};

/// `cargo-clippy` for Debian's compiler: clippy only works with the compiler
/// that it was made with.
pub const DEBIAN_CLIPPY: Requirement<PathBuf> = Requirement {
    what: "clippy for Debian's Rust compiler",
    why: "the driver, which that compiler builds, is checked with it",
    find: || Some(PathBuf::from("/usr/bin/cargo-clippy")).filter(|program| program.is_file()),
    packages: &[&["rust-web-clippy"], &["rust-clippy"]],
    elsewhere: "type: rustup target add x86_64-pc-windows-msvc, so that rustup's compiler builds the driver",
};

fn cargo_has(subcommand: &str) -> Option<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    command::answer(Command::new(cargo).args([subcommand, "--version"])).map(drop)
}
