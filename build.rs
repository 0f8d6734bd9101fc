//! Hands the WDK's linker arguments and `cfg` settings for a WDM driver to
//! Cargo, and the linker the version resource that Explorer and `lm v` show.

use std::env;
use std::error::Error;

use winresource::{VersionInfo, WindowsResource};

/// `VFT_DRV` of `VS_FIXEDFILEINFO`.
const DRIVER: u64 = 3;
/// `VFT2_DRV_SYSTEM`.
const SYSTEM_DRIVER: u64 = 7;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RC_PATH");
    WindowsResource::new()
        .set_version_info(VersionInfo::FILETYPE, DRIVER)
        .set_version_info(VersionInfo::FILESUBTYPE, SYSTEM_DRIVER)
        .set("FileDescription", "Process creation and exit monitor")
        .set("CompanyName", "procmon contributors")
        .set("LegalCopyright", "MIT OR Apache-2.0")
        .set("OriginalFilename", "procmon.sys")
        .compile()?;
    // What the WDK's own projects pass, and wdk-build leaves to the driver.
    println!("cargo::rustc-cdylib-link-arg=/SECTION:INIT,ERD");
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        println!("cargo::rustc-cdylib-link-arg=/CETCOMPAT");
    }
    Ok(wdk_build::configure_wdk_binary_build()?)
}
