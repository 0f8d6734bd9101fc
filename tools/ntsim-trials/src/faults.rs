//! Every call that can fail, made to fail: one at a time, and in pairs.
//!
//! A first run records the calls that a driver makes through a short life. Each
//! of those that can fail is then made to fail in a run of its own; the calls
//! that the driver makes after that failure are what a second one can strike.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oracle::{Cause, FailedCall, FailedCalls, Finding};
use crate::transcripts::Transcripts;
use crate::{Target, describe};
use ntsim::Announcement;
use ntsim::intercept::{DriverCall, Failure, Interception, Interceptor, Phase};
use ntsim::nt::{ClientId, NtStatus};
use ntsim::{Kernel, LoadError, ProcessCreation, ProcessExit, UnloadError};

/// What calls fail with. The last is a status of no system component.
pub const STATUSES: [NtStatus; 5] = [
    0xc000_0001_u32.cast_signed(), // STATUS_UNSUCCESSFUL
    0xc000_000d_u32.cast_signed(), // STATUS_INVALID_PARAMETER
    0xc000_0022_u32.cast_signed(), // STATUS_ACCESS_DENIED
    0xc000_009a_u32.cast_signed(), // STATUS_INSUFFICIENT_RESOURCES
    0xe000_1234_u32.cast_signed(),
];

/// A place where a failure can be injected: the nth call of a routine in a
/// phase of the driver's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// The phase.
    pub phase: Phase,
    /// The routine.
    pub routine: &'static str,
    /// Which of its calls in that phase, from 1.
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            routine,
            nth,
        } = self;
        write!(f, "{phase:<6}  {routine} #{nth}")
    }
}

/// A failure at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub point: Point,
    /// With what; `None` for NULL.
    pub status: Option<NtStatus>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point {
            phase,
            routine,
            nth,
        } = self.point;
        match self.status {
            Some(status) => write!(f, "{routine} #{nth} in {phase} failing with {status:#010x}"),
            None => write!(f, "{routine} #{nth} in {phase} giving NULL"),
        }
    }
}

/// A call that a driver made.
#[derive(Clone, Copy, Debug)]
struct Seen {
    point: Point,
    failure: Failure,
    certain: Option<&'static str>,
}

impl Seen {
    fn faults(self) -> impl Iterator<Item = Fault> {
        let statuses: Vec<Option<NtStatus>> = match self.failure {
            _ if self.certain.is_some() => Vec::new(),
            Failure::Never => Vec::new(),
            Failure::Null => vec![None],
            Failure::Status => STATUSES.iter().copied().map(Some).collect(),
        };
        let point = self.point;
        statuses
            .into_iter()
            .map(move |status| Fault { point, status })
    }
}

