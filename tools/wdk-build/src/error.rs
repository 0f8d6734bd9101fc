//! What can go wrong while a driver's build is configured.

use std::path::PathBuf;

use thiserror::Error;

/// An I/O error with the path that it happened on.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub struct IoError {
    path: PathBuf,
    source: std::io::Error,
}

impl IoError {
    /// Names the path of an error.
    pub fn with_path(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self {
            path: path.into(),
            source,
        }
    }
}

/// Why a driver's build cannot be configured.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file could not be read or written.
    #[error(transparent)]
    IoError(#[from] IoError),

    /// `cargo metadata` failed.
    #[error(transparent)]
    CargoMetadataError(#[from] cargo_metadata::Error),

    /// No package says what driver it is.
    #[error("no package of this build has a [package.metadata.wdk.driver-model] section")]
    NoWdkConfigurationsDetected,

    /// Packages disagree on the driver model.
    #[error("only one WDK configuration is allowed in a build, and here are {0}")]
    MultipleWdkConfigurationsDetected(String),

    /// A `metadata.wdk` section that does not parse.
    #[error("[metadata.wdk] of {package}: {source}")]
    WdkMetadataDeserialization {
        /// The package, or the workspace.
        package: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },

    /// A driver model without headers here.
    #[error(
        "driver-type = \"{0}\" is not supported off Windows: mingw-w64 has no headers for the \
         Windows Driver Framework; build on Windows with the WDK, or use driver-type = \"WDM\""
    )]
    UnsupportedDriverModel(&'static str),

    /// An API subset without headers here.
    #[error(
        "the API subset {0:?} is not supported off Windows; build on Windows with the WDK, or \
         drop that feature of wdk-sys"
    )]
    UnsupportedApiSubset(crate::ApiSubset),

    /// A processor that Windows drivers are not built for.
    #[error("no Windows driver can be built for {0}; use x86_64 or aarch64-pc-windows-msvc")]
    UnsupportedArchitecture(String),

    /// The DDK headers are missing.
    #[error(
        "no DDK headers: {}/ddk/ntifs.h does not exist; install mingw-w64's headers (Debian: \
         apt-get install mingw-w64-x86-64-dev) or set {variable} to their include folder",
        folder.display()
    )]
    HeadersNotFound {
        /// Where they were looked for.
        folder: PathBuf,
        /// The variable that names another place.
        variable: &'static str,
    },

    /// A WDK that lacks something.
    #[error(
        "{variable} does not name a complete WDK: {} does not exist; it has to name a folder \
         laid out as C:\\Program Files (x86)\\Windows Kits\\10",
        missing.display()
    )]
    KitIncomplete {
        /// What was looked for.
        missing: PathBuf,
        /// The variable that names the WDK.
        variable: &'static str,
    },

    /// The driver would need a C runtime library.
    #[error(
        "the C runtime is not linked statically; add to .cargo/config.toml: \
         [target.x86_64-pc-windows-msvc] rustflags = [\"-C\", \"target-feature=+crt-static\"]"
    )]
    StaticCrtNotEnabled,

    /// Called outside a Cargo build script.
    #[error("{0} is not set: this function works in a Cargo build script only")]
    NotInBuildScript(&'static str),
}
