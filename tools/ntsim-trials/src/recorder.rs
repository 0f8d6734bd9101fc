//! What a driver prints and writes while processors deliver events at the same
//! time.
//!
//! Nothing is kept of a line or an event, so that memory does not grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::oracle::{Finding, Monitor};
use ntsim::dbg::{DebugMessage, DebugOutput};
use ntsim::tracing::{TraceEvent, TraceSink};

/// How many findings are kept.
const FINDINGS: usize = 10;

/// Counts the lines and passes them to the oracle's monitor, if it has one.
pub struct Recorder {
    monitor: Option<Box<dyn Monitor>>,
    lines: AtomicU64,
    events: AtomicU64,
    findings: Mutex<Vec<String>>,
}

impl Recorder {
    pub fn new(monitor: Option<Box<dyn Monitor>>) -> Self {
        Self {
            monitor,
            lines: AtomicU64::new(0),
            events: AtomicU64::new(0),
            findings: Mutex::default(),
        }
    }

    /// Tells the monitor, if there is one, and keeps what it finds.
    pub fn tell(&self, tell: impl FnOnce(&dyn Monitor) -> Finding) {
        if let Some(monitor) = &self.monitor
            && let Err(finding) = tell(monitor.as_ref())
        {
            let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
            if findings.len() < FINDINGS {
                findings.push(finding);
            }
        }
    }

    pub fn monitor(&self) -> Option<&dyn Monitor> {
        self.monitor.as_deref()
    }

    pub fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// How many events sessions have heard.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// The first findings.
    pub fn findings(&self) -> Vec<String> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl DebugOutput for Recorder {
    fn print(&self, message: &DebugMessage<'_>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        self.tell(|monitor| monitor.printed(message.text));
    }
}

impl TraceSink for Recorder {
    fn event(&self, event: &TraceEvent<'_>) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.tell(|monitor| monitor.wrote(event));
    }
}
