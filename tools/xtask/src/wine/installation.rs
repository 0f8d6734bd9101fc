//! The INF: installed by Wine's setupapi, which makes the service of it.

use std::fs;

use anyhow::{Context, Result, ensure};
use der::DateTime;

use super::fixtures::Fixtures;
use super::life_cycle::one_life;
use super::prefix::Prefix;
use super::service::Service;
use crate::inf::Stamp;
use crate::repository;

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    prefix.install(&fixtures.procmon, "package/procmon.sys")?;
    prefix.write("package/procmon.inf", &inf()?)?;
    let machine = prefix.boot("installation")?;
    // 128 + 4: the path is complete, and nobody is asked about a restart.
    machine
        .run(
            "rundll32.exe",
            [
                "setupapi,InstallHinfSection",
                "DefaultInstall",
                "132",
                r"C:\package\procmon.inf",
            ],
        )?
        .success()?;
    let procmon = Service::named(&machine, "procmon");
    procmon.expect_state("STOPPED")?;
    procmon.start()?;
    procmon.stop()?;
    procmon.delete()?;
    let printed = machine.debug_output()?;
    ensure!(printed == one_life(), "the drivers printed {printed:?}");
    Ok(())
}

fn inf() -> Result<String> {
    let template = repository::root().join("procmon.inx");
    let text = fs::read_to_string(&template)
        .with_context(|| format!("cannot read {}", template.display()))?;
    let stamp = Stamp {
        architecture: "amd64",
        catalog: "procmon.cat",
        version: "0.0.0",
        date: DateTime::new(2000, 1, 1, 0, 0, 0)?,
    };
    stamp.apply(&text)
}
