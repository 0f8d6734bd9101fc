//! A linker that takes the arguments of Microsoft's.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::requirement::{Elsewhere, Packages};
use super::{Host, Requirement, rustc};

/// LLD in its Windows form. Rust's own copy comes first: it is there wherever
/// rustup is, so most machines link with the same program.
pub const LLD_LINK: Requirement<PathBuf> = Requirement {
    what: "LLVM's lld-link",
    why: "links the driver's image",
    find: |host| rust_lld(host).or_else(|| host.llvm_programs("lld-link").next()),
    rustup: None,
    debian: &[
        Packages::any(&["lld-19"]),
        Packages::any(&["lld-20"]),
        Packages::any(&["lld-21"]),
        Packages::any(&["lld-18"]),
        Packages::any(&["lld"]),
    ],
    elsewhere: Elsewhere {
        fedora: &["lld"],
        arch: &["lld"],
        otherwise: "install LLVM's lld so that lld-link is on the PATH",
    },
};

fn rust_lld(host: &Host) -> Option<PathBuf> {
    let libraries = host.answer(rustc(host), &["--print", "target-libdir"])?;
    let program = PathBuf::from(libraries).parent()?.join("bin/rust-lld");
    program.is_file().then_some(program)
}

/// The linker, for arguments of Microsoft's.
pub fn lld_link() -> Result<Command> {
    let linker = LLD_LINK.get()?;
    let mut command = Command::new(&linker);
    if linker.ends_with("rust-lld") {
        command.args(["-flavor", "link"]);
    }
    Ok(command)
}
