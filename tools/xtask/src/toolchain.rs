//! What the verbs need from the machine, where it is found, and how it is
//! installed where it is missing.

mod apt;
mod clang;
mod compiler;
mod ddk;
mod debootstrap;
mod emulation;
mod host;
mod libclang;
mod linker;
mod lints;
mod mingw;
mod pip;
mod python;
mod requirement;
mod resources;
mod rustup;
mod signing;
pub mod sysroot;
#[cfg(test)]
mod tests;
mod wine;

pub use clang::{CLANG, LLVM_DLLTOOL};
use compiler::rustc;
pub use compiler::{
    ARM64_LINUX, ARM64_LINUX_COMPILER, Compiler, StandardLibrary, WINDOWS_PROGRAMS,
    windows_compiler,
};
pub use ddk::{DDK_HEADERS, DDK_INCLUDE};
pub use debootstrap::DEBOOTSTRAP;
pub use emulation::{ARM64_GCC, QEMU_ARM64};
pub use host::Host;
pub use libclang::LIBCLANG;
pub use linker::{LLD_LINK, lld_link};
pub use lints::{CLIPPY, DEBIAN_CLIPPY, RUSTFMT};
pub use mingw::MINGW_GCC;
pub use pip::PIP;
pub use python::PYTHON;
pub use requirement::{Need, Requirement, provide};
pub use resources::{LLVM_RC, RC_PATH};
pub use signing::{OPENSSL, OSSLSIGNCODE};
pub use wine::{WINE, Wine};

/// LLVM's versions in the order in which they are looked for: the one that
/// this project is developed with, then newer ones, then older ones.
fn llvm_versions() -> impl Iterator<Item = u32> {
    const USUAL: u32 = 19;
    (USUAL..=USUAL + 6).chain((14..USUAL).rev())
}
