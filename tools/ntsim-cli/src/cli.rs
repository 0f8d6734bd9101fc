//! The command line.

mod driver;
mod event_object;
mod fuzz;
mod inject;
mod log;
mod machine;
mod run;
mod status_name;
mod stress;
mod trace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs an unmodified WDM driver under the NT kernel's rules, on Linux.
#[derive(Parser)]
#[command(name = "ntsim", after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  clean
  1  a driver broke a rule, failed in DriverEntry, left something behind or failed a trial
  2  usage, or a file or a source of events that cannot be used";

#[derive(Subcommand)]
enum Verb {
    Run(run::Run),
    #[command(visible_alias = "fault")]
    Inject(inject::Inject),
    Stress(stress::Stress),
    Fuzz(fuzz::Fuzz),
}

/// How a verb ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Clean,
    /// A driver is at fault, which was said.
    DriverAtFault,
}

/// Carries out what the command line asks for.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Run(run) => run.execute(),
        Verb::Inject(inject) => inject.execute(),
        Verb::Stress(stress) => stress.execute(),
        Verb::Fuzz(fuzz) => fuzz.execute(),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::DriverAtFault) => ExitCode::from(1),
        Err(error) => {
            eprintln!("ntsim: {error:#}");
            ExitCode::from(2)
        }
    }
}
