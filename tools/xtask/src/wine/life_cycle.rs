//! The shipped image as a service: created, started, stopped, deleted.

use anyhow::{Result, ensure};
use procmon_log::Line;
use procmon_log::line::Unloaded;

use super::fixtures::Fixtures;
use super::prefix::Prefix;
use super::service::Service;

const ROUNDS: usize = 3;

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    prefix.install(&fixtures.procmon, "procmon.sys")?;
    let machine = prefix.boot("life-cycle")?;
    let procmon = Service::named(&machine, "procmon");
    for _ in 0..ROUNDS {
        procmon.create()?;
        procmon.start()?;
        procmon.expect_state("RUNNING")?;
        procmon.stop()?;
        procmon.expect_state("STOPPED")?;
        procmon.delete()?;
    }
    let expected = vec![one_life(); ROUNDS].concat();
    let printed = machine.debug_output()?;
    ensure!(
        printed == expected,
        "{expected:#?} expected, but the drivers printed {printed:#?}"
    );
    Ok(())
}

/// What the driver prints from its start to its stop: Wine takes the callback and
/// never calls it.
pub fn one_life() -> [String; 2] {
    [Line::Loaded, Line::Unloaded(Unloaded::default())].map(|line| {
        let text = String::from_utf8_lossy(&line.message()).into_owned();
        text.trim_end().to_owned()
    })
}
