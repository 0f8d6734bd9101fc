//! Stands in for Microsoft's [`wdk-build`] on hosts other than Windows.
//!
//! The wdk crates and a driver's `build.rs` call this crate by the same names
//! as the original. A WDM driver gets the same `cfg` settings and the same
//! linker arguments. What differs is where the kernel's declarations come
//! from: mingw-w64's DDK headers with one header of this crate's own on top,
//! and import libraries made from a list of routine names; or, where
//! `WDKContentRoot` names one, a real WDK.
//!
//! KMDF and UMDF drivers, and the API subsets beside `Base`, have no headers
//! here; asking for one is an error that says so.
//!
//! [`wdk-build`]: https://docs.rs/wdk-build

mod bindgen;
mod error;
mod headers;
mod import_library;
mod kit;
mod load_config;
mod metadata;

use std::env;
use std::path::PathBuf;

pub use crate::bindgen::BuilderExt;
pub use crate::error::{ConfigError, IoError};
pub use crate::import_library::write_import_libraries;
pub use crate::metadata::{DriverConfig, KmdfConfig, UmdfConfig};

/// The processor that the driver is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuArchitecture {
    /// x64.
    Amd64,
    /// ARM64.
    Arm64,
}

impl CpuArchitecture {
    fn from_rust_name(name: &str) -> Result<Self, ConfigError> {
        match name {
            "x86_64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            _ => Err(ConfigError::UnsupportedArchitecture(name.to_owned())),
        }
    }

    const fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }
}

/// A part of the WDK's API, as wdk-sys groups it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiSubset {
    /// What `ntifs.h`, `ntddk.h` and `ntstrsafe.h` declare.
    Base,
    /// Windows Driver Framework.
    Wdf,
    /// General-purpose I/O.
    Gpio,
    /// Human interface devices.
    Hid,
    /// Parallel ports.
    ParallelPorts,
    /// Simple peripheral bus.
    Spb,
    /// Storage.
    Storage,
    /// Universal serial bus.
    Usb,
}

/// The configuration of one driver build.
#[derive(Debug, Clone)]
pub struct Config {
    /// The driver model that `[package.metadata.wdk]` asks for.
    pub driver_config: DriverConfig,
    cpu_architecture: CpuArchitecture,
    /// A real WDK, in place of mingw-w64's headers.
    kit: Option<kit::Kit>,
}

impl Config {
    /// Reads the configuration from the driver's Cargo metadata and from the
    /// environment that Cargo gives to build scripts.
    ///
    /// # Errors
    ///
    /// Fails where the metadata is missing, malformed, contradictory, or asks
    /// for what this stand-in does not support.
    pub fn from_env_auto() -> Result<Self, ConfigError> {
        let driver_config = metadata::driver_config()?;
        if driver_config != DriverConfig::Wdm {
            return Err(ConfigError::UnsupportedDriverModel(driver_config.name()));
        }
        let cpu_architecture = CpuArchitecture::from_rust_name(&env_var("CARGO_CFG_TARGET_ARCH")?)?;
        Ok(Self {
            driver_config,
            cpu_architecture,
            kit: kit::Kit::from_env()?,
        })
    }

    /// The name of the WDF function table, which WDM drivers do not have.
    #[must_use]
    pub const fn compute_wdffunctions_symbol_name(&self) -> Option<String> {
        None
    }

    /// Emits what a library on top of the WDK needs: its `cfg` settings.
    ///
    /// # Errors
    ///
    /// None here; the signature is the original's.
    pub fn configure_library_build(&self) -> Result<(), ConfigError> {
        self.emit_cfg_settings();
        Ok(())
    }

    /// Emits what a driver needs: search paths, linker arguments and `cfg`
    /// settings.
    ///
    /// # Errors
    ///
    /// Fails where the C runtime is not linked statically, or the import
    /// libraries cannot be written.
    pub fn configure_binary_build(&self) -> Result<(), ConfigError> {
        let target_features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
        if !target_features.split(',').any(|f| f == "crt-static") {
            return Err(ConfigError::StaticCrtNotEnabled);
        }
        for path in self.library_paths()? {
            println!("cargo::rustc-link-search={}", path.display());
        }
        for argument in LINKER_ARGUMENTS {
            println!("cargo::rustc-cdylib-link-arg={argument}");
        }
        self.emit_cfg_settings();
        Ok(())
    }

    /// The folder of the import libraries, in Cargo's `OUT_DIR`.
    ///
    /// # Errors
    ///
    /// Fails where a library cannot be written.
    pub fn library_paths(&self) -> Result<impl Iterator<Item = PathBuf>, ConfigError> {
        let folder = PathBuf::from(env_var("OUT_DIR")?).join("lib");
        import_library::provide(&folder, self.cpu_architecture, self.kit.as_ref())?;
        Ok(std::iter::once(folder))
    }

    /// Declares the `cfg` settings, so that a misspelt one is noticed.
    pub fn emit_check_cfg_settings() {
        println!(
            r#"cargo::rustc-check-cfg=cfg(driver_model__driver_type, values("WDM","KMDF","UMDF"))"#
        );
    }

    fn emit_cfg_settings(&self) {
        Self::emit_check_cfg_settings();
        let driver_type = self.driver_config.name();
        println!(r#"cargo::rustc-cfg=driver_model__driver_type="{driver_type}""#);
    }
}

/// What the WDK's own build passes to the linker for a WDM driver.
const LINKER_ARGUMENTS: &[&str] = &[
    "/DRIVER",
    "/NODEFAULTLIB",
    "/SUBSYSTEM:NATIVE",
    "/KERNEL",
    "/ENTRY:DriverEntry",
    "/IGNORE:4257",
    "/IGNORE:4216",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/MAP",
    "/MAPINFO:EXPORTS",
    "/OPT:REF,ICF",
    "/INTEGRITYCHECK",
    "/MANIFEST:NO",
];

/// Configures the build of a library that uses the WDK.
///
/// # Errors
///
/// As [`Config::from_env_auto`]; a build without any driver in it is none.
pub fn configure_wdk_library_build() -> Result<(), ConfigError> {
    configure_wdk_library_build_and_then(|_| Ok(()))
}

/// Configures the build of a library that uses the WDK, then runs `f` with the
/// configuration.
///
/// # Errors
///
/// As [`Config::from_env_auto`], and what `f` returns.
pub fn configure_wdk_library_build_and_then<F, E>(mut f: F) -> Result<(), E>
where
    F: FnMut(Config) -> Result<(), E>,
    E: From<ConfigError>,
{
    match Config::from_env_auto() {
        Ok(config) => {
            config.configure_library_build()?;
            f(config)
        }
        Err(ConfigError::NoWdkConfigurationsDetected) => {
            Config::emit_check_cfg_settings();
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Configures the build of a driver.
///
/// # Errors
///
/// As [`Config::from_env_auto`] and [`Config::configure_binary_build`].
pub fn configure_wdk_binary_build() -> Result<(), ConfigError> {
    Config::from_env_auto()?.configure_binary_build()
}

fn env_var(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).map_err(|_| ConfigError::NotInBuildScript(name))
}
