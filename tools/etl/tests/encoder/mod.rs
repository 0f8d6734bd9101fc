//! Microsoft's own encoder of `TraceLogging` events, as far as tests use it.

use tracelogging_dynamic::{EventBuilder, Level};

/// An event of this name that has no field yet.
pub fn event(name: &str) -> EventBuilder {
    let mut builder = EventBuilder::new();
    builder.reset(name, Level::Informational, 1, 0);
    builder
}

/// The schema and the payload of an event. The encoder gives them to Windows
/// only, but shows them.
pub fn parts(builder: &EventBuilder) -> (Vec<u8>, Vec<u8>) {
    let shown = format!("{builder:?}");
    let bytes = |field: &str| -> Vec<u8> {
        let (_, rest) = shown.split_once(&format!("{field}: [")).unwrap();
        let (bytes, _) = rest.split_once(']').unwrap();
        let bytes = bytes.split(", ").filter(|byte| !byte.is_empty());
        bytes.map(|byte| byte.parse().unwrap()).collect()
    };
    let mut schema = bytes("meta");
    // Filled in when the event is written.
    let size = u16::try_from(schema.len()).unwrap();
    schema[..2].copy_from_slice(&size.to_le_bytes());
    (schema, bytes("data"))
}
