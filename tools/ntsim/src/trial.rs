//! A driver on trial: its calls made to fail, events from all processors at
//! once, processes that mean harm.
//!
//! What holds for every driver is judged by the kernel's own rules and by what
//! is left behind. What a driver has to say is its own affair, so a [`Judge`]
//! who knows the driver reads it.

pub mod faults;
pub mod hostile;
pub mod judge;
mod ledger;
pub mod load;
mod procmon;
pub mod reload;
pub mod slots;

pub use judge::Judge;
pub use procmon::Procmon;

use std::fmt::Write as _;

use crate::Kernel;
use crate::report::Leftovers;

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
