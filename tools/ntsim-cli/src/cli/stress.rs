//! `ntsim stress`: events from all processors at once.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use indicatif::HumanCount;
use ntsim::LoadError;
use ntsim_trials::load::{self, Error, Load};
use ntsim_trials::{Listen, Target, reload, slots};

use super::Outcome;
use super::driver::{Driver, progress};

/// Deliver events to a driver from all processors at once, and count its lines.
///
/// Each event must give its lines exactly once, whole and in their order, and
/// the memory in use must not grow. --reloads and --slots try something else
/// instead.
#[derive(Args)]
pub struct Stress {
    #[command(flatten)]
    driver: Driver,

    /// How many creates and exits to deliver
    #[arg(long, value_name = "NUMBER", default_value = "10000000")]
    events: NonZeroU64,

    /// From how many threads; one a processor unless given
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,

    /// End after so many seconds
    #[arg(long, value_name = "NUMBER")]
    seconds: Option<NonZeroU32>,

    /// Have every routine that the driver calls take random time
    #[arg(long)]
    delays: bool,

    /// Load and unload the driver so many times while events arrive
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["events", "seconds", "delays"])]
    reloads: Option<NonZeroU32>,

    /// Load the driver until all slots for notify routines are taken, and once
    /// more
    #[arg(long, conflicts_with_all = ["events", "seconds", "delays", "threads", "reloads"])]
    slots: bool,
}

impl Stress {
    /// Carries the verb out.
    pub fn execute(self) -> Result<Outcome> {
        let outcome = self.driver.attempt(Listen::Sometimes, |target| {
            if self.slots {
                fill_slots(&target)
            } else if let Some(cycles) = self.reloads {
                self.reload(&target, cycles.get())
            } else {
                self.deliver(&target)
            }
        });
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(error) => match error.downcast::<Error>() {
                Ok(Error::Load(
                    error @ (LoadError::DriverEntry { .. } | LoadError::Stopped(_)),
                )) => {
                    eprintln!("ntsim: {}: {error}", self.driver.file.display());
                    Ok(Outcome::DriverAtFault)
                }
                Ok(error) => Err(error.into()),
                Err(error) => Err(error),
            },
        }
    }

    fn threads(&self) -> usize {
        self.threads
            .or_else(|| thread::available_parallelism().ok())
            .map_or(1, NonZeroUsize::get)
    }

    fn deliver(&self, target: &Target<'_>) -> Result<Outcome> {
        let load = Load {
            events: self.events.get(),
            threads: self.threads(),
            time: self
                .seconds
                .map(|seconds| Duration::from_secs(seconds.get().into())),
            delays: self.delays,
        };
        let bar = progress("events", load.events);
        let figures = load::deliver(target, load, |events| bar.set_position(events))?;
        bar.finish_and_clear();
        let events = figures.created + figures.exited;
        println!(
            "{} creates and {} exits from {} threads in {:.1} s: {} events a second, {} lines, {} \
             events traced",
            HumanCount(figures.created),
            HumanCount(figures.exited),
            load.threads,
            figures.time.as_secs_f64(),
            HumanCount(per_second(events, figures.time)),
            HumanCount(figures.lines),
            HumanCount(figures.events),
        );
        println!(
            "memory: {} KiB after a tenth, {} KiB at the end{}",
            figures.memory_early / 1024,
            figures.memory_late / 1024,
            if figures.is_flat() { "" } else { ": it grows" },
        );
        if figures.is_monitored && figures.findings.is_empty() {
            println!("every event was reported once: no line lost, doubled, torn or interleaved");
        }
        let is_flat = figures.is_flat();
        Ok(tell(&figures.findings, is_flat))
    }

    fn reload(&self, target: &Target<'_>, cycles: u32) -> Result<Outcome> {
        let bar = progress("loads", cycles.into());
        let findings = reload::reload(target, cycles, self.threads(), |cycle| {
            bar.set_position(cycle);
        })?;
        bar.finish_and_clear();
        if findings.is_empty() {
            println!(
                "loaded and unloaded {} times while events arrived from {} threads: nothing left, \
                 nothing ran afterwards",
                HumanCount(cycles.into()),
                self.threads()
            );
        }
        Ok(tell(&findings, true))
    }
}

fn fill_slots(target: &Target<'_>) -> Result<Outcome> {
    let findings = slots::fill(target)?;
    if findings.is_empty() {
        println!("64 drivers were loaded and heard of a process; the 65th was refused");
    }
    Ok(tell(&findings, true))
}

fn per_second(events: u64, time: Duration) -> u64 {
    let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    events.saturating_mul(1_000_000) / microseconds.max(1)
}

fn tell(findings: &[String], is_right: bool) -> Outcome {
    for finding in findings {
        println!("FAIL    {finding}");
    }
    if findings.is_empty() && is_right {
        Outcome::Clean
    } else {
        Outcome::DriverAtFault
    }
}
