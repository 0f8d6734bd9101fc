//! `cargo xtask run`: builds the driver and runs it in the embedded kernel.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum as _};

use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::command::side_by_side;
use crate::cross::{self, Cross};
use crate::emulated::Emulated;
use crate::exit::{Usage, given_file};
use crate::toolchain::provide;
use crate::{command, repository};

/// Build procmon.sys, load it into the embedded kernel and watch processes.
///
/// Takes --driver FILE to run another driver image in place of procmon.sys,
/// --dev for procmon's debug build, --arch arm64 for ARM64, which is emulated,
/// and every option of `ntsim run`.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub struct Run {
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTIONS"
    )]
    arguments: Vec<OsString>,
}

/// What the arguments ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    help: bool,
    dev: bool,
    arch: Option<Arch>,
    /// The image to run in place of procmon.sys.
    driver: Option<PathBuf>,
    /// For ntsim.
    forwarded: Vec<OsString>,
}

impl Run {
    pub fn execute(self) -> Result<()> {
        forward(
            "run",
            "Build procmon.sys, load it into the embedded kernel and watch processes.",
            self.arguments,
        )
    }
}

/// Runs a verb of ntsim with procmon.sys, built anew, or with the driver that
/// the arguments name, and with those arguments that are not for us.
pub fn forward(verb: &str, about: &str, arguments: Vec<OsString>) -> Result<()> {
    let request = Request::parse(arguments)?;
    let arch = request.arch();
    if !arch.is_here() && !request.help {
        // Both halves install what they need; it is one installation.
        let mut needs = Emulated::needs().to_vec();
        if request.driver.is_none() {
            needs.extend(cross::needs(arch));
        }
        provide(&needs)?;
    }
    let (mut ntsim, mut image) = (None, None);
    // Side by side: installing what the driver needs leaves processors idle.
    side_by_side(vec![
        Box::new(|| {
            image = request.image()?;
            Ok(())
        }),
        Box::new(|| {
            ntsim = Some(build_ntsim_for(arch)?);
            Ok(())
        }),
    ])?;
    let mut command = ntsim.context("ntsim was not built")?;
    command.arg(verb);
    let Some(image) = image else {
        println!(
            "{about}\n\n\
             Usage: cargo xtask {verb} [--arch ARCH] [--dev | --driver FILE] [OPTIONS]\n\n\
             \x20     --arch ARCH    The processor, x64 or arm64; what this machine is not is emulated\n\
             \x20     --dev          Run procmon's debug build\n\
             \x20     --driver FILE  Run this image in place of procmon.sys; once more for each further driver\n\n\
             All other options are those of `ntsim {verb}`:\n"
        );
        return become_program(command.arg("--help"));
    };
    // procmon's log can be held against its documentation.
    if verb != "run" && request.driver.is_none() {
        command.args(["--oracle", "procmon"]);
    }
    become_program(command.arg(image).args(request.forwarded))
}

impl Request {
    fn parse(arguments: Vec<OsString>) -> Result<Self> {
        let mut request = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("-h" | "--help") => request.help = true,
                Some("--dev") => request.dev = true,
                Some("--arch") => {
                    let name = arguments.next().unwrap_or_default();
                    request.arch = Some(arch(&name.to_string_lossy())?);
                }
                Some(text) if text.starts_with("--arch=") => {
                    request.arch = Some(arch(&text["--arch=".len()..])?);
                }
                // Only the first takes procmon's place.
                Some("--driver") if request.driver.is_none() => {
                    let file = arguments.next().ok_or_else(|| {
                        Usage("--driver needs the path of a driver's image".into())
                    })?;
                    request.driver = Some(file.into());
                }
                Some(text) if request.driver.is_none() && text.starts_with("--driver=") => {
                    request.driver = Some(PathBuf::from(&text["--driver=".len()..]));
                }
                _ => request.forwarded.push(argument),
            }
        }
        if request.dev && request.driver.is_some() {
            bail!(Usage(
                "--dev chooses a build of procmon, --driver another driver: give one of them"
                    .into()
            ));
        }
        if let Some(file) = &request.driver {
            given_file("--driver", file)?;
        }
        if request.arch() == Arch::X64 && !Arch::X64.is_here() {
            bail!(Usage(
                "x64 drivers run on x64 machines only: give --arch arm64".into()
            ));
        }
        Ok(request)
    }

    /// The processor to run on.
    fn arch(&self) -> Arch {
        let default = if Arch::Arm64.is_here() {
            Arch::Arm64
        } else {
            Arch::X64
        };
        self.arch.unwrap_or(default)
    }

    /// The image to run, built where it is procmon's; none for help alone.
    fn image(&self) -> Result<Option<PathBuf>> {
        if self.help {
            return Ok(None);
        }
        if let Some(file) = &self.driver {
            return Ok(Some(file.clone()));
        }
        let profile = if self.dev {
            Profile::Dev
        } else {
            Profile::Release
        };
        build::driver(&Cross::new(self.arch())?, profile).map(Some)
    }
}

