//! Every line of procmon's through millions of events, from all processors at
//! once, each compared with the process that it is about.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use procmon_log::Line;
use procmon_log::line::{Destroy, Unloaded};

use super::{Procmon, same};
use crate::kernel::{ProcessCreation, ProcessExit};
use crate::ps::announcement::Announcement;
use crate::trial::oracle::{Finding, Monitor};

/// Follows procmon's log.
pub(super) struct LogMonitor {
    oracle: Procmon,
    is_complete: bool,
    processes: DashMap<u32, Process>,
    is_loaded: AtomicBool,
    /// Events reported by this load of the driver.
    created: AtomicU64,
    exited: AtomicU64,
    /// Events reported by earlier ones.
    before: AtomicU64,
}

/// A process, from its creation to its exit.
struct Process {
    /// The messages that report its creation.
    creation: Vec<Vec<u8>>,
    /// How many of them were printed.
    printed: usize,
    exit: Exit,
}

enum Exit {
    NotYet,
    Due(Destroy),
    Reported,
}

impl LogMonitor {
    pub(super) fn new(oracle: Procmon, is_complete: bool) -> Self {
        Self {
            oracle,
            is_complete,
            processes: DashMap::new(),
            is_loaded: AtomicBool::new(false),
            created: AtomicU64::new(0),
            exited: AtomicU64::new(0),
            before: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> Unloaded {
        Unloaded {
            created: self.created.load(Ordering::Relaxed),
            exited: self.exited.load(Ordering::Relaxed),
        }
    }

    /// Whether the creation of a process is reported as far as it has to be.
    fn is_reported(&self, process: &Process) -> bool {
        process.printed == process.creation.len() || !self.is_complete && process.printed == 0
    }

    fn of_process(&self, pid: u64, line: Line<'_>, message: &[u8]) -> Finding {
        let pid = u32::try_from(pid).map_err(|_| format!("{line:?} of no process"))?;
        let mut process = self
            .processes
            .get_mut(&pid)
            .ok_or_else(|| format!("{line:?} of no process"))?;
        if let Line::Destroy(destroy) = line {
            let is_due = self.is_reported(&process);
            let Exit::Due(expected) = process.exit else {
                return Err(format!("{line:?} of a process that does not exit"));
            };
            if !is_due {
                return Err(format!("{line:?} of a process that was not created"));
            }
            process.exit = Exit::Reported;
            self.exited.fetch_add(1, Ordering::Relaxed);
            return same(
                &destroy,
                &Destroy {
                    lifetime_ms: destroy.lifetime_ms,
                    ..expected
                },
            );
        }
        let Some(expected) = process.creation.get(process.printed) else {
            return Err(format!("{line:?} after the last line"));
        };
        if message != expected {
            let expected = String::from_utf8_lossy(expected);
            return Err(format!("{line:?} instead of {expected:?}"));
        }
        process.printed += 1;
        if let Line::Create(_) = line {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Monitor for LogMonitor {
    fn loading(&self) {
        let reported = self.reported();
        self.before.store(reported, Ordering::Relaxed);
        self.created.store(0, Ordering::Relaxed);
        self.exited.store(0, Ordering::Relaxed);
        self.is_loaded.store(true, Ordering::SeqCst);
    }

    fn unloaded(&self) -> Finding {
        if self.is_loaded.load(Ordering::SeqCst) {
            return Err("no line says that the driver is unloaded".into());
        }
        Ok(())
    }

    fn creating(&self, process: &ProcessCreation) {
        let created = self.oracle.expected(&Announcement::from(process), &[]);
        let process_id = process.process_id;
        let process = Process {
            creation: created.lines().map(Line::message).collect(),
            printed: 0,
            exit: Exit::NotYet,
        };
        self.processes.insert(process_id, process);
    }

    fn created(&self, process_id: u32) -> Finding {
        match self.processes.get(&process_id) {
            Some(process) if self.is_reported(&process) => Ok(()),
            _ => Err(format!("{process_id:#x}: its creation was not reported")),
        }
    }

    fn exiting(&self, exit: ProcessExit) {
        if let Some(mut process) = self.processes.get_mut(&exit.process_id) {
            process.exit = Exit::Due(Procmon::destroy(exit));
        }
    }

    fn exited(&self, process_id: u32) -> Finding {
        match self.processes.remove(&process_id) {
            Some((_, process)) if self.is_complete && !matches!(process.exit, Exit::Reported) => {
                Err(format!("{process_id:#x}: its exit was not reported"))
            }
            _ => Ok(()),
        }
    }

    fn printed(&self, message: &[u8]) -> Finding {
        let line = Line::parse(message).map_err(|error| error.to_string())?;
        if !self.is_loaded.load(Ordering::SeqCst) {
            return Err(format!("{line:?} of a driver that is unloaded"));
        }
        match (line, line.pid()) {
            (Line::Loaded, _) => Ok(()),
            (Line::Unloaded(unloaded), _) => {
                self.is_loaded.store(false, Ordering::SeqCst);
                same(&unloaded, &self.counts())
            }
            (_, Some(pid)) => self.of_process(pid, line, message),
            (_, None) => Err(format!("{line:?} of no event")),
        }
    }

    fn reported(&self) -> u64 {
        let Unloaded { created, exited } = self.counts();
        self.before.load(Ordering::Relaxed) + created + exited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nt::ClientId;

    fn process() -> ProcessCreation {
        let units = |text: &str| Some(text.encode_utf16().collect());
        ProcessCreation {
            creator: ClientId {
                process: 0x2f8,
                thread: 0x2fc,
            },
            image_file_name: units(r"\??\C:\0.exe"),
            command_line: units("0.exe --serial 1"),
            ..ProcessCreation::new(0x10000, 0x2f8)
        }
    }

    /// The first finding, where these lines report a process and its driver is
    /// then unloaded.
    fn follow(lines: &[&str]) -> Finding {
        let monitor = LogMonitor::new(Procmon::default(), true);
        monitor.loading();
        monitor.creating(&process());
        lines
            .iter()
            .try_for_each(|line| monitor.printed(line.as_bytes()))?;
        monitor.created(0x10000)?;
        monitor.printed(b"[procmon] unloaded: 1 created, 0 exited\n")?;
        monitor.unloaded()
    }

    const CREATE: &str =
        "[Create] [PID = 0x10000, Name=\\??\\C:\\0.exe] [CurrentPID = 0x2f8] [PPID = 0x2f8]\n";
    const DETAIL: &str = "[Detail 0x10000] 64bit [Creator = 0x2f8.0x2fc] [Session = 1]\n";
    const COMMAND: &str = "[CommandLine 0x10000] 0.exe --serial 1\n";

    #[test]
    fn all_lines_of_an_event_are_right() {
        assert_eq!(follow(&[CREATE, DETAIL, COMMAND]), Ok(()));
    }

    #[test]
    fn lines_lost_doubled_torn_or_interleaved_are_found() {
        let elsewhere = COMMAND.replace("0x10000", "0x10004");
        for wrong in [
            &[CREATE, DETAIL][..],
            &[DETAIL, COMMAND],
            &[CREATE, COMMAND],
            &[],
            &[CREATE, CREATE, DETAIL, COMMAND],
            &[CREATE, DETAIL, COMMAND, COMMAND],
            &[CREATE, DETAIL, "[CommandLine 0x10000] 0.exe --seri"],
            &[CREATE, DETAIL, "[CommandLine 0x10000] 0.exe --serial 2\n"],
            &[CREATE, DETAIL, COMMAND, &elsewhere],
        ] {
            follow(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_line_of_an_unloaded_driver_is_found() {
        let monitor = LogMonitor::new(Procmon::default(), true);
        monitor.loading();
        monitor.unloaded().unwrap_err();
        let unloaded = b"[procmon] unloaded: 0 created, 0 exited\n";
        assert_eq!(monitor.printed(unloaded), Ok(()));
        assert_eq!(monitor.unloaded(), Ok(()));
        monitor.creating(&process());
        monitor.printed(CREATE.as_bytes()).unwrap_err();
    }

    #[test]
    fn exits_are_reported_once_and_counted() {
        let destroy = "[Destroy] [PID = 0x10000] [CurrentPID = 0x10000] [ExitStatus = 0x3] \
                       [Lifetime = 1 ms]\n";
        let exit = ProcessExit {
            process_id: 0x10000,
            thread_id: 0x10004,
            exit_status: 3,
        };
        let monitor = || {
            let monitor = LogMonitor::new(Procmon::default(), true);
            monitor.loading();
            monitor.creating(&process());
            for line in [CREATE, DETAIL, COMMAND] {
                monitor.printed(line.as_bytes()).unwrap();
            }
            monitor
        };
        monitor().printed(destroy.as_bytes()).unwrap_err();

        let silent = monitor();
        silent.exiting(exit);
        silent.exited(0x10000).unwrap_err();

        let other = monitor();
        other.exiting(ProcessExit {
            exit_status: 4,
            ..exit
        });
        other.printed(destroy.as_bytes()).unwrap_err();

        let monitor = monitor();
        monitor.exiting(exit);
        assert_eq!(monitor.printed(destroy.as_bytes()), Ok(()));
        monitor.printed(destroy.as_bytes()).unwrap_err();
        assert_eq!(monitor.exited(0x10000), Ok(()));
        assert_eq!(monitor.reported(), 2);
        let miscounted = b"[procmon] unloaded: 1 created, 0 exited\n";
        monitor.printed(miscounted).unwrap_err();
    }
}
