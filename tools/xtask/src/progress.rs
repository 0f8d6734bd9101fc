//! What a terminal shows while work goes on, and the logs of that work.
//!
//! The output of other programs goes to a file. It is shown where the work
//! fails, or where the user asks for all of it.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tempfile::NamedTempFile;

use crate::repository;

static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static ALL_OUTPUT: AtomicBool = AtomicBool::new(false);

thread_local! {
    static STEP: RefCell<Option<Work>> = const { RefCell::new(None) };
}

/// Has the whole output of each piece of work shown once it is done.
pub fn show_all_output() {
    ALL_OUTPUT.store(true, Ordering::Relaxed);
}

/// Prints a line on standard error.
pub fn say(line: &str) {
    BARS.suspend(|| eprintln!("{line}"));
}

/// Prints what a verb is there to say: on standard output or, within a step, in
/// its log.
pub fn answer(text: &str) {
    let is_logged = STEP.with_borrow(|step| {
        let mut log = step.as_ref()?.open().ok()?;
        writeln!(log, "{text}").ok()
    });
    if is_logged.is_none() {
        BARS.suspend(|| println!("{text}"));
    }
}

/// Runs `step`, all of whose output goes to one log, with one line on the
/// terminal. The log is shown where the step fails.
///
/// # Errors
///
/// Those of `step`, or when the log cannot be written.
pub fn step<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    let folder = repository::root().join("target/logs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let log = folder.join(file_name(name));
    File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    STEP.set(Some(Work::begin(name, Log::Kept(log))));
    let outcome = step();
    if let Some(work) = STEP.take() {
        work.end(outcome.is_ok());
    }
    outcome
}

/// A line on the terminal that tells how many of `steps` steps are done.
pub fn count(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{pos} of {len} steps in {elapsed}")
        .expect("the template is sound");
    let bar = BARS.add(ProgressBar::new(steps).with_style(style));
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

/// Whether this thread runs a step.
pub fn is_in_step() -> bool {
    STEP.with_borrow(Option::is_some)
}

/// The work that a program does: of the step that runs on this thread, or by
/// itself.
///
/// # Errors
///
/// When a log cannot be written.
pub fn work(what: &str) -> Result<Work> {
    STEP.with_borrow(|step| {
        if let Some(step) = step {
            return Ok(Work {
                is_part: true,
                from: step.length()?,
                ..step.clone()
            });
        }
        let log = NamedTempFile::new().context("cannot create a file for a log")?;
        Ok(Work::begin(what, Log::Passing(Arc::new(log))))
    })
}

/// A piece of work: its line on the terminal and its log.
#[derive(Clone)]
pub struct Work {
    bar: ProgressBar,
    name: String,
    log: Log,
    /// Where its part of the log begins.
    from: u64,
    /// Whether it belongs to a step, which shows the log.
    is_part: bool,
}

/// The file that holds what programs write.
#[derive(Clone)]
enum Log {
    /// A step's.
    Kept(PathBuf),
    /// That of work which is no part of a step.
    Passing(Arc<NamedTempFile>),
}

impl Log {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Passing(file) => file.path(),
        }
    }
}

impl Work {
    fn begin(name: &str, log: Log) -> Self {
        let bar = BARS.add(ProgressBar::no_length());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed:>4} {prefix}  {wide_msg:.dim}")
                .expect("the template is sound"),
        );
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            bar,
            name: name.to_owned(),
            log,
            from: 0,
            is_part: false,
        }
    }

    /// Where programs write.
    pub fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).open(self.log.path())
    }

    /// Shows the last line that was written.
    pub fn refresh(&self) {
        const ENOUGH: u64 = 1024;
        let from = self
            .length()
            .unwrap_or_default()
            .saturating_sub(ENOUGH)
            .max(self.from);
        let text = self.read(from);
        if let Some(line) = text.lines().rev().find(|line| !line.trim().is_empty()) {
            self.bar.set_message(line.trim().to_owned());
        }
    }

    /// All that was written.
    pub fn output(&self) -> String {
        self.read(self.from)
    }

    /// Takes the line from the terminal, and shows the log where that is due.
    pub fn end(self, succeeded: bool) {
        if self.is_part {
            return;
        }
        self.bar.finish_and_clear();
        if succeeded && !ALL_OUTPUT.load(Ordering::Relaxed) {
            return;
        }
        let output = self.output();
        if !output.is_empty() {
            BARS.suspend(|| {
                eprintln!("--- {}", self.name);
                let _ = io::stderr().write_all(output.as_bytes());
            });
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.log.path())?.len())
    }

    fn read(&self, from: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.log.path())?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

/// Whether somebody watches the progress.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// The name of a log's file.
fn file_name(name: &str) -> String {
    let words = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase() + ".log"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_named_after_its_work() {
        assert_eq!(file_name("build the x64 image"), "build-the-x64-image.log");
    }
}
