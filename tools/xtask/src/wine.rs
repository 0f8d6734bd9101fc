//! `cargo xtask wine`: loads procmon.sys through Wine's service manager.
//!
//! One file per case; [`prefix`] is the machine that they run on, a fresh one
//! each time.

mod build_script;
mod fixtures;
mod installation;
mod kernel;
mod life_cycle;
mod prefix;
mod provider;
mod refusal;
mod scripts;
mod service;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use self::fixtures::Fixtures;
use self::prefix::Prefix;
use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::Finding;
use crate::progress;
use crate::toolchain::{self, WINE};

/// Load procmon.sys through Wine's service manager and check what it reports.
#[derive(Args)]
pub struct Wine {
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
    ("a driver registers an ETW provider", provider::check),
    (
        "setupapi installs procmon.inf and the service starts",
        installation::check,
    ),
    (
        "Microsoft's wdk-build asks cargo for what the stand-in does",
        build_script::check,
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
        let logs = verify(wine, &cross, &procmon, self.keep)?;
        println!("what Wine printed: {}", logs.display());
        Ok(())
    }
}

/// Runs every case in a fresh prefix on `procmon`, the driver's release image,
/// and gives the folder of Wine's output.
///
/// # Errors
///
/// When a case fails.
pub fn verify(wine: toolchain::Wine, cross: &Cross, procmon: &Path, keep: bool) -> Result<PathBuf> {
    let fixtures = Fixtures::build(cross, procmon)?;
    let prefix = Prefix::create(wine, keep)?;
    kernel::extend(&prefix, &fixtures)?;
    let logs = prefix.logs().to_owned();
    for (what, check) in CASES {
        let start = Instant::now();
        check(&prefix, &fixtures).with_context(|| {
            Finding(format!(
                "{what}: no; Wine's output is in {}",
                logs.display()
            ))
        })?;
        let seconds = start.elapsed().as_secs_f32();
        progress::answer(&format!("ok    {what} ({seconds:.1} s)"));
    }
    Ok(logs)
}