/// Has the planned calls fail and records all of them.
struct Injector {
    plan: Vec<Fault>,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    counts: HashMap<(Phase, &'static str), u32>,
    seen: Vec<Seen>,
    hit: usize,
    bound: BTreeSet<String>,
    /// Of the driver's current call only.
    counts_of_call: HashMap<&'static str, u32>,
    failed: Vec<FailedCall>,
}

impl Injector {
    fn new(plan: &[Fault]) -> Self {
        Self {
            plan: plan.to_vec(),
            record: Mutex::default(),
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was made to fail since the last time.
    fn take_failed(&self) -> Vec<FailedCall> {
        let mut record = self.record();
        record.counts_of_call.clear();
        std::mem::take(&mut record.failed)
    }
}

impl Interceptor for Injector {
    fn bound(&self, routine: &str, failure: Failure) {
        if failure != Failure::Never {
            self.record().bound.insert(routine.to_owned());
        }
    }

    fn called(&self, call: &DriverCall) -> Interception {
        let record = &mut *self.record();
        let next = |count: &mut u32| {
            *count += 1;
            *count
        };
        let routine = call.routine;
        let nth = next(record.counts.entry((call.phase, routine)).or_default());
        let nth_of_call = next(record.counts_of_call.entry(routine).or_default());
        let point = Point {
            phase: call.phase,
            routine,
            nth,
        };
        record.seen.push(Seen {
            point,
            failure: call.failure,
            certain: call.certain,
        });
        let Some(fault) = self.plan.iter().find(|fault| fault.point == point) else {
            return Interception::Proceed;
        };
        record.hit += 1;
        record.failed.push(FailedCall {
            routine,
            nth: nth_of_call,
            status: fault.status,
        });
        Interception::Fail(fault.status.unwrap_or(STATUSES[0]))
    }
}

/// One run of the script.
struct Run {
    record: Record,
    finding: Finding,
}

/// How often failures struck a point, alone or first of a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs.
    pub runs: u32,
    /// Runs in which the driver did nothing wrong.
    pub survived: u32,
}

/// What came of it all.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each injection point, the runs in which it failed alone.
    pub points: BTreeMap<Point, Tally>,
    /// The runs in which two calls failed.
    pub pairs: Tally,
    /// Calls that can fail elsewhere, but not as they were made, and why.
    pub not_injected: BTreeMap<(Phase, &'static str), &'static str>,
    /// Routines that can fail, and that are imported or looked up, but that no
    /// run has called.
    pub never_reached: BTreeSet<String>,
    /// What was wrong, and after which failures.
    pub findings: Vec<(Vec<Fault>, String)>,
}

impl Outcome {
    /// All runs with a failure in them.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.points
            .values()
            .chain([&self.pairs])
            .fold(Tally::default(), |total, tally| Tally {
                runs: total.runs + tally.runs,
                survived: total.survived + tally.survived,
            })
    }
}

/// Puts the driver through it. `progress` is told of every run.
///
/// # Errors
/// Where there is no memory for a machine, or the driver goes wrong with no
/// call failing: there is nothing to learn from failures then.
pub fn inject(target: &Target<'_>, mut progress: impl FnMut()) -> Result<Outcome, Error> {
    let script = Script(target);
    let mut outcome = Outcome::default();
    let mut reached = BTreeSet::new();
    let mut bound = BTreeSet::new();
    let unharmed = script.run(&[])?;
    unharmed.finding.map_err(Error::Unprovoked)?;
    let mut observe = |record: &mut Record, outcome: &mut Outcome| {
        bound.append(&mut record.bound);
        for seen in &record.seen {
            reached.insert(seen.point.routine);
            if let Some(reason) = seen.certain {
                let call = (seen.point.phase, seen.point.routine);
                outcome.not_injected.insert(call, reason);
            }
        }
    };
    let mut record = unharmed.record;
    observe(&mut record, &mut outcome);
    for first in record.seen.iter().copied().flat_map(Seen::faults) {
        let mut single = script.run(&[first])?;
        progress();
        observe(&mut single.record, &mut outcome);
        let tally = outcome.points.entry(first.point).or_default();
        tally.count(&single.finding);
        let is_first_status = tally.runs == 1;
        outcome.note(&[first], single.finding);
        // Pairs fail with one status each: what a status changes shows alone.
        if !is_first_status {
            continue;
        }
        let after = single
            .record
            .seen
            .iter()
            .skip_while(|seen| seen.point != first.point)
            .skip(1);
        for second in after.filter_map(|seen| seen.faults().next()) {
            let plan = [first, second];
            let mut pair = script.run(&plan)?;
            progress();
            observe(&mut pair.record, &mut outcome);
            outcome.pairs.count(&pair.finding);
            outcome.note(&plan, pair.finding);
        }
    }
    outcome.never_reached = bound;
    outcome
        .never_reached
        .retain(|routine| !reached.contains(routine.as_str()));
    Ok(outcome)
}

impl Tally {
    fn count(&mut self, finding: &Finding) {
        self.runs += 1;
        self.survived += u32::from(finding.is_ok());
    }
}

impl Outcome {
    fn note(&mut self, plan: &[Fault], finding: Finding) {
        if let Err(finding) = finding {
            self.findings.push((plan.to_vec(), finding));
        }
    }
}

/// Why failures could not be injected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No memory.
    #[error("cannot set up the kernel's memory: {0}")]
    Machine(#[from] io::Error),
    /// The image cannot be used.
    #[error(transparent)]
    Image(LoadError),
    /// The driver goes wrong by itself.
    #[error("with no call failing: {0}")]
    Unprovoked(String),
}

/// A driver's short life, the same in each run.
struct Script<'a>(&'a Target<'a>);

impl Script<'_> {
    fn run(&self, plan: &[Fault]) -> Result<Run, Error> {
        let injector = Arc::new(Injector::new(plan));
        let transcripts = Transcripts::new(self.0);
        let kernel = self
            .0
            .machine(&transcripts.lines)
            .interceptor(Arc::clone(&injector) as _)
            .build()?;
        transcripts.begin(&kernel);
        let mut finding = self
            .live(&kernel, &injector, &transcripts)?
            .and_then(|()| transcripts.end(&kernel));
        let record = std::mem::take(&mut *injector.record());
        if finding.is_ok() && record.hit != plan.len() {
            finding = Err("a call that was to fail was not made again".into());
        }
        Ok(Run { record, finding })
    }

