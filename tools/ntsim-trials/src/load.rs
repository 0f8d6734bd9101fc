//! Events from all processors at once.
//!
//! Each processor creates processes and ends those that its neighbour created,
//! so that the two events of a process come from different ones.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::listener::Listener;
use crate::population::Population;
use crate::recorder::Recorder;
use crate::{Listen, Target, describe};
use ntsim::Stopped;
use ntsim::intercept::{DriverCall, Interception, Interceptor};
use ntsim::{Kernel, LoadError};

/// Processes that each processor may have running.
const RUNNING: usize = 256;

/// How often progress is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// How much is to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Creates and exits together.
    pub events: u64,
    /// Processors.
    pub threads: usize,
    /// Ends sooner if it takes longer.
    pub time: Option<Duration>,
    /// Whether routines take random time.
    pub delays: bool,
}

/// What was delivered, and what came of it.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Creates delivered.
    pub created: u64,
    /// Exits delivered.
    pub exited: u64,
    /// Lines printed.
    pub lines: u64,
    /// Events of the driver that a session has heard.
    pub events: u64,
    /// Whether the oracle followed them.
    pub is_monitored: bool,
    /// How long it took.
    pub time: Duration,
    /// Bytes of memory in use after a tenth of it.
    pub memory_early: u64,
    /// Bytes of memory in use at its end.
    pub memory_late: u64,
    /// What was wrong.
    pub findings: Vec<String>,
}

