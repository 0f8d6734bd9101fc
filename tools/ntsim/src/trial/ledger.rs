//! Every line of procmon's through millions of events, from all processors,
//! each held against the state of the process that it is about.
//!
//! Nothing is kept of a line, so that the ledger does not grow.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use procmon_log::Line;
use procmon_log::line::{CommandLine, Create, Destroy, Detail, Unloaded};

use crate::dbg::{DebugMessage, DebugOutput};
use crate::kernel::{ProcessCreation, ProcessExit};
use crate::nt::{ClientId, NtStatus};

/// Identifiers are multiples of four; these are above those of the creators.
const FIRST_ID: u32 = 0x1_0000;

/// The process that creates all others.
const CREATOR: ClientId = ClientId {
    process: 0x2f8,
    thread: 0x2fc,
};

/// How many findings are kept.
const FINDINGS: usize = 10;

/// What was last said of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Said {
    /// Nothing, or that it is gone.
    Nothing,
    Create,
    Detail,
    CommandLine,
}

const SAID_BITS: u32 = 2;

impl Said {
    const fn of(state: u64) -> Self {
        match state & 3 {
            0 => Self::Nothing,
            1 => Self::Create,
            2 => Self::Detail,
            _ => Self::CommandLine,
        }
    }
}

/// A process that comes and goes: how often it came, and what was last said of
/// it.
#[derive(Default)]
struct Place(AtomicU64);

/// What reads the log.
pub struct Ledger {
    places: Vec<Place>,
    /// Whether the driver may speak.
    is_loaded: AtomicBool,
    /// Whether the driver is there throughout, so that each event is reported.
    is_complete: bool,
    reads: bool,
    created: AtomicU64,
    exited: AtomicU64,
    lines: AtomicU64,
    /// What the last `unloaded` line said.
    unloaded: Mutex<Option<(u64, u64)>>,
    findings: Mutex<Vec<String>>,
}

