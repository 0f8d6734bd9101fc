//! Other programs, with their output in the log of the work that they do.

use std::fmt;
use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::progress::{self, Work};

/// Runs `command` and fails, naming it by `what`, unless it succeeds.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let work = progress::work(what)?;
    let outcome = watched(&work, command, Bound::None);
    work.end(outcome.is_ok() || is_cancelled());
    outcome.map_err(|failure| Unsuccessful {
        message: format!("{what} {}", failure.why),
        code: failure.code,
    })?;
    Ok(())
}

/// Runs `command` and gives its standard output; fails, naming it by `what`,
/// unless it succeeds.
pub fn output(what: &str, command: &mut Command) -> Result<Vec<u8>> {
    let work = progress::work(what)?;
    let output = command
        .stdin(Stdio::null())
        .stderr(work.open()?)
        .output()
        .with_context(|| format!("{what}: cannot start {}", program(command)))?;
    work.end(output.status.success());
    if !output.status.success() {
        bail!("{what} failed ({})", output.status);
    }
    Ok(output.stdout)
}

/// Runs `command`, whose output is the verb's own answer, and fails unless it
/// succeeds.
pub fn run_to_end(what: &str, command: &mut Command) -> Result<()> {
    if progress::is_in_step() {
        return run(what, command);
    }
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{what}: cannot start {}", program(command)))?;
    if !status.success() {
        bail!(Unsuccessful {
            message: format!("{what} failed ({status}); its messages are above"),
            code: status.code(),
        });
    }
    Ok(())
}

/// The error of a program that did not succeed.
#[derive(Debug)]
struct Unsuccessful {
    message: String,
    code: Option<i32>,
}

impl fmt::Display for Unsuccessful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unsuccessful {}

/// The exit code of the program whose failure [`run`] or [`run_to_end`] reports.
pub fn exit_code(error: &Error) -> Option<i32> {
    error.downcast_ref::<Unsuccessful>()?.code
}

/// Runs `command` quietly and gives its standard output, or `None` where it
/// cannot be started or fails: for asking what a machine has.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// How long a program may take.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// As long as it likes.
    None,
    /// As long as it writes something, to a file or to its output, at least
    /// once in this time.
    NoProgress(Duration),
}

/// Why a program did not succeed.
#[derive(Debug)]
pub struct Failure {
    why: String,
    /// Its exit code, if it ended by itself.
    code: Option<i32>,
    /// What it wrote.
    pub output: String,
}

impl Failure {
    /// Whether the program was ended, or never ran.
    pub const fn was_ended(&self) -> bool {
        self.code.is_none()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Behind it are causes of causes.
        const ENOUGH: usize = 160;
        f.write_str(&self.why)?;
        let is_error = |line: &&str| {
            ["error", "E:", "fatal"]
                .iter()
                .any(|word| line.trim_start().starts_with(word))
        };
        let Some(line) = self.output.lines().find(is_error) else {
            return Ok(());
        };
        let start: String = line.trim().chars().take(ENOUGH).collect();
        let rest = if start.len() < line.trim().len() {
            "…"
        } else {
            ""
        };
        write!(f, ": {start}{rest}")
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            why: error.to_string(),
            code: None,
            output: String::new(),
        }
    }
}

/// Runs `command` within `bound` and gives what it wrote. Nothing is shown where
/// it fails: there may be another way.
///
/// # Errors
///
/// When it cannot be started, fails, or is ended: beyond its bound, or because
/// what ran beside it failed.
pub fn bounded(what: &str, command: &mut Command, bound: Bound) -> Result<String, Failure> {
    let work = progress::work(what).map_err(io::Error::other)?;
    let outcome = watched(&work, command, bound);
    work.end(true);
    outcome
}

fn watched(work: &Work, command: &mut Command, bound: Bound) -> Result<String, Failure> {
    if progress::is_watched() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(work.open()?)
        .stderr(work.open()?)
        .spawn()
        .map_err(|error| Failure {
            why: format!("cannot start {}: {error}", program(command)),
            code: None,
            output: String::new(),
        })?;
    let ended = supervise(&mut child, work, bound);
    let output = work.output();
    let (why, code) = match ended {
        Ok(status) if status.success() => return Ok(output),
        Ok(status) => (format!("failed ({status})"), status.code()),
        Err(why) => (why, None),
    };
    Err(Failure { why, code, output })
}

/// Waits for a program, or ends it.
fn supervise(child: &mut Child, work: &Work, bound: Bound) -> Result<ExitStatus, String> {
    let fault = |error: io::Error| error.to_string();
    let pid = Pid::from_child(child);
    let handle = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| fault(error.into()))?;
    let mut written = 0;
    let mut last_progress = Instant::now();
    loop {
        let mut handles = [PollFd::new(&handle, PollFlags::IN)];
        let moment = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        if poll(&mut handles, Some(&moment)) != Ok(0) {
            return child.wait().map_err(fault);
        }
        work.refresh();
        let now_written = bytes_written(pid);
        if now_written != written {
            written = now_written;
            last_progress = Instant::now();
        }
        let why = match bound {
            _ if is_cancelled() => "was stopped, since other work failed".to_owned(),
            Bound::NoProgress(patience) if last_progress.elapsed() > patience => {
                format!(
                    "made no progress for {} s and was stopped",
                    patience.as_secs_f32()
                )
            }
            _ => continue,
        };
        // Nothing but `wait` below takes the process's id away from it.
        let _ = kill_process(pid, Signal::TERM);
        child.wait().map_err(fault)?;
        return Err(why);
    }
}

/// How much a process has written so far, to whatever files.
fn bytes_written(pid: Pid) -> u64 {
    let counters = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    counters
        .lines()
        .find_map(|line| line.strip_prefix("wchar: ")?.parse().ok())
        .unwrap_or_default()
}

static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Whether work has failed, so that what runs beside it is pointless.
pub fn is_cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// Does several things at once. The first failure stops the programs that the
/// others run, and is the one that is returned.
///
/// # Errors
///
/// The first failure.
pub fn side_by_side(jobs: Vec<Box<dyn FnOnce() -> Result<()> + Send + '_>>) -> Result<()> {
    let first = Mutex::new(None);
    thread::scope(|scope| {
        let threads: Vec<_> = jobs
            .into_iter()
            .map(|job| {
                scope.spawn(|| {
                    if let Err(error) = job() {
                        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                        first.get_or_insert(error);
                        CANCELLED.store(true, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    });
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.map_or(Ok(()), Err)
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_a_program_is_in_its_error() {
        let run = |script: &str| run_to_end("sh", Command::new("sh").args(["-c", script]));
        assert!(run("exit 0").is_ok());
        for (script, code) in [("exit 1", Some(1)), ("exit 2", Some(2)), ("kill $$", None)] {
            let error = run(script).unwrap_err().context("the step");
            assert_eq!(exit_code(&error), code, "{script}");
        }
    }
}
