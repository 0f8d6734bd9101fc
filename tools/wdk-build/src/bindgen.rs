//! How bindgen reads the kernel's headers.

use std::borrow::Borrow;

use bindgen::{Builder, EnumVariation, Formatter, RustEdition, RustTarget};

use crate::error::{ConfigError, IoError};
use crate::{Config, kit};

/// Adds the WDK's settings to bindgen's builder.
pub trait BuilderExt {
    /// A builder with the settings that wdk-sys expects of its bindings.
    ///
    /// # Errors
    ///
    /// Fails where the headers cannot be found.
    fn wdk_default(config: impl Borrow<Config>) -> Result<Builder, ConfigError>;
}

impl BuilderExt for Builder {
    fn wdk_default(config: impl Borrow<Config>) -> Result<Self, ConfigError> {
        let config = config.borrow();
        let rust_target = RustTarget::stable(91, 0).map_err(|error| {
            IoError::with_path(
                "rust-version 1.91",
                std::io::Error::other(error.to_string()),
            )
        })?;

        let mut builder = Self::default()
            .use_core()
            .derive_default(true)
            .generate_cstr(true)
            .detect_include_paths(false)
            .must_use_type("NTSTATUS")
            .must_use_type("HRESULT")
            .default_enum_style(EnumVariation::ModuleConsts)
            .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
            .formatter(Formatter::Prettyplease)
            .rust_target(rust_target)
            .rust_edition(RustEdition::Edition2024)
            // Deprecated by Microsoft, and left out by the original.
            .blocklist_item("ExAllocatePool(WithTag|WithQuotaTag|WithTagPriority)?")
            // Unions that bindgen gives an alignment of their bit fields' type.
            .blocklist_item(".*MCG_CAP(?:__bindgen.*)?")
            .clang_args([
                // Gives memcpy and its like size_t, not a 64-bit long.
                "-fno-builtin",
                "-Wno-everything",
            ]);
        builder = match &config.kit {
            Some(kit) => builder
                .clang_arg(format!("--target={}", config.cpu_architecture.target()))
                .clang_args(kit::CLANG_ARGUMENTS)
                .clang_arg(kit.overlay()?)
                .blocklist_item(kit::BLOCKED)
                .opaque_type(kit::OPAQUE),
            None => builder.clang_args([
                // Gives enumerations the signed type that they have on Windows.
                // mingw-w64's headers know no ARM64.
                "--target=x86_64-pc-windows-msvc",
                // What that target turns on, and mingw-w64's headers do not
                // compile with.
                "-fno-ms-compatibility",
                "-fms-extensions",
            ]),
        };
        for folder in config.include_paths()? {
            builder = builder.clang_arg(format!("--include-directory={}", folder.display()));
        }
        for (name, value) in config.preprocessor_definitions() {
            builder = builder.clang_arg(match value {
                Some(value) => format!("-D{name}={value}"),
                None => format!("-D{name}"),
            });
        }
        Ok(builder)
    }
}
