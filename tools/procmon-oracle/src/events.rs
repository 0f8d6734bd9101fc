//! The ETW events that procmon has to write.

use std::fmt;

use bstr::ByteSlice;
use etl::tracelogging::{Decoded, InType, OutType, Value, decode};
use ntsim::nt::{Guid, Sid, Token};
use ntsim::tracing::{EventDescriptor, TraceEvent};
use ntsim::{Announcement, ProcessExit};
use ntsim_trials::oracle::FailedCalls;
use procmon_log::Created;
use procmon_log::line::Bits;

use super::{LONGEST_LIFETIME_MS, characters, start_key};

/// The provider of all events.
const PROVIDER: Guid = Guid::from_u128(0x9548_7dfb_e18a_5672_3d3d_e7b3_a490_1f38);

/// Its traits: their own size, and its name.
const TRAITS: &[u8] = b"\x11\0Procmon-Driver\0";

/// The most UTF-16 units of a text in one event.
const UNITS: usize = 7_000;

/// How a field is encoded.
type Type = (InType, OutType);

const PID: Type = (InType::UInt32, OutType::Pid);
const TID: Type = (InType::UInt32, OutType::Tid);
const UINT8: Type = (InType::UInt8, OutType::Default);
const UINT32: Type = (InType::UInt32, OutType::Default);
const UINT64: Type = (InType::UInt64, OutType::Default);
const HEX32: Type = (InType::HexInt32, OutType::Default);
const HEX64: Type = (InType::HexInt64, OutType::Default);
const STATUS: Type = (InType::Int32, OutType::NtStatus);
const HEX_STATUS: Type = (InType::HexInt32, OutType::NtStatus);
const FILE_TIME: Type = (InType::FileTime, OutType::Default);
const SID: Type = (InType::Sid, OutType::Default);
const TEXT: Type = (InType::CountedString, OutType::Default);

/// What `Flags` of a created process says.
mod flag {
    pub const REPARENTED: u64 = 0x1;
    pub const NAME_PARTIAL: u64 = 0x2;
    pub const NO_NAME: u64 = 0x4;
    pub const NO_COMMAND_LINE: u64 = 0x8;
    pub const WOW64: u64 = 0x10;
    pub const BITNESS_UNKNOWN: u64 = 0x20;
    pub const SESSION_UNKNOWN: u64 = 0x40;
    pub const TOKEN_UNKNOWN: u64 = 0x80;
    pub const START_KEY_UNKNOWN: u64 = 0x100;
    pub const NAME_CONTINUES: u64 = 0x200;
    pub const COMMAND_LINE_CONTINUES: u64 = 0x400;
}

/// The time at which a process was created, where events say it.
const CREATE_TIME: &str = "CreateTime";

/// An event that procmon has to write.
#[derive(Clone, Debug)]
pub struct Expected {
    id: u16,
    name: &'static str,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    encoded: Type,
    value: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Exactly(Value),
    /// The create time, which is the same in all events of a process.
    CreateTime,
    /// A lifetime that a process of a trial may have.
    Lifetime,
}

/// What is said of the events of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    create_time: Option<i64>,
}

/// An event of procmon's, decoded.
pub struct Heard {
    descriptor: EventDescriptor,
    decoded: Decoded,
}

impl Heard {
    /// Decodes an event that a session has heard.
    ///
    /// # Errors
    /// Where it is not an event of procmon's provider.
    pub fn new(event: &TraceEvent<'_>) -> Result<Self, String> {
        if event.provider != PROVIDER || event.traits != Some(TRAITS) {
            let traits = event.traits.map(ByteSlice::as_bstr);
            let provider = event.provider.braced();
            return Err(format!("an event of the provider {provider}, {traits:?}"));
        }
        let schema = event
            .schema
            .ok_or("an event that does not describe itself")?;
        let decoded = decode(schema, event.payload).map_err(|error| error.to_string())?;
        Ok(Self {
            descriptor: event.descriptor,
            decoded,
        })
    }

    /// The process that it is about.
    pub fn process_id(&self) -> Option<u32> {
        match self.decoded.field("ProcessId")?.value {
            Value::Unsigned(id) => id.try_into().ok(),
            _ => None,
        }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.decoded.name)?;
        for field in &self.decoded.fields {
            let text = field.to_string();
            let start: String = text.chars().take(80).collect();
            write!(f, " {}={start}", field.name)?;
        }
        Ok(())
    }
}

impl Expected {
    /// Holds an event against it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn compare(&self, heard: &Heard, seen: &mut Seen) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{heard}: {what}"));
        let descriptor = EventDescriptor {
            id: self.id,
            version: 0,
            channel: 11,
            level: 4,
            opcode: 0,
            task: 0,
            keyword: 1,
        };
        if heard.descriptor != descriptor {
            return wrong(format!("{:?} instead of {descriptor:?}", heard.descriptor));
        }
        let Decoded {
            name,
            tag,
            fields,
            trailing,
        } = &heard.decoded;
        if (name.as_str(), *tag, *trailing) != (self.name, 0, 0) {
            return wrong(format!("instead of {}", self.name));
        }
        let names = |names: Vec<&str>| names.join(" ");
        let got = names(fields.iter().map(|field| field.name.as_str()).collect());
        let wanted = names(self.fields.iter().map(|field| field.name).collect());
        if got != wanted {
            return wrong(format!("{got} instead of {wanted}"));
        }
        for (field, wanted) in fields.iter().zip(&self.fields) {
            let is_right = match (&wanted.value, &field.value) {
                (Wanted::Exactly(value), got) => value == got,
                (Wanted::CreateTime, Value::FileTime(time)) => {
                    *seen.create_time.get_or_insert(*time) == *time && *time != 0
                }
                (Wanted::Lifetime, Value::Unsigned(time)) => *time <= LONGEST_LIFETIME_MS,
                _ => false,
            };
            if !is_right || (field.in_type, field.out_type) != wanted.encoded {
                return wrong(format!("{field:?} instead of {wanted:?}"));
            }
        }
        Ok(())
    }
}

