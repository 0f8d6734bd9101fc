//! Figures that depend on the machine: nanoseconds, events per second.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntsim::dbg::{DebugMessage, DebugOutput, Discard};
use ntsim::{Kernel, ProcessCreation, ProcessExit};

use crate::event::{COMMAND_LINE, Life, NAME, utf16};
use crate::figure::Figure;
use crate::null_kernel::Driver;
use crate::{Drivers, count_to_f64};

/// How long and how often to measure.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Rounds; the fastest one counts, as the one that was least disturbed.
    pub rounds: u32,
    /// Lives in a round.
    pub lives: u32,
}

/// Nanoseconds of a life, driver by driver in turn.
pub fn lives(drivers: &Drivers, effort: Effort) -> Vec<Figure> {
    let life = Life::ordinary(0x1a2c);
    let mut best = [f64::INFINITY; 4];
    for _ in 0..effort.rounds {
        for (best, (_, driver)) in best.iter_mut().zip(drivers.all()) {
            let start = Instant::now();
            for _ in 0..effort.lives {
                black_box(&life).tell(driver);
            }
            *best = best.min(nanoseconds(start.elapsed()) / f64::from(effort.lives));
        }
    }
    let mut figures: Vec<Figure> = drivers
        .all()
        .zip(best)
        .map(|((name, _), best)| Figure::new(format!("{name}: create and exit"), best, "ns"))
        .collect();
    let [procmon, _, _, println] = best;
    figures.push(Figure::new(
        "time, procmon / println",
        procmon / println,
        "x",
    ));
    figures
}

/// Lives per second on one thread and more, each on its own processes.
pub fn threads(driver: &Driver, effort: Effort) -> Vec<Figure> {
    let most = thread::available_parallelism()
        .map_or(2, usize::from)
        .max(2);
    let mut best = vec![0.0_f64; most];
    for _ in 0..effort.rounds.div_ceil(4) {
        for (count, best) in (1..).zip(&mut best) {
            *best = best.max(lives_per_second(driver, count));
        }
    }
    let speedup = best[1] / best[0];
    let mut figures: Vec<Figure> = (1..)
        .zip(best)
        .map(|(count, best): (u32, f64)| {
            Figure::new(format!("lives per second, {count} threads"), best, "/s")
        })
        .collect();
    figures.push(Figure::new("two threads / one", speedup, "x"));
    figures
}

fn lives_per_second(driver: &Driver, threads: u32) -> f64 {
    const TIME: Duration = Duration::from_millis(100);
    let stop = AtomicBool::new(false);
    let total = AtomicU64::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let (stop, total) = (&stop, &total);
            scope.spawn(move || {
                let life = Life::ordinary(0x1000 + 4 * thread);
                let mut told = 0;
                while !stop.load(Ordering::Relaxed) {
                    for _ in 0..100 {
                        life.tell(driver);
                    }
                    told += 100;
                }
                total.fetch_add(told, Ordering::Relaxed);
            });
        }
        thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
    });
    count_to_f64(total.into_inner()) / start.elapsed().as_secs_f64()
}

struct ToFile(Mutex<BufWriter<File>>);

impl DebugOutput for ToFile {
    fn print(&self, message: &DebugMessage<'_>) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk shows in the figures' absence, not here.
        let _ = file.write_all(message.text);
    }
}

/// The whole path through the embedded kernel with real formatting, beside a C
/// loop that prints the same lines.
pub fn whole_path(image: &Path, format_loop: &Path, effort: Effort) -> Result<Vec<Figure>> {
    let folder = std::env::temp_dir().join(format!("procmon-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let outcome = (|| {
        let [mut nothing, mut file, mut c] = [f64::INFINITY; 3];
        for _ in 0..effort.rounds.div_ceil(4) {
            nothing = nothing.min(simulated(image, Arc::new(Discard), effort.lives / 4)?);
            let log = BufWriter::new(File::create(folder.join("ntsim.log"))?);
            file = file.min(simulated(
                image,
                Arc::new(ToFile(Mutex::new(log))),
                effort.lives / 4,
            )?);
            c = c.min(c_loop(
                format_loop,
                &folder.join("c.log"),
                effort.lives / 4,
            )?);
        }
        Ok(vec![
            Figure::new("ntsim: create and exit, to nothing", nothing, "ns"),
            Figure::new("ntsim: create and exit, to a file", file, "ns"),
            Figure::new("C snprintf loop, to a file", c, "ns"),
            Figure::new("whole path, ntsim / C snprintf loop", file / c, "x"),
        ])
    })();
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn simulated(image: &Path, output: Arc<dyn DebugOutput>, lives: u32) -> Result<f64> {
    let kernel = Kernel::builder().debug_output(output).build()?;
    let driver = kernel.load_driver(image, "procmon")?;
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
    let time = nanoseconds(start.elapsed()) / f64::from(lives);
    let left = kernel.unload_driver(driver)?;
    ensure!(
        left.is_empty(),
        "the driver left something behind: {left:?}"
    );
    Ok(time)
}

fn c_loop(program: &Path, log: &Path, lives: u32) -> Result<f64> {
    let output = Command::new(program)
        .arg(lives.to_string())
        .arg(log)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("{} printed {text:?}", program.display()))
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
