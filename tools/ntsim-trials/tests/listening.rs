//! What a session hears of a driver on trial reaches who judges it.

use std::cell::Cell;
use std::sync::Mutex;

use ntsim::tracing::{TraceEvent, TraceRecord};
use ntsim::{CodePage, ProcessCreation, ProcessExit};
use ntsim_trials::hostile::{Case, Subject};
use ntsim_trials::load::{self, Figures, Load};
use ntsim_trials::oracle::{Cause, FailedCalls, Finding, Monitor, Oracle};
use ntsim_trials::{Heard, Listen, Target, faults};

/// What the driver writes at each creation.
const EVENTS: usize = 5;

/// Records what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Oracle for Told {
    fn traced(&self, cause: Cause<'_>, failed: FailedCalls<'_>, events: &[TraceRecord]) -> Finding {
        let cause = match cause {
            Cause::Load => "load",
            Cause::Create(_) => "create",
            Cause::Exit(..) => "exit",
            Cause::Unload => "unload",
        };
        let told = format!("{cause} {} {}", failed.now.len(), events.len());
        self.0.lock().unwrap().push(told);
        Ok(())
    }

    fn monitor(&self, _: bool) -> Option<Box<dyn Monitor>> {
        Some(Box::new(Counter))
    }
}

/// Expects that what a session hears all of has all events, and what it hears
/// nothing of has none.
struct Counter;

thread_local! {
    /// What the process event that this thread delivers has made the driver
    /// write.
    static HEARD: Cell<usize> = const { Cell::new(0) };
    static IS_CREATE: Cell<bool> = const { Cell::new(false) };
}

impl Monitor for Counter {
    fn loading(&self) {}

    fn unloaded(&self) -> Finding {
        Ok(())
    }

    fn creating(&self, _: &ProcessCreation) {
        IS_CREATE.set(true);
    }

    fn created(&self, _: u32) -> Finding {
        Ok(())
    }

    fn exiting(&self, _: ProcessExit) {
        IS_CREATE.set(false);
    }

    fn exited(&self, _: u32) -> Finding {
        Ok(())
    }

    fn printed(&self, _: &[u8]) -> Finding {
        Ok(())
    }

    fn wrote(&self, event: &TraceEvent<'_>) -> Finding {
        assert_eq!(event.descriptor.level, 4);
        HEARD.set(HEARD.get() + 1);
        Ok(())
    }

    fn traced(&self, process_id: u32, heard: Heard) -> Finding {
        let events = HEARD.replace(0);
        let all = if IS_CREATE.get() { EVENTS } else { 0 };
        let expected = match heard {
            Heard::All => all..=all,
            Heard::Nothing => 0..=0,
            Heard::Parts => 0..=all,
        };
        if expected.contains(&events) {
            Ok(())
        } else {
            Err(format!("{process_id:#x}: {events} events, {heard:?}"))
        }
    }

    fn reported(&self) -> u64 {
        0
    }
}

/// Gives `attempt` a driver that writes events.
fn try_driver<T>(listen: Listen, oracle: &dyn Oracle, attempt: impl FnOnce(Target<'_>) -> T) -> T {
    attempt(Target {
        image: &driver_images::breaker(),
        service: "write-events",
        code_page: CodePage::UTF_8,
        listen,
        oracle,
    })
}

fn deliver(listen: Listen) -> Figures {
    let load = Load {
        events: 4_000,
        threads: 2,
        time: None,
        delays: false,
    };
    try_driver(listen, &Told::default(), |target| {
        load::deliver(&target, load, |_| ()).unwrap()
    })
}

#[test]
fn a_session_hears_all_that_happens_while_it_listens() {
    let figures = deliver(Listen::Always);
    assert_eq!(figures.findings, [""; 0]);
    assert_eq!(figures.events, figures.created * EVENTS as u64);
    assert_eq!(deliver(Listen::Never).events, 0);
    let figures = deliver(Listen::Sometimes);
    assert_eq!(figures.findings, [""; 0]);
    let all = figures.created * EVENTS as u64;
    assert!((1..all).contains(&figures.events), "{figures:?}");
}

#[test]
fn failures_are_judged_with_the_events_that_were_written() {
    let told = Told::default();
    let outcome = try_driver(Listen::Always, &told, |target| {
        faults::inject(&target, || ())
    });
    let points = outcome.unwrap().points;
    let routines: Vec<&str> = points.keys().map(|point| point.routine).collect();
    for routine in [
        "EtwRegister",
        "EtwSetInformation",
        "EtwWrite",
        "EtwWriteTransfer",
        "EtwWriteEx",
        "EtwWriteString",
    ] {
        assert!(
            routines.contains(&routine),
            "{routine} is not among {routines:?}"
        );
    }
    let told = told.take();
    let unharmed = [
        "load 0 0",
        "create 0 5",
        "create 0 5",
        "exit 0 0",
        "exit 0 0",
        "unload 0 0",
    ];
    assert_eq!(told[..6], unharmed);
    assert!(
        told.iter().any(|told| told == "create 1 4"),
        "a write fails"
    );
    assert!(
        told.iter().any(|told| told == "create 2 3"),
        "two writes fail"
    );
}

#[test]
fn hostile_cases_are_judged_while_a_session_listens() {
    let case = Case::of(&[7; 64]).unwrap();
    let told = |listen| {
        let told = Told::default();
        try_driver(listen, &told, |target| {
            let mut subject = Subject::load(target).unwrap();
            for _ in 0..4 {
                subject.announce(&case).unwrap();
            }
            subject.unload().unwrap();
        });
        told.take()
    };
    let create = "create 0 5";
    assert_eq!(
        told(Listen::Always),
        [create, create, create, create, "unload 0 0"]
    );
    assert_eq!(told(Listen::Never), [""; 0]);
    assert_eq!(told(Listen::Sometimes), [create, create]);
}
