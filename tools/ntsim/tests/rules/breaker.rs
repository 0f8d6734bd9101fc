//! The driver that breaks rules, and what the kernel says of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ntsim::dbg::Transcript;
use ntsim::{
    DriverId, Frame, Kernel, LoadError, ProcessCreation, ProcessExit, Rule, UnloadError, Verdict,
};

/// Long enough for everything here that does return.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The process that is created and exits.
pub const PROCESS: u32 = 0x1a2c;

/// A rule that was broken, however the kernel said so.
#[derive(Debug)]
pub struct Finding {
    pub rule: Rule,
    pub message: String,
    pub routine: Option<&'static str>,
    pub event: Option<String>,
    pub backtrace: Vec<Frame>,
    pub count: u64,
}

/// A machine for drivers that break rules.
pub struct Machine {
    pub kernel: Arc<Kernel>,
    lines: Arc<Transcript>,
}

impl Machine {
    pub fn new() -> Self {
        let lines = Arc::new(Transcript::default());
        let kernel = Kernel::builder()
            .debug_output(Arc::clone(&lines) as _)
            .time_limit(TIME_LIMIT)
            .build()
            .unwrap();
        Self { kernel, lines }
    }

    /// Loads the driver to commit `misdeed`; `None` where the kernel stopped.
    pub fn load(&self, misdeed: &str) -> Option<DriverId> {
        match self.kernel.load_driver(&driver_images::breaker(), misdeed) {
            Ok(driver) => Some(driver),
            Err(LoadError::Stopped(_)) => None,
            Err(error) => panic!("{misdeed}: {error}"),
        }
    }

    /// Creates a process of that name; `None` where the kernel stopped.
    pub fn create(&self, name: &[u16]) -> Option<Verdict> {
        let creation = ProcessCreation {
            image_file_name: Some(name.to_vec()),
            command_line: Some("notepad a.txt".encode_utf16().collect()),
            ..ProcessCreation::new(PROCESS, 0x2f8)
        };
        self.kernel.create_process(&creation).ok()
    }

    /// A process comes and goes, and the driver is unloaded.
    pub fn live_and_unload(&self, driver: DriverId) -> Vec<Finding> {
        let name: Vec<u16> = r"\??\C:\Windows\notepad.exe".encode_utf16().collect();
        let exit = ProcessExit {
            process_id: PROCESS,
            thread_id: PROCESS + 4,
            exit_status: 0,
        };
        if self.create(&name).is_none() || self.kernel.exit_process(exit).is_err() {
            return Vec::new();
        }
        match self.kernel.unload_driver(driver) {
            Ok(leftovers) => leftovers
                .0
                .into_iter()
                .map(|leftover| Finding {
                    rule: leftover.rule,
                    message: leftover.message,
                    routine: None,
                    event: None,
                    backtrace: leftover.acquired,
                    count: 1,
                })
                .collect(),
            Err(UnloadError::Stopped(_)) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    /// What the kernel has found while drivers ran.
    pub fn findings(&self) -> Vec<Finding> {
        let recorded = self.kernel.violations().into_iter();
        let recorded = recorded.map(|violation| (violation.report, violation.count));
        let stopped = self.kernel.stopped();
        let stopped = stopped.map(|stopped| ((*stopped.0).clone(), 1));
        recorded
            .chain(stopped)
            .map(|(report, count)| Finding {
                rule: report.rule,
                message: report.message,
                routine: report.routine,
                event: report.event,
                backtrace: report.backtrace,
                count,
            })
            .collect()
    }

    /// What was printed since the last time.
    pub fn output(&self) -> String {
        self.lines.take_text().concat()
    }
}

/// All that the kernel says of a driver that commits `misdeed`.
pub fn commit(misdeed: &str) -> Vec<Finding> {
    let machine = Machine::new();
    let left = machine
        .load(misdeed)
        .map(|driver| machine.live_and_unload(driver));
    let mut findings = machine.findings();
    findings.extend(left.into_iter().flatten());
    findings
}

/// The one thing that the kernel says of a driver that commits `misdeed`, at
/// the line that the driver's source marks.
#[track_caller]
pub fn caught(misdeed: &str, rule: Rule, message: &str) -> Finding {
    let mut findings = commit(misdeed);
    assert_eq!(findings.len(), 1, "{misdeed}: {findings:#?}");
    let finding = findings.remove(0);
    assert_caught(&finding, misdeed, rule, message);
    finding
}

#[track_caller]
pub fn assert_caught(finding: &Finding, misdeed: &str, rule: Rule, message: &str) {
    assert_eq!(finding.rule, rule, "{finding:#?}");
    assert!(finding.message.contains(message), "{finding:#?}");
    let line = marked_line(misdeed);
    let lines: Vec<&str> = finding
        .backtrace
        .iter()
        .filter_map(|frame| frame.line.as_deref())
        .collect();
    assert!(
        lines.iter().any(|found| ends_with_path(found, &line)),
        "{line} is not among {lines:#?} of {finding:#?}"
    );
}

/// Compilers on Windows write backslashes.
fn ends_with_path(found: &str, path: &str) -> bool {
    found.replace('\\', "/").ends_with(path)
}

/// The `file:line` of the driver's source that ends in `caught: MISDEED`.
#[track_caller]
fn marked_line(misdeed: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/breaker/src");
    let mark = format!("caught: {misdeed}");
    let mut places = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            if line.ends_with(&mark) {
                places.push(format!("src/{name}:{number}"));
            }
        }
    }
    assert_eq!(places.len(), 1, "marks of {misdeed}: {places:?}");
    places.remove(0)
}
