//! A kernel with its drivers, as a verb runs it: events in, counts out.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use linux_processes::ProcessEvent;
use ntsim::nt::succeeded;
use ntsim::tracing::{TraceFigures, TraceHandle, TraceSettings};
use ntsim::{CodePage, DriverId, Kernel, LoadError, ProcessCreation, Stopped, UnloadError};
use serde_json::json;

use super::log::Log;
use super::status_name::Named;
use super::trace::{self, Trace};

/// The machine and what has happened on it.
pub struct Machine {
    kernel: Arc<Kernel>,
    log: Arc<Log>,
    /// The session that listens to the drivers' events.
    trace: Option<(TraceHandle, Arc<Trace>)>,
    drivers: Vec<(String, DriverId)>,
    /// Processes that a driver refused: their exits are over.
    refused: HashSet<u32>,
    created: u64,
    exited: u64,
    lost: u64,
    at_fault: bool,
}

impl Machine {
    /// Starts a machine without drivers; `trace` receives the events that they
    /// write.
    pub fn start(log: Arc<Log>, code_page: CodePage, trace: Option<Arc<Trace>>) -> Result<Self> {
        let kernel = Kernel::builder()
            .code_page(code_page)
            .debug_output(Arc::clone(&log) as _)
            .build()
            .context("cannot set up the kernel's memory")?;
        let trace = match trace {
            Some(trace) => {
                let settings = TraceSettings {
                    buffer_size: trace::BUFFER_SIZE as usize,
                    ..TraceSettings::default()
                };
                let handle = kernel.start_trace(settings, Arc::clone(&trace) as _)?;
                Some((handle, trace))
            }
            None => None,
        };
        Ok(Self {
            kernel,
            log,
            trace,
            drivers: Vec::new(),
            refused: HashSet::new(),
            created: 0,
            exited: 0,
            lost: 0,
            at_fault: false,
        })
    }

    /// Loads a driver. `false` where the driver itself is the reason that it
    /// is not loaded, which is said.
    pub fn load(&mut self, file: &Path, service: &str) -> Result<bool> {
        match self.kernel.load_driver(file, service) {
            Ok(driver) => {
                self.drivers.push((service.to_owned(), driver));
                return Ok(true);
            }
            Err(LoadError::DriverEntry { status, leftovers }) => {
                eprintln!(
                    "ntsim: {}: not loaded: DriverEntry returned {}",
                    file.display(),
                    Named(status)
                );
                for leftover in &leftovers.0 {
                    eprintln!("ntsim: {service} left behind {leftover}");
                }
            }
            Err(LoadError::Stopped(stopped)) => report(&stopped),
            Err(error) => return Err(error.into()),
        }
        self.at_fault = true;
        Ok(false)
    }

    /// Delivers an event to the drivers.
    pub fn deliver(&mut self, event: ProcessEvent) -> Result<(), Stopped> {
        match event {
            ProcessEvent::Adopt(process) => self.kernel.adopt_process(&process),
            ProcessEvent::Create(process) => self.create(process)?,
            ProcessEvent::Exit(exit) => {
                if self.refused.remove(&exit.process_id) {
                    return Ok(());
                }
                self.exited += 1;
                self.log.object(|| {
                    json!({
                        "type": "exit",
                        "process_id": exit.process_id,
                        "exit_status": exit.exit_status.cast_unsigned(),
                    })
                });
                self.kernel.exit_process(exit)?;
            }
            ProcessEvent::Forget { process_id } => self.kernel.forget_process(process_id),
            ProcessEvent::Lost { messages } => {
                self.lost += messages;
                self.log
                    .object(|| json!({ "type": "lost", "messages": messages }));
                eprintln!("ntsim: the machine was too busy: {messages} messages of it lost");
            }
        }
        Ok(())
    }