fn arch(name: &str) -> Result<Arch> {
    Arch::from_str(name, true).map_err(|_| {
        anyhow!(Usage(format!(
            "--arch takes x64 or arm64, and not {name:?}"
        )))
    })
}

/// Builds the embedded kernel for a processor and gives the command that runs
/// it on this one.
fn build_ntsim_for(arch: Arch) -> Result<Command> {
    match arch {
        arch if arch.is_here() => build_ntsim().map(Command::new),
        _ => Emulated::new()?.build_ntsim(),
    }
}

/// Builds the embedded kernel and gives its program's path.
pub fn build_ntsim() -> Result<PathBuf> {
    command::run(
        "build ntsim",
        cross::host_cargo()
            .args(["build", "--package", "ntsim-cli"])
            .arg("--manifest-path")
            .arg(repository::tools().join("Cargo.toml")),
    )?;
    // Cargo puts it where it put this program: same workspace, same profile.
    let this = env::current_exe().context("cannot find this program's own path")?;
    Ok(this.with_file_name(OsStr::new("ntsim")))
}

/// Hands this process over to `command`, so that Ctrl-C and the exit code are
/// between the user and ntsim.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;

    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(test)]
mod tests {
    use tempfile::NamedTempFile;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Request> {
        Request::parse(arguments.iter().map(OsString::from).collect())
    }

    #[test]
    fn forwards_what_it_does_not_know() {
        let request = parse(&["--demo", "--for", "10"]).unwrap();
        assert_eq!(request.forwarded, ["--demo", "--for", "10"]);
        assert_eq!(request.driver, None);
    }

    #[test]
    fn the_processor_is_no_option_of_the_kernel() {
        for arguments in [&["--arch", "arm64"][..], &["--arch=arm64"]] {
            let request = parse(arguments).unwrap();
            assert_eq!(request.arch, Some(Arch::Arm64));
            assert_eq!(request.forwarded, [""; 0]);
        }
        for arguments in [&["--arch", "mips"][..], &["--arch="], &["--arch"]] {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(error.contains("x64 or arm64"), "{error}");
        }
    }

    #[test]
    fn the_first_driver_replaces_procmon_and_the_next_is_forwarded() {
        let file = NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let request = parse(&["--driver", path, "--json", "--driver", "b.sys"]).unwrap();
        assert_eq!(request.driver.as_deref(), Some(file.path()));
        assert_eq!(request.forwarded, ["--json", "--driver", "b.sys"]);
        let request = parse(&[&format!("--driver={path}")]).unwrap();
        assert_eq!(request.driver.as_deref(), Some(file.path()));
    }

    #[test]
    fn refuses_a_driver_without_a_file_and_two_choices_of_image() {
        for arguments in [
            &["--driver"][..],
            &["--driver", "/nonexistent.sys"],
            &["--dev", "--driver", "/nonexistent.sys"],
        ] {
            assert!(parse(arguments).unwrap_err().is::<Usage>());
        }
    }
}
