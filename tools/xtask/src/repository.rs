//! Where things are in this repository.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::kit;
use anyhow::{Context as _, Result};

/// The repository's top level: the driver's own package. Cargo says where it is
/// when it runs this program; without cargo, it is where this was compiled.
pub fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the top level")
        .to_owned()
}

/// The workspace of everything that is not the driver.
pub fn tools() -> PathBuf {
    root().join("tools")
}

/// The workspace of what is loaded into Wine beside the driver.
pub fn wine_fixtures() -> PathBuf {
    tools().join("wine-fixtures")
}

/// The package of the driver's build script as a program for Windows.
pub fn windows_build() -> PathBuf {
    tools().join("windows-build")
}

/// Where cargo works when it compiles for Windows. Apart from `target/`, so
/// that a host build and a Windows build never wait for each other's lock.
pub fn cross_target() -> PathBuf {
    root().join(format!("target/cross{}", kit::suffix()))
}

/// The package that holds the WDK bindings against Microsoft's metadata.
pub fn abi_check() -> PathBuf {
    tools().join("abi-check")
}

/// The packages and workspaces that are compiled for Windows, but for the
/// driver's.
pub fn windows_packages() -> [PathBuf; 3] {
    [abi_check(), breaker(), wine_fixtures()]
}

/// The manifest of every package or workspace.
pub fn manifests() -> impl Iterator<Item = PathBuf> {
    [root(), tools()]
        .into_iter()
        .chain(windows_packages())
        .map(|folder| folder.join("Cargo.toml"))
}

/// The package of the driver that breaks the kernel's rules.
pub fn breaker() -> PathBuf {
    tools().join("ntsim/tests/breaker")
}

/// The version of the driver, which its manifest alone states.
///
/// # Errors
///
/// When the manifest cannot be read, or states none.
pub fn driver_version() -> Result<String> {
    let manifest = root().join("Cargo.toml");
    let text = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    text.lines()
        .take_while(|line| !line.starts_with("[lib"))
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("{} states no version", manifest.display()))
}

/// Hostile processes worth telling the driver of every time.
pub fn fuzz_corpus() -> PathBuf {
    tools().join("procmon-oracle/fuzz/corpus/create")
}
