//! Hands the WDK's linker arguments for a WDM driver to Cargo.

fn main() -> Result<(), wdk_build::ConfigError> {
    wdk_build::configure_wdk_binary_build()
}
