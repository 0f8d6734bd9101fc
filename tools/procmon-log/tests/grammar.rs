//! What is procmon's log, and what only looks like it.

use bstr::BStr;
use procmon_log::line::{Bits, Create, Destroy, Name, Part};
use procmon_log::{Event, Line, Malformed, text};
use proptest::prelude::*;

fn line(text: &str) -> Result<Line<'_>, Malformed> {
    Line::parse(text.as_bytes())
}

const CREATE: &str =
    "[Create] [PID = 0x1a2c, Name=\\??\\C:\\a.exe] [CurrentPID = 0x10f4] [PPID = 0x2f8]\n";
const DETAIL: &str = "[Detail 0x1a2c] 32bit [Creator = 0x10f4.0x1a38] [Session = 1] [Reparented]\n";

fn destroy() -> String {
    let destroy = Line::Destroy(Destroy {
        pid: 0x1a2c,
        lifetime_ms: 1834,
        ..Destroy::default()
    });
    String::from_utf8(destroy.message()).unwrap()
}

#[test]
fn every_kind_of_line_is_read() {
    for text in [
        CREATE,
        DETAIL,
        &destroy(),
        "[Name 0x1a2c 1/3] part\n",
        "[CommandLine 0x1a2c] a b\n",
        "[CommandLine 0x1a2c] \n",
        "[CommandLine 0x1a2c 2/5] c\n",
        "[Detail 0x4] unknown (ObOpenObjectByPointer 0xc0000022) [Creator = 0x0.0x0] [Name is partial]\n",
        "[Detail 0x4] 64bit [Creator = 0x4.0x8] [User = S-1-5-18] [Integrity = system] [Logon = 0x3e7] [StartKey = 0x1000000000004] [Denied = 0xc0000022]\n",
        "[Detail 0x4] 64bit [Creator = 0x4.0x8] [User = S-1-0x010000000000] [Integrity = 0x2001]\n",
        "[Detail 0x4] 64bit [Creator = 0x4.0x8] [User = S-1-4294967295-0-4294967295] [Integrity = medium-plus]\n",
        "[Destroy] [PID = 0x1] [CurrentPID = 0x1] [ExitStatus = 0x0] [Lifetime = 1 ms] [StartKey = 0x0]\n",
        "[procmon] loaded\n",
        "[procmon] not loaded: PsSetCreateProcessNotifyRoutineEx 0xc000000d (already registered, or no slot is free)\n",
        "[procmon] not loaded: X 0xe0001234\n",
        "[procmon] unloaded: 12 created, 11 exited\n",
    ] {
        let message = line(text).map(Line::message);
        assert_eq!(message, Ok(text.as_bytes().to_vec()), "{text}");
    }
    let part = Part {
        number: 2,
        total: 3,
    };
    let name = Name {
        pid: 4,
        part,
        text: BStr::new("]x"),
    };
    assert_eq!(line("[Name 0x4 2/3] ]x\n"), Ok(Line::Name(name)));
}

#[test]
fn a_line_that_is_off_by_a_byte_is_refused() {
    for whole in [CREATE, DETAIL, &destroy(), "[procmon] loaded\n"] {
        assert!(line(whole).is_ok());
        // A text may be a byte shorter; nothing else may.
        let chosen = whole.find("Name=").map_or(0..0, |start| {
            let start = start + "Name=".len();
            start..start + "\\??\\C:\\a.exe".len()
        });
        for index in (0..whole.len()).filter(|index| !chosen.contains(index)) {
            let digit = whole.as_bytes()[index].is_ascii_hexdigit();
            let mut damaged = whole.to_owned();
            damaged.remove(index);
            // Without one of its digits, a number is another number.
            if line(&damaged).is_ok() {
                assert!(digit, "{damaged}");
            }
        }
    }
    for text in [
        "[Name 0x1 0/3] x\n",
        "[Name 0x1 4/3] x\n",
        "[Name 0x1] x\n",
        "[Name 0x01 1/3] x\n",
        "[CommandLine 0xA] x\n",
        "[CommandLine 0x1 01/2] x\n",
        "[CommandLine 0x1] a\nb\n",
        "[CommandLine 0x1] a\tb\n",
        "[CommandLine 0x1] a\x7fb\n",
        "[CommandLine 0x1] a",
        " [CommandLine 0x1] a\n",
        "[Detail 0x1 1/2] 64bit [Creator = 0x1.0x1]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [Reparented] [Session = 1]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [Integrity = medium] [User = S-1-5-18]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [User = S-2-5-18]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [User = S-1-4294967296]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [User = S-1-0x0000ffffffff]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [User = S-1-5-4294967296]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [User = S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [Integrity = 0x2000]\n",
        "[Detail 0x1] 64bit [Creator = 0x1.0x1] [Integrity = Medium]\n",
        "[Destroy] [PID = 0x1] [CurrentPID = 0x1] [ExitStatus = 0x100000000] [Lifetime = 1 ms]\n",
        "\n",
        "",
    ] {
        assert!(line(text).is_err(), "{text}");
    }
    assert!(line(&format!("[CommandLine 0x1] {}\n", "a".repeat(492))).is_ok());
    assert!(line(&format!("[CommandLine 0x1] {}\n", "a".repeat(493))).is_err());
}