/// Adds the fields of an event in their order.
struct Fields(Vec<Field>);

impl Fields {
    fn add(&mut self, name: &'static str, encoded: Type, value: Value) {
        let value = Wanted::Exactly(value);
        self.0.push(Field {
            name,
            encoded,
            value,
        });
    }

    fn unsigned(&mut self, name: &'static str, encoded: Type, value: impl Into<u64>) {
        self.add(name, encoded, Value::Unsigned(value.into()));
    }

    fn create_time(&mut self) {
        self.0.push(Field {
            name: CREATE_TIME,
            encoded: FILE_TIME,
            value: Wanted::CreateTime,
        });
    }
}

fn sid(sid: Sid) -> Value {
    Value::Sid {
        revision: 1,
        authority: sid.authority(),
        subauthorities: sid.sub_authorities().to_vec(),
    }
}

/// Identifiers have 32 bits in events.
fn id(id: u64) -> u64 {
    id & u64::from(u32::MAX)
}

/// The events of a process that is created, of which `line` says the log.
pub fn created(
    announced: &Announcement,
    line: &Created<'_>,
    failed: FailedCalls<'_>,
) -> Vec<Expected> {
    let texts = [&announced.image_file_name, &announced.command_line];
    let texts = texts.map(|text| text.as_ref().and_then(characters));
    let [name, command_line] = texts
        .each_ref()
        .map(|text| text.as_deref().unwrap_or_default());
    let detail = &line.detail;
    let key = start_key(announced, failed.loading);
    let is_token_known =
        detail.user.is_some() && detail.integrity.is_some() && detail.logon.is_some();
    let Token { user, .. } = announced.token;
    let flags = [
        (detail.is_reparented, flag::REPARENTED),
        (detail.name_is_partial, flag::NAME_PARTIAL),
        (texts[0].is_none(), flag::NO_NAME),
        (texts[1].is_none(), flag::NO_COMMAND_LINE),
        (detail.bits == Bits::Is32, flag::WOW64),
        (
            matches!(detail.bits, Bits::Unknown(_)),
            flag::BITNESS_UNKNOWN,
        ),
        (detail.session.is_none(), flag::SESSION_UNKNOWN),
        (!is_token_known, flag::TOKEN_UNKNOWN),
        (key.is_none(), flag::START_KEY_UNKNOWN),
        (name.len() > UNITS, flag::NAME_CONTINUES),
        (command_line.len() > UNITS, flag::COMMAND_LINE_CONTINUES),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set);
    let flags = flags.fold(0, |all, (_, flag)| all | flag);

    let mut fields = Fields(Vec::new());
    fields.unsigned("ProcessId", PID, id(announced.process_id));
    fields.unsigned("ParentProcessId", PID, id(announced.parent_process_id));
    fields.unsigned("CreatingProcessId", PID, id(announced.creating_process_id));
    fields.unsigned("CreatingThreadId", TID, id(announced.creating_thread_id));
    fields.create_time();
    fields.unsigned("StartKey", HEX64, key.unwrap_or_default());
    fields.unsigned("SessionId", UINT32, detail.session.unwrap_or_default());
    fields.unsigned("LogonId", HEX64, detail.logon.unwrap_or_default());
    let integrity = detail.integrity.unwrap_or_default().0;
    fields.unsigned("IntegrityLevel", HEX32, integrity);
    let status = Value::Signed(announced.creation_status.into());
    fields.add("CreationStatus", STATUS, status);
    fields.unsigned("Flags", HEX32, flags);
    let nobody = Sid::new(0, &[0]);
    fields.add("User", SID, sid(detail.user.map_or(nobody, |_| user)));
    for (name, text) in [("ImageName", name), ("CommandLine", command_line)] {
        let first = text.get(..UNITS).unwrap_or(text);
        fields.add(name, TEXT, Value::Utf16(first.to_vec()));
    }
    let mut events = vec![Expected {
        id: 1,
        name: "ProcessCreate",
        fields: fields.0,
    }];
    for (field, text) in [(1_u8, name), (2, command_line)] {
        let parts = text.chunks(UNITS).enumerate().skip(1);
        events.extend(parts.map(|(index, part)| {
            let mut fields = Fields(Vec::new());
            fields.unsigned("ProcessId", PID, id(announced.process_id));
            fields.create_time();
            fields.unsigned("Field", UINT8, field);
            fields.unsigned("Offset", UINT32, (index * UNITS) as u64);
            fields.add("Text", TEXT, Value::Utf16(part.to_vec()));
            Expected {
                id: 3,
                name: "ProcessText",
                fields: fields.0,
            }
        }));
    }
    events
}

/// The events of a process that exits, whose start key is known or not.
pub fn exited(exit: ProcessExit, start_key: Option<u64>) -> Vec<Expected> {
    let mut fields = Fields(Vec::new());
    fields.unsigned("ProcessId", PID, exit.process_id);
    fields.create_time();
    fields.unsigned("StartKey", HEX64, start_key.unwrap_or_default());
    fields.0.push(Field {
        name: "LifetimeMs",
        encoded: UINT64,
        value: Wanted::Lifetime,
    });
    let status = exit.exit_status.cast_unsigned();
    fields.unsigned("ExitStatus", HEX_STATUS, status);
    vec![Expected {
        id: 2,
        name: "ProcessExit",
        fields: fields.0,
    }]
}
