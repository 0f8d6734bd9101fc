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
mod exit;
mod fmt;
mod fresh;
mod images;
mod inf;
mod kit;
mod lint;
mod mutants;
mod package;
mod progress;
mod readers;
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
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = exit::HELP)]
struct Cli {
    /// Show all that the programs write which a verb runs, not only where one
    /// fails
    #[arg(long, short)]
    verbose: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Run(run::Run),
    Test(test::Test),
    Build(build::Build),
    Check(check::Check),
    Package(package::Package),
    #[command(visible_alias = "fault")]
    Inject(trial::Inject),
    Stress(trial::Stress),
    Fuzz(trial::Fuzz),
    Wine(wine::Wine),
    Readers(readers::Readers),
    Bench(bench::Bench),
    Mutants(mutants::Mutants),
    Reproduce(reproduce::Reproduce),
    Lint(lint::Lint),
    Fmt(fmt::Fmt),
    Fresh(fresh::Fresh),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.verbose {
        progress::show_all_output();
    }
    let outcome = match cli.verb {
        Verb::Run(verb) => verb.execute(),
        Verb::Test(verb) => verb.execute(),
        Verb::Build(verb) => verb.execute(),
        Verb::Check(verb) => verb.execute(),
        Verb::Package(verb) => verb.execute(),
        Verb::Inject(verb) => verb.execute(),
        Verb::Stress(verb) => verb.execute(),
        Verb::Fuzz(verb) => verb.execute(),
        Verb::Wine(verb) => verb.execute(),
        Verb::Readers(verb) => verb.execute(),
        Verb::Bench(verb) => verb.execute(),
        Verb::Mutants(verb) => verb.execute(),
        Verb::Reproduce(verb) => verb.execute(),
        Verb::Lint(verb) => verb.execute(),
        Verb::Fmt(verb) => verb.execute(),
        Verb::Fresh(verb) => verb.execute(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("error: {error:#}"));
            exit::code(&error)
        }
    }
}
