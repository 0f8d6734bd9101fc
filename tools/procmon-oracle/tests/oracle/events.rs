//! The oracle judges every byte of the events: each one altered in turn, in the
//! events that the driver writes, is found. So a field that an event gains cannot
//! be left unjudged.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use etl::tracelogging::{Value, decode};
use ntsim::dbg::Transcript;
use ntsim::intercept::{DriverCall, Interception, Interceptor};
use ntsim::nt::{ClientId, Guid, Sid, Token};
use ntsim::tracing::{EventDescriptor, TraceRecord, TraceSettings, TraceTranscript};
use ntsim::{Announcement, CodePage, DriverId, Held, Kernel, LoadError};
use ntsim::{ProcessCreation, ProcessExit};
use ntsim_trials::Heard;
use ntsim_trials::oracle::{Cause, FailedCall, FailedCalls, Finding, Oracle};
use procmon_log::Line;
use procmon_oracle::Procmon;

use crate::notepad;

const ORACLE: Procmon = Procmon::on(CodePage::UTF_8);

const STATUS_INSUFFICIENT_RESOURCES: i32 = 0xc000_009a_u32.cast_signed();
const STATUS_ACCESS_DENIED: i32 = 0xc000_0022_u32.cast_signed();

/// What a session's buffers mostly have.
const BUFFER_SIZE: usize = 32 * 1024;

/// The most units of a text in one event.
pub const UNITS: usize = 7_000;

/// Counts the driver's calls, has one fail, and does something before one.
#[derive(Default)]
struct Calls(Mutex<CallsState>);

type Act = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct CallsState {
    /// Since the last time.
    made: Vec<&'static str>,
    /// The routine, and how many calls of it are left until that one.
    to_fail: Option<(&'static str, u32)>,
    before: Option<(&'static str, Act)>,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, CallsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, routine: &'static str, nth: u32) {
        self.state().to_fail = Some((routine, nth));
    }

    /// Does something before the next call of `routine` is carried out.
    fn before(&self, routine: &'static str, act: impl FnOnce() + Send + 'static) {
        self.state().before = Some((routine, Box::new(act)));
    }

    /// The calls since the last time; none fails any more.
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.state()).made
    }
}

impl Interceptor for Calls {
    fn called(&self, call: &DriverCall) -> Interception {
        let is_this = |routine: &str| routine == call.routine;
        let act = self.state().before.take_if(|(routine, _)| is_this(routine));
        if let Some((_, act)) = act {
            act();
        }
        let mut state = self.state();
        state.made.push(call.routine);
        if let Some((routine, left)) = &mut state.to_fail
            && is_this(routine)
        {
            *left -= 1;
            if *left == 0 {
                state.to_fail = None;
                return Interception::Fail(STATUS_INSUFFICIENT_RESOURCES);
            }
        }
        Interception::Proceed
    }
}

/// A machine, what is printed in it, and what a session hears.
pub struct Machine {
    pub kernel: Arc<Kernel>,
    lines: Arc<Transcript>,
    pub events: Arc<TraceTranscript>,
    calls: Arc<Calls>,
}

impl Machine {
    /// One that no session listens in.
    fn silent() -> Self {
        let lines = Arc::new(Transcript::default());
        let calls = Arc::new(Calls::default());
        let kernel = Kernel::builder()
            .debug_output(Arc::clone(&lines) as _)
            .interceptor(Arc::clone(&calls) as _)
            .build()
            .unwrap();
        Self {
            kernel,
            lines,
            events: Arc::default(),
            calls,
        }
    }

    pub fn listening() -> Self {
        let machine = Self::silent();
        let settings = TraceSettings {
            buffer_size: BUFFER_SIZE,
            ..TraceSettings::default()
        };
        let sink = Arc::clone(&machine.events) as _;
        machine.kernel.start_trace(settings, sink).unwrap();
        machine
    }

    pub fn load(&self) -> DriverId {
        let image = driver_images::procmon();
        let driver = self.kernel.load_driver(&image, "procmon").unwrap();
        self.calls.take();
        driver
    }

    pub fn announce(&self, process: &Announcement) -> Vec<TraceRecord> {
        self.kernel.announce_creation(process).unwrap();
        self.events.take()
    }

    pub fn unload(&self, driver: DriverId) {
        let left = self.kernel.unload_driver(driver).unwrap();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(self.kernel.violations(), []);
        assert_eq!(self.events.take(), []);
    }
}

fn text(part: &str, units: usize) -> Vec<u16> {
    part.encode_utf16().cycle().take(units).collect()
}