#[test]
fn a_name_cannot_pass_for_the_fields_behind_it() {
    let forged = "x] [CurrentPID = 0x1] [PPID = 0x2]";
    let text = format!("[Create] [PID = 0x4, Name={forged}] [CurrentPID = 0x8] [PPID = 0xc]\n");
    assert_eq!(
        line(&text),
        Ok(Line::Create(Create {
            pid: 4,
            name: BStr::new(forged),
            current: 8,
            parent: 12
        }))
    );
}

#[test]
fn an_event_is_all_of_its_lines_in_their_order() {
    let whole = [
        "[Create] [PID = 0x4, Name=a\\] [CurrentPID = 0x8] [PPID = 0x8]\n",
        "[Name 0x4 1/2] u00\n",
        "[Name 0x4 2/2] zz\n",
        "[Detail 0x4] 64bit [Creator = 0x8.0xc]\n",
        "[CommandLine 0x4 1/2] c\\u00\n",
        "[CommandLine 0x4 2/2] 0a\n",
    ];
    let Ok(Event::Created(created)) = Event::parse(&whole) else {
        panic!("{:?}", Event::parse(&whole));
    };
    assert_eq!(created.name, r"a\u00zz");
    assert_eq!(created.detail.bits, Bits::Is64);
    assert_eq!(created.command_line, Some(r"c\u000a".into()));

    for missing in 0..whole.len() {
        let mut damaged = whole.to_vec();
        damaged.remove(missing);
        assert!(Event::parse(&damaged).is_err(), "without {missing}");
    }
    for twice in 0..whole.len() {
        let mut damaged = whole.to_vec();
        damaged.insert(twice, whole[twice]);
        assert!(Event::parse(&damaged).is_err(), "{twice} twice");
    }
    for swapped in 1..whole.len() {
        let mut damaged = whole.to_vec();
        damaged.swap(swapped - 1, swapped);
        assert!(Event::parse(&damaged).is_err(), "{swapped} swapped");
    }
    let mut foreign = whole.to_vec();
    foreign[3] = "[Detail 0x8] 64bit [Creator = 0x8.0xc]\n";
    assert!(Event::parse(&foreign).is_err());
    assert!(Event::parse(&[destroy(), destroy()]).is_err());
    assert!(Event::parse(&[destroy()]).is_ok());
}

#[test]
fn texts_are_had_back() {
    for (shown, text) in [
        (r"a\u000ab", "a\nb"),
        (r"C:\u005cu000a", r"C:\u000a"),
        (r"C:\u005cuBEEF", r"C:\uBEEF"),
        (r"C:\u12 \x \", r"C:\u12 \x \"),
        ("\u{1f600}", "\u{1f600}"),
    ] {
        let text: Vec<u16> = text.encode_utf16().collect();
        assert_eq!(String::from_utf16(&text::escape(&text)).unwrap(), shown);
        assert_eq!(text::restore(shown), Ok(text), "{shown}");
    }
    assert_eq!(text::restore(r"\ud83d\ud83d"), Ok(vec![0xd83d, 0xd83d]));
    assert_eq!(text::restore(r"\ude00\ud83d"), Ok(vec![0xde00, 0xd83d]));
}

#[test]
fn escapes_that_procmon_does_not_write_are_refused() {
    for shown in [
        r"\u0041",
        r"\u000A",
        r"\u005c",
        r"\u005cu00",
        r"\u4e2d",
        r"\ud83d\ude00",
        "a\nb",
        "\u{9f}",
    ] {
        assert!(text::restore(shown).is_err(), "{shown}");
    }
}

proptest! {
    #[test]
    fn every_text_is_restored(units: Vec<u16>, piece in 0..5_usize) {
        let pieces = [r"\u", r"\u00", r"\u000", "0a", "\u{1f600}"].map(|text| {
            text.encode_utf16().collect::<Vec<_>>()
        });
        let text = [&units[..], &pieces[piece], &units].concat();
        let shown = String::from_utf16(&text::escape(&text)).expect("lone surrogates are escaped");
        prop_assert_eq!(text::restore(&shown), Ok(text));
    }
}
