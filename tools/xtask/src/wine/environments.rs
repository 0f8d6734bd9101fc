//! The driver's build script with Microsoft's own wdk-build, as Windows runs it:
//! it asks cargo for the same as the stand-in does, wherever the WDK is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::fixtures::Fixtures;
use super::prefix::{Machine, Outcome, Prefix};
use crate::cross::{Cross, host_cargo};
use crate::{command, repository};

const VERSION: &str = "10.0.26100.0";

/// Where a WDK is, and what its environment says of it.
struct Environment {
    name: &'static str,
    /// The folder with `Include` and `Lib`.
    kit: &'static str,
    /// The folder of `rc.exe`.
    tools: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

const ENVIRONMENTS: &[Environment] = &[
    Environment {
        name: "nuget",
        kit: "packages/wdk/c",
        tools: "packages/sdk/c/bin/10.0.26100.0/x64",
        variables: &[
            ("WDKContentRoot", r"C:\packages\wdk\c\"),
            ("Version_Number", VERSION),
            ("WindowsSdkBinPath", r"C:\packages\sdk\c\bin"),
            ("WDKBinRoot", r"C:\packages\wdk\c\bin\10.0.26100.0"),
        ],
    },
    Environment {
        name: "ewdk",
        kit: "ewdk",
        tools: "ewdk/bin/10.0.26100.0/x64",
        variables: &[
            ("WDKContentRoot", r"C:\ewdk"),
            ("Version_Number", VERSION),
            ("WDKBinRoot", r"C:\ewdk\bin\10.0.26100.0"),
        ],
    },
    // Last: the key stays in the prefix.
    Environment {
        name: "registry",
        kit: "kits",
        tools: "kits/bin/10.0.26100.0/x64",
        variables: &[],
    },
];

/// What cargo sets for the driver's build script.
const CARGO_VARIABLES: &[(&str, &str)] = &[
    ("CARGO", r"C:\driver\cargo.cmd"),
    ("CARGO_MANIFEST_DIR", r"C:\driver"),
    ("CARGO_PKG_NAME", "procmon"),
    ("CARGO_PKG_VERSION", "0.0.0"),
    ("CARGO_CFG_TARGET_ARCH", "x86_64"),
    ("CARGO_CFG_TARGET_ENV", "msvc"),
    ("CARGO_CFG_TARGET_FEATURE", "crt-static,fxsr,sse,sse2"),
    ("CARGO_CFG_TARGET_OS", "windows"),
    ("HOST", "x86_64-pc-windows-msvc"),
    ("TARGET", "x86_64-pc-windows-msvc"),
    ("OUT_DIR", r"C:\driver\out"),
];

/// Not set where an environment does not set them.
const CLEARED: &[&str] = &[
    "RC_PATH",
    "Version_Number",
    "WDKBinRoot",
    "WDKContentRoot",
    "WindowsSdkBinPath",
];

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let Some(script) = &fixtures.build_script else {
        return Ok(());
    };
    prefix.install(&script.program, "driver/build-script.exe")?;
    prefix.install(&fixtures.bcryptprimitives, "driver/bcryptprimitives.dll")?;
    let root = repository::root();
    for file in ["Cargo.toml", "Cargo.lock"] {
        prefix.install(&root.join(file), &format!("driver/{file}"))?;
    }
    prefix.write("driver/out/.keep", "")?;
    prefix.write("driver/metadata.json", &metadata()?)?;
    prefix.write("driver/cargo.cmd", "@type C:\\driver\\metadata.json\r\n")?;

    let machine = prefix.boot("build-script")?;
    let outcome = run(prefix, &machine, "none", &[])?;
    ensure!(
        outcome.code != Some(0) && outcome.errors.contains("Ensure that the WDK is installed"),
        "without a WDK, {outcome}"
    );
    for environment in ENVIRONMENTS {
        let name = environment.name;
        for folder in ["Include", "Lib"] {
            let folder = format!("{}/{folder}/{VERSION}/km/x64/.keep", environment.kit);
            prefix.write(&folder, "")?;
        }
        if name == "registry" {
            register(&machine)?;
        }
        let outcome = run(prefix, &machine, name, environment.variables)?;
        ensure!(
            outcome.code != Some(0) && outcome.errors.contains("RC_PATH"),
            "{name}, without rc.exe: {outcome}"
        );
        prefix.install(&fixtures.rc, &format!("{}/rc.exe", environment.tools))?;
        let output = run(prefix, &machine, name, environment.variables)?.success()?;
        let asked = requests(&output, r"C:\driver\out");
        ensure!(
            asked == script.expected,
            "{name}: Microsoft's wdk-build makes the build script print {asked:#?}, the stand-in \
             {:#?}",
            script.expected
        );
    }
    Ok(())
}

fn register(machine: &Machine<'_>) -> Result<()> {
    for view in ["/reg:32", "/reg:64"] {
        machine
            .run(
                "reg.exe",
                [
                    "add",
                    r"HKLM\SOFTWARE\Microsoft\Windows Kits\Installed Roots",
                    "/v",
                    "KitsRoot10",
                    "/d",
                    r"C:\kits",
                    "/f",
                    view,
                ],
            )?
            .success()?;
    }
    Ok(())
}

fn run(
    prefix: &Prefix,
    machine: &Machine<'_>,
    name: &str,
    variables: &[(&str, &str)],
) -> Result<Outcome> {
    let mut batch = String::new();
    let cleared = CLEARED.iter().map(|&variable| (variable, ""));
    for (variable, value) in cleared.chain(CARGO_VARIABLES.iter().chain(variables).copied()) {
        write!(batch, "@set {variable}={value}\r\n")?;
    }
    batch.push_str("@C:\\driver\\build-script.exe\r\n");
    let file = format!("driver/{name}.cmd");
    prefix.write(&file, &batch)?;
    machine.run("cmd.exe", ["/c", &format!(r"C:\driver\{name}.cmd")])
}

/// What `cargo metadata` says of the driver.
fn metadata() -> Result<String> {
    let mut cargo = host_cargo();
    cargo
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(repository::root());
    let metadata = command::output("ask cargo for the driver's metadata", &mut cargo)?;
    Ok(String::from_utf8(metadata)?)
}

/// The build script as a program for Windows, and what the stand-in has it print.
pub struct BuildScript {
    program: PathBuf,
    expected: Vec<String>,
}

impl BuildScript {
    /// Compiles it.
    pub fn build(cross: &Cross, linker: &Path, rustc: &Path) -> Result<Self> {
        const TARGET: &str = "x86_64-pc-windows-gnu";
        let folder = repository::root().join("target/windows-build");
        let mut cargo = host_cargo();
        cargo
            .args(["build", "--quiet", "--locked", "--target", TARGET])
            .arg("--manifest-path")
            .arg(repository::windows_build().join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&folder)
            .env("RUSTC", rustc)
            .env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", linker)
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env_remove("RUSTFLAGS");
        command::run("compile the driver's build script for Windows", &mut cargo)?;
        Ok(Self {
            program: folder.join(TARGET).join("debug/build-script.exe"),
            expected: expected(cross)?,
        })
    }
}

/// What the driver's build script asks of cargo with the stand-in.
fn expected(cross: &Cross) -> Result<Vec<String>> {
    let mut cargo = cross.cargo("build");
    cargo.args(["--release", "--quiet", "--message-format", "json"]);
    let messages = command::output("build the driver", &mut cargo)?;
    let folder = String::from_utf8(messages)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "build-script-executed")
        .find(|message| {
            message["package_id"]
                .as_str()
                .is_some_and(|id| id.contains("procmon"))
                && !message["linked_paths"].as_array().is_none_or(Vec::is_empty)
        })
        .and_then(|message| message["out_dir"].as_str().map(str::to_owned))
        .context("cargo reports no build script of the driver")?;
    let output = Path::new(&folder).with_file_name("output");
    let output =
        fs::read_to_string(&output).with_context(|| format!("cannot read {}", output.display()))?;
    Ok(requests(&output, &folder))
}

