//! What collectors are told of procmon's events, in docs/collect.md and the files
//! beside it, is what the driver declares.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha1::{Digest as _, Sha1};

const PAGE: &str = "docs/collect.md";
const AUTOLOGGER: &str = "docs/collect/autologger.reg";
const FERRISETW: &str = "docs/collect/ferrisetw.rs";
const FILEBEAT: &str = "docs/collect/filebeat.yml";
const KRABSETW: &str = "docs/collect/krabsetw.cpp";
const VELOCIRAPTOR: &str = "docs/collect/velociraptor.yaml";
const WPR: &str = "docs/collect/procmon.wprp";

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

/// What the driver's source declares.
struct Declared {
    provider: String,
    guid: String,
    level: u8,
    channel: u8,
    keyword: u64,
    events: Vec<Event>,
    flags: Vec<u32>,
    units: usize,
}

/// What stands between two texts of a source.
fn between<'a>(source: &'a str, start: &str, end: &str) -> &'a str {
    let found = source
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    let (found, _) = found.unwrap_or_else(|| panic!("no `{start}…{end}` in the source"));
    found
}

/// A number as Rust writes it.
fn number(text: &str) -> u64 {
    let text = text.trim().replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .unwrap_or_else(|_| panic!("no number: {text}"))
}

/// The type of a field, as the page writes it.
fn type_of(in_type: &str, out_type: Option<&str>) -> String {
    let name = match in_type {
        "UInt8" => "u8",
        "Int32" => "i32",
        "UInt32" => "u32",
        "UInt64" => "u64",
        "FileTime" => "FILETIME",
        "Sid" => "SID",
        "CountedString" => "counted UTF-16",
        "HexInt32" if out_type.is_some() => "u32",
        "HexInt32" => "u32, hexadecimal",
        "HexInt64" => "u64, hexadecimal",
        other => panic!("the page has no name for {other}"),
    };
    match out_type {
        None => name.to_owned(),
        Some("NtStatus") => format!("{name}, NTSTATUS"),
        Some(identifier) => format!("{name}, {}", identifier.to_uppercase()),
    }
}

fn fields(list: &str) -> Vec<[String; 2]> {
    let fields = list.split("Field::").skip(1).map(|field| {
        let word = |start| {
            let word = field.split(start).nth(1)?;
            word.split(|c: char| !c.is_alphanumeric()).next()
        };
        let types = type_of(word("InType::").unwrap(), word("OutType::"));
        [word("\"").unwrap().to_owned(), types]
    });
    fields.collect()
}

fn declared() -> Declared {
    let source = read("src/trace.rs");
    let events = source.split("\nstatic ").skip(1).filter_map(|item| {
        let (name, rest) = item.split_once(": EVENT_DESCRIPTOR = descriptor(")?;
        let metadata = between(&source, &format!("static {name}_METADATA"), ";\n\n");
        let call = between(metadata, "event_metadata(\"", ")");
        let (event, list) = call.split_once("\", ").unwrap();
        Some(Event {
            name: event.to_owned(),
            id: number(rest.split(')').next().unwrap()).try_into().unwrap(),
            fields: fields(between(&source, &format!("const {list}:"), "];")),
        })
    });
    let guid = between(&source, "const PROVIDER_ID: GUID", "};");
    let mut digits = String::new();
    for part in guid.split("0x").skip(1) {
        digits.extend(
            part.chars()
                .filter(|c| *c != '_')
                .map_while(|c| c.to_digit(16).map(|_| c)),
        );
    }
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
    let flags = between(&source, "mod flags {", "\n}");
    let flags = flags
        .split(" = ")
        .skip(1)
        .map(|text| number(text.split(';').next().unwrap()));
    let value = |start, end| number(between(&source, start, end));
    Declared {
        provider: between(&source, "PROVIDER_NAME: &str = \"", "\"").to_owned(),
        guid: parts.join("-"),
        level: value("WINEVENT_LEVEL_INFO: u8 = ", ";").try_into().unwrap(),
        channel: value("WINEVENT_CHANNEL_TRACELOGGING: u8 = ", ";")
            .try_into()
            .unwrap(),
        keyword: value("Keyword: ", ","),
        events: events.collect(),
        flags: flags.map(|flag| flag.try_into().unwrap()).collect(),
        units: value("UNITS: usize = ", ";").try_into().unwrap(),
    }
}

/// The cells of a table's rows, from behind a heading to the next one.
fn rows(section: &str) -> impl Iterator<Item = Vec<&str>> {
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix('|'));
    let rows = rows.map(|row| row.split('|').map(str::trim).collect());
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
    let declared = declared().events;
    assert_eq!(declared.len(), 3);
    assert_eq!(described(&page), declared);
    for (from, to) in [
        ("`LogonId` | u64", "`Logon` | u64"),
        ("| `SessionId` | u32 |", "| `SessionId` | u64 |"),
        ("ProcessText, event 3", "ProcessText, event 4"),
    ] {
        assert!(page.contains(from), "{from}");
        assert_ne!(described(&page.replacen(from, to, 1)), declared, "{from}");
    }
}

