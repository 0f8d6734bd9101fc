//! All processes of this machine, as they come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime as HostTime};
use std::{io, thread};

use ::procfs::process::Process;
use nix::time::{ClockId, clock_gettime};

use crate::connector::{Connector, OpenError};
use crate::procfs::{self, ProcessView};
use crate::tracker::{ProcessReader, Tracker};
use crate::{Next, ProcessEvent, ProcessSource, SourceError};
use ntsim::nt::SystemTime;

/// The watch on this machine's processes.
///
/// A thread of its own drains the connector, reads `/proc` at once, and queues
/// events without bound, so that a driver that is slow delays lines and loses
/// none.
pub struct Live {
    events: Receiver<io::Result<ProcessEvent>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Live {
    /// Begins to watch: processes that are there now are adopted, every later
    /// one is created.
    ///
    /// # Errors
    /// Where this process may not watch, or the kernel cannot tell.
    pub fn open() -> Result<Self, OpenError> {
        let connector = Connector::open()?;
        let clock = Clock::now()?;
        let (sender, events) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut watch = Watch {
            connector,
            clock,
            tracker: Tracker::default(),
            events: Vec::new(),
            sender,
        };
        watch.seed()?;
        let reader = thread::Builder::new().name("live".into()).spawn({
            let stop = Arc::clone(&stop);
            move || watch.run(&stop)
        })?;
        Ok(Self {
            events,
            stop,
            reader: Some(reader),
        })
    }
}

/// Whether this process may see which program any other runs. Newer kernels
/// tell everybody of processes, but show their programs to root alone.
#[must_use]
pub fn may_see_names() -> bool {
    const CAP_SYS_PTRACE: u64 = 1 << 19;
    Process::myself()
        .and_then(|process| process.status())
        .is_ok_and(|status| status.capeff & CAP_SYS_PTRACE != 0)
}

impl ProcessSource for Live {
    fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        match self.events.recv_timeout(wait) {
            Ok(event) => Ok(Next::Event(event?)),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Idle),
            Err(RecvTimeoutError::Disconnected) => Ok(Next::End),
        }
    }

    fn close(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take()
            && reader.join().is_err()
        {
            // Its panic is on stderr; the channel is closed.
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

struct Watch {
    connector: Connector,
    clock: Clock,
    tracker: Tracker,
    events: Vec<ProcessEvent>,
    sender: Sender<io::Result<ProcessEvent>>,
}

/// The receiver is gone: nobody wants events any more.
struct Unwanted;

impl Watch {
    /// The connector is open before `/proc` is read, so that no process can
    /// come between.
    fn seed(&mut self) -> io::Result<()> {
        for process_id in procfs::processes()? {
            self.tracker.seed(process_id, &Proc, &mut self.events);
        }
        // The receiver exists as yet.
        let _ = self.send();
        Ok(())
    }

    fn run(mut self, stop: &AtomicBool) {
        be_prompt();
        let mut recover = false;
        while !stop.load(Ordering::Relaxed) {
            match self.connector.receive() {
                Ok(Some(stamped)) => {
                    let time = self.clock.system_time(stamped.time);
                    self.tracker
                        .message(time, stamped.message, &Proc, &mut self.events);
                }
                // What was sent before the loss is taken by now.
                Ok(None) if std::mem::take(&mut recover) => {
                    self.tracker.recover(&Proc, &mut self.events);
                }
                Ok(None) => {}
                Err(error) => {
                    let _ = self.sender.send(Err(error));
                    return;
                }
            }
            let messages = self.connector.take_lost();
            if messages != 0 {
                recover = true;
                self.events.push(ProcessEvent::Lost { messages });
            }
            if self.send().is_err() {
                return;
            }
        }
    }

    fn send(&mut self) -> Result<(), Unwanted> {
        for event in self.events.drain(..) {
            self.sender.send(Ok(event)).map_err(|_| Unwanted)?;
        }
        Ok(())
    }
}

/// Puts this thread before all ordinary ones: `/proc` has a process only while
/// it lives, and many live less than a millisecond. Where that is refused, more
/// processes come without a name.
fn be_prompt() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads the structure and concerns this thread alone.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const parameters) };
}

struct Proc;

impl ProcessReader for Proc {
    fn process(&self, process_id: u32) -> Option<ProcessView> {
        ProcessView::read(process_id)
    }

    fn threads(&self, process_id: u32) -> Option<Vec<u32>> {
        procfs::threads(process_id)
    }
}

/// Turns the connector's monotonic times into system times.
struct Clock {
    /// Nanoseconds from 1601 to the start of the monotonic clock.
    origin: i128,
}

/// Seconds from 1601 to 1970.
const UNIX_EPOCH: i128 = 11_644_473_600;

impl Clock {
    fn now() -> io::Result<Self> {
        let monotonic = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?);
        let real = HostTime::now()
            .duration_since(HostTime::UNIX_EPOCH)
            .unwrap_or_default();
        let origin = UNIX_EPOCH * 1_000_000_000 + nanoseconds(real) - nanoseconds(monotonic);
        Ok(Self { origin })
    }

    fn system_time(&self, monotonic: u64) -> SystemTime {
        SystemTime::try_from((self.origin + i128::from(monotonic)) / 100).unwrap_or(SystemTime::MAX)
    }
}

fn nanoseconds(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
