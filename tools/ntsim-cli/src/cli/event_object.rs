//! An event of a driver's event provider as an object of the JSON log.

use std::fmt::Write as _;

use etl::tracelogging::{self, Field, Value};
use etl::{Event, Item};
use serde_json::{Map, Value as Json, json};

/// The object of an event: its fields by name where it describes itself, its
/// bytes in hexadecimal where it does not.
pub fn of(event: &Event<'_>) -> Json {
    let descriptor = &event.descriptor;
    let mut object = json!({
        "type": "event",
        "provider_id": event.provider.braced().to_string(),
        "provider": event.provider_name(),
        "id": descriptor.id,
        "version": descriptor.version,
        "level": descriptor.level,
        "keyword": descriptor.keyword,
        "system_time": event.time,
        "process_id": event.process_id,
        "thread_id": event.thread_id,
    });
    let decoded = event
        .item(Item::SCHEMA)
        .map(|schema| tracelogging::decode(schema, event.payload));
    match decoded {
        Some(Ok(decoded)) => {
            object["event"] = decoded.name.into();
            object["fields"] = fields(&decoded.fields);
        }
        Some(Err(error)) => {
            object["error"] = error.to_string().into();
            object["payload"] = hex(event.payload).into();
        }
        None => object["payload"] = hex(event.payload).into(),
    }
    object
}

fn fields(fields: &[Field]) -> Json {
    let named = fields.iter().map(|field| {
        let value = value(field, &field.value);
        (field.name.clone(), value)
    });
    Json::Object(named.collect::<Map<_, _>>())
}

/// Numbers as numbers, a `FILETIME` among them; the rest as its text.
fn value(field: &Field, value_of: &Value) -> Json {
    match value_of {
        Value::Null => Json::Null,
        Value::Signed(number) | Value::FileTime(number) => (*number).into(),
        Value::Unsigned(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Bool(is_true) => (*is_true).into(),
        Value::Struct(members) => fields(members),
        Value::Array(values) => values.iter().map(|item| value(field, item)).collect(),
        _ => field.to_string().into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_describes_itself_has_fields() {
        let schema = b"\x19\0\0Started\0Pid\0\x08Name\0\x16A\0\x48";
        let items = vec![Item::traits(b"\x07\0Name\0"), Item::schema(schema)];
        let event = Event {
            items,
            payload: b"\x2c\x1a\0\0\x04\0a\0\x2d\x4e\x02\0\x01\0\0\0\x02\0\0\0",
            ..Event::default()
        };
        let object = of(&event);
        assert_eq!(object["provider"], "Name");
        assert_eq!(object["event"], "Started");
        assert_eq!(
            object["fields"],
            json!({ "Pid": 0x1a2c, "Name": "a\u{4e2d}", "A": [1, 2] })
        );
        let cut = Event {
            payload: &event.payload[..5],
            ..event
        };
        assert_eq!(of(&cut)["error"], "the data end too early");
        assert_eq!(of(&cut)["payload"], "2c1a000004");
    }

    #[test]
    fn an_event_that_does_not_has_bytes() {
        let event = Event {
            payload: &[1, 0xff],
            ..Event::default()
        };
        let object = of(&event);
        assert_eq!(object["payload"], "01ff");
        assert!(object.get("fields").is_none());
    }
}
