//! `cargo xtask bench`: measures procmon beside drivers of the same task.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::{self, Cross};
use crate::exit::Finding;
use crate::toolchain::{CLANG, DDK_HEADERS, LLVM_DLLTOOL, lld_link};
use crate::{command, fresh, repository};

/// Measure procmon beside drivers in C, and print one table.
///
/// Writes docs/performance.md and the plots beside it, unless --quick or
/// --counts is given. The peers are in tools/bench/peer. Close other programs
/// first.
#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each flag of the command line"
)]
pub struct Bench {
    /// Take less than a minute
    #[arg(long)]
    quick: bool,
    /// Measure only what is the same on every machine
    #[arg(long, conflicts_with = "quick")]
    counts: bool,
    /// Measure how long the README's commands take on a fresh machine, too: some
    /// minutes more, and as root
    #[arg(long, conflicts_with_all = ["quick", "counts"])]
    builds: bool,
    /// Fail, naming the figure, where one is beyond tools/bench/budget.toml
    #[arg(long)]
    check: bool,
}

impl Bench {
    pub fn execute(self) -> Result<()> {
        let cross = Cross::new(Arch::X64)?;
        let driver = build::driver(&cross, Profile::Release)?;
        let mut arguments = Vec::new();
        for (given, argument) in [
            (self.quick, "--quick"),
            (self.counts, "--counts"),
            (self.check, "--check"),
        ] {
            if given {
                arguments.push(argument.into());
            }
        }
        if self.builds {
            for (what, took) in fresh::times()? {
                let took = format!("{what}={:.1}", took.as_secs_f64());
                arguments.extend(["--took".into(), took.into()]);
            }
        }
        if !self.quick && !self.counts {
            for with in self.circumstances(&cross)? {
                arguments.extend(["--with".into(), with.into()]);
            }
            let document = repository::root().join("docs/performance.md");
            arguments.extend(["--document".into(), document.into()]);
        }
        measure(&driver, &arguments)
    }

    /// What decides the figures beside the machine.
    fn circumstances(&self, cross: &Cross) -> Result<[String; 4]> {
        let version = |program: &Path| {
            let text = command::answer(Command::new(program).arg("--version"));
            text.and_then(|text| text.lines().next().map(str::to_owned))
                .with_context(|| format!("{} does not tell its version", program.display()))
        };
        let commit = Command::new("git")
            .current_dir(repository::root())
            .args(["describe", "--always", "--dirty=, changed"])
            .output();
        let commit = commit.map_or_else(
            |_| String::new(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        );
        let builds = if self.builds { " --builds" } else { "" };
        Ok([
            format!("procmon {} ({commit})", repository::driver_version()?),
            version(cross.rustc())?,
            version(&CLANG.get()?)?,
            format!("by `cargo xtask bench{builds}`"),
        ])
    }
}

/// The exit code by which the measurements tell that a figure is beyond the
/// budget.
const BEYOND_BUDGET: i32 = 1;

/// Builds the peers and runs the measurements.
///
/// # Errors
///
/// When something cannot be built, or a figure is beyond the budget.
pub fn measure(driver: &Path, arguments: &[OsString]) -> Result<()> {
    let peers = peers()?;
    command::run(
        "build the measurements",
        cross::host_cargo()
            .args(["build", "--package", "bench", "--package", "ntsim-cli"])
            .arg("--manifest-path")
            .arg(repository::tools().join("Cargo.toml")),
    )?;
    let this = env::current_exe().context("cannot find this program's own path")?;
    let outcome = command::run_to_end(
        "bench",
        Command::new(this.with_file_name("bench"))
            .arg(driver)
            .arg(peers)
            .args(arguments),
    );
    outcome.map_err(|error| match command::exit_code(&error) {
        Some(BEYOND_BUDGET) => error.context(Finding("a figure is beyond the budget".into())),
        _ => error,
    })
}

/// Builds the peers and gives their folder.
pub fn peers() -> Result<PathBuf> {
    let folder = repository::root().join("target/driver/peer");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let library = folder.join("ntoskrnl.lib");
    command::run(
        "llvm-dlltool",
        Command::new(LLVM_DLLTOOL.get()?)
            .args(["-m", "i386:x86-64", "-d"])
            .arg(repository::tools().join("wdk-build/ntoskrnl.def"))
            .arg("-l")
            .arg(&library),
    )?;
    for name in ["article", "full"] {
        c_driver(name, &folder, &library)?;
    }
    command::run(
        "clang",
        Command::new(CLANG.get()?)
            .args(["-std=gnu17", "-O2", "-Wall", "-Wextra"])
            .arg(source("format_loop.c"))
            .arg("-o")
            .arg(folder.join("format_loop")),
    )?;
    Ok(folder)
}

fn source(name: &str) -> PathBuf {
    repository::tools().join("bench/peer").join(name)
}

fn c_driver(name: &str, folder: &Path, library: &Path) -> Result<()> {
    let ddk = DDK_HEADERS.get()?;
    let object = folder.join(name).with_extension("obj");
    let mut clang = Command::new(CLANG.get()?);
    clang
        .args(["--target=x86_64-w64-windows-gnu", "-std=c17", "-O2", "-c"])
        .args(["-ffreestanding", "-fms-extensions", "-mno-stack-arg-probe"])
        .args(["-Wall", "-Wextra"])
        .args(["-D_WIN64", "-D_AMD64_", "-DAMD64", "-D_KERNEL_MODE"])
        .args(["-D_WIN32_WINNT=0x0A00", "-DWINVER=0x0A00"])
        .args(["-DNTDDI_VERSION=0x0A000008", "-Wno-#warnings"]);
    for include in [
        repository::tools().join("wdk-build/include"),
        ddk.join("ddk"),
        ddk,
    ] {
        clang.arg("-isystem").arg(include);
    }
    clang
        .args(["-MMD", "-MF"])
        .arg(folder.join(name).with_extension("d"))
        .arg(source(name).with_extension("c"))
        .arg("-o")
        .arg(&object);
    command::run("clang", &mut clang)?;

    let mut link = lld_link()?;
    let mut output = OsString::from("/OUT:");
    output.push(folder.join(name).with_extension("sys"));
    link.args(["/DRIVER", "/NODEFAULTLIB", "/SUBSYSTEM:NATIVE", "/DEBUG"])
        .args(["/ENTRY:DriverEntry", "/NXCOMPAT", "/DYNAMICBASE"])
        .args(["/INTEGRITYCHECK", "/MANIFEST:NO", "/OPT:REF,ICF"])
        .arg(object)
        .arg(library)
        .arg(output);
    command::run("lld-link", &mut link)
}
