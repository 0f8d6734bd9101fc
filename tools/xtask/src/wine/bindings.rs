//! wdk-sys's bindings, as Microsoft's wdk-build has Windows' libclang make them:
//! the stand-in makes the same of the same headers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::Unavailable;
use super::build_scripts;
use super::fixtures::Fixtures;
use super::prefix::Prefix;
use crate::toolchain::DDK_HEADERS;
use crate::{kit, repository};

/// The WDK, and the folder of its headers.
const KIT: &str = r"C:\headers";
const VERSION: &str = "10.0.26100.0";
const INCLUDE: &str = "headers/Include/10.0.26100.0";

/// What mingw-w64's headers need beside wdk-build's arguments for the WDK's.
const FOR_MINGW: &str = "-fno-ms-compatibility -fno-delayed-template-parsing -D__INTRIN_H_ \
                         -Wno-implicit-function-declaration \
                         -D_WIN32_WINNT=0x0A00 -DWINVER=0x0A00 -DNTDDI_VERSION=0x0A000008";

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let script = &fixtures.scripts()?.wdk_sys;
    let libclang = fixtures.libclang()?;
    if kit::selected().is_some() {
        bail!(Unavailable("the driver is built with a WDK".into()));
    }
    build_scripts::install_package(prefix, fixtures)?;
    prefix.install(&script.program, "driver/wdk-sys.exe")?;
    prefix.write("driver/bindings/.keep", "")?;
    prefix.link(libclang, "libclang")?;
    lay_out_headers(prefix)?;

    let machine = prefix.boot("bindings")?;
    let variables = [
        ("CARGO_PKG_NAME", "wdk-sys"),
        ("OUT_DIR", r"C:\driver\bindings"),
        ("WDKContentRoot", KIT),
        ("Version_Number", VERSION),
        ("LIBCLANG_PATH", r"C:\libclang"),
        ("BINDGEN_EXTRA_CLANG_ARGS", FOR_MINGW),
    ];
    build_scripts::run(prefix, &machine, "wdk-sys.exe", "bindings", &variables)?.success()?;
    let theirs = sources(&prefix.path("driver/bindings"))?;
    let ours = sources(&script.out_dir)?;
    match difference(&theirs, &ours) {
        Some(difference) => bail!("Microsoft's wdk-build, and the stand-in: {difference}"),
        None => Ok(()),
    }
}

/// Lays the headers that the stand-in reads out as a WDK.
fn lay_out_headers(prefix: &Prefix) -> Result<()> {
    let mingw = DDK_HEADERS.get()?;
    prefix.link(&mingw, &format!("{INCLUDE}/shared"))?;
    prefix.write(&format!("{INCLUDE}/km/crt/.keep"), "")?;
    prefix.write(&format!("headers/Lib/{VERSION}/km/x64/.keep"), "")?;
    let own = repository::tools().join("wdk-build/include");
    for folder in [mingw.join("ddk"), own] {
        for header in fs::read_dir(&folder)? {
            let header = header?;
            let name = header.file_name();
            prefix.install(&header.path(), &format!("{INCLUDE}/km/{}", name.display()))?;
        }
    }
    // The last header that wdk-build names.
    let last = format!("{INCLUDE}/km/ntstrsafe.h");
    let mut text = prefix.read(&last)?;
    text.extend(b"\n#include \"missing_from_mingw.h\"\n");
    prefix.write(&last, text)
}

/// The Rust sources in a folder, by name, with the line ends of this system.
fn sources(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut sources = BTreeMap::new();
    for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = fs::read_to_string(&path)?.replace("\r\n", "\n");
            sources.insert(name.into_owned(), text);
        }
    }
    Ok(sources)
}

/// The first line in which two sets of sources differ.
fn difference(
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> Option<String> {
    if !theirs.keys().eq(ours.keys()) {
        return Some(format!("{:?} and {:?}", theirs.keys(), ours.keys()));
    }
    theirs
        .iter()
        .zip(ours.values())
        .find_map(|((name, theirs), ours)| {
            if theirs == ours {
                return None;
            }
            let [theirs, ours] = [theirs, ours].map(|text| text.split('\n').chain(["the end"]));
            let lines = (1..).zip(theirs.zip(ours));
            let (number, (theirs, ours)) = lines.into_iter().find(|(_, (a, b))| a != b)?;
            Some(format!("{name}:{number}: {theirs:?} and {ours:?}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let sources = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
        let types = sources("types.rs", "a\nb\n");
        assert_eq!(difference(&types, &types.clone()), None);
        let named = |other| difference(&types, &other).unwrap();
        assert_eq!(
            named(sources("types.rs", "a\nc\n")),
            "types.rs:2: \"b\" and \"c\""
        );
        assert_eq!(
            named(sources("types.rs", "a\nb")),
            "types.rs:3: \"\" and \"the end\""
        );
        assert!(named(sources("ntddk.rs", "a\nb\n")).contains("ntddk.rs"));
    }
}
