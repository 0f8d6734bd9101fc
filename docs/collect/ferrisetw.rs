//! Prints the processes that procmon reports, with ferrisetw 1.2.
//!
//! Cargo.toml: `[dependencies] ferrisetw = "1.2"`. Run it as administrator.

use ferrisetw::EventRecord;
use ferrisetw::parser::Parser;
use ferrisetw::provider::Provider;
use ferrisetw::schema_locator::SchemaLocator;
use ferrisetw::trace::{LoggingMode, TraceProperties, UserTrace};

/// A counted UTF-16 string. `try_parse::<String>` does not know this type.
fn text(parser: &Parser, field: &str) -> String {
    let bytes: Vec<u8> = parser.try_parse(field).unwrap_or_default();
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let mut units: Vec<u16> = units.collect();
    // The first unit is the count of the bytes that follow.
    if units
        .first()
        .is_some_and(|&count| usize::from(count) + 2 == bytes.len())
    {
        units.remove(0);
    }
    String::from_utf16_lossy(&units)
}

fn on_event(record: &EventRecord, schemas: &SchemaLocator) {
    let Ok(schema) = schemas.event_schema(record) else {
        return;
    };
    let parser = Parser::create(record, &schema);
    let pid: u32 = parser.try_parse("ProcessId").unwrap_or_default();
    let start_key: u64 = parser.try_parse("StartKey").unwrap_or_default();
    match record.event_id() {
        1 => {
            let parent: u32 = parser.try_parse("ParentProcessId").unwrap_or_default();
            let user: String = parser.try_parse("User").unwrap_or_default();
            let image = text(&parser, "ImageName");
            let command_line = text(&parser, "CommandLine");
            println!("create {start_key:#x} {pid} by {parent} {user} {image} {command_line}");
        }
        2 => {
            let status: u32 = parser.try_parse("ExitStatus").unwrap_or_default();
            let lifetime: u64 = parser.try_parse("LifetimeMs").unwrap_or_default();
            println!("exit {start_key:#x} {pid} {status:#x} after {lifetime} ms");
        }
        _ => {} // 3, ProcessText: the rest of a long text
    }
}

fn main() {
    // Procmon-Driver
    let provider = Provider::by_guid("95487dfb-e18a-5672-3d3d-e7b3a4901f38")
        .any(0x1)
        .level(4)
        .add_callback(on_event)
        .build();
    let properties = TraceProperties {
        buffer_size: 64, // KB; a long command line needs 32
        min_buffer: 16,
        max_buffer: 64,
        log_file_mode: LoggingMode::EVENT_TRACE_REAL_TIME_MODE
            | LoggingMode::EVENT_TRACE_INDEPENDENT_SESSION_MODE,
        ..TraceProperties::default()
    };
    let _trace = UserTrace::new()
        .named("Procmon-ferrisetw".to_owned())
        .set_trace_properties(properties)
        .enable(provider)
        .start_and_process()
        .expect("the session starts");
    println!("Press Enter to stop.");
    let _ = std::io::stdin().read_line(&mut String::new());
}
