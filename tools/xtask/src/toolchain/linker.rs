//! A linker that takes the arguments of Microsoft's.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::Requirement;
use crate::command;

/// LLD in its Windows form. Rust's own copy comes first: it is there wherever
/// rustup is, so most machines link with the same program.
pub const LLD_LINK: Requirement<PathBuf> = Requirement {
    what: "LLVM's lld-link",
    why: "it links the driver's image",
    find: || rust_lld().or_else(lld_link),
    packages: &[&["lld-19"], &["lld-20"], &["lld-21"], &["lld-18"], &["lld"]],
    elsewhere: "install LLVM's lld so that lld-link is on the PATH",
};

fn rust_lld() -> Option<PathBuf> {
    let libraries = command::answer(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let program = PathBuf::from(libraries).parent()?.join("bin/rust-lld");
    program.is_file().then_some(program)
}

fn lld_link() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    super::llvm_versions()
        .map(|version| format!("lld-link-{version}"))
        .chain([String::from("lld-link")])
        .find_map(|name| {
            env::split_paths(&path)
                .map(|folder| folder.join(&name))
                .find(|program| program.is_file())
        })
}
