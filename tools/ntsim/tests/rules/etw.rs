//! Event providers, what they write, and the sessions that receive it.

use std::sync::{Arc, Mutex};

use ntsim::Rule::{BadPointer, Irql, Provider, ProviderLeft};
use ntsim::tracing::{TraceEvent, TraceFigures, TraceSettings, TraceSink};

use crate::breaker::{Finding, Machine, assert_caught, caught};

#[test]
fn a_provider_is_left_registered() {
    caught(
        "leave-provider",
        ProviderLeft,
        "{0b5e1ac2-7d20-4c1c-9d0e-4d2c1f6d9a01} is still registered",
    );
}

#[test]
fn an_event_is_written_after_unregistering() {
    caught("write-unregistered", Provider, "that is unregistered");
}

#[test]
fn an_event_is_asked_for_after_unregistering() {
    caught("ask-unregistered", Provider, "that is unregistered");
}

#[test]
fn an_event_is_written_to_no_provider() {
    caught(
        "write-nonsense",
        Provider,
        "0x1234 is of a provider that was never registered",
    );
}

#[test]
fn a_provider_is_unregistered_twice() {
    caught("unregister-twice", Provider, "that is unregistered");
}

#[test]
fn a_provider_is_registered_above_its_level() {
    caught(
        "register-at-dispatch",
        Irql,
        "EtwRegister was called at DISPATCH_LEVEL",
    );
}

#[test]
fn data_of_an_event_are_not_there() {
    caught("write-from-nowhere", BadPointer, "lead to 0x666600000000");
}

#[test]
fn data_of_an_event_may_be_paged_out() {
    caught("write-paged", Irql, "paged pool, at DISPATCH_LEVEL");
}

#[test]
fn a_provider_unregisters_itself_in_its_callback() {
    let machine = Machine::new();
    let driver = machine.load("unregister-in-callback").unwrap();
    let sink = Arc::new(Sink::default());
    machine
        .kernel
        .start_trace(TraceSettings::default(), sink)
        .unwrap_err();
    let findings = machine.findings();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_caught(
        &findings[0],
        "unregister-in-callback",
        Provider,
        "neither ends",
    );
    let event = findings[0].event.as_deref().unwrap();
    assert!(
        event.starts_with("enable callback of provider {0b5e1ac2"),
        "{event}"
    );
    machine.kernel.unload_driver(driver).unwrap_err();
}

/// Events, as text.
#[derive(Default)]
struct Sink(Mutex<Vec<String>>);

impl TraceSink for Sink {
    fn event(&self, event: &TraceEvent<'_>) {
        assert!(event.time > 133_000_000_000_000_000, "it is past 2022");
        let bytes = |part: Option<&[u8]>| {
            part.map(|part| part.escape_ascii().to_string())
                .unwrap_or_default()
        };
        let text = format!(
            "{} {}.{} level {} keyword {:#x} thread {:#x}.{:#x} activity {:08x} related {:08x} {} {} {} {}",
            event.provider.braced(),
            event.descriptor.id,
            event.descriptor.version,
            event.descriptor.level,
            event.descriptor.keyword,
            event.thread.process,
            event.thread.thread,
            event.activity.as_fields().0,
            event.related_activity.unwrap_or_default().as_fields().0,
            event.is_string,
            bytes(event.traits),
            bytes(event.schema),
            bytes(Some(event.payload)),
        );
        self.0.lock().unwrap().push(text);
    }
}

/// What is printed and received of a driver that does no wrong, in a machine
/// with sessions of these settings.
fn traced(
    misdeed: &str,
    settings: &[TraceSettings],
) -> (String, Vec<Vec<String>>, Vec<TraceFigures>) {
    let machine = Machine::new();
    let sinks: Vec<Arc<Sink>> = settings.iter().map(|_| Arc::default()).collect();
    let sessions: Vec<_> = settings
        .iter()
        .zip(&sinks)
        .map(|(settings, sink)| {
            machine
                .kernel
                .start_trace(*settings, Arc::clone(sink) as _)
                .unwrap()
        })
        .collect();
    let driver = machine.load(misdeed).unwrap();
    let left: Vec<Finding> = machine.live_and_unload(driver);
    assert!(
        left.is_empty() && machine.findings().is_empty(),
        "{left:?} {:?}",
        machine.findings()
    );
    let figures = sessions
        .into_iter()
        .map(|session| machine.kernel.stop_trace(session).unwrap())
        .collect();
    let events = sinks
        .iter()
        .map(|sink| sink.0.lock().unwrap().clone())
        .collect();
    (machine.output(), events, figures)
}