    fn create(&mut self, mut process: ProcessCreation) -> Result<(), Stopped> {
        self.created += 1;
        let start_key = process
            .start_key
            .unwrap_or_else(|| self.kernel.next_start_key());
        process.start_key = Some(start_key);
        self.log.object(|| {
            let text = |units: &Option<Vec<u16>>| units.as_deref().map(String::from_utf16_lossy);
            json!({
                "type": "create",
                "process_id": process.process_id,
                "parent_process_id": process.parent_process_id,
                "creator": { "process": process.creator.process, "thread": process.creator.thread },
                "image_file_name": text(&process.image_file_name),
                "command_line": text(&process.command_line),
                "is_32_bit": process.is_wow64,
                "session_id": process.session_id,
                "user": process.token.user.to_string(),
                "integrity": process.token.integrity,
                "logon_id": process.token.logon_id,
                "start_key": start_key,
            })
        });
        let creation = self.kernel.create_process(&process)?;
        if !succeeded(creation.status) {
            self.refused.insert(process.process_id);
            eprintln!(
                "ntsim: {} refused process {:#x} with {}; Windows would not have started it",
                creation.vetoed_by.as_deref().unwrap_or("a driver"),
                process.process_id,
                Named(creation.status)
            );
        }
        Ok(())
    }

    /// Unloads every driver, the last one first, and says how it all went.
    /// Returns whether the drivers did nothing wrong.
    ///
    /// # Errors
    /// Where the trace cannot be written.
    pub fn shut_down(mut self) -> Result<bool> {
        for (service, driver) in std::mem::take(&mut self.drivers).into_iter().rev() {
            if self.kernel.stopped().is_some() {
                break;
            }
            match self.kernel.unload_driver(driver) {
                Ok(leftovers) => {
                    for leftover in &leftovers.0 {
                        self.at_fault = true;
                        eprintln!("ntsim: {service} left behind {leftover}");
                    }
                }
                // It is reported below.
                Err(UnloadError::Stopped(_)) => {}
                Err(error) => {
                    self.at_fault = true;
                    eprintln!("ntsim: {service}: {error}");
                }
            }
        }
        let traced = self.end_trace();
        self.log.finish();
        for violation in self.kernel.violations() {
            self.at_fault = true;
            eprintln!("ntsim: {violation}");
        }
        if let Some(stopped) = self.kernel.stopped() {
            self.at_fault = true;
            report(&stopped);
        }
        self.summarize(*traced.as_ref().unwrap_or(&None));
        traced?;
        Ok(!self.at_fault)
    }

    fn end_trace(&mut self) -> Result<Option<TraceFigures>> {
        let Some((handle, trace)) = self.trace.take() else {
            return Ok(None);
        };
        // Where the kernel has stopped, that is reported by the caller.
        let figures = self.kernel.stop_trace(handle).unwrap_or_default();
        trace.finish(figures.lost)?;
        Ok(Some(figures))
    }

    fn summarize(&self, traced: Option<TraceFigures>) {
        let (created, exited, lines, lost) =
            (self.created, self.exited, self.log.lines(), self.lost);
        let held = self.kernel.held();
        self.log.object(|| {
            json!({
                "type": "summary",
                "created": created,
                "exited": exited,
                "lines": lines,
                "lost": lost,
                "events": traced.map(|figures| figures.events),
                "events_lost": traced.map(|figures| figures.lost),
                "left": {
                    "notify_routines": held.notify_routines,
                    "handles": held.kernel_handles,
                    "pool_blocks": held.pool_blocks,
                    "event_providers": held.event_providers,
                },
                "clean": !self.at_fault,
            })
        });
        self.log.flush();
        let left = [
            (held.notify_routines, "notify routines"),
            (held.kernel_handles, "handles"),
            (held.pool_blocks, "pool blocks"),
            (held.event_providers, "event providers"),
        ]
        .iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>();
        let left = match &left[..] {
            [] => "nothing".to_owned(),
            left => left.join(", "),
        };
        let events = traced.map_or_else(String::new, |TraceFigures { events, lost }| match lost {
            0 => format!(", {events} events"),
            lost => format!(", {events} events and {lost} too large"),
        });
        eprintln!(
            "ntsim: {created} created, {exited} exited, {lines} lines{events}, {lost} messages lost; left behind: {left}"
        );
    }
}

fn report(stopped: &Stopped) {
    eprintln!("ntsim: {stopped}");
}
