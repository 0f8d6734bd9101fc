//! A driver's service, through Wine's `sc.exe`.

use anyhow::{Context, Result, bail};

use super::prefix::{Machine, Outcome};

/// The type of a kernel driver's service.
const KERNEL_DRIVER: &str = "1";

/// The exit code of a service that never ran, in place of 0.
const NEVER_STARTED: u32 = 1077;

/// The service of a driver.
#[derive(Clone, Copy)]
pub struct Service<'a> {
    machine: &'a Machine<'a>,
    name: &'static str,
}

/// What `sc` says of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it is that of a kernel driver.
    pub is_kernel_driver: bool,
    /// `RUNNING`, `STOPPED` and the like.
    pub state: String,
    /// Why it stopped.
    pub exit_code: u32,
}

impl<'a> Service<'a> {
    /// The service of a name, which may not exist.
    pub const fn named(machine: &'a Machine<'a>, name: &'static str) -> Self {
        Self { machine, name }
    }

    /// Creates the service for the image `C:\NAME.sys`.
    pub fn create(self) -> Result<()> {
        let image = format!(r"C:\{}.sys", self.name);
        let settings = ["type=", "kernel", "start=", "demand", "binPath=", &image];
        self.sc("create", &settings)?.success()?;
        Ok(())
    }

    /// Starts it, and checks that it runs.
    pub fn start(self) -> Result<()> {
        self.expect("start", "RUNNING")
    }

    /// Tries to start it, and gives the error that `sc` reports, or `None`
    /// where it does start.
    pub fn start_error(self) -> Result<Option<u32>> {
        let outcome = self.sc("start", &[])?;
        if outcome.code == Some(0) {
            return Ok(None);
        }
        let number = outcome.errors.trim().rsplit(' ').next();
        let number = number.and_then(|number| number.parse().ok());
        Ok(Some(number.with_context(|| {
            format!("an error number expected: {outcome}")
        })?))
    }

    /// Stops it, and checks that it has stopped.
    pub fn stop(self) -> Result<()> {
        self.expect("stop", "STOPPED")
    }

    /// Checks that `sc query` reports a state.
    pub fn expect_state(self, state: &str) -> Result<()> {
        self.expect("query", state)
    }

    /// Deletes it, and checks that it is gone.
    pub fn delete(self) -> Result<()> {
        self.sc("delete", &[])?.success()?;
        if self.exists()? {
            bail!("{} is still there after sc delete", self.name);
        }
        Ok(())
    }

    /// Whether there is such a service.
    pub fn exists(self) -> Result<bool> {
        Ok(self.sc("query", &[])?.code == Some(0))
    }

    fn expect(self, verb: &str, state: &str) -> Result<()> {
        let text = self.sc(verb, &[])?.success()?;
        let status = Status::parse(&text).with_context(|| format!("sc {verb} says {text:?}"))?;
        let exit_code_fits = status.exit_code == 0
            || (state == "STOPPED" && verb == "query" && status.exit_code == NEVER_STARTED);
        if !status.is_kernel_driver || status.state != state || !exit_code_fits {
            bail!(
                "after sc {verb}, {} is {status:?} and not {state}",
                self.name
            );
        }
        Ok(())
    }

    fn sc(self, verb: &str, settings: &[&str]) -> Result<Outcome> {
        let command = [verb, self.name];
        self.machine.run("sc.exe", command.iter().chain(settings))
    }
}

impl Status {
    fn parse(text: &str) -> Option<Self> {
        let values = |key: &str| {
            let line = text.lines().find(|line| line.trim().starts_with(key))?;
            Some(line.split_once(':')?.1.split_whitespace())
        };
        Some(Self {
            is_kernel_driver: values("TYPE")?.next()? == KERNEL_DRIVER,
            state: values("STATE")?.nth(1)?.to_owned(),
            exit_code: values("WIN32_EXIT_CODE")?.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_sc_says() {
        let text = "SERVICE_NAME: procmon\r\n        TYPE               : 1  \r\n        \
                    STATE              : 4  RUNNING\r\n        \
                    WIN32_EXIT_CODE    : 1077  (0x435)\r\n";
        let status = Status {
            is_kernel_driver: true,
            state: "RUNNING".into(),
            exit_code: 1077,
        };
        assert_eq!(Status::parse(text), Some(status));
        assert_eq!(Status::parse("SERVICE_NAME: procmon\r\n"), None);
    }
}
