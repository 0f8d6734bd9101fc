//! What collectors are told of procmon's events, in docs/collect.md and the files
//! beside it, is what the driver declares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha1::{Digest as _, Sha1};

const PROVIDER: &str = "Procmon-Driver";
const GUID: &str = "95487dfb-e18a-5672-3d3d-e7b3a4901f38";
const LEVEL: u8 = 4;
const KEYWORD: u64 = 1;

const PAGE: &str = "docs/collect.md";
const FILES: [&str; 5] = [
    "docs/collect/ferrisetw.rs",
    "docs/collect/filebeat.yml",
    "docs/collect/krabsetw.cpp",
    "docs/collect/procmon.wprp",
    "docs/collect/velociraptor.yaml",
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// An event: its name, its number, and each field with its type as the page
/// writes it.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: u16,
    fields: Vec<[String; 2]>,
}

/// The events that the driver declares.
fn declared() -> Vec<Event> {
    let event = |name: &str, id, fields: &[[&str; 2]]| Event {
        name: name.to_owned(),
        id,
        fields: fields
            .iter()
            .map(|field| field.map(str::to_owned))
            .collect(),
    };
    vec![
        event(
            "ProcessCreate",
            1,
            &[
                ["ProcessId", "u32, PID"],
                ["ParentProcessId", "u32, PID"],
                ["CreatingProcessId", "u32, PID"],
                ["CreatingThreadId", "u32, TID"],
                ["CreateTime", "FILETIME"],
                ["StartKey", "u64, hexadecimal"],
                ["SessionId", "u32"],
                ["LogonId", "u64, hexadecimal"],
                ["IntegrityLevel", "u32, hexadecimal"],
                ["CreationStatus", "i32, NTSTATUS"],
                ["Flags", "u32, hexadecimal"],
                ["User", "SID"],
                ["ImageName", "counted UTF-16"],
                ["CommandLine", "counted UTF-16"],
            ],
        ),
        event(
            "ProcessExit",
            2,
            &[
                ["ProcessId", "u32, PID"],
                ["CreateTime", "FILETIME"],
                ["StartKey", "u64, hexadecimal"],
                ["LifetimeMs", "u64"],
                ["ExitStatus", "u32, NTSTATUS"],
            ],
        ),
        event(
            "ProcessText",
            3,
            &[
                ["ProcessId", "u32, PID"],
                ["CreateTime", "FILETIME"],
                ["Field", "u8"],
                ["Offset", "u32"],
                ["Text", "counted UTF-16"],
            ],
        ),
    ]
}

/// The cells of a table's rows, from behind a heading to the next one.
fn rows(section: &str) -> impl Iterator<Item = Vec<&str>> {
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = rows.map(|row| row.trim_end_matches(" |").split(" | ").collect());
    // Below the headings and the line under them.
    rows.skip(2)
}

/// The events that a page describes, each under a heading of its own.
fn described(page: &str) -> Vec<Event> {
    let sections = page.split("\n### ").skip(1);
    let events = sections.filter_map(|section| {
        let (title, rest) = section.split_once('\n')?;
        let (name, id) = title.split_once(", event ")?;
        let field = |row: Vec<&str>| [row[0].trim_matches('`').to_owned(), row[1].to_owned()];
        Some(Event {
            name: name.to_owned(),
            id: id.parse().unwrap(),
            fields: rows(rest).map(field).collect(),
        })
    });
    events.collect()
}

#[test]
fn the_page_describes_each_event() {
    let page = read(PAGE);
    assert_eq!(described(&page), declared());
    for (from, to) in [
        ("`LogonId` | u64", "`Logon` | u64"),
        ("| `SessionId` | u32 |", "| `SessionId` | u64 |"),
        ("ProcessText, event 3", "ProcessText, event 4"),
    ] {
        assert!(page.contains(from), "{from}");
        assert_ne!(described(&page.replacen(from, to, 1)), declared(), "{from}");
    }
}

/// The fields that a collector's file names: what stands between one of the
/// openings and the closing.
fn named<'a>(text: &'a str, openings: &[&str], closing: char) -> Vec<&'a str> {
    let mut named = Vec::new();
    for opening in openings {
        let fields = text.split(opening).skip(1);
        named.extend(fields.map(|text| text.split(closing).next().unwrap()));
    }
    named
}

