//! Programs on the `PATH`.

use std::env;
use std::path::PathBuf;

/// A program by its name.
pub fn program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// A program of LLVM: each of its versions that is there, and last the one
/// without a version in its name.
pub fn llvm_programs(name: &str) -> impl Iterator<Item = PathBuf> {
    super::llvm_versions()
        .map(move |version| format!("{name}-{version}"))
        .chain([name.to_owned()])
        .filter_map(|name| program(&name))
}
