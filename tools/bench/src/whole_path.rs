//! The whole path of an event through the embedded kernel, with real formatting.

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ntsim::dbg::{DebugMessage, DebugOutput, Discard};
use ntsim::{Kernel, ProcessCreation, ProcessExit};

use crate::event::{COMMAND_LINE, NAME, utf16};
use crate::figure::Figure;

struct ToFile(Mutex<BufWriter<File>>);

impl DebugOutput for ToFile {
    fn print(&self, message: &DebugMessage<'_>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk shows in the log's size, which is looked at.
        let _ = file.write_all(message.text);
    }
}

/// Beside a C loop that prints the same lines.
///
/// # Errors
/// When something cannot be run, or the driver breaks a rule.
pub fn figures(
    image: &Path,
    format_loop: &Path,
    rounds: u32,
    mut progress: impl FnMut(),
) -> Result<Vec<Figure>> {
    const LIVES: u32 = 10_000;

    let folder = tempfile::tempdir().context("cannot create a folder for the logs")?;
    let (log, c_log) = (folder.path().join("ntsim.log"), folder.path().join("c.log"));
    let [mut nothing, mut file, mut c] = [f64::INFINITY; 3];
    for _ in 0..rounds {
        progress();
        nothing = nothing.min(one_run(image, Arc::new(Discard), LIVES)?);
        let output = BufWriter::new(File::create(&log)?);
        file = file.min(one_run(image, Arc::new(ToFile(Mutex::new(output))), LIVES)?);
        ensure!(
            fs::metadata(&log)?.len() > 100 * u64::from(LIVES),
            "the log was not written whole: is the disk full?"
        );
        c = c.min(c_loop(format_loop, &c_log, LIVES)?);
    }
    let events_per_second = |nanoseconds: f64| 2e9 / nanoseconds;
    Ok(vec![
        Figure::new("ntsim: create and exit, to nothing", nothing, "ns"),
        Figure::new("ntsim: create and exit, to a file", file, "ns"),
        Figure::new("C snprintf loop: create and exit, to a file", c, "ns"),
        Figure::new(
            "ntsim: events a second, to nothing",
            events_per_second(nothing),
            "/s",
        ),
        Figure::new(
            "ntsim: events a second, to a file",
            events_per_second(file),
            "/s",
        ),
        Figure::new("whole path, ntsim / C snprintf loop", file / c, "x"),
    ])
}

fn one_run(image: &Path, output: Arc<dyn DebugOutput>, lives: u32) -> Result<f64> {
    let kernel = Kernel::builder().debug_output(output).build()?;
    let driver = kernel.load_driver(image, "procmon")?;
    let time = nanoseconds_a_life(&kernel, lives)?;
    let left = kernel.unload_driver(driver)?;
    ensure!(
        left.is_empty(),
        "the driver left something behind: {left:?}"
    );
    Ok(time)
}

/// Has `lives` processes begin and end in `kernel`, one after the other, and
/// returns the nanoseconds that one took.
fn nanoseconds_a_life(kernel: &Kernel, lives: u32) -> Result<f64> {
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

fn c_loop(program: &Path, log: &Path, lives: u32) -> Result<f64> {
    answer(Command::new(program).arg(lives.to_string()).arg(log))?
        .parse()
        .with_context(|| format!("{} printed no number", program.display()))
}

/// Ten million.
const EVENTS: u32 = 10_000_000;

/// The most memory that this program has in use while it does nothing but
/// deliver [`EVENTS`]: a program of its own does that.
///
/// # Errors
/// When it cannot be run.
pub fn memory(image: &Path, peers: &Path) -> Result<Vec<Figure>> {
    let this = env::current_exe().context("cannot find this program's own path")?;
    let said = answer(
        Command::new(this)
            .arg(image)
            .arg(peers)
            .arg("--deliver")
            .arg(EVENTS.to_string()),
    )?;
    let peaks: Vec<f64> = said
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("not sizes: {said:?}"))?;
    ensure!(peaks.len() == 2, "not two sizes: {said:?}");
    Ok(vec![
        Figure::new("ntsim: peak memory, 10 million events", peaks[1], "KiB"),
        Figure::new(
            "ntsim: of that after the first million",
            peaks[1] - peaks[0],
            "KiB",
        ),
    ])
}

/// What the program of its own does: delivers so many events, and prints the
/// most memory that it has had after a tenth of them and at the end, in KiB.
///
/// # Errors
/// When the driver breaks a rule, or the system does not tell.
pub fn deliver(image: &Path, events: u32) -> Result<()> {
    let kernel = Kernel::builder().debug_output(Arc::new(Discard)).build()?;
    kernel.load_driver(image, "procmon")?;
    nanoseconds_a_life(&kernel, events / 20)?;
    let early = peak()?;
    nanoseconds_a_life(&kernel, events / 2 - events / 20)?;
    println!("{early} {}", peak()?);
    Ok(())
}

/// `VmHWM` of this process, in KiB.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("cannot read /proc")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .and_then(|size| size.parse().ok())
        .context("/proc does not say how much memory was used at most")
}

fn answer(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(
        output.status.success(),
        "{} failed ({}); its messages are above",
        program.display(),
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