#[test]
fn each_file_names_fields_that_exist() {
    let events = declared();
    let fields: BTreeSet<_> = events
        .iter()
        .flat_map(|event| &event.fields)
        .map(|[name, _]| name.as_str())
        .collect();
    let mut seen = 0;
    for (file, openings, closing) in [
        ("filebeat.yml", &["winlog.event_data."][..], ','),
        ("ferrisetw.rs", &["try_parse(\"", "text(&parser, \""], '"'),
        ("krabsetw.cpp", &[">(L\"", "text(parser, L\""], '"'),
    ] {
        let text = read(&format!("docs/collect/{file}"));
        for field in named(&text, openings, closing) {
            assert!(fields.contains(field), "{file}: no event has {field}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} fields were found");
}

#[test]
fn the_artifact_has_a_column_for_each_field() {
    let artifact = read("docs/collect/velociraptor.yaml");
    for event in declared() {
        let of_event = format!("WHERE System.ID = {}", event.id);
        let query = artifact
            .split("  - name: ")
            .find(|text| text.contains(&of_event));
        let query = query.unwrap_or_else(|| panic!("no query has {of_event}"));
        let columns = query
            .lines()
            .filter_map(|line| line.trim().strip_prefix("EventData."))
            .map(|column| column.trim_end_matches(','));
        let names = event
            .fields
            .iter()
            .map(|[name, _]| format!("{name} AS {name}"));
        assert_eq!(
            columns.collect::<Vec<_>>(),
            names.collect::<Vec<_>>(),
            "{}",
            event.name
        );
    }
}

/// What looks like a GUID in a text.
fn guids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words.filter(|word| word.split('-').map(str::len).eq([8, 4, 4, 4, 12]))
}

#[test]
fn each_file_enables_the_provider() {
    for file in FILES.into_iter().chain([PAGE]) {
        let text = read(file);
        assert!(text.contains(PROVIDER), "{file} does not name {PROVIDER}");
        let guids: BTreeSet<_> = guids(&text).collect();
        assert_eq!(guids, BTreeSet::from([GUID]), "{file}");
    }
}

#[test]
fn each_file_asks_for_the_level_and_the_keyword() {
    for (file, settings) in [
        (PAGE, format!("-p \"{{{GUID}}}\" {KEYWORD:#x} {LEVEL} ")),
        (PAGE, format!("-matchanykw {KEYWORD:#x} -level {LEVEL} ")),
        (PAGE, format!("any={KEYWORD}, level={LEVEL})")),
        (
            FILES[0],
            format!(".any({KEYWORD:#x})\n        .level({LEVEL})"),
        ),
        (FILES[1], format!("match_any_keyword: {KEYWORD:#x}\n")),
        (
            FILES[2],
            format!("provider.any({KEYWORD:#x});\n    provider.level({LEVEL});"),
        ),
        (FILES[3], format!("Level=\"{LEVEL}\"")),
        (FILES[3], format!("<Keyword Value=\"{KEYWORD:#x}\"/>")),
        (FILES[4], format!("any={KEYWORD:#x}, level={LEVEL})")),
    ] {
        assert!(read(file).contains(&settings), "{file} lacks {settings}");
    }
    // By its name.
    assert_eq!(LEVEL, 4);
    assert!(read(FILES[1]).contains("trace_level: information\n"));
}

/// The GUID that tools compute from a provider's name: the first half of a hash
/// of a fixed namespace and the name in upper case, as
/// [EventSource](https://learn.microsoft.com/dotnet/api/system.diagnostics.tracing.eventsource.getguid)
/// makes it.
fn hashed(name: &str) -> String {
    const NAMESPACE: u128 = 0x482c_2db2_c390_47c8_87f8_1a15_bfc1_30fb;
    let mut hash = Sha1::new().chain_update(NAMESPACE.to_be_bytes());
    for unit in name.to_uppercase().encode_utf16() {
        hash.update(unit.to_be_bytes());
    }
    let mut guid: [u8; 16] = hash.finalize()[..16].try_into().unwrap();
    guid[7] = guid[7] & 0xf | 0x50;
    // The first three numbers are little-endian.
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (place, byte) in order.into_iter().enumerate() {
        if [4, 6, 8, 10].contains(&place) {
            text.push('-');
        }
        write!(text, "{:02x}", guid[byte]).unwrap();
    }
    text
}

#[test]
fn the_guid_is_the_hash_of_the_name() {
    assert_eq!(hashed(PROVIDER), GUID);
    // Of Microsoft's documentation of the names of providers.
    assert_eq!(
        hashed("MyCompany.MyComponent"),
        "ce5fa4ea-ab00-5402-8b76-9f76ac858fb5"
    );
}
