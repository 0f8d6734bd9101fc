//! The driver that a trial is about, and what is shown meanwhile.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use ntsim::CodePage;
use ntsim_trials::oracle::Anything;
use ntsim_trials::{self, Listen, Target};
use procmon_oracle::Procmon;

/// The driver on trial.
#[derive(Args)]
pub struct Driver {
    /// The driver's image; its PDB is looked for beside it
    #[arg(value_name = "DRIVER.sys")]
    pub file: PathBuf,

    /// Whose log it writes, so that every line is held against what happened
    #[arg(long, value_enum, default_value_t = Oracle::None)]
    oracle: Oracle,

    /// Its service name; its file's name without extension unless given
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// The machine's ANSI code page, such as 936 for Chinese
    #[arg(long, value_name = "NUMBER", default_value_t)]
    code_page: CodePage,

    /// When a trace session listens to the events that the driver writes: with
    /// inject always, else sometimes, unless given
    #[arg(long, value_enum, value_name = "WHEN")]
    listen: Option<Listening>,
}

/// When a trace session listens.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Listening {
    /// From before the driver is loaded until after it is unloaded
    Always,
    /// Not at all
    Never,
    /// It starts and stops while process events arrive
    Sometimes,
}

impl From<Listening> for Listen {
    fn from(listening: Listening) -> Self {
        match listening {
            Listening::Always => Self::Always,
            Listening::Never => Self::Never,
            Listening::Sometimes => Self::Sometimes,
        }
    }
}

/// Who knows what the driver has to say.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Oracle {
    /// Nobody: only the kernel's rules, leftovers and memory count
    None,
    /// procmon's documentation
    Procmon,
}

impl Driver {
    /// Gives `attempt` the driver, and the machine that it is tried on. A session
    /// listens as `usually` unless the command line says otherwise.
    pub fn attempt<T>(
        &self,
        usually: Listen,
        attempt: impl FnOnce(Target<'_>) -> Result<T>,
    ) -> Result<T> {
        let oracle: Box<dyn ntsim_trials::Oracle> = match self.oracle {
            Oracle::None => Box::new(Anything),
            Oracle::Procmon => Box::new(Procmon::on(self.code_page)),
        };
        attempt(Target {
            image: &self.file,
            service: &self.service()?,
            code_page: self.code_page,
            listen: self.listen.map_or(usually, Into::into),
            oracle: oracle.as_ref(),
        })
    }

    fn service(&self) -> Result<String> {
        if let Some(name) = &self.service {
            return Ok(name.clone());
        }
        let stem = self.file.file_stem().and_then(|stem| stem.to_str());
        stem.map(str::to_owned).with_context(|| {
            format!(
                "{}: its name cannot be a service's; give --service",
                self.file.display()
            )
        })
    }
}

/// A bar on a terminal, nothing anywhere else. `total` is 0 where it is not
/// known.
pub fn progress(what: &'static str, total: u64) -> ProgressBar {
    let template = if total == 0 {
        "{msg} {human_pos} ({per_sec})"
    } else {
        "{msg} {wide_bar} {human_pos}/{human_len} ({per_sec}, {eta} left)"
    };
    let style = ProgressStyle::with_template(template).expect("a valid template");
    ProgressBar::new(total).with_style(style).with_message(what)
}
