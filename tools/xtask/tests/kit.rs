//! `--wdk`: the driver, built against a kit in the layout of Windows Kits.
//!
//! No WDK may be copied here, so that the kit is laid out from mingw-w64's
//! headers, with the names in another case than the sources write them in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wdk_build::write_import_libraries;

/// What mingw-w64's headers need beside the arguments for the WDK's.
const FOR_MINGW: &str = "-fno-ms-compatibility -fno-delayed-template-parsing -D__INTRIN_H_ \
                         -D_WIN32_WINNT=0x0A00 -DWINVER=0x0A00 -DNTDDI_VERSION=0x0A000008";

fn build(arguments: &[&str], kit: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("build")
        .args(arguments)
        .arg("--wdk")
        .arg(kit)
        .env("BINDGEN_EXTRA_CLANG_ARGS", FOR_MINGW)
        .output()
        .unwrap()
}

fn mingw() -> PathBuf {
    [
        "/usr/x86_64-w64-mingw32/include",
        "/usr/share/mingw-w64/include",
    ]
    .iter()
    .map(PathBuf::from)
    .find(|include| include.join("ddk/ntifs.h").is_file())
    .expect("mingw-w64's DDK headers, which every build of the driver needs")
}

/// Copies a folder of headers, but for the DDK's inside of it.
fn copy_headers(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_file() {
            fs::copy(&path, copy).unwrap();
        } else if !path.ends_with("ddk") {
            copy_headers(&path, &copy);
        }
    }
}

#[test]
fn the_driver_builds_against_a_kit() {
    let kit = tempfile::tempdir().unwrap();
    let include = kit.path().join("Include/10.0.26100.0");
    copy_headers(&mingw().join("ddk"), &include.join("km"));
    copy_headers(&mingw(), &include.join("shared"));
    fs::create_dir_all(include.join("km/crt")).unwrap();
    fs::rename(include.join("km/ntddk.h"), include.join("km/NtDdk.h")).unwrap();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    copy_headers(&tools.join("wdk-build/include"), &include.join("km"));
    let last = include.join("km/ntstrsafe.h");
    let text = fs::read_to_string(&last).unwrap() + "\n#include \"missing_from_mingw.h\"\n";
    fs::write(&last, text).unwrap();

    let libraries = kit.path().join("Lib/10.0.26100.0/km/x64");
    write_import_libraries(&libraries, "x86_64").unwrap();
    fs::rename(libraries.join("hal.lib"), libraries.join("HAL.LIB")).unwrap();

    let output = build(&[], kit.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let image = String::from_utf8_lossy(&output.stdout);
    assert!(
        image.trim().ends_with("target/driver/x64-wdk/procmon.sys"),
        "{image}"
    );
    assert!(fs::read(image.trim()).unwrap().starts_with(b"MZ"));

    // mingw-w64's headers know no ARM64, which only a real kit has.
    let output = build(&["--arch", "arm64"], kit.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("Unknown Architecture"),
        "{errors}"
    );
}

#[test]
fn a_folder_that_is_no_kit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = build(&[], folder.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("no folder Include"), "{errors}");
}
