//! `ntsim inject`: make a driver's calls fail.

use anyhow::{Result, anyhow};
use clap::Args;
use ntsim_trials::faults::{self, Error};
use ntsim_trials::{Listen, Target};

use super::Outcome;
use super::driver::{Driver, progress};

/// Make each call of a driver that can fail do so, alone and in pairs.
///
/// A first run records the calls that the driver makes through a short life:
/// load, two creates, two exits, unload. Each that can fail then does, with
/// several statuses or NULL, and so does each call that the driver makes
/// after that. No rule may be broken, and nothing may be left behind.
#[derive(Args)]
pub struct Inject {
    #[command(flatten)]
    driver: Driver,
}

impl Inject {
    /// Carries the verb out.
    pub fn execute(self) -> Result<Outcome> {
        self.driver.attempt(Listen::Always, inject)
    }
}

fn inject(target: Target<'_>) -> Result<Outcome> {
    let bar = progress("runs", 0);
    let outcome = faults::inject(&target, || bar.inc(1));
    bar.finish_and_clear();
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Error::Unprovoked(finding)) => {
            eprintln!("ntsim: the driver goes wrong with no call failing: {finding}");
            return Ok(Outcome::DriverAtFault);
        }
        Err(error) => return Err(anyhow!(error)),
    };
    for (point, tally) in &outcome.points {
        println!("{point}: {} of {} survived", tally.survived, tally.runs);
    }
    for ((phase, routine), reason) in &outcome.not_injected {
        println!("{phase:<6}  {routine}: not injected, {reason}");
    }
    for routine in &outcome.never_reached {
        println!("never   {routine}: can fail, is imported or looked up, and was not called");
    }
    for (plan, finding) in &outcome.findings {
        let plan: Vec<String> = plan.iter().map(ToString::to_string).collect();
        println!("FAIL    {}: {finding}", plan.join(", then "));
    }
    let total = outcome.total();
    println!(
        "{} injection points, {} runs with one failure and {} with two: {} of {} survived",
        outcome.points.len(),
        total.runs - outcome.pairs.runs,
        outcome.pairs.runs,
        total.survived,
        total.runs,
    );
    Ok(if outcome.findings.is_empty() {
        Outcome::Clean
    } else {
        Outcome::DriverAtFault
    })
}
