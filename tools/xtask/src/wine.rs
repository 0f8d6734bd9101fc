//! `cargo xtask wine`: loads procmon.sys through Wine's service manager.
//!
//! One file per case; [`prefix`] is the machine that they run on, a fresh one
//! each time.

mod bindings;
mod build_scripts;
mod environments;
mod fixtures;
mod installation;
mod kernel;
mod libclang;
mod life_cycle;
mod prefix;
mod refusal;
mod scripts;
mod service;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Error, Result, ensure};
use clap::Args;

use self::fixtures::Fixtures;
use self::prefix::Prefix;
use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::{Finding, Usage};
use crate::progress;
use crate::toolchain::{self, WINE};

/// Load procmon.sys through Wine's service manager and check what it reports.
#[derive(Args)]
pub struct Wine {
    /// Run the cases whose names contain one of these; all, unless some are given
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Keep the Wine prefix, target/wine/prefix, to look into it afterwards
    #[arg(long)]
    keep: bool,
}

/// A case: what it shows, and how.
type Case = (&'static str, fn(&Prefix, &Fixtures) -> Result<()>);

const CASES: &[Case] = &[
    (
        "procmon starts and stops as a service, three times",
        life_cycle::check,
    ),
    (
        "a driver that refuses to load does not start",
        refusal::check,
    ),
    (
        "setupapi installs procmon.inf and the service starts",
        installation::check,
    ),
    (
        "Microsoft's wdk-build asks cargo for what the stand-in does",
        environments::check,
    ),
    (
        "Microsoft's wdk-build makes the bindings that the stand-in does",
        bindings::check,
    ),
    (
        "install.cmd installs the package, and uninstall.cmd undoes it",
        scripts::check,
    ),
];

impl Wine {
    pub fn execute(self) -> Result<()> {
        let wine = WINE.get()?;
        let cross = Cross::new(Arch::X64)?;
        let procmon = build::driver(&cross, Profile::Release)?;
        let is_wanted = |what: &str| {
            self.filters.is_empty() || self.filters.iter().any(|filter| what.contains(filter))
        };
        let cases: Vec<Case> = CASES
            .iter()
            .copied()
            .filter(|(what, _)| is_wanted(what))
            .collect();
        ensure!(
            !cases.is_empty(),
            Usage(format!(
                "no case has {} in its name",
                self.filters.join(" or ")
            ))
        );
        let done = verify_some(&cases, wine, &cross, &procmon, self.keep)?;
        println!("what Wine printed: {}", done.logs.display());
        Ok(())
    }
}

/// Why a case cannot be run on this machine.
#[derive(Clone, Debug)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// A run in which no case failed.
pub struct Done {
    /// The folder of Wine's output.
    pub logs: PathBuf,
    /// The cases that could not be run, and why.
    pub skipped: Vec<(&'static str, Error)>,
}

/// Runs every case in a fresh prefix on `procmon`, the driver's release image.
///
/// # Errors
///
/// When a case fails.
pub fn verify(wine: toolchain::Wine, cross: &Cross, procmon: &Path) -> Result<Done> {
    verify_some(CASES, wine, cross, procmon, false)
}

fn verify_some(
    cases: &[Case],
    wine: toolchain::Wine,
    cross: &Cross,
    procmon: &Path,
    keep: bool,
) -> Result<Done> {
    let fixtures = Fixtures::build(cross, procmon)?;
    let prefix = Prefix::create(wine, keep)?;
    kernel::extend(&prefix, &fixtures)?;
    let logs = prefix.logs().to_owned();
    let mut skipped = Vec::new();
    for (what, check) in cases {
        let start = Instant::now();
        match check(&prefix, &fixtures) {
            Ok(()) => {
                let seconds = start.elapsed().as_secs_f32();
                progress::answer(&format!("ok    {what} ({seconds:.1} s)"));
            }
            Err(why) if why.is::<Unavailable>() => {
                progress::answer(&format!("skip  {what}: {why:#}"));
                skipped.push((*what, why));
            }
            Err(error) => {
                let logs = logs.display();
                let finding = Finding(format!("{what}: no; Wine's output is in {logs}"));
                return Err(error.context(finding));
            }
        }
    }
    Ok(Done { logs, skipped })
}