/// The lines that ask something of cargo, but for where libraries are and when
/// to run again, in one form on both hosts.
fn requests(output: &str, out_dir: &str) -> Vec<String> {
    output
        .lines()
        .filter(|line| line.starts_with("cargo:"))
        .filter(|line| !line.contains("rerun-if-") && !line.contains("rustc-link-search"))
        .map(|line| {
            line.replace(out_dir, "OUT_DIR")
                .replace("OUT_DIR\\", "OUT_DIR/")
                // wdk-build ends the list of values with a comma.
                .replace(",))", "))")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out_and_nothing_else() {
        let windows = "cargo:rerun-if-changed=x\r\nSelected RC path\r\n\
                       cargo::rustc-link-search=C:\\kit\r\n\
                       cargo::rustc-cdylib-link-arg=/DEF:C:\\o\\a.def\r\n\
                       cargo::rustc-check-cfg=cfg(a, values(\"b\",))\r\n";
        let linux = "cargo::rustc-cdylib-link-arg=/DEF:/o/a.def\n\
                     cargo::rustc-check-cfg=cfg(a, values(\"b\"))\n";
        assert_eq!(requests(windows, "C:\\o"), requests(linux, "/o"));
        let other = linux.replace("/DEF:", "/MAP:");
        assert_ne!(requests(windows, "C:\\o"), requests(&other, "/o"));
    }
}
