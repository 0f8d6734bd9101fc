//! The shipped image as a service: created, started, stopped, deleted.

use anyhow::{Result, ensure};

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
    let expected = [
        "[procmon] loaded",
        // Wine takes the callback and never calls it.
        "[procmon] unloaded: 0 created, 0 exited",
    ]
    .repeat(ROUNDS);
    let printed = machine.debug_output()?;
    ensure!(
        printed == expected,
        "{expected:#?} expected, but the drivers printed {printed:#?}"
    );
    Ok(())
}