/// Why nothing could be delivered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No memory.
    #[error("cannot set up the kernel's memory: {0}")]
    Machine(#[from] io::Error),
    /// The driver does not load, or cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Routines that take random time: mostly none, sometimes long enough for
/// other processors to get anywhere.
#[derive(Debug, Default)]
pub(super) struct Delays(AtomicU64);

impl Interceptor for Delays {
    fn called(&self, _: &DriverCall) -> Interception {
        // Weyl's sequence, mixed: no lock, and no two calls alike.
        let step = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let random = (step ^ (step >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
        match random % 64 {
            0 => thread::sleep(Duration::from_micros(random % 100)),
            1..8 => thread::yield_now(),
            _ => {}
        }
        Interception::Proceed
    }
}

/// A machine whose debug output goes to `recorder`.
pub(super) fn machine(
    target: &Target<'_>,
    recorder: &Arc<Recorder>,
    delays: bool,
) -> io::Result<Arc<Kernel>> {
    let builder = target.machine(recorder);
    if delays {
        builder.interceptor(Arc::new(Delays::default())).build()
    } else {
        builder.build()
    }
}

/// The processors and the processes between them.
pub(super) struct Processors<'a> {
    kernel: &'a Kernel,
    recorder: &'a Recorder,
    listener: &'a Listener,
    population: Population,
    /// For each processor, processes that it may create.
    idle: Vec<Mutex<VecDeque<usize>>>,
    /// For each processor, processes that it is to end.
    running: Vec<Mutex<VecDeque<usize>>>,
    /// No more are to be created.
    is_closing: AtomicBool,
    all_created: Barrier,
    pub created: AtomicU64,
    pub exited: AtomicU64,
}

impl<'a> Processors<'a> {
    pub fn new(
        kernel: &'a Kernel,
        recorder: &'a Recorder,
        listener: &'a Listener,
        threads: usize,
    ) -> Self {
        let processes = |index: usize| (index * RUNNING..(index + 1) * RUNNING).collect();
        Self {
            kernel,
            recorder,
            listener,
            population: Population::new(threads * RUNNING),
            idle: (0..threads)
                .map(|index| Mutex::new(processes(index)))
                .collect(),
            running: (0..threads).map(|_| Mutex::default()).collect(),
            is_closing: AtomicBool::new(false),
            all_created: Barrier::new(threads),
            created: AtomicU64::new(0),
            exited: AtomicU64::new(0),
        }
    }

    /// What processor `index` does: as long as `more` gives leave for another
    /// process, and until all have ended.
    pub fn run(&self, index: usize, more: impl Fn() -> bool) {
        let creates = self.create_and_end(index, more);
        // The others would wait for this one to end processes of theirs.
        self.is_closing.store(true, Ordering::Relaxed);
        self.all_created.wait();
        if creates.is_ok() {
            while self.end_one(index).unwrap_or(false) {}
        }
    }

    fn create_and_end(&self, index: usize, more: impl Fn() -> bool) -> Result<(), Stopped> {
        let neighbour = (index + 1) % self.running.len();
        while !self.is_closing.load(Ordering::Relaxed) {
            let idle = lock(&self.idle[index]).pop_front();
            if let Some(process) = idle {
                if !more() {
                    break;
                }
                let creation = self.population.creation(process);
                self.recorder.tell(|monitor| {
                    monitor.creating(&creation);
                    Ok(())
                });
                let before = self.listener.now();
                self.kernel.create_process(&creation)?;
                let heard = self.listener.heard_since(before);
                self.created.fetch_add(1, Ordering::Relaxed);
                self.recorder
                    .tell(|monitor| monitor.traced(creation.process_id, heard));
                self.recorder
                    .tell(|monitor| monitor.created(creation.process_id));
                lock(&self.running[neighbour]).push_back(process);
            }
            if !self.end_one(index)? && idle.is_none() {
                thread::yield_now();
            }
        }
        Ok(())
    }

    /// Ends a process of the neighbour's, if there is one.
    fn end_one(&self, index: usize) -> Result<bool, Stopped> {
        let Some(process) = lock(&self.running[index]).pop_front() else {
            return Ok(false);
        };
        let exit = self.population.exit(process);
        self.recorder.tell(|monitor| {
            monitor.exiting(exit);
            Ok(())
        });
        let before = self.listener.now();
        self.kernel.exit_process(exit)?;
        let heard = self.listener.heard_since(before);
        self.exited.fetch_add(1, Ordering::Relaxed);
        self.recorder
            .tell(|monitor| monitor.traced(exit.process_id, heard));
        self.recorder
            .tell(|monitor| monitor.exited(exit.process_id));
        lock(&self.idle[process / RUNNING]).push_back(process);
        Ok(true)
    }
}

fn lock(processes: &Mutex<VecDeque<usize>>) -> MutexGuard<'_, VecDeque<usize>> {
    processes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Delivers `load` to the driver. `progress` is told of the events
/// delivered so far.
///
/// # Errors
/// Where the driver cannot be loaded.
///
/// # Panics
/// Where there are no processors.
pub fn deliver(target: &Target<'_>, load: Load, progress: impl Fn(u64)) -> Result<Figures, Error> {
    assert!(load.threads > 0, "no processors");
    let recorder = Arc::new(Recorder::new(target.oracle.monitor(true)));
    let kernel = machine(target, &recorder, load.delays)?;
    let listener = Listener::new(Arc::clone(&recorder) as _);
    if let Some(monitor) = recorder.monitor() {
        monitor.loading();
    }
    let mut findings = Vec::new();
    if target.listen == Listen::Always {
        findings.extend(listener.toggle(&kernel).err());
    }
    let driver = kernel.load_driver(target.image, target.service)?;

    let start = Instant::now();
    let processors = Processors::new(&kernel, &recorder, &listener, load.threads);
    let (left, is_over) = (AtomicU64::new(load.events / 2), AtomicBool::new(false));
    let more = || {
        let take = |left: u64| left.checked_sub(1);
        !is_over.load(Ordering::Relaxed)
            && left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    };
    let delivered =
        || processors.created.load(Ordering::Relaxed) + processors.exited.load(Ordering::Relaxed);
    let mut memory_early = None;
    let all_ended = AtomicBool::new(false);
    let came_and_went = thread::scope(|scope| {
        let listening = (target.listen == Listen::Sometimes)
            .then(|| scope.spawn(|| listener.come_and_go(&kernel, &all_ended)));
        let workers: Vec<_> = (0..load.threads)
            .map(|index| {
                let (processors, more) = (&processors, &more);
                scope.spawn(move || processors.run(index, more))
            })
            .collect();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(GLANCE.min(load.time.unwrap_or(GLANCE)));
            let time = start.elapsed();
            is_over.store(
                load.time.is_some_and(|most| time >= most),
                Ordering::Relaxed,
            );
            progress(delivered());
            let is_early =
                delivered() >= load.events / 10 || load.time.is_some_and(|most| time >= most / 10);
            if is_early && memory_early.is_none() {
                memory_early = resident();
            }
        }
        all_ended.store(true, Ordering::Relaxed);
        listening.map_or(Ok(()), |listening| {
            listening.join().expect("it does not panic")
        })
    });
    findings.extend(came_and_went.err());
    let time = start.elapsed();
    let memory_late = resident().unwrap_or(0);
    let (created, exited) = (
        processors.created.into_inner(),
        processors.exited.into_inner(),
    );

    let unloaded = match kernel.unload_driver(driver) {
        Ok(leftovers) => describe(&kernel, &leftovers),
        Err(error) => Err(error.to_string()),
    };
    findings.extend(listener.end(&kernel).err());
    recorder.tell(|monitor| monitor.unloaded());
    findings.extend(recorder.findings());
    findings.extend(unloaded.err());
    Ok(Figures {
        created,
        exited,
        lines: recorder.lines(),
        events: recorder.events(),
        is_monitored: recorder.monitor().is_some(),
        time,
        memory_early: memory_early.unwrap_or(memory_late),
        memory_late,
        findings,
    })
}

/// Bytes of memory that this process has in use.
fn resident() -> Option<u64> {
    let statm = procfs::process::Process::myself().ok()?.statm().ok()?;
    Some(statm.resident * procfs::page_size())
}

impl Figures {
    /// Whether memory stayed as it was: within a megabyte, or a twentieth.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        const MARGIN: u64 = 1 << 20;
        self.memory_late <= self.memory_early + MARGIN.max(self.memory_early / 20)
    }
}
