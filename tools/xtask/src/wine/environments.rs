//! The driver's build script with Microsoft's own wdk-build, as Windows runs it:
//! it asks cargo for the same as the stand-in does, wherever the WDK is.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::build_scripts::{self, Script};
use super::fixtures::Fixtures;
use super::prefix::{Machine, Outcome, Prefix};

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
    ("CARGO_MANIFEST_DIR", r"C:\driver"),
    ("CARGO_PKG_NAME", "procmon"),
    ("CARGO_PKG_VERSION", "0.0.0"),
    ("OUT_DIR", OUT_DIR),
];

const OUT_DIR: &str = r"C:\driver\out";

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let script = &fixtures.scripts()?.driver;
    let expected = expected(script)?;
    build_scripts::install_package(prefix, fixtures)?;
    prefix.install(&script.program, "driver/build-script.exe")?;
    prefix.write("driver/out/.keep", "")?;

    let machine = prefix.boot("environments")?;
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
        let asked = requests(&output, OUT_DIR);
        ensure!(
            asked == expected,
            "{name}: Microsoft's wdk-build makes the build script print {asked:#?}, the stand-in \
             {expected:#?}"
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
    let variables = [CARGO_VARIABLES, variables].concat();
    build_scripts::run(prefix, machine, "build-script.exe", name, &variables)
}

/// What the driver's build script asks of cargo with the stand-in.
fn expected(script: &Script) -> Result<Vec<String>> {
    let output = script.out_dir.with_file_name("output");
    let text =
        fs::read_to_string(&output).with_context(|| format!("cannot read {}", output.display()))?;
    Ok(requests(&text, &script.out_dir.to_string_lossy()))
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