#[test]
fn the_page_describes_each_flag() {
    let page = read(PAGE);
    let flags = rows(page.split("\n### Flags\n").nth(1).unwrap());
    let flags = flags.map(|row| number(row[0]).try_into().unwrap());
    assert_eq!(flags.collect::<Vec<u32>>(), declared().flags);
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
    let events = declared().events;
    let fields: BTreeSet<_> = events
        .iter()
        .flat_map(|event| &event.fields)
        .map(|[name, _]| name.as_str())
        .collect();
    let mut seen = 0;
    for (file, openings, closing) in [
        (FILEBEAT, &["winlog.event_data."][..], ','),
        (FERRISETW, &["try_parse(\"", "text(&parser, \""], '"'),
        (KRABSETW, &[">(L\"", "text(parser, L\""], '"'),
    ] {
        let text = read(file);
        for field in named(&text, openings, closing) {
            assert!(fields.contains(field), "{file}: no event has {field}");
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} fields were found");
}

#[test]
fn the_artifact_has_a_column_for_each_field() {
    let artifact = read(VELOCIRAPTOR);
    for event in declared().events {
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

/// What of a text is a name of a kernel routine, in quotes of some kind.
fn routines(text: &str, quote: char) -> impl Iterator<Item = &str> {
    let quoted = text.split(quote).skip(1).step_by(2);
    quoted.filter(|name| {
        let prefixes = ["Dbg", "Etw", "Ke", "Mm", "Ob", "Ps", "Rtl", "Zw"];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
            && name.chars().all(char::is_alphanumeric)
    })
}

/// Those that the image imports, and those that it looks up by name.
#[test]
fn the_page_names_each_routine_that_the_driver_calls() {
    let page = read(PAGE);
    let map = rows(page.split("\n## 10. ").nth(1).unwrap());
    let named: BTreeSet<_> = map.flat_map(|row| routines(row[3], '`')).collect();
    let imports = read("tools/xtask/src/check/imports.rs");
    let imports = between(&imports, "EXPECTED", "];");
    let looked_up = read("src/nt/process.rs");
    let looked_up = looked_up.lines().filter(|line| line.contains("&utf16::<"));
    let looked_up = looked_up.flat_map(|line| routines(line, '"'));
    let called: BTreeSet<_> = routines(imports, '"').chain(looked_up).collect();
    assert!(called.len() > 15, "only {called:?}");
    assert_eq!(named, called);
}

/// What looks like a GUID in a text.
fn guids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
    words.filter(|word| word.split('-').map(str::len).eq([8, 4, 4, 4, 12]))
}

#[test]
fn each_file_enables_the_provider() {
    let Declared { provider, guid, .. } = declared();
    for file in [
        PAGE,
        AUTOLOGGER,
        FERRISETW,
        FILEBEAT,
        KRABSETW,
        VELOCIRAPTOR,
        WPR,
    ] {
        let text = read(file);
        assert!(text.contains(&provider), "{file} does not name {provider}");
        // A session of the AutoLogger has a GUID, too.
        let lines = text.lines().filter(|line| !line.starts_with("\"Guid\"="));
        let guids: BTreeSet<_> = lines.flat_map(guids).collect();
        assert_eq!(guids, BTreeSet::from([guid.as_str()]), "{file}");
    }
}

#[test]
fn each_file_asks_for_the_level_and_the_keyword() {
    let Declared {
        guid,
        level,
        channel,
        keyword,
        ..
    } = declared();
    for (file, settings) in [
        (
            PAGE,
            format!("level {level} (information), keyword {keyword:#x}, channel {channel},"),
        ),
        (PAGE, format!("-p \"{{{guid}}}\" {keyword:#x} {level} ")),
        (PAGE, format!("-matchanykw {keyword:#x} -level {level} ")),
        (PAGE, format!("any={keyword}, level={level})")),
        (
            FERRISETW,
            format!(".any({keyword:#x})\n        .level({level})"),
        ),
        (FILEBEAT, format!("match_any_keyword: {keyword:#x}\n")),
        (FILEBEAT, "trace_level: information\n".to_owned()),
        (
            KRABSETW,
            format!("provider.any({keyword:#x});\n    provider.level({level});"),
        ),
        (WPR, format!("Level=\"{level}\"")),
        (WPR, format!("<Keyword Value=\"{keyword:#x}\"/>")),
        (VELOCIRAPTOR, format!("any={keyword:#x}, level={level})")),
        (AUTOLOGGER, format!("\"EnableLevel\"=dword:{level:08x}")),
        (
            AUTOLOGGER,
            format!("\"MatchAnyKeyword\"=hex(b):{keyword:02x},00,00,00,00,00,00,00"),
        ),
    ] {
        assert!(read(file).contains(&settings), "{file} lacks {settings}");
    }
}

#[test]
fn the_length_of_a_text_is_the_drivers() {
    let units = declared().units;
    let units = format!("{},{:03}", units / 1_000, units % 1_000);
    assert!(read(PAGE).contains(&format!("At most {units} units stand in ProcessCreate")));
    assert!(read(VELOCIRAPTOR).contains(&format!("longer than {units} UTF-16 units")));
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
    let Declared { provider, guid, .. } = declared();
    assert_eq!(hashed(&provider), guid);
    // Of Microsoft's documentation of the names of providers.
    assert_eq!(
        hashed("MyCompany.MyComponent"),
        "ce5fa4ea-ab00-5402-8b76-9f76ac858fb5"
    );
}
