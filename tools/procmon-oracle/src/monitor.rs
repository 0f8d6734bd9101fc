//! Every line of procmon's through millions of events, from all processors at
//! once, each compared with the process that it is about.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use procmon_log::Line;
use procmon_log::line::{Destroy, Unloaded};

use super::events::{self, Expected, Heard, Seen};
use super::{Procmon, same};
use ntsim::Announcement;
use ntsim::tracing::TraceEvent;
use ntsim::{ProcessCreation, ProcessExit};
use ntsim_trials as trials;
use ntsim_trials::oracle::{FailedCalls, Finding, Monitor};

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
    start_key: Option<u64>,
    exit: Exit,
    events: Events,
}

/// What a session hears of the last event of a process.
#[derive(Default)]
struct Events {
    due: Vec<Expected>,
    /// How many of them, from the first, were heard or cannot be any more.
    passed: usize,
    heard: usize,
    seen: Seen,
}

impl Events {
    fn is_due(&mut self, due: Vec<Expected>) {
        self.due = due;
        self.passed = 0;
        self.heard = 0;
    }

    /// A session may have begun to listen after some of them.
    fn hear(&mut self, event: &Heard) -> Finding {
        let mut finding = Err(format!("{event}: no event is due"));
        for (index, expected) in self.due.iter().enumerate().skip(self.passed) {
            finding = expected.compare(event, &mut self.seen);
            if finding.is_ok() {
                self.passed = index + 1;
                self.heard += 1;
                break;
            }
        }
        finding
    }

    fn are_complete(&self, heard: trials::Heard, has_to_report: bool) -> bool {
        match heard {
            trials::Heard::All => self.heard == self.due.len() || !has_to_report && self.heard == 0,
            trials::Heard::Nothing => self.heard == 0,
            trials::Heard::Parts => true,
        }
    }
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
        let announced = Announcement::from(process);
        let created = self.oracle.expected(&announced, FailedCalls::NONE);
        let process_id = process.process_id;
        let process = Process {
            creation: created.lines().map(Line::message).collect(),
            printed: 0,
            start_key: created.detail.start_key,
            exit: Exit::NotYet,
            events: Events {
                due: events::created(&announced, &created, FailedCalls::NONE),
                ..Events::default()
            },
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
            let due = events::exited(exit, process.start_key);
            process.events.is_due(due);
            process.exit = Exit::Due(Destroy {
                start_key: process.start_key,
                ..Procmon::destroy(exit)
            });
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

    fn wrote(&self, event: &TraceEvent<'_>) -> Finding {
        let event = Heard::new(event)?;
        let of_no_process = || format!("{event}: of no process");
        let process_id = event.process_id().ok_or_else(of_no_process)?;
        let mut process = self
            .processes
            .get_mut(&process_id)
            .ok_or_else(of_no_process)?;
        process.events.hear(&event)
    }

    fn traced(&self, process_id: u32, heard: trials::Heard) -> Finding {
        let process = self.processes.get(&process_id);
        let process = process.ok_or_else(|| format!("{process_id:#x}: no such process"))?;
        let events = &process.events;
        if events.are_complete(heard, self.is_complete) {
            return Ok(());
        }
        let (count, due) = (events.heard, events.due.len());
        Err(format!(
            "{process_id:#x}: {count} of {due} events heard by a session that heard {heard:?}"
        ))
    }

    fn reported(&self) -> u64 {
        let Unloaded { created, exited } = self.counts();
        self.before.load(Ordering::Relaxed) + created + exited
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice as _;

    use super::*;
    use ntsim::nt::ClientId;

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

    /// The messages that report its creation.
    fn creation() -> Vec<Vec<u8>> {
        let created =
            Procmon::default().expected(&Announcement::from(&process()), FailedCalls::NONE);
        created.lines().map(Line::message).collect()
    }

    fn exit() -> ProcessExit {
        ProcessExit {
            process_id: 0x10000,
            thread_id: 0x10004,
            exit_status: 3,
        }
    }

    /// The message that reports its exit.
    fn destroy() -> Vec<u8> {
        Line::Destroy(Procmon::destroy(exit())).message()
    }

    fn unloaded(created: u64, exited: u64) -> Vec<u8> {
        Line::Unloaded(Unloaded { created, exited }).message()
    }

    /// A monitor that was told of its creation, and of these messages.
    fn told(messages: &[Vec<u8>]) -> Result<LogMonitor, String> {
        let monitor = LogMonitor::new(Procmon::default(), true);
        monitor.loading();
        monitor.creating(&process());
        messages
            .iter()
            .try_for_each(|message| monitor.printed(message))?;
        monitor.created(0x10000)?;
        Ok(monitor)
    }

    #[test]
    fn all_lines_of_an_event_are_right() {
        let monitor = told(&creation()).unwrap();
        assert_eq!(monitor.printed(&unloaded(1, 0)), Ok(()));
        assert_eq!(monitor.unloaded(), Ok(()));
    }

    #[test]
    fn lines_lost_doubled_torn_or_interleaved_are_found() {
        let whole = creation();
        assert_eq!(whole.len(), 3);
        for index in 0..3 {
            let mut lost = whole.clone();
            lost.remove(index);
            assert!(told(&lost).is_err(), "{index} lost");
            let mut doubled = whole.clone();
            doubled.insert(index, whole[index].clone());
            assert!(told(&doubled).is_err(), "{index} doubled");
            let mut torn = whole.clone();
            torn[index].truncate(30);
            assert!(told(&torn).is_err(), "{index} torn");
            let mut swapped = whole.clone();
            swapped.swap(index, (index + 1) % 3);
            assert!(told(&swapped).is_err(), "{index} swapped");
        }
        let mut interleaved = whole.clone();
        let elsewhere = whole[2].clone().replace("0x10000", "0x10004");
        interleaved.insert(2, elsewhere);
        assert!(told(&interleaved).is_err());
    }

    #[test]
    fn a_line_of_an_unloaded_driver_is_found() {
        let monitor = LogMonitor::new(Procmon::default(), true);
        monitor.loading();
        monitor.unloaded().unwrap_err();
        assert_eq!(monitor.printed(&unloaded(0, 0)), Ok(()));
        assert_eq!(monitor.unloaded(), Ok(()));
        monitor.creating(&process());
        monitor.printed(&creation()[0]).unwrap_err();
    }

    #[test]
    fn exits_are_reported_once_and_counted() {
        let told = || told(&creation()).unwrap();
        told().printed(&destroy()).unwrap_err();

        let silent = told();
        silent.exiting(exit());
        silent.exited(0x10000).unwrap_err();

        let other = told();
        other.exiting(ProcessExit {
            exit_status: 4,
            ..exit()
        });
        other.printed(&destroy()).unwrap_err();

        let monitor = told();
        monitor.exiting(exit());
        assert_eq!(monitor.printed(&destroy()), Ok(()));
        monitor.printed(&destroy()).unwrap_err();
        assert_eq!(monitor.exited(0x10000), Ok(()));
        assert_eq!(monitor.reported(), 2);
        monitor.printed(&unloaded(1, 0)).unwrap_err();
    }
}
