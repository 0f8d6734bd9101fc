//! Measures what procmon costs, beside other drivers of the same task.
//!
//! `cargo xtask bench` builds the drivers and runs this program.

mod budget;
mod count;
mod document;
mod event;
mod figure;
mod growth;
mod lives;
mod machine;
mod measure;
mod null_kernel;
mod painted;
mod plot;
mod profile;
mod progress;
mod stack;
mod statistics;
mod step;
mod table;
mod text;
mod whole_path;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use budget::Budget;
use clap::Parser;
use figure::Figure;
use measure::Extent;
use null_kernel::Driver;

const EXIT_CODES: &str = "\
Exit codes:
  0  measured, and within the budget where --check is given
  1  a figure is beyond the budget
  2  usage, or something that cannot be measured";

/// Measures procmon and its peers.
#[derive(Parser)]
#[command(after_help = EXIT_CODES)]
struct Cli {
    /// procmon's release image
    driver: PathBuf,
    /// The folder that holds the peers
    peers: PathBuf,
    /// Take less than a minute
    #[arg(long)]
    quick: bool,
    /// Measure only what is the same on every machine
    #[arg(long, conflicts_with = "quick")]
    counts: bool,
    /// Hold the figures to the budget in tools/bench/budget.toml
    #[arg(long)]
    check: bool,
    /// Hold them to this budget instead
    #[arg(long, value_name = "FILE")]
    budget: Option<PathBuf>,
    /// Write the figures into this document, and plots beside it
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// What else the document says of how they were had
    #[arg(long, value_name = "TEXT")]
    with: Vec<String>,
    /// Seconds that something took which was measured before
    #[arg(long, value_name = "WHAT=SECONDS", value_parser = Figure::seconds)]
    took: Vec<Figure>,
    /// Deliver so many events and say how much memory that took
    #[arg(long, value_name = "EVENTS", hide = true)]
    deliver: Option<u32>,
}

/// The drivers that are measured.
struct Drivers {
    procmon: Driver,
    article: Driver,
    full: Driver,
}

impl Drivers {
    fn load(driver: &Path, peers: &Path) -> Result<Self> {
        let peer = |name: &str| Driver::load(&peers.join(name).with_extension("sys"));
        Ok(Self {
            procmon: Driver::load(driver)?,
            article: peer("article")?,
            full: peer("full")?,
        })
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Driver)> {
        [
            ("procmon", &self.procmon),
            ("article", &self.article),
            ("full", &self.full),
        ]
        .into_iter()
    }
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(exceeded) if exceeded.is_empty() => ExitCode::SUCCESS,
        Ok(exceeded) => {
            eprintln!("bench: beyond the budget: {}", exceeded.join("; "));
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Measures, and returns what is beyond the budget, where that is asked for.
fn run(cli: &Cli) -> Result<Vec<String>> {
    if let Some(events) = cli.deliver {
        whole_path::deliver(&cli.driver, events)?;
        return Ok(Vec::new());
    }
    let budget = match &cli.budget {
        Some(file) => Budget::read(file)?,
        None => Budget::parse(include_str!("../budget.toml"))?,
    };
    let extent = match (cli.counts, cli.quick) {
        (true, _) => Extent::Counts,
        (false, true) => Extent::Quick,
        (false, false) => Extent::Full,
    };
    let measured = measure::all(&cli.driver, &cli.peers, cli.took.clone(), extent)?;
    let figures = measured.figures();
    let (held, sections) = (budget.table(&figures), measured.sections());
    println!("### Budget\n\n{held}");
    for section in &sections {
        println!("{section}");
    }
    for what in &measured.left_out {
        println!("Left out: {what}.");
    }
    if let Some(document) = &cli.document {
        let text = document::generated(&cli.with, &held, &sections, &measured.left_out);
        document::update(document, &text, &plot::all(&measured)?)?;
    }
    Ok(if cli.check {
        budget.exceeded(&figures)
    } else {
        Vec::new()
    })
}

/// Exact for any count that is met here.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
const fn count_to_f64(count: u64) -> f64 {
    count as f64
}