    fn live(
        &self,
        kernel: &Kernel,
        injector: &Injector,
        transcripts: &Transcripts,
    ) -> Result<Finding, Error> {
        let Target {
            image,
            service,
            oracle,
            ..
        } = *self.0;
        let lines = &transcripts.lines;
        let driver = match kernel.load_driver(image, service) {
            Ok(driver) => driver,
            Err(LoadError::DriverEntry { status, leftovers }) => {
                let failed = injector.take_failed();
                let wanted = if failed.is_empty() {
                    Err(format!(
                        "DriverEntry returned {status:#010x} with no call failing"
                    ))
                } else {
                    Ok(())
                };
                return Ok(wanted
                    .and_then(|()| describe(kernel, &leftovers))
                    .and_then(|()| oracle.loaded(status, &failed, &lines.take()))
                    .and_then(|()| {
                        transcripts.judge(oracle, Cause::Load, FailedCalls::at_load(&failed))
                    }));
            }
            Err(LoadError::Stopped(stopped)) => return Ok(Err(stopped.to_string())),
            Err(error) => return Err(Error::Image(error)),
        };
        let failed = injector.take_failed();
        Ok(oracle
            .loaded(0, &failed, &lines.take())
            .and_then(|()| transcripts.judge(oracle, Cause::Load, FailedCalls::at_load(&failed)))
            .and_then(|()| self.watch(kernel, injector, &failed, transcripts))
            .and_then(|()| match kernel.unload_driver(driver) {
                Ok(leftovers) => describe(kernel, &leftovers),
                // Such a driver stays, as on Windows.
                Err(UnloadError::NoUnloadRoutine) => Ok(()),
                Err(error) => Err(error.to_string()),
            })
            .and_then(|()| oracle.unloaded((2, 2), &lines.take()))
            .and_then(|()| {
                let failed = FailedCalls {
                    loading: &failed,
                    now: &injector.take_failed(),
                };
                transcripts.judge(oracle, Cause::Unload, failed)
            }))
    }

    fn watch(
        &self,
        kernel: &Kernel,
        injector: &Injector,
        loading: &[FailedCall],
        transcripts: &Transcripts,
    ) -> Finding {
        let oracle = self.0.oracle;
        let lines = &transcripts.lines;
        let processes = processes();
        for process in &processes {
            transcripts.come_or_go(kernel)?;
            kernel
                .create_process(process)
                .map_err(|stopped| stopped.to_string())?;
            let now = &injector.take_failed();
            let failed = FailedCalls { loading, now };
            let announced = Announcement::from(process);
            oracle.created(&announced, failed, &lines.take())?;
            transcripts.judge(oracle, Cause::Create(&announced), failed)?;
        }
        for process in &processes {
            let exit = ProcessExit {
                process_id: process.process_id,
                thread_id: process.process_id + 4,
                exit_status: 3,
            };
            transcripts.come_or_go(kernel)?;
            kernel
                .exit_process(exit)
                .map_err(|stopped| stopped.to_string())?;
            let now = &injector.take_failed();
            let failed = FailedCalls { loading, now };
            let announced = Announcement::from(process);
            oracle.exited(&announced, exit, failed, &lines.take())?;
            transcripts.judge(oracle, Cause::Exit(&announced, exit), failed)?;
        }
        Ok(())
    }
}

/// A plain process, and one with everything that can be odd about it.
fn processes() -> [ProcessCreation; 2] {
    let text = |text: &str| Some(text.encode_utf16().collect());
    [
        ProcessCreation {
            image_file_name: text(r"\??\C:\Windows\notepad.exe"),
            command_line: text("notepad a.txt"),
            start_key: Some(0x2_0000_0000_0a41),
            ..ProcessCreation::new(0x1a2c, 0x2f8)
        },
        ProcessCreation {
            creator: ClientId {
                process: 0x10f4,
                thread: 0x1a38,
            },
            image_file_name: text(&format!(r"\??\C:\{}.exe", "n".repeat(900))),
            command_line: None,
            file_open_name_available: false,
            is_wow64: true,
            start_key: Some(0x2_0000_0000_0a42),
            ..ProcessCreation::new(0x1a30, 0x2f8)
        },
    ]
}
