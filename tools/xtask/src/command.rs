//! Other programs: started with their output on standard error, so that a
//! verb's own answer is all that standard output carries.

use std::io;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs `command` and fails, naming it by `what`, unless it succeeds.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .with_context(|| format!("{what}: cannot start {}", program(command)))?;
    if !status.success() {
        bail!("{what} failed ({status}); its messages are above");
    }
    Ok(())
}

/// Runs `command` and gives its standard output; fails, naming it by `what`,
/// unless it succeeds.
pub fn output(what: &str, command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{what}: cannot start {}", program(command)))?;
    if !output.status.success() {
        bail!("{what} failed ({}); its messages are above", output.status);
    }
    Ok(output.stdout)
}

/// Runs `command`, whose standard output is the verb's own answer, and fails
/// unless it succeeds.
pub fn run_to_end(what: &str, command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{what}: cannot start {}", program(command)))?;
    if !status.success() {
        bail!("{what} failed ({status}); its messages are above");
    }
    Ok(())
}

/// Runs `command` quietly and gives its standard output, or `None` where it
/// cannot be started or fails: for asking what a machine has.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}