#[test]
fn events_arrive_as_they_were_written() {
    let (output, mut events, figures) = traced("write-events", &[TraceSettings::default()]);
    assert_eq!(
        output.lines().collect::<Vec<_>>(),
        [
            "callback 0 1 255 ffffffffffffffff 0 0000000000000000 0000000000000077",
            "register 0",
            "untyped 0",
            "traits 0",
            "class c00000bb",
            "event 1",
            "provider 1",
            "write 0",
            "activity 0",
            "transfer 0",
            "ex 0",
            "string 0",
            "129 c000000d",
        ]
    );
    let provider = "{0b5e1ac2-7d20-4c1c-9d0e-4d2c1f6d9a01}";
    let head = format!("{provider} 7.1 level 4 keyword 0x1 thread 0x2f8.0x2fc");
    let traits = r"\n\x00Breaker\x00";
    let schema = r"\x13\x00\x00Created\x00Number\x00\x08";
    assert_eq!(
        events.remove(0),
        [
            // Without traits the type of a descriptor does not count.
            format!("{head} activity 00000000 related 00000000 false   xV4\\x12"),
            format!("{head} activity 00000000 related 00000000 false {traits} {schema} xV4\\x12"),
            format!("{head} activity 0b5e1ac2 related 0b5e1ac2 false {traits} {schema} xV4\\x12"),
            format!("{head} activity 0b5e1ac2 related 00000000 false {traits} {schema} xV4\\x12"),
            format!(
                "{provider} 0.0 level 4 keyword 0x1 thread 0x2f8.0x2fc activity 0b5e1ac2 related 00000000 true \
                 {traits}  h\\x00i\\x00\\x00\\x00"
            ),
        ]
    );
    assert_eq!(figures, [TraceFigures { events: 5, lost: 0 }]);
}

#[test]
fn nobody_listens_to_levels_and_keywords_that_nobody_asked_for() {
    let low = TraceSettings {
        level: 3,
        ..TraceSettings::default()
    };
    let other = TraceSettings {
        match_any_keyword: 6,
        ..TraceSettings::default()
    };
    let (output, events, _) = traced("write-events", &[low, other]);
    assert!(
        output.contains("callback 0 1 255 ffffffffffffffff 0 "),
        "{output}"
    );
    assert!(
        output.contains("event 0\nprovider 0\nwrite 0\n"),
        "{output}"
    );
    assert_eq!(events, [[""; 0]; 2]);
    let (output, ..) = traced("write-events", &[]);
    assert!(output.starts_with("register 0\n"), "{output}");
    assert!(
        output.contains("event 0\nprovider 0\nwrite 0\n"),
        "{output}"
    );
}

#[test]
fn an_event_that_is_too_large_is_lost_and_counted() {
    let small = TraceSettings {
        buffer_size: 4096,
        ..TraceSettings::default()
    };
    let large = TraceSettings {
        buffer_size: 1 << 20,
        ..TraceSettings::default()
    };
    let (output, _, figures) = traced("write-much", &[large]);
    assert_eq!(output, "4000 0\n65600 c0000095\n");
    assert_eq!(figures, [TraceFigures { events: 1, lost: 1 }]);
    let (output, _, figures) = traced("write-much", &[small, large]);
    assert_eq!(output, "4000 80000005\n65600 c0000095\n");
    let one = TraceFigures { events: 1, lost: 1 };
    assert_eq!(figures, [TraceFigures { events: 0, lost: 2 }, one]);
}

#[test]
fn zero_is_no_handle() {
    let (output, ..) = traced("write-unhandled", &[TraceSettings::default()]);
    assert_eq!(output, "write c0000008\nenabled 0\nunregister c0000008\n");
}

#[test]
fn a_session_that_starts_and_stops_is_told_to_the_callback() {
    let machine = Machine::new();
    let driver = machine.load("leave-provider-listening").unwrap();
    let settings = |level| TraceSettings {
        level,
        match_any_keyword: level.into(),
        ..TraceSettings::default()
    };
    let sink = Arc::new(Sink::default());
    let first = machine
        .kernel
        .start_trace(settings(2), Arc::clone(&sink) as _)
        .unwrap();
    let second = machine.kernel.start_trace(settings(5), sink).unwrap();
    machine.kernel.stop_trace(second).unwrap();
    machine.kernel.stop_trace(first).unwrap();
    assert_eq!(
        machine.output().lines().collect::<Vec<_>>(),
        [
            "callback 0 1 2 2 0 0000000000000000 0000000000000005",
            "callback 0 1 5 7 0 0000000000000000 0000000000000005",
            "callback 0 1 2 2 0 0000000000000000 0000000000000005",
            "callback 0 0 0 0 0 0000000000000000 0000000000000005",
        ]
    );
    assert_eq!(machine.kernel.held().event_providers, 1);
    let left = machine.kernel.unload_driver(driver).unwrap();
    assert_eq!(left.count(ProviderLeft), 1);
    assert_eq!(machine.kernel.held().event_providers, 0);
}
