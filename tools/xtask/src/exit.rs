//! The exit codes.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Error, Result, bail};

/// What `cargo xtask --help` says of them.
pub const HELP: &str = "\
Exit codes: 0 done, and nothing found; 1 a check or a test failed, or a driver broke a rule; \
2 the command line is wrong, or names a file that cannot be used; 3 a tool is missing, a build \
failed, or the machine did not do what was asked of it.";

/// The command line asks for what cannot be done.
#[derive(Debug)]
pub struct Usage(pub String);

/// What was checked is not as it has to be.
#[derive(Debug)]
pub struct Finding(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for Finding {}

/// Fails unless `file`, which `option` of the command line names, is there.
pub fn given_file(option: &str, file: &Path) -> Result<()> {
    if file.is_file() {
        return Ok(());
    }
    bail!(Usage(format!(
        "{option}: there is no file {}",
        file.display()
    )))
}

/// The exit code of a verb that ends with `error`.
pub fn code(error: &Error) -> ExitCode {
    ExitCode::from(number(error))
}

fn number(error: &Error) -> u8 {
    if error.is::<Usage>() {
        2
    } else if error.is::<Finding>() {
        1
    } else {
        3
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn the_kind_of_an_error_decides_whatever_is_said_around_it() {
        let usage = Error::new(Usage("--arch".into())).context("run");
        assert_eq!(number(&usage), 2);
        let finding = anyhow!("sc.exe ended with 1").context(Finding("Wine".into()));
        assert_eq!(number(&finding.context("test")), 1);
        assert_eq!(number(&anyhow!("no space left on device")), 3);
    }
}
