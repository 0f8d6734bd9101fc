//! What watching costs a storm of forks: a thousand short processes with and
//! without the live mode of the embedded kernel.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::count_to_f64;
use crate::figure::Figure;
use crate::statistics::median;

/// Processes of a storm.
const PROCESSES: usize = 1_000;

/// Whether this machine's processes may be watched.
pub fn is_possible() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Has storms come without and with the watch, in turn.
///
/// # Errors
/// When the watch cannot be started or ends badly.
pub fn figures(image: &Path, rounds: u32, mut progress: impl FnMut()) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("cannot create a folder for the log")?;
    let program = short_program(folder.path())?;
    let (mut calm, mut watched, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lost, mut unnamed) = (0, 0);
    for _ in 0..rounds {
        progress();
        let (without, _) = storm(&program)?;
        let watch = Watch::start(image, &folder)?;
        let (with, processes) = storm(&program)?;
        let log = watch.stop()?;
        let seen = Seen::read(&log, &program);
        lost += seen.lost(&processes);
        unnamed += PROCESSES - seen.named.intersection(&processes).count();
        ratios.push(with / without);
        calm.push(without);
        watched.push(with);
    }
    let delivered = f64::from(rounds) * count_to_f64(PROCESSES as u64);
    let share = |count: usize, of: f64| count_to_f64(count as u64) / of * 100.0;
    Ok(vec![
        Figure::new("1,000 processes, not watched", median(&calm) * 1e3, "ms"),
        Figure::new(
            "1,000 processes, watched live",
            median(&watched) * 1e3,
            "ms",
        ),
        Figure::new("watched / not watched", median(&ratios), "x"),
        Figure::new("events lost", share(lost, 2.0 * delivered), "%"),
        Figure::new(
            "processes gone before their name could be read",
            share(unnamed, delivered),
            "%",
        ),
    ])
}

/// A copy of `true`, whose name tells its processes from all others.
fn short_program(folder: &Path) -> Result<PathBuf> {
    let program = folder.join("procmon-storm");
    fs::copy("/bin/true", &program).context("cannot copy /bin/true")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// Seconds, and the identifiers of the processes.
fn storm(program: &Path) -> Result<(f64, BTreeSet<u32>)> {
    let mut processes = BTreeSet::new();
    let start = Instant::now();
    for _ in 0..PROCESSES {
        let mut child = Command::new(program)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        processes.insert(child.id());
        child.wait()?;
    }
    Ok((start.elapsed().as_secs_f64(), processes))
}

/// The embedded kernel, watching this machine.
struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn start(image: &Path, folder: &TempDir) -> Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(20);
        let log = folder.path().join("live.log");
        let ntsim = env::current_exe()?.with_file_name("ntsim");
        let child = Command::new(&ntsim)
            .args(["run", "--live"])
            .arg(image)
            .stdout(File::create(&log)?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", ntsim.display()))?;
        let mut watch = Self { child, log };
        let end = Instant::now() + PATIENCE;
        while !fs::read_to_string(&watch.log)?.contains("[procmon] loaded") {
            if let Some(status) = watch.child.try_wait()? {
                bail!("the watch has ended by itself ({status})");
            }
            ensure!(Instant::now() < end, "the watch does not begin");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(watch)
    }

    /// Ends it as Ctrl-C does, and gives its log.
    fn stop(mut self) -> Result<String> {
        let id = i32::try_from(self.child.id()).context("no process identifier")?;
        // SAFETY: the call takes numbers; the child has not been waited for, so
        // that the identifier is still its own.
        unsafe { libc::kill(id, libc::SIGINT) };
        let status = self.child.wait()?;
        ensure!(status.success(), "the watch ended badly ({status})");
        Ok(fs::read_to_string(&self.log)?)
    }
}

/// The processes of a log.
struct Seen {
    created: BTreeSet<u32>,
    /// Those whose name is that of the storm's program.
    named: BTreeSet<u32>,
    exited: BTreeSet<u32>,
}

impl Seen {
    fn read(log: &str, program: &Path) -> Self {
        let (mut created, mut named, mut exited) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        for line in log.lines() {
            if let Some(id) = id_after(line, "[Create] [PID = 0x") {
                created.insert(id);
                if line.contains(&format!("\\{name}]")) {
                    named.insert(id);
                }
            } else if let Some(id) = id_after(line, "[Destroy] [PID = 0x") {
                exited.insert(id);
            }
        }
        Self {
            created,
            named,
            exited,
        }
    }

    /// How many events of `processes` are missing.
    fn lost(&self, processes: &BTreeSet<u32>) -> usize {
        [&self.created, &self.exited]
            .map(|seen| processes.difference(seen).count())
            .iter()
            .sum()
    }
}

fn id_after(line: &str, prefix: &str) -> Option<u32> {
    let (_, rest) = line.split_once(prefix)?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_are_not_in_the_log_are_lost() {
        let log = "1\t0.1\t[Create] [PID = 0x1a, Name=\\??\\Z:\\tmp\\procmon-storm] [CurrentPID = 0x1]\n\
                   2\t0.2\t[Create] [PID = 0x1b, Name=(null)] [CurrentPID = 0x1] [PPID = 0x1]\n\
                   3\t0.3\t[Destroy] [PID = 0x1a] [CurrentPID = 0x1a]\n";
        let seen = Seen::read(log, Path::new("/tmp/procmon-storm"));
        assert_eq!(seen.created, BTreeSet::from([0x1a, 0x1b]));
        assert_eq!(seen.named, BTreeSet::from([0x1a]));
        assert_eq!(seen.lost(&BTreeSet::from([0x1a])), 0);
        assert_eq!(seen.lost(&BTreeSet::from([0x1a, 0x1b])), 1);
        assert_eq!(seen.lost(&BTreeSet::from([0x1a, 0x1b, 0x1c])), 3);
    }
}
