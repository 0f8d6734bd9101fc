//! Hands the WDK's linker arguments and `cfg` settings for a WDM driver to
//! Cargo, and the linker the version resource that Explorer and `lm v` show.

use std::env;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use winresource::{VersionInfo, WindowsResource};

/// `VFT_DRV` of `VS_FIXEDFILEINFO`.
const DRIVER: u64 = 3;
/// `VFT2_DRV_SYSTEM`.
const SYSTEM_DRIVER: u64 = 7;

fn main() -> ExitCode {
    match configure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn configure() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    // First, so that wdk-build itself reports a WDK that is missing.
    wdk_build::configure_wdk_binary_build()?;
    // What the WDK's own projects pass, and wdk-build leaves to the driver.
    println!("cargo::rustc-cdylib-link-arg=/SECTION:INIT,ERD");
    // wdk-sys's `#[no_mangle]` items are no exports of a driver: the last list of
    // exports counts, and this one is empty.
    let no_exports = Path::new(&env::var("OUT_DIR")?).join("no-exports.def");
    fs::write(&no_exports, "EXPORTS\n")?;
    println!("cargo::rustc-cdylib-link-arg=/DEF:{}", no_exports.display());
    if env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" {
        println!("cargo::rustc-cdylib-link-arg=/CETCOMPAT");
    }
    compile_version_resource()
}

fn compile_version_resource() -> Result<(), Box<dyn Error>> {
    let mut resource = WindowsResource::new();
    resource
        .set_version_info(VersionInfo::FILETYPE, DRIVER)
        .set_version_info(VersionInfo::FILESUBTYPE, SYSTEM_DRIVER)
        .set("FileDescription", "Process creation and exit monitor")
        .set("CompanyName", "procmon contributors")
        .set("LegalCopyright", "MIT OR Apache-2.0")
        .set("OriginalFilename", "procmon.sys");
    if let Some(folder) = resource_compiler_folder() {
        resource.set_toolkit_path(&folder.to_string_lossy());
    }
    resource.compile().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "the resource compiler, rc.exe, was not found; install the Windows SDK, or set \
             RC_PATH to the full path of rc.exe"
                .into()
        }
        _ => error.into(),
    })
}

/// The folder of `rc.exe` in the environments that winresource does not know:
/// the WDK's `NuGet` packages and the Enterprise WDK's prompt. It does know
/// `RC_PATH`, a developer prompt and an installed kit.
fn resource_compiler_folder() -> Option<PathBuf> {
    for name in [
        "RC_PATH",
        "WindowsSdkBinPath",
        "Version_Number",
        "WDKBinRoot",
    ] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let folder = |name| env::var_os(name).map(PathBuf::from);
    let nuget = folder("WindowsSdkBinPath")
        .zip(folder("Version_Number"))
        .map(|(bin, version)| bin.join(version));
    [nuget, folder("WDKBinRoot")]
        .into_iter()
        .flatten()
        .map(|bin| bin.join("x64"))
        .find(|folder| folder.join("rc.exe").is_file())
}
