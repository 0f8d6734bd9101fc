//! Where things are in this repository.

use std::path::{Path, PathBuf};

/// The repository's top level: the driver's own package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the top level")
}

/// The workspace of everything that is not the driver.
pub fn tools() -> PathBuf {
    root().join("tools")
}

/// Where cargo works when it compiles for Windows. Apart from `target/`, so
/// that a host build and a Windows build never wait for each other's lock.
pub fn cross_target() -> PathBuf {
    root().join("target/cross")
}

/// The package that holds the WDK bindings against Microsoft's metadata.
pub fn abi_check() -> PathBuf {
    tools().join("abi-check")
}
