//! Tells tests where the driver images are, for the processor that the tests
//! are compiled for.
//!
//! `cargo xtask build` and its relatives put each image below `target/driver`,
//! with its dependency file (`.d`) beside it. An image that is missing, or older
//! than a source that its dependency file lists, panics with the command that
//! builds it: a test of an old image proves nothing.
//!
//! An image that the environment names (`PROCMON_SYS`, `PROCMON_SYS_DEV`,
//! `BREAKER_SYS`) is used as it is: `cargo xtask mutants` names wrong drivers on
//! purpose.

mod freshness;

use std::env;
use std::path::{Path, PathBuf};

/// The processor, as the images' folders name it.
const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x64"
};

/// The driver as it ships.
///
/// # Panics
/// Where the image is missing or older than its sources.
#[must_use]
#[track_caller]
pub fn procmon() -> PathBuf {
    image("PROCMON_SYS", "", "procmon.sys", "")
}

/// The driver with debug assertions.
///
/// # Panics
/// As [`procmon`].
#[must_use]
#[track_caller]
pub fn procmon_dev() -> PathBuf {
    image("PROCMON_SYS_DEV", "-dev", "procmon.sys", " --dev")
}

/// The driver that breaks the kernel's rules.
///
/// # Panics
/// As [`procmon`].
#[must_use]
#[track_caller]
pub fn breaker() -> PathBuf {
    image("BREAKER_SYS", "-breaker", "breaker.sys", " --breaker")
}

/// The driver in C that `cargo xtask bench` compares procmon with, `article` or
/// `full`.
///
/// # Panics
/// As [`procmon`].
#[must_use]
#[track_caller]
pub fn peer(name: &str) -> PathBuf {
    let image = folder().join("peer").join(name).with_extension("sys");
    checked(image, "cargo xtask bench --counts")
}

#[track_caller]
fn image(variable: &str, suffix: &str, name: &str, option: &str) -> PathBuf {
    if let Some(named) = env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(
            named.is_file(),
            "{}, which {variable} names, is not there",
            named.display()
        );
        return named;
    }
    let arch = if cfg!(target_arch = "aarch64") {
        " --arch arm64"
    } else {
        ""
    };
    let image = folder().join(format!("{ARCH}{suffix}")).join(name);
    checked(image, &format!("cargo xtask build{option}{arch}"))
}

#[track_caller]
fn checked(image: PathBuf, command: &str) -> PathBuf {
    if let Err(reason) = freshness::check(&image, &root()) {
        panic!("{} {reason}; type: {command}", image.display());
    }
    image
}

fn folder() -> PathBuf {
    root().join("target/driver")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies two folders below the top level")
        .to_owned()
}
