//! The driver's package follows the conventions by which windows-drivers-rs,
//! cargo-make and cargo-wdk find and pack a WDM driver; editors find every
//! package.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The text at a path of keys in a TOML file.
fn setting(file: &str, keys: &[&str]) -> String {
    let table: Table = toml::from_str(&read(file)).unwrap();
    let value = keys
        .iter()
        .try_fold(&toml::Value::Table(table), |value, key| value.get(key))
        .unwrap_or_else(|| panic!("{file} has no {}", keys.join(".")))
        .clone();
    match value {
        toml::Value::String(text) => text,
        other => other.to_string(),
    }
}

#[test]
fn the_manifest_declares_a_wdm_driver() {
    for (keys, value) in [
        (
            &["package", "metadata", "wdk", "driver-model", "driver-type"][..],
            "WDM",
        ),
        (&["lib", "crate-type"], r#"["cdylib"]"#),
        (&["profile", "dev", "panic"], "abort"),
        (&["profile", "release", "panic"], "abort"),
        (&["profile", "release", "lto"], "true"),
    ] {
        assert_eq!(setting("Cargo.toml", keys), value, "{}", keys.join("."));
    }
}

/// Both packagers look for it by the package's name, and stamp it themselves.
#[test]
fn the_inx_has_the_name_of_the_package() {
    let name = setting("Cargo.toml", &["package", "name"]).replace('-', "_");
    let inx = read(&format!("{name}.inx"));
    assert!(inx.contains(&format!("CatalogFile = {name}.cat")));
    assert!(inx.contains(&format!("{name}.sys = 1")));
    assert!(inx.contains("DefaultInstall.NT$ARCH$"));
}

/// cargo-make runs what wdk-build gives it, of the version that the driver is
/// built with.
#[test]
fn cargo_make_loads_the_makefile_of_the_same_wdk_build() {
    assert_eq!(
        setting("Makefile.toml", &["extend"]),
        "target/rust-driver-makefile.toml"
    );
    let script = setting("Makefile.toml", &["config", "load_script"]);
    let version = setting("Cargo.toml", &["build-dependencies", "wdk-build"]);
    assert!(
        script.contains(&format!("wdk-build = \"{version}\"")),
        "not {version}: {script}"
    );
    assert!(script.contains("load_rust_driver_makefile()"));
}

/// RUSTFLAGS replace the flags of cargo's configuration, and have to repeat them.
#[test]
fn every_build_for_windows_has_the_flags_of_the_configuration() {
    let workflow = read(".github/workflows/windows.yml");
    let rustflags = workflow
        .lines()
        .find_map(|line| line.trim().strip_prefix("RUSTFLAGS: "))
        .expect("the workflow sets RUSTFLAGS");
    for target in ["x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc"] {
        let flags = setting(".cargo/config.toml", &["target", target, "rustflags"]);
        for flag in ["target-feature=+crt-static", "control-flow-guard"] {
            assert!(flags.contains(flag), "{target}: {flags}");
            assert!(rustflags.contains(flag), "windows.yml: {rustflags}");
        }
    }
}

/// Every folder with a lock file is opened by rust-analyzer. `tools/cross` only
/// has another lock file for the driver.
#[test]
fn the_editor_opens_every_workspace() {
    fn collect(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        if folder.join("Cargo.lock").exists() && folder.join("Cargo.toml").exists() {
            found.insert(folder.join("Cargo.toml"));
        }
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
                collect(&path, found);
            }
        }
    }
    let settings: serde_json::Value = serde_json::from_str(&read(".vscode/settings.json")).unwrap();
    let projects = settings["rust-analyzer.linkedProjects"].as_array().unwrap();
    let opened: BTreeSet<PathBuf> = projects
        .iter()
        .map(|project| root().join(project.as_str().unwrap()))
        .collect();
    let mut found = BTreeSet::new();
    collect(&root(), &mut found);
    assert_eq!(opened, found);
}