impl Ledger {
    /// A ledger for so many processes at once. It reads the lines if they are
    /// procmon's, and counts them in any case.
    pub fn new(places: usize, reads: bool, is_complete: bool) -> Self {
        Self {
            places: std::iter::repeat_with(Place::default)
                .take(places)
                .collect(),
            is_loaded: AtomicBool::new(false),
            is_complete,
            reads,
            created: AtomicU64::new(0),
            exited: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            unloaded: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// Announced creates that were reported, exits, and all lines.
    pub fn counts(&self) -> (u64, u64, u64) {
        (
            self.created.load(Ordering::Relaxed),
            self.exited.load(Ordering::Relaxed),
            self.lines.load(Ordering::Relaxed),
        )
    }

    /// What was wrong, the first of it.
    pub fn findings(&self) -> Vec<String> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The driver is about to be loaded.
    pub fn open(&self) {
        self.is_loaded.store(true, Ordering::SeqCst);
    }

    /// The driver is unloaded; gives what it said it had seen.
    pub fn close(&self) -> Option<(u64, u64)> {
        self.is_loaded.store(false, Ordering::SeqCst);
        self.unloaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The next process at `place`.
    pub fn creation(&self, place: usize) -> ProcessCreation {
        let serial = self.serial(place) + 1;
        let state = serial << SAID_BITS;
        if Said::of(self.places[place].0.swap(state, Ordering::AcqRel)) != Said::Nothing {
            self.find(format!("{:#x} was never reported gone", id(place)));
        }
        let units = |text: String| Some(text.encode_utf16().collect());
        ProcessCreation {
            creator: CREATOR,
            image_file_name: units(name(place)),
            command_line: units(command_line(place, serial)),
            ..ProcessCreation::new(id(place), CREATOR.process)
        }
    }

    /// The create at `place` was delivered.
    pub fn was_created(&self, place: usize) {
        match self.said(place) {
            Said::CommandLine => {}
            Said::Nothing if !self.is_complete => {}
            _ if !self.reads => {}
            said => self.find(format!("{:#x}: {said:?} was the last line", id(place))),
        }
    }

    /// The exit of the process at `place`.
    pub fn exit(&self, place: usize) -> ProcessExit {
        ProcessExit {
            process_id: id(place),
            thread_id: id(place) + 1,
            exit_status: exit_status(self.serial(place)),
        }
    }

    /// The exit at `place` was delivered.
    pub fn has_exited(&self, place: usize) {
        let state = &self.places[place].0;
        if self.reads && self.is_complete && self.said(place) != Said::Nothing {
            self.find(format!("{:#x}: its exit was not reported", id(place)));
        }
        // Where it was not to be reported, the next one begins anew.
        state.fetch_and(!3, Ordering::AcqRel);
    }

    fn serial(&self, place: usize) -> u64 {
        self.places[place].0.load(Ordering::Acquire) >> SAID_BITS
    }

    fn said(&self, place: usize) -> Said {
        Said::of(self.places[place].0.load(Ordering::Acquire))
    }

    fn find(&self, finding: String) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < FINDINGS {
            findings.push(finding);
        }
    }

    fn read(&self, message: &[u8]) -> Result<(), String> {
        let line = Line::parse(message).map_err(|error| error.to_string())?;
        if !self.is_loaded.load(Ordering::SeqCst) {
            return Err(format!("{line:?} of a driver that is unloaded"));
        }
        let place = line.pid().map(place_of);
        let place = match (line, place) {
            (Line::Unloaded(Unloaded { created, exited }), _) => {
                self.is_loaded.store(false, Ordering::SeqCst);
                let mut unloaded = self.unloaded.lock().unwrap_or_else(PoisonError::into_inner);
                *unloaded = Some((created, exited));
                return Ok(());
            }
            (Line::Loaded, _) => return Ok(()),
            (_, Some(Some(place))) if place < self.places.len() => place,
            _ => return Err(format!("{line:?} is of no event")),
        };
        let state = self.places[place].0.load(Ordering::Acquire);
        let serial = state >> SAID_BITS;
        let (is_right, next) = match line {
            Line::Create(Create { name: shown, .. }) => {
                self.created.fetch_add(1, Ordering::Relaxed);
                let is_right = shown == name(place).as_bytes();
                (is_right && Said::of(state) == Said::Nothing, Said::Create)
            }
            Line::Detail(Detail {
                creating_process,
                creating_thread,
                ..
            }) => {
                let creator = (creating_process, creating_thread);
                let is_right = creator == (CREATOR.process.into(), CREATOR.thread.into());
                (is_right && Said::of(state) == Said::Create, Said::Detail)
            }
            Line::CommandLine(CommandLine {
                part: None,
                text: shown,
                ..
            }) => {
                let is_right = shown == command_line(place, serial).as_bytes();
                (
                    is_right && Said::of(state) == Said::Detail,
                    Said::CommandLine,
                )
            }
            Line::Destroy(Destroy {
                exit_status: status,
                ..
            }) => {
                self.exited.fetch_add(1, Ordering::Relaxed);
                let is_due = match Said::of(state) {
                    Said::CommandLine => true,
                    Said::Nothing => !self.is_complete,
                    Said::Create | Said::Detail => false,
                };
                let is_right = status == exit_status(serial).cast_unsigned();
                (is_right && is_due, Said::Nothing)
            }
            _ => (false, Said::of(state)),
        };
        if !is_right {
            return Err(format!(
                "{line:?} after {:?} of process {serial} there",
                Said::of(state)
            ));
        }
        let next = serial << SAID_BITS | next as u64;
        self.places[place]
            .0
            .compare_exchange(state, next, Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| ())
            .map_err(|_| format!("{line:?} at the same time as another of its process"))
    }
}

impl DebugOutput for Ledger {
    fn print(&self, message: &DebugMessage<'_>) {
        self.lines.fetch_add(1, Ordering::Relaxed);
        if self.reads
            && let Err(finding) = self.read(message.text)
        {
            self.find(finding);
        }
    }
}

fn id(place: usize) -> u32 {
    FIRST_ID + 4 * u32::try_from(place).expect("few processes")
}

fn place_of(pid: u64) -> Option<usize> {
    let offset = pid.checked_sub(FIRST_ID.into())?;
    offset
        .is_multiple_of(4)
        .then(|| usize::try_from(offset / 4).ok())?
}

fn name(place: usize) -> String {
    format!(r"\??\C:\load\{place}.exe")
}

/// No two processes have the same.
fn command_line(place: usize, serial: u64) -> String {
    format!("{place}.exe --serial {serial}")
}

/// 31 bits of it.
fn exit_status(serial: u64) -> NtStatus {
    (serial & 0x7fff_ffff) as NtStatus
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(lines: &[&str]) -> Vec<String> {
        let ledger = Ledger::new(4, true, true);
        ledger.open();
        ledger.creation(0);
        for line in lines {
            ledger.print(&DebugMessage {
                component: 101,
                level: 3,
                text: line.as_bytes(),
            });
        }
        ledger.was_created(0);
        ledger.findings()
    }

    const CREATE: &str = "[Create] [PID = 0x10000, Name=\\??\\C:\\load\\0.exe] [CurrentPID = 0x2f8] [PPID = 0x2f8]\n";
    const DETAIL: &str = "[Detail 0x10000] 64bit [Creator = 0x2f8.0x2fc] [Session = 1]\n";
    const COMMAND: &str = "[CommandLine 0x10000] 0.exe --serial 1\n";

    #[test]
    fn all_lines_of_an_event_are_right() {
        assert_eq!(says(&[CREATE, DETAIL, COMMAND]), [""; 0]);
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
            assert!(!says(wrong).is_empty(), "{wrong:?}");
        }
    }

    #[test]
    fn a_line_of_an_unloaded_driver_is_found() {
        assert!(!says(&["[procmon] unloaded: 0 created, 0 exited\n", CREATE]).is_empty());
    }
}
