//! A driver on trial: its calls made to fail, events from all processors at
//! once, processes that mean harm.
//!
//! What holds for every driver is judged by the kernel's own rules and by what
//! is left behind. What a driver prints, and the events that it writes, are its own
//! affair, so an [`Oracle`] that knows the driver reads them.

pub mod faults;
pub mod hostile;
mod identities;
mod listener;
pub mod load;
mod look_alikes;
pub mod oracle;
mod population;
mod recorder;
pub mod reload;
pub mod slots;
mod transcripts;

pub use listener::{Heard, Listen};
pub use oracle::Oracle;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use ntsim::CodePage;
use ntsim::Leftovers;
use ntsim::dbg::DebugOutput;
use ntsim::{Kernel, KernelBuilder};

/// A driver on trial, and the machine that it is tried on.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The driver's image.
    pub image: &'a Path,
    /// Its service name.
    pub service: &'a str,
    /// The machine's ANSI code page.
    pub code_page: CodePage,
    /// When a trace session listens to its events.
    pub listen: Listen,
    /// What knows its log and its events. It must know the code page too.
    pub oracle: &'a dyn Oracle,
}

impl Target<'_> {
    /// A machine whose debug output goes to `output`.
    fn machine(&self, output: &Arc<impl DebugOutput + 'static>) -> KernelBuilder {
        Kernel::builder()
            .code_page(self.code_page)
            .debug_output(Arc::clone(output) as _)
    }
}

/// The first rule that drivers of `kernel` broke and went on, or what
/// `leftovers` are, in one message.
fn describe(kernel: &Kernel, leftovers: &Leftovers) -> Result<(), String> {
    if let Some(violation) = kernel.violations().first() {
        return Err(violation.to_string());
    }
    if leftovers.is_empty() {
        return Ok(());
    }
    let mut message = String::from("left behind");
    for leftover in &leftovers.0 {
        let _ = write!(message, " {leftover}");
    }
    Err(message)
}
