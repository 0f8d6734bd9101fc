//! `cargo xtask`: builds, runs, tests and checks procmon.
//!
//! One file per verb; [`toolchain`] finds, or installs, what they need.

mod arch;
mod bench;
mod breaker;
mod build;
mod check;
mod command;
mod cross;
mod emulated;
mod inf;
mod mutants;
mod package;
mod repository;
mod reproduce;
mod run;
mod test;
mod toolchain;
mod trial;
mod wine;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs, tests and checks procmon.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Build(build::Build),
    Package(package::Package),
    Run(run::Run),
    Fault(trial::Fault),
    Stress(trial::Stress),
    Fuzz(trial::Fuzz),
    Test(test::Test),
    Check(check::Check),
    Mutants(mutants::Mutants),
    Bench(bench::Bench),
    Wine(wine::Wine),
    Reproduce(reproduce::Reproduce),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Build(verb) => verb.execute(),
        Verb::Package(verb) => verb.execute(),
        Verb::Run(verb) => verb.execute(),
        Verb::Fault(verb) => verb.execute(),
        Verb::Stress(verb) => verb.execute(),
        Verb::Fuzz(verb) => verb.execute(),
        Verb::Test(verb) => verb.execute(),
        Verb::Check(verb) => verb.execute(),
        Verb::Mutants(verb) => verb.execute(),
        Verb::Bench(verb) => verb.execute(),
        Verb::Wine(verb) => verb.execute(),
        Verb::Reproduce(verb) => verb.execute(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
