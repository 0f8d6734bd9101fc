//! The trials, in short: faults, load, hostile processes; and that they find
//! what is wrong.

use std::path::Path;
use std::sync::Mutex;

use ntsim::nt::ClientId;
use ntsim::{Announcement, CodePage, ProcessExit, RawBuffer, RawString, Token};
use ntsim_trials::faults::{self, Error};
use ntsim_trials::hostile::{self, Case, Generator, Subject};
use ntsim_trials::load::{self, Load};
use ntsim_trials::oracle::{FailedCall, FailedCalls, Finding, Lines, Oracle};
use ntsim_trials::{Listen, Target, reload, slots};
use procmon_oracle::Procmon;
use proptest::prelude::*;

use crate::machine;

/// Procmon's oracle on a system whose code page is UTF-8.
const PROCMON: Procmon = Procmon::on(CodePage::UTF_8);

/// Gives `attempt` the driver, on such a system.
fn try_driver<T>(oracle: &dyn Oracle, attempt: impl FnOnce(Target<'_>) -> T) -> T {
    attempt(Target {
        image: &driver_images::procmon(),
        service: "procmon",
        code_page: CodePage::UTF_8,
        listen: Listen::Always,
        oracle,
    })
}

#[test]
fn every_call_that_can_fail_may_fail() {
    let outcome = try_driver(&PROCMON, |target| faults::inject(&target, || ())).unwrap();
    assert_eq!(outcome.findings, []);
    assert_eq!(outcome.total().survived, outcome.total().runs);
    assert!(outcome.pairs.runs > 0);
    assert!(
        outcome.never_reached.is_empty(),
        "{:?}",
        outcome.never_reached
    );
    let points: Vec<String> = outcome.points.keys().map(ToString::to_string).collect();
    assert_eq!(
        points,
        [
            "load    EtwRegister #1",
            "load    EtwSetInformation #1",
            "load    MmGetSystemRoutineAddress #1",
            "load    MmGetSystemRoutineAddress #2",
            "load    PsSetCreateProcessNotifyRoutineEx #1",
            "create  EtwWrite #1",
            "create  EtwWrite #2",
            "create  ObOpenObjectByPointer #1",
            "create  ObOpenObjectByPointer #2",
            "create  ZwOpenProcessTokenEx #1",
            "create  ZwOpenProcessTokenEx #2",
            "create  ZwQueryInformationProcess #1",
            "create  ZwQueryInformationProcess #2",
            "create  ZwQueryInformationProcess #3",
            "create  ZwQueryInformationProcess #4",
            "create  ZwQueryInformationToken #1",
            "create  ZwQueryInformationToken #2",
            "create  ZwQueryInformationToken #3",
            "create  ZwQueryInformationToken #4",
            "create  ZwQueryInformationToken #5",
            "create  ZwQueryInformationToken #6",
            "exit    EtwWrite #1",
            "exit    EtwWrite #2",
        ]
    );
    let not_injected: Vec<&str> = outcome
        .not_injected
        .keys()
        .map(|(_, routine)| *routine)
        .collect();
    assert_eq!(
        not_injected,
        ["RtlCopySid", "ZwClose", "PsSetCreateProcessNotifyRoutineEx"]
    );
}

/// Wants every event reported as if no call had failed.
struct Unforgiving;

impl Oracle for Unforgiving {
    fn created(&self, announced: &Announcement, _: FailedCalls<'_>, lines: Lines<'_>) -> Finding {
        PROCMON.created(announced, FailedCalls::NONE, lines)
    }
}

#[test]
fn a_failure_that_shows_where_it_must_not_is_found() {
    let outcome = try_driver(&Unforgiving, |target| faults::inject(&target, || ())).unwrap();
    let (_, finding) = outcome
        .findings
        .iter()
        .find(|(plan, _)| plan[0].point.routine == "ObOpenObjectByPointer")
        .unwrap();
    assert!(finding.contains("ObOpenObjectByPointer"), "{finding}");
    assert!(outcome.total().survived < outcome.total().runs);
}

/// Accepts nothing.
struct Nothing;

impl Oracle for Nothing {
    fn exited(
        &self,
        _: &Announcement,
        _: ProcessExit,
        _: FailedCalls<'_>,
        _: Lines<'_>,
    ) -> Finding {
        Err("nothing is right".into())
    }
}

#[test]
fn a_driver_that_goes_wrong_by_itself_is_not_injected_into() {
    let outcome = try_driver(&Nothing, |target| faults::inject(&target, || ()));
    assert!(
        matches!(outcome, Err(Error::Unprovoked(_))),
        "{:?}",
        outcome.map(|_| ())
    );
}

#[test]
fn a_status_that_is_swallowed_is_found() {
    let failed = |status| FailedCall {
        routine: "PsSetCreateProcessNotifyRoutineEx",
        nth: 1,
        status: Some(status),
    };
    let denied = 0xc000_0022_u32.cast_signed();
    let line = |text: &str| [text.as_bytes().to_vec()];
    let said = line("[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0xc0000022\n");
    let judge = |status, lines: Lines<'_>| PROCMON.loaded(status, &[failed(denied)], lines);
    assert_eq!(judge(denied, &said), Ok(()));
    assert!(judge(0, &line("[procmon] loaded\n")).is_err());
    assert!(judge(0, &said).is_err());
    assert!(judge(denied + 1, &said).is_err());
    assert!(judge(denied, &[]).is_err());
}

fn loaded(target: &Target<'_>, delays: bool) -> load::Figures {
    let load = Load {
        events: 20_000,
        threads: 4,
        time: None,
        delays,
    };
    load::deliver(target, load, |_| ()).unwrap()
}

#[test]
fn every_event_is_reported_once() {
    let figures = try_driver(&PROCMON, |target| loaded(&target, false));
    assert_eq!(figures.findings, [""; 0]);
    assert_eq!((figures.created, figures.exited), (10_000, 10_000));
    // Three lines a create, one an exit, loaded and unloaded.
    assert_eq!(figures.lines, 40_002);
}

#[test]
fn every_event_is_reported_once_whatever_the_timing() {
    for listen in [Listen::Always, Listen::Never, Listen::Sometimes] {
        let figures = try_driver(&PROCMON, |target| {
            loaded(&Target { listen, ..target }, true)
        });
        assert_eq!(figures.findings, [""; 0], "{listen:?}");
        assert_eq!(figures.lines, 40_002, "{listen:?}");
    }
}

#[test]
fn a_driver_that_says_nothing_is_found() {
    let silent = Target {
        image: &driver_images::breaker(),
        service: "register-in-unload",
        code_page: CodePage::UTF_8,
        listen: Listen::Never,
        oracle: &PROCMON,
    };
    let figures = loaded(&silent, false);
    let finding = &figures.findings[0];
    assert!(finding.contains("was not reported"), "{finding}");
}

#[test]
fn reloads_while_events_arrive() {
    let listen = Listen::Sometimes;
    let findings = try_driver(&PROCMON, |target| {
        reload::reload(&Target { listen, ..target }, 200, 3, |_| ())
    });
    let findings = findings.unwrap();
    assert_eq!(findings, [""; 0]);
}

#[test]
fn the_sixty_fifth_driver_is_refused_with_a_line() {
    let findings = try_driver(&PROCMON, |target| slots::fill(&target)).unwrap();
    assert_eq!(findings, [""; 0]);
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/create");
    hostile::corpus(&folder).expect("the corpus")
}

/// Tells the driver of `cases` on a system with each of `code_pages`.
fn announce(code_pages: impl IntoIterator<Item = CodePage>, cases: &[(String, Case)]) {
    let path = driver_images::procmon();
    for code_page in code_pages {
        let oracle = Procmon::on(code_page);
        let mut subject = Subject::load(Target {
            image: &path,
            service: "procmon",
            code_page,
            listen: Listen::Sometimes,
            oracle: &oracle,
        })
        .unwrap();
        for (name, case) in cases {
            if let Err(finding) = subject.announce(case) {
                panic!("{name} in {code_page:?}: {finding}\n{case:?}");
            }
        }
        subject.unload().unwrap();
    }
}

fn random_cases(count: usize) -> Vec<(String, Case)> {
    let mut generator = Generator::new(0x5eed);
    (0..count)
        .map(|number| {
            let case = Case::of(&generator.next_bytes()).unwrap();
            (format!("case {number}"), case)
        })
        .collect()
}

#[test]
fn the_corpus_and_random_cases_are_read_back() {
    let corpus = corpus();
    assert!(corpus.len() >= 20, "{} files", corpus.len());
    let corpus: Vec<_> = corpus
        .into_iter()
        .map(|(name, bytes)| {
            let case = Case::of(&bytes).expect(&name);
            (name, case)
        })
        .collect();
    announce([CodePage::UTF_8], &corpus);
    announce([CodePage::UTF_8], &random_cases(5_000));
}

#[test]
fn no_code_page_lets_a_text_forge_a_line() {
    announce(CodePage::all(), &random_cases(1_000));
}

/// Reads every text without its last character.
struct Forgetful;

impl Oracle for Forgetful {
    fn created(&self, announced: &Announcement, _: FailedCalls<'_>, lines: Lines<'_>) -> Finding {
        let mut announced = announced.clone();
        if let Some(name) = &mut announced.image_file_name {
            name.length = name.length.saturating_sub(2);
        }
        PROCMON.created(&announced, FailedCalls::NONE, lines)
    }
}

#[test]
fn a_text_that_is_not_restored_is_found() {
    let findings = try_driver(&Forgetful, |target| {
        let mut subject = Subject::load(target).unwrap();
        corpus()
            .iter()
            .filter_map(|(_, bytes)| subject.announce(&Case::of(bytes)?).err())
            .count()
    });
    assert!(findings > 0);
}

/// Any text that a process could choose.
fn any_text() -> impl Strategy<Value = Vec<u16>> {
    let unit = prop_oneof![
        8 => 0x20_u16..0x7f,
        2 => Just(u16::from(b'\\')),
        2 => Just(u16::from(b'u')),
        2 => Just(u16::from(b'%')),
        1 => Just(u16::from(b'0')),
        1 => 0_u16..0x20,
        1 => 0x7f_u16..0xa0,
        1 => 0xd7ff_u16..0xe001,
        1 => 0x2027_u16..0x202b,
        1 => any::<u16>(),
    ];
    prop_oneof![
        6 => prop::collection::vec(unit, 0..600),
        1 => (any::<u16>(), 0..32_768_usize).prop_map(|(unit, count)| vec![unit; count]),
    ]
}

/// Any shape that a string could have.
fn any_string() -> impl Strategy<Value = Option<RawString>> {
    let shape = (any_text(), 0..7_u8, any::<u16>()).prop_map(|(text, shape, number)| {
        let mut string = RawString::of(&text);
        let RawBuffer::Aligned(bytes) = &mut string.buffer else {
            unreachable!("text lies at even addresses");
        };
        match shape {
            0 => string.maximum_length = string.length.saturating_add(number),
            1 => {
                bytes.push(b'!');
                string.length += 1;
                string.maximum_length += 1;
            }
            2 => string.length = string.length.saturating_add(number),
            3 => string.buffer = RawBuffer::Null,
            4 => string.buffer = RawBuffer::Misaligned(std::mem::take(bytes)),
            _ => {}
        }
        string
    });
    prop::option::weighted(0.9, shape)
}

fn any_announcement() -> impl Strategy<Value = Announcement> {
    let id = || prop_oneof![3 => (1..0x8000_u64).prop_map(|id| 4 * id), 1 => any::<u64>()];
    let numbers = (
        id(),
        id(),
        id(),
        id(),
        0..3_u32,
        any::<(u32, u32, bool, u64)>(),
    );
    (numbers, any_string(), any_string()).prop_map(|(numbers, image_file_name, command_line)| {
        let (process_id, parent, creator, thread, flags, more) = numbers;
        let (current, session_id, is_wow64, start_key) = more;
        Announcement {
            process_id,
            current: ClientId {
                process: current,
                thread: current.wrapping_add(4),
            },
            size: 0x48,
            // IsSubsystemProcess would keep it from this kind of routine.
            flags: flags & !2,
            parent_process_id: parent,
            creating_process_id: creator,
            creating_thread_id: thread,
            has_file_object: true,
            image_file_name,
            command_line,
            is_wow64,
            session_id,
            token: Token::USER,
            start_key: Some(start_key),
            creation_status: if flags & 2 == 0 {
                0
            } else {
                0xc000_0022_u32.cast_signed()
            },
        }
    })
}

#[test]
fn whatever_is_announced_is_read_back() {
    let (kernel, transcript) = machine();
    let driver = kernel
        .load_driver(&driver_images::procmon(), "procmon")
        .unwrap();
    transcript.take();
    let told = Mutex::new(0_u64);
    proptest!(ProptestConfig::with_cases(500), |(announced in any_announcement())| {
        kernel.announce_creation(&announced).map_err(|stopped| {
            TestCaseError::fail(stopped.to_string())
        })?;
        *told.lock().unwrap() += 1;
        let lines = transcript.take();
        prop_assert_eq!(PROCMON.created(&announced, FailedCalls::NONE, &lines), Ok(()));
    });
    assert!(kernel.unload_driver(driver).unwrap().is_empty());
    let told = told.into_inner().unwrap();
    let line = format!("[procmon] unloaded: {told} created, 0 exited\n");
    assert_eq!(transcript.take_text(), [line]);
}
