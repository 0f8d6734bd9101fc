//! More drivers than there are slots for their notify routines.

use std::path::Path;
use std::sync::Arc;

use super::describe;
use super::judge::Judge;
use super::load::Error;
use crate::dbg::Transcript;
use crate::kernel::{Kernel, LoadError, ProcessCreation};
use crate::ps::announcement::Announcement;
use crate::ps::notify::SLOTS;

/// Loads the driver at `path` until all slots are taken, and once more; each of
/// them then hears of a process and is unloaded. Gives what was wrong.
///
/// # Errors
/// Where there is no memory for a machine, or the driver cannot be loaded.
pub fn fill(path: &Path, judge: &dyn Judge) -> Result<Vec<String>, Error> {
    let transcript = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&transcript) as _)
        .build()?;
    let mut drivers = Vec::new();
    let mut findings = Vec::new();
    for number in 1..=SLOTS {
        drivers.push(kernel.load_driver(path, &format!("driver{number}"))?);
        findings.extend(judge.loaded(0, &[], &transcript.take()).err());
    }
    match kernel.load_driver(path, "onemore") {
        Ok(_) => findings.push("one driver more than there are slots was loaded".into()),
        Err(LoadError::DriverEntry { leftovers, .. }) => {
            findings.extend(describe(&kernel, &leftovers).err());
            findings.extend(judge.refused_a_slot(&transcript.take()).err());
        }
        Err(error) => return Err(error.into()),
    }
    let process = ProcessCreation::new(0x1a2c, 0x2f8);
    if let Err(stopped) = kernel.create_process(&process) {
        findings.push(stopped.to_string());
    }
    let lines = transcript.take();
    let announced = Announcement::from(&process);
    for lines in lines.chunks(lines.len().div_ceil(SLOTS).max(1)) {
        findings.extend(judge.created(&announced, &[], lines).err());
    }
    for driver in drivers {
        match kernel.unload_driver(driver) {
            Ok(leftovers) => findings.extend(describe(&kernel, &leftovers).err()),
            Err(error) => findings.push(error.to_string()),
        }
        findings.extend(judge.unloaded((1, 0), &transcript.take()).err());
    }
    Ok(findings)
}
