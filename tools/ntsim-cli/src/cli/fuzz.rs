//! `ntsim fuzz`: processes that mean harm.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::HumanCount;
use ntsim_trials::hostile::{self, Case, Generator, Novelty, Subject};
use ntsim_trials::{Listen, Target};

use super::Outcome;
use super::driver::{Driver, progress};

/// Tell a driver of processes with names, command lines and creations as no
/// kernel should make them, and read its log back.
///
/// Each case is made of bytes: those of the files of a corpus first, then
/// random ones. A case that goes wrong is written to a file, which --case
/// runs again.
#[derive(Args)]
pub struct Fuzz {
    #[command(flatten)]
    driver: Driver,

    /// How many random cases to run
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    cases: u64,

    /// The random cases of this number; the same ones for the same number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Run the cases in this folder first; may be repeated
    #[arg(long, value_name = "FOLDER")]
    corpus: Vec<PathBuf>,

    /// Run this one case, show it and what was printed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cases", "seed", "corpus", "keep"])]
    case: Option<PathBuf>,

    /// Write one case of each new kind into this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

impl Fuzz {
    /// Carries the verb out.
    pub fn execute(self) -> Result<Outcome> {
        self.driver
            .attempt(Listen::Sometimes, |target| self.run(target))
    }

    fn run(&self, target: Target<'_>) -> Result<Outcome> {
        let mut subject = Subject::load(target)?;
        if let Some(file) = &self.case {
            return show(&mut subject, file);
        }
        let mut kept = Vec::new();
        for folder in &self.corpus {
            let cases = hostile::corpus(folder)
                .with_context(|| format!("cannot read {}", folder.display()))?;
            kept.extend(cases);
        }
        let start = Instant::now();
        let bar = progress("cases", kept.len() as u64 + self.cases);
        let mut novelty = Novelty::default();
        let mut generator = Generator::new(self.seed);
        let (mut run, mut lines) = (0, 0);
        let random = (1..=self.cases).map(|number| {
            (
                format!("random-{}-{number}", self.seed),
                generator.next_bytes(),
            )
        });
        for (name, bytes) in kept.into_iter().chain(random) {
            let Some(case) = Case::of(&bytes) else {
                continue;
            };
            run += 1;
            bar.inc(1);
            match subject.announce(&case) {
                Ok(printed) => {
                    lines += printed.len() as u64;
                    if let Some(folder) = &self.keep
                        && let Some(kind) = novelty.is_new(&case, &printed)
                    {
                        write(&folder.join(kind), &bytes)?;
                    }
                }
                Err(finding) => {
                    bar.finish_and_clear();
                    let file = PathBuf::from(format!("{name}.case"));
                    write(&file, &bytes)?;
                    println!("FAIL    {name}: {finding}");
                    println!("        --case {} runs it again", file.display());
                    return Ok(Outcome::DriverAtFault);
                }
            }
        }
        bar.finish_and_clear();
        if let Err(finding) = subject.unload() {
            println!("FAIL    at unload: {finding}");
            return Ok(Outcome::DriverAtFault);
        }
        println!(
            "{} cases, {} lines in {:.1} s: all right",
            HumanCount(run),
            HumanCount(lines),
            start.elapsed().as_secs_f64()
        );
        Ok(Outcome::Clean)
    }
}

fn show(subject: &mut Subject<'_>, file: &PathBuf) -> Result<Outcome> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let case = Case::of(&bytes).with_context(|| format!("{} is no case", file.display()))?;
    println!("{case:#?}");
    match subject.announce(&case) {
        Ok(lines) => {
            for line in lines {
                print!("{}", String::from_utf8_lossy(&line));
            }
            Ok(Outcome::Clean)
        }
        Err(finding) => {
            println!("FAIL    {finding}");
            Ok(Outcome::DriverAtFault)
        }
    }
}

fn write(file: &PathBuf, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
