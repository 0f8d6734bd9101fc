//! The oracle, with the driver that ships: it accepts what the driver prints, in
//! the trials too, and nothing else.

#[path = "../../../etl/tests/encoder/mod.rs"]
mod encoder;
mod events;
mod every_byte;
mod microsoft;
mod trials;

use std::sync::Arc;

use ntsim::dbg::Transcript;
use ntsim::{Kernel, ProcessCreation};

/// A machine and what is printed in it.
fn machine() -> (Arc<Kernel>, Arc<Transcript>) {
    let lines = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&lines) as _)
        .build()
        .unwrap();
    (kernel, lines)
}

/// A process to create.
fn notepad(process_id: u32) -> ProcessCreation {
    ProcessCreation {
        image_file_name: Some(r"\??\C:\Windows\notepad.exe".encode_utf16().collect()),
        command_line: Some("notepad a.txt".encode_utf16().collect()),
        ..ProcessCreation::new(process_id, 0x2f8)
    }
}