/// A process of which everything is unusual, with texts of so many units.
pub fn unusual(units: usize) -> ProcessCreation {
    ProcessCreation {
        image_file_name: Some(text(r"\??\C:\程序 \u000a", units)),
        command_line: Some(text("a\n监控 \u{1f50d}", units)),
        creator: ClientId {
            process: 0x10f4,
            thread: 0x1a38,
        },
        is_wow64: true,
        file_open_name_available: false,
        session_id: 7,
        token: Token {
            user: Sid::new(0x1_0000_0000, &[u32::MAX; Sid::MAX_SUB_AUTHORITIES]),
            integrity: 0x2345,
            logon_id: u64::MAX,
        },
        start_key: Some(u64::MAX),
        ..ProcessCreation::new(0x2b3c, 0x2f8)
    }
}

/// What the oracle does not compare, as other times pass each time: how long the
/// process lived and, in an event that is its only one, when it was created.
fn not_compared(event: &TraceRecord, is_alone: bool) -> &'static [RangeInclusive<usize>] {
    match event.descriptor.id {
        1 if is_alone => &[16..=23],
        2 => &[4..=11, 20..=27],
        _ => &[],
    }
}

/// One part of an event, by its name.
type Part = (&'static str, fn(&mut TraceRecord) -> &mut Vec<u8>);

const TRAITS: Part = ("traits", |event| event.traits.as_mut().unwrap());
const SCHEMA: Part = ("schema", |event| event.schema.as_mut().unwrap());
const PAYLOAD: Part = ("payload", |event| &mut event.payload);

/// Alters each field of a descriptor.
const DESCRIPTOR: [fn(&mut EventDescriptor); 7] = [
    |descriptor| descriptor.id ^= 3,
    |descriptor| descriptor.version ^= 1,
    |descriptor| descriptor.channel ^= 1,
    |descriptor| descriptor.level ^= 1,
    |descriptor| descriptor.opcode ^= 1,
    |descriptor| descriptor.task ^= 1,
    |descriptor| descriptor.keyword ^= 1 << 63,
];

/// Judges the events as they are, with each byte that is `chosen` altered, each
/// part missing or cut, and each event left out, doubled, or exchanged with the next.
fn judge_each_alteration(
    events: &[TraceRecord],
    chosen: impl Fn(usize) -> bool,
    judge: impl Fn(&[TraceRecord]) -> Finding,
) {
    assert_eq!(judge(events), Ok(()));
    let refused = |index: usize, what: &str, alter: &dyn Fn(&mut TraceRecord)| {
        let mut events = events.to_vec();
        alter(&mut events[index]);
        assert!(judge(&events).is_err(), "{what} of event {index} passes");
    };
    for (index, event) in events.iter().enumerate() {
        for (number, alter) in DESCRIPTOR.into_iter().enumerate() {
            let what = format!("field {number} of the descriptor");
            refused(index, &what, &|event| alter(&mut event.descriptor));
        }
        refused(index, "provider", &|event| event.provider = Guid::default());
        refused(index, "no traits", &|event| event.traits = None);
        refused(index, "no schema", &|event| event.schema = None);
        let not_compared = not_compared(event, events.len() == 1);
        for (name, part) in [TRAITS, SCHEMA, PAYLOAD] {
            let length = part(&mut event.clone()).len();
            let is_compared = |at: &usize| {
                name != PAYLOAD.0 || !not_compared.iter().any(|range| range.contains(at))
            };
            for at in (0..length).filter(|&at| chosen(at)).filter(is_compared) {
                refused(index, &format!("byte {at} of the {name}"), &|event| {
                    part(event)[at] ^= 1;
                });
            }
            refused(index, &format!("a cut {name}"), &|event| {
                part(event).pop();
            });
            refused(index, &format!("a longer {name}"), &|event| {
                part(event).push(0);
            });
        }
        let mut altered = events.to_vec();
        altered.insert(index, event.clone());
        assert!(judge(&altered).is_err(), "event {index} doubled passes");
        altered.drain(index..index + 2);
        assert!(judge(&altered).is_err(), "event {index} left out passes");
        if index + 1 < events.len() {
            let mut altered = events.to_vec();
            altered.swap(index, index + 1);
            assert!(judge(&altered).is_err(), "{index}: another order passes");
        }
    }
}

fn judge(cause: Cause<'_>, events: &[TraceRecord]) -> Finding {
    ORACLE.traced(cause, FailedCalls::NONE, events)
}

#[test]
fn every_byte_of_the_events_is_judged() {
    let machine = Machine::listening();
    let driver = machine.load();
    assert_eq!(judge(Cause::Load, &machine.events.take()), Ok(()));
    let usual = ProcessCreation {
        start_key: Some(0x2_0000_0000_0a41),
        ..notepad(0x1a2c)
    };
    let nameless = ProcessCreation {
        image_file_name: None,
        command_line: None,
        start_key: Some(1),
        ..notepad(0x2004)
    };
    let refused = Announcement {
        creation_status: STATUS_ACCESS_DENIED,
        ..Announcement::from(&unusual(40))
    };
    for announced in [(&usual).into(), (&nameless).into(), refused] {
        let events = machine.announce(&announced);
        assert_eq!(events.len(), 1);
        judge_each_alteration(
            &events,
            |_| true,
            |events| judge(Cause::Create(&announced), events),
        );
    }

    machine.kernel.create_process(&usual).unwrap();
    machine.events.take();
    let exit = ProcessExit {
        process_id: usual.process_id,
        thread_id: 0x1a30,
        exit_status: 0xc000_0005_u32.cast_signed(),
    };
    machine.kernel.exit_process(exit).unwrap();
    let events = machine.events.take();
    let announced = Announcement::from(&usual);
    judge_each_alteration(
        &events,
        |_| true,
        |events| judge(Cause::Exit(&announced, exit), events),
    );
    machine.unload(driver);
}

/// The first finding under load, where a session hears `created` for `process` and
/// `exited` for its exit.
fn monitored(
    process: &ProcessCreation,
    exit: ProcessExit,
    [created, exited]: [&[TraceRecord]; 2],
) -> Finding {
    let monitor = ORACLE.monitor(true).unwrap();
    let hear = |events: &[TraceRecord]| {
        let mut events = events.iter().map(TraceRecord::event);
        events.try_for_each(|event| monitor.wrote(&event))?;
        monitor.traced(process.process_id, Heard::All)
    };
    monitor.loading();
    monitor.creating(process);
    hear(created)?;
    monitor.exiting(exit);
    hear(exited)
}

#[test]
fn every_byte_of_the_events_is_judged_under_load() {
    let machine = Machine::listening();
    let driver = machine.load();
    let process = unusual(UNITS + 1);
    let exit = ProcessExit {
        process_id: process.process_id,
        thread_id: 0x1a30,
        exit_status: 3,
    };
    machine.kernel.create_process(&process).unwrap();
    let created = machine.events.take();
    machine.kernel.exit_process(exit).unwrap();
    let exited = machine.events.take();
    judge_each_alteration(
        &created,
        |at| at < 256 || at.is_multiple_of(491),
        |created| monitored(&process, exit, [created, &exited]),
    );
    judge_each_alteration(
        &exited,
        |_| true,
        |exited| monitored(&process, exit, [&created, exited]),
    );
    machine.unload(driver);
}

#[test]
fn texts_of_any_length_are_whole() {
    let machine = Machine::listening();
    let driver = machine.load();
    let lengths = [0, 1, UNITS - 1, UNITS, UNITS + 1, 2 * UNITS, 2 * UNITS + 1];
    for units in lengths {
        let announced = Announcement::from(&unusual(units));
        let events = machine.announce(&announced);
        assert_eq!(judge(Cause::Create(&announced), &events), Ok(()), "{units}");
    }

    // The longest: one byte of the process, the field, the offset and the count
    // of each event, and one of several hundred of the texts.
    let announced = Announcement::from(&unusual(32_767));
    let events = machine.announce(&announced);
    assert_eq!(events.len(), 9);
    let chosen = |at: usize| [0, 12, 13, 17].contains(&at) || at.is_multiple_of(991);
    judge_each_alteration(&events, chosen, |events| {
        judge(Cause::Create(&announced), events)
    });
    machine.unload(driver);
}

#[test]
fn times_are_those_of_the_process_and_of_its_line() {
    const CREATE_TIME: i64 = 0x01dc_5d00_1234_5678;
    let machine = Machine::listening();
    let driver = machine.load();
    let process = ProcessCreation {
        create_time: Some(CREATE_TIME),
        ..unusual(UNITS + 1)
    };
    machine.kernel.create_process(&process).unwrap();
    machine.lines.take();
    let exit = ProcessExit {
        process_id: process.process_id,
        thread_id: 0x1a30,
        exit_status: 3,
    };
    machine.kernel.exit_process(exit).unwrap();
    let events = machine.events.take();
    assert_eq!(events.len(), 4);
    let decoded = events.iter().map(|event| {
        let schema = event.schema.as_deref().unwrap();
        decode(schema, &event.payload).unwrap()
    });
    let decoded: Vec<_> = decoded.collect();
    for event in &decoded {
        let time = &event.field("CreateTime").unwrap().value;
        assert_eq!(*time, Value::FileTime(CREATE_TIME), "{}", event.name);
    }
    let [line] = &machine.lines.take()[..] else {
        panic!("an exit is one line");
    };
    let Ok(Line::Destroy(destroy)) = Line::parse(line) else {
        panic!("{line:?}");
    };
    let lifetime = &decoded[3].field("LifetimeMs").unwrap().value;
    assert_eq!(*lifetime, Value::Unsigned(destroy.lifetime_ms));
    assert_ne!(destroy.lifetime_ms, 0);
    machine.unload(driver);
}

#[test]
fn what_cannot_be_found_out_is_flagged() {
    const CALLS: &[(&str, u32)] = &[
        ("ObOpenObjectByPointer", 1),
        ("ZwQueryInformationProcess", 1),
        ("ZwQueryInformationProcess", 2),
        ("ZwOpenProcessTokenEx", 1),
        ("ZwQueryInformationToken", 1),
        ("ZwQueryInformationToken", 2),
        ("ZwQueryInformationToken", 3),
        ("EtwWrite", 1),
    ];
    let machine = Machine::listening();
    let driver = machine.load();
    for &(routine, nth) in CALLS {
        machine.calls.take();
        machine.calls.fail(routine, nth);
        let announced = Announcement::from(&unusual(40));
        let events = machine.announce(&announced);
        let failed = FailedCall {
            routine,
            nth,
            status: Some(STATUS_INSUFFICIENT_RESOURCES),
        };
        let failed = FailedCalls {
            loading: &[],
            now: &[failed],
        };
        let finding = ORACLE.traced(Cause::Create(&announced), failed, &events);
        assert_eq!(finding, Ok(()), "{routine} {nth}");
        machine.calls.take();
    }
    machine.unload(driver);

    let failed = FailedCall {
        routine: "MmGetSystemRoutineAddress",
        nth: 2,
        status: None,
    };
    machine.calls.fail(failed.routine, failed.nth);
    let driver = machine.load();
    let failed = FailedCalls {
        loading: &[failed],
        now: &[],
    };
    let announced = Announcement::from(&unusual(40));
    let events = machine.announce(&announced);
    let finding = ORACLE.traced(Cause::Create(&announced), failed, &events);
    assert_eq!(finding, Ok(()));
    machine.unload(driver);
}

/// The calls of event tracing among `calls`.
fn tracing(mut calls: Vec<&'static str>) -> Vec<&'static str> {
    calls.retain(|call| call.starts_with("Etw"));
    calls
}

#[test]
fn an_event_that_nobody_listens_to_is_one_call() {
    let silent = Machine::silent();
    let listening = Machine::listening();
    let asked: &[_] = &["EtwEventEnabled"];
    let written: &[_] = &["EtwEventEnabled", "EtwWrite"];
    for (machine, expected) in [(silent, asked), (listening, written)] {
        let driver = machine.load();
        machine.kernel.create_process(&notepad(0x1a2c)).unwrap();
        assert_eq!(tracing(machine.calls.take()), expected);
        let exit = ProcessExit {
            process_id: 0x1a2c,
            thread_id: 0x1a30,
            exit_status: 0,
        };
        machine.kernel.exit_process(exit).unwrap();
        assert_eq!(tracing(machine.calls.take()), expected);
        machine.events.take();
        machine.unload(driver);
        assert_eq!(tracing(machine.calls.take()), ["EtwUnregister"]);
    }
}

#[test]
fn a_load_that_fails_leaves_no_provider() {
    for routine in [
        "EtwRegister",
        "EtwSetInformation",
        "PsSetCreateProcessNotifyRoutineEx",
    ] {
        let machine = Machine::silent();
        machine.calls.fail(routine, 1);
        let image = driver_images::procmon();
        let error = machine.kernel.load_driver(&image, "procmon").unwrap_err();
        let LoadError::DriverEntry { status, leftovers } = error else {
            panic!("{routine}: {error}");
        };
        assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "{routine}");
        assert!(leftovers.is_empty(), "{routine}: {leftovers:?}");
        let nothing = Held {
            notify_routines: 0,
            kernel_handles: 0,
            pool_blocks: 0,
            event_providers: 0,
        };
        assert_eq!(machine.kernel.held(), nothing, "{routine}");
    }
}

#[test]
fn events_are_written_until_the_callback_is_removed() {
    let machine = Machine::listening();
    let driver = machine.load();
    let process = unusual(40);
    let announced = Announcement::from(&process);
    let kernel = Arc::clone(&machine.kernel);
    let create = move || {
        let created = thread::spawn(move || kernel.create_process(&process));
        created.join().unwrap().unwrap();
    };
    let remove = "PsSetCreateProcessNotifyRoutineEx";
    machine.calls.before(remove, create);
    let left = machine.kernel.unload_driver(driver).unwrap();
    assert!(left.is_empty(), "{left:?}");
    let events = machine.events.take();
    assert_eq!(judge(Cause::Create(&announced), &events), Ok(()));
}
