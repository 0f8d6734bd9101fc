//! A Wine prefix: a Windows machine of its own in a folder.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::iter;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::repository;
use crate::toolchain::Wine;

/// The longest that any program may take. Making a prefix or bindings takes 5 to
/// 20 seconds, everything else less than one.
const PATIENCE: Duration = Duration::from_mins(2);

/// A fresh prefix, deleted in the end unless it is kept.
pub struct Prefix {
    wine: Wine,
    /// Whether Wine runs without address space layout randomisation.
    fixed_addresses: bool,
    folder: PathBuf,
    logs: PathBuf,
    keep: bool,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// What was run.
    pub command_line: String,
    /// The exit code, if it was not killed.
    pub code: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

impl Outcome {
    /// What it said, if it succeeded.
    pub fn success(self) -> Result<String> {
        if self.code != Some(0) {
            bail!("{self}");
        }
        Ok(self.output)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or("a signal".into(), |code| code.to_string());
        write!(
            f,
            "{} ended with {code}: {}{}",
            self.command_line,
            self.output.trim(),
            self.errors.trim()
        )
    }
}

impl Prefix {
    /// Makes a prefix in place of the one before.
    pub fn create(wine: Wine, keep: bool) -> Result<Self> {
        let place = repository::root().join("target/wine");
        let prefix = Self {
            wine,
            fixed_addresses: can_fix_addresses(),
            folder: place.join("prefix"),
            logs: place.join("logs"),
            keep,
        };
        // A run that was killed may have left its programs behind.
        if prefix.folder.exists() {
            prefix.stop()?;
        }
        for folder in [&prefix.folder, &prefix.logs] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("cannot delete {}", folder.display()))?;
            }
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        prefix
            .run("wineboot", &prefix.wine.wine, ["wineboot", "--init"])?
            .success()?;
        prefix.stop()?;
        Ok(prefix)
    }

    /// Where the output of every program is.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Copies a file to `C:\` under another name.
    pub fn install(&self, file: &Path, name: &str) -> Result<()> {
        let target = self.new_path(name)?;
        fs::copy(file, &target)
            .with_context(|| format!("cannot copy {} to {}", file.display(), target.display()))?;
        Ok(())
    }

    /// Has a folder of this machine appear on `C:\` under another name.
    pub fn link(&self, folder: &Path, name: &str) -> Result<()> {
        let link = self.new_path(name)?;
        symlink(folder, &link).with_context(|| format!("cannot create {}", link.display()))
    }

    /// Where something on `C:\` is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join("drive_c").join(name)
    }

    /// The same, in a folder that exists.
    fn new_path(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        Ok(path)
    }

    /// Whether a file is on `C:\`.
    pub fn holds(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Reads a file of `C:\`.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.path(name);
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }

    /// Writes a file to `C:\`.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<()> {
        let target = self.new_path(name)?;
        fs::write(&target, contents).with_context(|| format!("cannot write {}", target.display()))
    }

    /// Starts the machine, for the time of one case.
    pub fn boot(&self, case: &'static str) -> Result<Machine<'_>> {
        let machine = Machine {
            prefix: self,
            case,
            programs: Cell::new(0),
        };
        // Without it the server ends all services three seconds after the last
        // program, and a busy machine may take longer to start the next one.
        self.run("server", &self.wine.server, ["--persistent"])?
            .success()?;
        // Services, drivers among them, write to the standard error of the
        // program that starts the machine: that of the first one.
        machine.run("cmd.exe", ["/c", "ver"])?.success()?;
        Ok(machine)
    }

    /// Runs a program with its output in files: the server that it may start
    /// inherits them, and whoever read from a pipe would wait for its end.
    fn run<S: AsRef<OsStr>>(
        &self,
        log: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Outcome> {
        let file = |stream: &str| self.logs.join(format!("{log}.{stream}"));
        let mut command = if self.fixed_addresses {
            with_fixed_addresses(program)
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("WINEPREFIX", &self.folder)
            .env("WINEARCH", "win64")
            // No offer to install Mono and Gecko, and no desktop menus. Wine's
            // certutil does nothing, and the prefix may hold another, and another
            // kernel.
            .env(
                "WINEDLLOVERRIDES",
                "mscoree=;mshtml=;winemenubuilder.exe=;certutil.exe=n;ntoskrnl.exe=n,b",
            )
            .env("WINEDEBUG", "-all,err+sc,warn+debugstr")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .stdout(File::create(file("out"))?)
            .stderr(File::create(file("err"))?);
        let words = command
            .get_args()
            .map(OsStr::to_string_lossy)
            .skip(if self.fixed_addresses { 2 } else { 0 });
        let command_line = words.collect::<Vec<_>>().join(" ");
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("{command_line} did not end within {} s", PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(10));
        };
        let read = |stream| {
            fs::read(file(stream)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Outcome {
            command_line,
            code: status.code(),
            output: read("out")?,
            errors: read("err")?,
        })
    }

    /// Ends every program of the prefix, and waits for it.
    fn stop(&self) -> Result<()> {
        // Fails where no server runs, which is as good.
        self.run("server", &self.wine.server, ["--kill"])?;
        self.run("server", &self.wine.server, ["--wait"])?;
        Ok(())
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be deleted now is deleted by the next run.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A prefix that runs.
pub struct Machine<'a> {
    prefix: &'a Prefix,
    case: &'static str,
    programs: Cell<u32>,
}

impl Machine<'_> {
    /// Runs a program of Windows' system folder to its end.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Outcome> {
        // A name without its folder would make Wine start start.exe first,
        // which starts the program.
        let program = format!(r"C:\windows\system32\{program}");
        let arguments = arguments.into_iter().map(|word| word.as_ref().to_owned());
        let command = iter::once(OsString::from(program)).chain(arguments);
        let number = self.programs.replace(self.programs.get() + 1);
        let log = self.log(number);
        self.prefix.run(&log, &self.prefix.wine.wine, command)
    }

    /// What drivers have printed so far, a line each.
    pub fn debug_output(&self) -> Result<Vec<String>> {
        let file = self.prefix.logs.join(format!("{}.err", self.log(0)));
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(debug_lines(&String::from_utf8_lossy(&text)))
    }

    fn log(&self, number: u32) -> String {
        format!("{}-{number:02}", self.case)
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.prefix.stop() {
            eprintln!("warning: cannot stop Wine: {error:#}");
        }
    }
}

/// A command that runs `program`, and all that it starts, without address space
/// layout randomisation.
///
/// Every Windows process has a page of shared data at 0x7ffe0000. Debian's
/// wine64 lies at 0x7d000000, and Linux starts a program's heap at random within
/// 1 GiB behind the program (32 MiB in older kernels): in one start of about
/// 7,700 the heap covers that page, and the process ends with exit code 1.
fn with_fixed_addresses(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setarch");
    command.arg("--addr-no-randomize").arg(program);
    command
}

/// Whether this system lets a program turn the randomisation off: the default
/// rules of some containers do not.
fn can_fix_addresses() -> bool {
    let can = with_fixed_addresses("true")
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        eprintln!(
            "warning: setarch --addr-no-randomize fails here, so that about one start of a \
             program in 7,700 fails in Wine; docs/wine.md says why"
        );
    }
    can
}

/// The lines of `DbgPrint` in Wine's own log, which puts the thread, the
/// channel, the component and the level before each.
fn debug_lines(log: &str) -> Vec<String> {
    let text = |line: &str| {
        let (_, rest) = line.split_once(":warn:debugstr:")?;
        let (_, text) = rest.split_once(": ")?;
        Some(text.to_owned())
    };
    log.lines().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_is_told_from_the_rest_of_the_log() {
        let log = "0024:err:sc:wmain failed to start service 87\n\
                   0170:warn:debugstr:vDbgPrintExWithPrefix 00000000:00000001: [procmon] loaded\n\
                   0170:warn:debugstr:vDbgPrintExWithPrefix 00000000:00000001: [procmon] a: b\n";
        assert_eq!(debug_lines(log), ["[procmon] loaded", "[procmon] a: b"]);
    }
}
