//! Loads a driver, tells it of one process, unloads it, and prints what it said.
//!
//! ```text
//! cargo run --manifest-path tools/Cargo.toml -p ntsim --example one_process -- DRIVER.sys
//! ```

use std::env;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ntsim::dbg::Transcript;
use ntsim::{Kernel, ProcessCreation, ProcessExit};

fn main() -> Result<(), Box<dyn Error>> {
    let driver = env::args_os()
        .nth(1)
        .ok_or("usage: one_process DRIVER.sys")?;
    for line in run(Path::new(&driver))? {
        print!("{line}");
    }
    Ok(())
}

/// What the driver prints in its life.
///
/// # Errors
/// When the driver cannot be loaded, breaks a rule, or leaves something behind.
pub fn run(driver: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let output = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&output) as _)
        .build()?;
    let driver = kernel.load_driver(driver, "example")?;

    kernel.create_process(&ProcessCreation {
        image_file_name: Some(r"\??\C:\Windows\notepad.exe".encode_utf16().collect()),
        command_line: Some("notepad a.txt".encode_utf16().collect()),
        ..ProcessCreation::new(0x1a2c, 0x2f8)
    })?;
    kernel.exit_process(ProcessExit {
        process_id: 0x1a2c,
        thread_id: 0x1a30,
        exit_status: 0,
    })?;

    let leftovers = kernel.unload_driver(driver)?;
    if !leftovers.is_empty() {
        return Err(format!("left behind: {leftovers:?}").into());
    }
    if let Some(violation) = kernel.violations().first() {
        return Err(format!("a broken rule: {violation:?}").into());
    }
    let lines = output.take().into_iter();
    Ok(lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect())
}
