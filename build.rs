//! Hands the WDK's linker arguments and `cfg` settings for a WDM driver to
//! Cargo.

fn main() -> Result<(), wdk_build::ConfigError> {
    wdk_build::configure_wdk_binary_build()
}
