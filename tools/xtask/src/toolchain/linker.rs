//! A linker that takes the arguments of Microsoft's.

use std::path::PathBuf;
use std::process::Command;

use super::{Requirement, path};
use crate::command;

/// LLD in its Windows form. Rust's own copy comes first: it is there wherever
/// rustup is, so most machines link with the same program.
pub const LLD_LINK: Requirement<PathBuf> = Requirement {
    what: "LLVM's lld-link",
    why: "it links the driver's image",
    find: || rust_lld().or_else(|| path::llvm_programs("lld-link").next()),
    packages: &[&["lld-19"], &["lld-20"], &["lld-21"], &["lld-18"], &["lld"]],
    elsewhere: "install LLVM's lld so that lld-link is on the PATH",
};

fn rust_lld() -> Option<PathBuf> {
    let libraries = command::answer(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let program = PathBuf::from(libraries).parent()?.join("bin/rust-lld");
    program.is_file().then_some(program)
}
