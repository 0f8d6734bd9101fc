//! Measures what procmon costs, beside other drivers of the same task.
//!
//! `cargo xtask bench` builds the drivers and runs this program.

mod count;
mod event;
mod figure;
mod null_kernel;
mod step;
mod time;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use figure::Budget;
use indicatif::ProgressBar;
use null_kernel::Driver;
use time::Effort;

/// Measures procmon and its peers.
#[derive(Parser)]
struct Cli {
    /// procmon's release image
    driver: PathBuf,
    /// The folder that holds the peers
    peers: PathBuf,
    /// Take less than a minute
    #[arg(long)]
    quick: bool,
    /// Measure only what is the same on every machine
    #[arg(long)]
    counts: bool,
    /// Hold the figures to the budget in tools/bench/budget.toml
    #[arg(long)]
    check: bool,
}

/// The drivers that are measured.
struct Drivers {
    procmon: Driver,
    article: Driver,
    full: Driver,
    println: Driver,
}

impl Drivers {
    fn load(driver: &Path, peers: &Path) -> Result<Self> {
        let peer = |name: &str| Driver::load(&peers.join(name).with_extension("sys"));
        Ok(Self {
            procmon: Driver::load(driver)?,
            article: peer("article")?,
            full: peer("full")?,
            println: peer("println")?,
        })
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Driver)> {
        [
            ("procmon", &self.procmon),
            ("article", &self.article),
            ("full", &self.full),
            ("println", &self.println),
        ]
        .into_iter()
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let effort = if cli.quick {
        Effort {
            rounds: 8,
            lives: 40_000,
        }
    } else {
        Effort {
            rounds: 40,
            lives: 400_000,
        }
    };
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let drivers = Drivers::load(&cli.driver, &cli.peers)?;
    progress.set_message("counting instructions");
    let mut figures = count::figures(&drivers);
    if !cli.counts {
        progress.set_message("timing the drivers");
        figures.extend(time::lives(&drivers, effort));
        progress.set_message("timing threads");
        figures.extend(time::threads(&drivers.procmon, effort));
        progress.set_message("timing the whole path");
        let format_loop = cli.peers.join("format_loop");
        figures.extend(time::whole_path(&cli.driver, &format_loop, effort)?);
    }
    progress.finish_and_clear();
    for figure in &figures {
        println!("{figure}");
    }
    if cli.check {
        Budget::parse(include_str!("../budget.toml"))?.check(&figures, !cli.counts)?;
    }
    Ok(())
}

/// Exact for any count that is met here.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
const fn count_to_f64(count: u64) -> f64 {
    count as f64
}
