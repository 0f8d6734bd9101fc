//! Processes in the embedded kernel.

use std::time::Instant;

use anyhow::Result;
use ntsim::{Kernel, ProcessCreation, ProcessExit};

use crate::event::{COMMAND_LINE, NAME, utf16};

/// Has so many processes begin and end in `kernel`, one after the other, and
/// gives the nanoseconds that one took.
///
/// # Errors
/// When a driver breaks a rule.
pub fn life(kernel: &Kernel, lives: u32) -> Result<f64> {
    let mut process = ProcessCreation {
        image_file_name: Some(utf16(NAME)),
        command_line: Some(utf16(COMMAND_LINE)),
        ..ProcessCreation::new(0, 0x2f8)
    };
    let start = Instant::now();
    for life in 0..lives {
        process.process_id = 0x1000 + 4 * (life & 0xfff);
        kernel.create_process(&process)?;
        kernel.exit_process(ProcessExit {
            process_id: process.process_id,
            thread_id: process.process_id + 4,
            exit_status: 0,
        })?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(lives))
}
