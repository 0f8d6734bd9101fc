//! `ntsim run`: load a driver and let it watch processes.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use linux_processes::connector::OpenError;
use linux_processes::demo::Demo;
use linux_processes::live::{self, Live};
use linux_processes::{Next, ProcessSource};
use ntsim::CodePage;

use super::Outcome;
use super::log::Log;
use super::machine::Machine;
use super::trace::Trace;

/// Load a driver and let it watch the processes of this machine.
///
/// The log goes to standard output, as `DbgView` shows it: number, seconds, text.
/// Everything else goes to standard error.
#[derive(Args)]
pub struct Run {
    /// The driver's image; its PDB is looked for beside it
    #[arg(value_name = "DRIVER.sys")]
    driver: PathBuf,

    /// A further driver, loaded after the first; may be repeated
    #[arg(long = "driver", value_name = "FILE")]
    more: Vec<PathBuf>,

    /// Watch all processes of this machine (root); the default where allowed
    #[arg(long, conflicts_with = "demo")]
    live: bool,

    /// Start a few programs and watch those; needs no privilege
    #[arg(long)]
    demo: bool,

    /// End after so many seconds, as if by Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    time: Option<Duration>,

    /// Write one JSON object a line: each process event, each line, each event
    /// that a driver writes, decoded, and a summary
    #[arg(long)]
    json: bool,

    /// Write the events of the drivers' event providers to this event trace log
    #[arg(long, value_name = "FILE")]
    etl: Option<PathBuf>,

    /// The machine's ANSI code page, such as 936 for Chinese
    #[arg(long, value_name = "NUMBER", default_value_t)]
    code_page: CodePage,

    /// The first driver's service name; its file's name without extension
    /// unless given
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

/// How long the watch waits before it looks for Ctrl-C again.
const GLANCE: Duration = Duration::from_millis(50);

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "a number of seconds is wanted, such as 10 or 0.5".to_owned())
}

impl Run {
    /// Carries the verb out.
    pub fn execute(self) -> Result<Outcome> {
        let interrupted = Arc::new(AtomicBool::new(false));
        ctrlc::set_handler({
            let interrupted = Arc::clone(&interrupted);
            move || interrupted.store(true, Ordering::Relaxed)
        })
        .context("cannot listen for Ctrl-C")?;

        let drivers = self.drivers()?;
        let mut source = self.source()?;
        let log = Arc::new(Log::new(self.json, self.code_page));
        let trace = self.trace(&log)?;
        let mut machine = Machine::start(Arc::clone(&log), self.code_page, trace)?;
        for (file, service) in &drivers {
            if !machine.load(file, service)? {
                machine.shut_down()?;
                return Ok(Outcome::DriverAtFault);
            }
        }
        log.flush();
        let watched = self.watch(source.as_mut(), &mut machine, &log, &interrupted);
        let is_clean = machine.shut_down();
        watched?;
        Ok(if is_clean? {
            Outcome::Clean
        } else {
            Outcome::DriverAtFault
        })
    }

    /// Who receives the events that the drivers write, if anybody does.
    fn trace(&self, log: &Arc<Log>) -> Result<Option<Arc<Trace>>> {
        if self.etl.is_none() && !self.json {
            return Ok(None);
        }
        let trace = Trace::start(self.etl.as_deref(), Arc::clone(log))?;
        Ok(Some(Arc::new(trace)))
    }

    /// The drivers' files and service names.
    fn drivers(&self) -> Result<Vec<(&Path, String)>> {
        let mut drivers = Vec::new();
        for (index, file) in std::iter::once(&self.driver).chain(&self.more).enumerate() {
            let service = match &self.service {
                Some(name) if index == 0 => name.clone(),
                _ => file
                    .file_stem()
                    .and_then(|stem| stem.to_str())
                    .with_context(|| {
                        format!(
                            "{}: its name cannot be a service's; give --service",
                            file.display()
                        )
                    })?
                    .to_owned(),
            };
            drivers.push((file.as_path(), service));
        }
        Ok(drivers)
    }

    fn source(&self) -> Result<Box<dyn ProcessSource>> {
        if self.demo {
            return Ok(demo());
        }
        let may_see_names = live::may_see_names();
        if !self.live && !may_see_names {
            eprintln!(
                "ntsim: running the demo: only root sees the programs of all processes (--live \
                 watches without)"
            );
            return Ok(demo());
        }
        match Live::open() {
            Ok(live) => {
                if !may_see_names {
                    eprintln!(
                        "ntsim: not root: the programs of other users' processes cannot be seen, \
                         so that their names are NULL"
                    );
                }
                if io::stderr().is_terminal() {
                    eprintln!("ntsim: watching all processes; Ctrl-C ends");
                }
                Ok(Box::new(live))
            }
            Err(error) if self.live => {
                Err(anyhow!(error).context("--live is not possible; --demo always is"))
            }
            Err(error @ (OpenError::NotAllowed(_) | OpenError::Silent | OpenError::Absent)) => {
                eprintln!("ntsim: running the demo: {error}");
                Ok(demo())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn watch(
        &self,
        source: &mut dyn ProcessSource,
        machine: &mut Machine,
        log: &Log,
        interrupted: &AtomicBool,
    ) -> Result<()> {
        let end = self.time.map(|time| Instant::now() + time);
        let mut is_open = true;
        loop {
            let now = Instant::now();
            let is_over = interrupted.load(Ordering::Relaxed)
                || log.is_closed()
                || end.is_some_and(|end| now >= end);
            if is_open && is_over {
                // What has happened up to now is still told.
                source.close();
                is_open = false;
            }
            let wait = end.map_or(GLANCE, |end| GLANCE.min(end.saturating_duration_since(now)));
            let mut next = source.next(Duration::ZERO)?;
            if is_open && matches!(next, Next::Idle) {
                // Only a log that has a moment to spare is brought up to date.
                log.flush();
                next = source.next(wait)?;
            }
            for note in source.take_notes() {
                eprintln!("ntsim: {note}");
            }
            match next {
                Next::Event(event) => {
                    if machine.deliver(event).is_err() {
                        // It says why it has stopped when it is shut down.
                        return Ok(());
                    }
                }
                Next::Idle if is_open => {}
                Next::Idle | Next::End => return Ok(()),
            }
        }
    }
}

fn demo() -> Box<dyn ProcessSource> {
    Box::new(Demo::new())
}
