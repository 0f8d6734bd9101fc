//! More drivers than there are slots for their notify routines.

use std::sync::Arc;

use crate::load::Error;
use crate::oracle::FailedCalls;
use crate::{Target, describe};
use ntsim::Announcement;
use ntsim::NOTIFY_SLOTS;
use ntsim::dbg::Transcript;
use ntsim::{LoadError, ProcessCreation};

/// Loads the driver until all slots are taken, and once more; each of
/// them then hears of a process and is unloaded. Gives what was wrong.
///
/// # Errors
/// Where there is no memory for a machine, or the driver cannot be loaded.
pub fn fill(target: &Target<'_>) -> Result<Vec<String>, Error> {
    let transcript = Arc::new(Transcript::default());
    let kernel = target.machine(&transcript).build()?;
    let Target { image, oracle, .. } = *target;
    let mut drivers = Vec::new();
    let mut findings = Vec::new();
    for number in 1..=NOTIFY_SLOTS {
        drivers.push(kernel.load_driver(image, &format!("driver{number}"))?);
        findings.extend(oracle.loaded(0, &[], &transcript.take()).err());
    }
    match kernel.load_driver(image, "onemore") {
        Ok(_) => findings.push("one driver more than there are slots was loaded".into()),
        Err(LoadError::DriverEntry { leftovers, .. }) => {
            findings.extend(describe(&kernel, &leftovers).err());
            findings.extend(oracle.refused_a_slot(&transcript.take()).err());
        }
        Err(error) => return Err(error.into()),
    }
    let process = ProcessCreation {
        start_key: Some(0x2_0000_0000_0a41),
        ..ProcessCreation::new(0x1a2c, 0x2f8)
    };
    if let Err(stopped) = kernel.create_process(&process) {
        findings.push(stopped.to_string());
    }
    let lines = transcript.take();
    let announced = Announcement::from(&process);
    for lines in lines.chunks(lines.len().div_ceil(NOTIFY_SLOTS).max(1)) {
        findings.extend(oracle.created(&announced, FailedCalls::NONE, lines).err());
    }
    for driver in drivers {
        match kernel.unload_driver(driver) {
            Ok(leftovers) => findings.extend(describe(&kernel, &leftovers).err()),
            Err(error) => findings.push(error.to_string()),
        }
        findings.extend(oracle.unloaded((1, 0), &transcript.take()).err());
    }
    Ok(findings)
}
