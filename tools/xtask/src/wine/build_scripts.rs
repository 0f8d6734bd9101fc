//! Build scripts with Microsoft's own wdk-build, compiled for Windows and run as
//! cargo runs them there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Unavailable;
use super::fixtures::Fixtures;
use super::prefix::{Machine, Outcome, Prefix};
use crate::cross::{Cross, host_cargo};
use crate::toolchain::{MINGW_GCC, WINDOWS_PROGRAMS, provide};
use crate::{command, repository};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// A build script.
pub struct Script {
    /// The program for Windows.
    pub program: PathBuf,
    /// The folder that it wrote to when cargo ran it here, with the stand-in.
    pub out_dir: PathBuf,
}

/// The build scripts.
pub struct Scripts {
    /// The driver's.
    pub driver: Script,
    /// wdk-sys's.
    pub wdk_sys: Script,
}

impl Scripts {
    /// Compiles them, or returns why they cannot be compiled on this machine.
    ///
    /// # Errors
    ///
    /// When one does not compile.
    pub fn build(cross: &Cross) -> Result<Result<Self, Unavailable>> {
        if let Err(why) = provide(&[&WINDOWS_PROGRAMS, &MINGW_GCC]) {
            return Ok(Err(Unavailable(format!("{why:#}"))));
        }
        let messages = build_driver(cross)?;
        let driver = Run::find(&messages, &|source| {
            source == repository::root().join("build.rs")
        })?;
        let wdk_sys = Run::find(&messages, &|source| {
            let package = source.parent().and_then(Path::file_name);
            package.is_some_and(|name| name.to_string_lossy().starts_with("wdk-sys-"))
        })?;

        let folder = repository::root().join("target/windows-build");
        copy_if_changed(&wdk_sys.source, &folder.join("wdk-sys.rs"))?;
        let mut cargo = host_cargo();
        cargo
            .args(["build", "--quiet", "--locked", "--target", TARGET])
            .arg("--manifest-path")
            .arg(repository::windows_build().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder)
            .env("RUSTC", WINDOWS_PROGRAMS.get()?.rustc)
            .env(
                "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER",
                MINGW_GCC.get()?,
            )
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env_remove("RUSTFLAGS");
        command::run("compile the build scripts for Windows", &mut cargo)?;

        let built = folder.join(TARGET).join("debug");
        let script = |name: &str, run: Run| Script {
            program: built.join(name),
            out_dir: run.out_dir,
        };
        Ok(Ok(Self {
            driver: script("build-script.exe", driver),
            wdk_sys: script("wdk-sys.exe", wdk_sys),
        }))
    }
}

/// Cargo's messages on a build of the driver here.
fn build_driver(cross: &Cross) -> Result<Vec<Value>> {
    let mut cargo = cross.cargo("build");
    cargo.args(["--release", "--quiet", "--message-format", "json"]);
    let messages = command::output("build the driver", &mut cargo)?;
    let messages = String::from_utf8(messages)?;
    let parsed = messages.lines().map(serde_json::from_str);
    Ok(parsed.collect::<serde_json::Result<_>>()?)
}

/// A build script that cargo ran here.
struct Run {
    source: PathBuf,
    out_dir: PathBuf,
}

impl Run {
    fn find(messages: &[Value], is_source: &dyn Fn(&Path) -> bool) -> Result<Self> {
        let compiled = messages.iter().find_map(|message| {
            let source = Path::new(message["target"]["src_path"].as_str()?);
            let is_script = message["target"]["kind"][0] == "custom-build";
            (is_script && is_source(source)).then_some((&message["package_id"], source))
        });
        let (package, source) = compiled.context("cargo reports no such build script")?;
        let out_dir = messages
            .iter()
            .filter(|message| message["package_id"] == *package)
            .find_map(|message| message["out_dir"].as_str())
            .with_context(|| format!("cargo did not run {}", source.display()))?;
        Ok(Self {
            source: source.to_owned(),
            out_dir: out_dir.into(),
        })
    }
}

/// Copies a source, and leaves the copy as old as it is where it is the same.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let source = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|copy| copy == source) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::write(to, source).with_context(|| format!("cannot write {}", to.display()))
}

/// What cargo sets for every build script.
const CARGO_VARIABLES: &[(&str, &str)] = &[
    ("CARGO", r"C:\driver\cargo.cmd"),
    ("CARGO_CFG_TARGET_ARCH", "x86_64"),
    ("CARGO_CFG_TARGET_ENV", "msvc"),
    ("CARGO_CFG_TARGET_FEATURE", "crt-static,fxsr,sse,sse2"),
    ("CARGO_CFG_TARGET_OS", "windows"),
    ("HOST", "x86_64-pc-windows-msvc"),
    ("TARGET", "x86_64-pc-windows-msvc"),
];

/// Not set where a case does not set them.
const CLEARED: &[&str] = &[
    "BINDGEN_EXTRA_CLANG_ARGS",
    "LIBCLANG_PATH",
    "RC_PATH",
    "Version_Number",
    "WDKBinRoot",
    "WDKContentRoot",
    "WindowsSdkBinPath",
];

/// Puts the driver's package in `C:\driver`, with what build scripts run.
pub fn install_package(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let root = repository::root();
    for file in ["Cargo.toml", "Cargo.lock"] {
        prefix.install(&root.join(file), &format!("driver/{file}"))?;
    }
    prefix.install(&fixtures.bcryptprimitives, "driver/bcryptprimitives.dll")?;
    prefix.write("driver/metadata.json", metadata()?)?;
    prefix.write("driver/cargo.cmd", "@type C:\\driver\\metadata.json\r\n")
}

/// What `cargo metadata` says of the driver on Windows.
fn metadata() -> Result<Vec<u8>> {
    let mut cargo = host_cargo();
    cargo
        .args(["metadata", "--format-version=1", "--locked"])
        .arg("--filter-platform=x86_64-pc-windows-msvc")
        .current_dir(repository::root());
    command::output("ask cargo for the driver's metadata", &mut cargo)
}

/// Runs a program in `C:\driver`, with cargo's variables and those of `name`.
pub fn run(
    prefix: &Prefix,
    machine: &Machine<'_>,
    program: &str,
    name: &str,
    variables: &[(&str, &str)],
) -> Result<Outcome> {
    let mut batch = String::new();
    let cleared = CLEARED.iter().map(|&variable| (variable, ""));
    for (variable, value) in cleared.chain(CARGO_VARIABLES.iter().chain(variables).copied()) {
        write!(batch, "@set {variable}={value}\r\n")?;
    }
    write!(batch, "@C:\\driver\\{program}\r\n")?;
    let file = format!("driver/{name}.cmd");
    prefix.write(&file, &batch)?;
    machine.run("cmd.exe", ["/c", &format!(r"C:\driver\{name}.cmd")])
}
