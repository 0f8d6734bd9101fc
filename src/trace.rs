//! The ETW events: what the log says, for collectors.
//!
//! Each event describes itself, in `TraceLogging`'s encoding, so that no manifest
//! is installed. Its texts are exact. A text of more than [`UNITS`] goes on in
//! events of its own, so that no event is too large for a session's buffer.
//!
//! IRQL of every function here: `PASSIVE_LEVEL`.

use wdk_sys::{EVENT_DESCRIPTOR, GUID, NTSTATUS};

use crate::event::{Created, Exited};
use crate::nt::provider::{DataDescriptor, Provider};
use crate::nt::token::Sid;
use crate::trace_logging::{
    Field, InType, OutType, event_metadata, event_metadata_size, provider_traits,
    provider_traits_size,
};

/// The provider of all events.
pub static PROVIDER: Provider = Provider::new(PROVIDER_ID, &PROVIDER_TRAITS);

const PROVIDER_NAME: &str = "Procmon-Driver";

/// `{95487dfb-e18a-5672-3d3d-e7b3a4901f38}`, the hash of the name that ETW's
/// tools compute, too.
const PROVIDER_ID: GUID = GUID {
    Data1: 0x9548_7dfb,
    Data2: 0xe18a,
    Data3: 0x5672,
    Data4: [0x3d, 0x3d, 0xe7, 0xb3, 0xa4, 0x90, 0x1f, 0x38],
};

static PROVIDER_TRAITS: [u8; provider_traits_size(PROVIDER_NAME)] = provider_traits(PROVIDER_NAME);

/// The most UTF-16 units of a text in one event.
pub const UNITS: usize = 7_000;

/// Writes the event of a process that is being created.
pub fn created(event: &Created<'_>) {
    if PROVIDER.is_enabled(&PROCESS_CREATE) {
        write_created(event);
    }
}

/// Writes the event of a process that is exiting.
pub fn exited(event: &Exited) {
    if PROVIDER.is_enabled(&PROCESS_EXIT) {
        write_exited(event);
    }
}

/// An informational event of a self-describing provider.
const fn descriptor(id: u16) -> EVENT_DESCRIPTOR {
    const WINEVENT_LEVEL_INFO: u8 = 4;
    const WINEVENT_CHANNEL_TRACELOGGING: u8 = 11;
    EVENT_DESCRIPTOR {
        Id: id,
        Version: 0,
        Channel: WINEVENT_CHANNEL_TRACELOGGING,
        Level: WINEVENT_LEVEL_INFO,
        Opcode: 0,
        Task: 0,
        Keyword: 0x1,
    }
}

static PROCESS_CREATE: EVENT_DESCRIPTOR = descriptor(1);

static PROCESS_CREATE_METADATA: [u8; event_metadata_size("ProcessCreate", CREATE_FIELDS)] =
    event_metadata("ProcessCreate", CREATE_FIELDS);

const CREATE_FIELDS: &[Field] = &[
    Field::shown_as("ProcessId", InType::UInt32, OutType::Pid),
    Field::shown_as("ParentProcessId", InType::UInt32, OutType::Pid),
    Field::shown_as("CreatingProcessId", InType::UInt32, OutType::Pid),
    Field::shown_as("CreatingThreadId", InType::UInt32, OutType::Tid),
    Field::new("CreateTime", InType::FileTime),
    Field::new("StartKey", InType::HexInt64),
    Field::new("SessionId", InType::UInt32),
    Field::new("LogonId", InType::HexInt64),
    Field::new("IntegrityLevel", InType::HexInt32),
    Field::shown_as("CreationStatus", InType::Int32, OutType::NtStatus),
    Field::new("Flags", InType::HexInt32),
    Field::new("User", InType::Sid),
    Field::new("ImageName", InType::CountedString),
    Field::new("CommandLine", InType::CountedString),
];

/// The fields of `ProcessCreate` up to the user.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct CreateData {
    process_id: u32,
    parent_process_id: u32,
    creating_process_id: u32,
    creating_thread_id: u32,
    create_time: i64,
    start_key: u64,
    session_id: u32,
    logon_id: u64,
    integrity_level: u32,
    creation_status: NTSTATUS,
    flags: u32,
}

/// What `Flags` says of a created process.
mod flags {
    pub const REPARENTED: u32 = 0x1;
    pub const NAME_IS_PARTIAL: u32 = 0x2;
    pub const NO_NAME: u32 = 0x4;
    pub const NO_COMMAND_LINE: u32 = 0x8;
    pub const WOW64: u32 = 0x10;
    pub const BITNESS_UNKNOWN: u32 = 0x20;
    pub const SESSION_UNKNOWN: u32 = 0x40;
    pub const TOKEN_UNKNOWN: u32 = 0x80;
    pub const START_KEY_UNKNOWN: u32 = 0x100;
    pub const NAME_CONTINUES: u32 = 0x200;
    pub const COMMAND_LINE_CONTINUES: u32 = 0x400;
}

static PROCESS_EXIT: EVENT_DESCRIPTOR = descriptor(2);

static PROCESS_EXIT_METADATA: [u8; event_metadata_size("ProcessExit", EXIT_FIELDS)] =
    event_metadata("ProcessExit", EXIT_FIELDS);

const EXIT_FIELDS: &[Field] = &[
    Field::shown_as("ProcessId", InType::UInt32, OutType::Pid),
    Field::new("CreateTime", InType::FileTime),
    Field::new("StartKey", InType::HexInt64),
    Field::new("LifetimeMs", InType::UInt64),
    Field::shown_as("ExitStatus", InType::HexInt32, OutType::NtStatus),
];

/// All fields of `ProcessExit`.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct ExitData {
    process_id: u32,
    create_time: i64,
    start_key: u64,
    lifetime_ms: u64,
    exit_status: NTSTATUS,
}

static PROCESS_TEXT: EVENT_DESCRIPTOR = descriptor(3);

static PROCESS_TEXT_METADATA: [u8; event_metadata_size("ProcessText", TEXT_FIELDS)] =
    event_metadata("ProcessText", TEXT_FIELDS);

const TEXT_FIELDS: &[Field] = &[
    Field::shown_as("ProcessId", InType::UInt32, OutType::Pid),
    Field::new("CreateTime", InType::FileTime),
    Field::new("Field", InType::UInt8),
    Field::new("Offset", InType::UInt32),
    Field::new("Text", InType::CountedString),
];

/// The fields of `ProcessText` up to the text.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct TextData {
    process_id: u32,
    create_time: i64,
    field: TextField,
    offset: u32,
}

/// Whose text goes on.
#[derive(Clone, Copy)]
#[repr(u8)]
enum TextField {
    ImageName = 1,
    CommandLine = 2,
}

#[inline(never)]
fn write_created(event: &Created<'_>) {
    let name = Text::new(event.creation.image_file_name());
    let command_line = Text::new(event.creation.command_line());
    let data = create_data(event, &name, &command_line);
    let user = event.identity.user.as_ref();
    let user = user.map_or(Sid::NOBODY.as_slice(), Sid::as_bytes);
    PROVIDER.write(
        &PROCESS_CREATE,
        &mut [
            DataDescriptor::provider_traits(&PROVIDER_TRAITS),
            DataDescriptor::event_metadata(&PROCESS_CREATE_METADATA),
            DataDescriptor::of(&data),
            DataDescriptor::of_slice(user),
            DataDescriptor::of(&byte_count(name.first)),
            DataDescriptor::of_slice(name.first),
            DataDescriptor::of(&byte_count(command_line.first)),
            DataDescriptor::of_slice(command_line.first),
        ],
    );
    write_rest(event, TextField::ImageName, name.rest);
    write_rest(event, TextField::CommandLine, command_line.rest);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "identifiers are of 32 bits"
)]
fn create_data(event: &Created<'_>, name: &Text<'_>, command_line: &Text<'_>) -> CreateData {
    let creation = event.creation;
    let identity = &event.identity;
    let is_wow64 = event.is_wow64.as_ref().is_ok_and(|&is_wow64| is_wow64);
    let flag = |flag: u32, is_set: bool| if is_set { flag } else { 0 };
    CreateData {
        process_id: event.pid.as_u64() as u32,
        parent_process_id: creation.parent().as_u64() as u32,
        creating_process_id: creation.creating_process().as_u64() as u32,
        creating_thread_id: creation.creating_thread().as_u64() as u32,
        create_time: event.create_time,
        start_key: event.start_key.unwrap_or_default(),
        session_id: event.session.unwrap_or_default(),
        logon_id: identity.logon_id.unwrap_or_default(),
        integrity_level: identity.integrity_level.unwrap_or_default(),
        creation_status: creation.status(),
        flags: flag(flags::REPARENTED, creation.is_reparented())
            | flag(flags::NAME_IS_PARTIAL, !creation.image_file_name_is_exact())
            | flag(flags::NO_NAME, name.is_missing)
            | flag(flags::NO_COMMAND_LINE, command_line.is_missing)
            | flag(flags::WOW64, is_wow64)
            | flag(flags::BITNESS_UNKNOWN, event.is_wow64.is_err())
            | flag(flags::SESSION_UNKNOWN, event.session.is_none())
            | flag(flags::TOKEN_UNKNOWN, !identity.is_known())
            | flag(flags::START_KEY_UNKNOWN, event.start_key.is_none())
            | flag(flags::NAME_CONTINUES, !name.rest.is_empty())
            | flag(flags::COMMAND_LINE_CONTINUES, !command_line.rest.is_empty()),
    }
}

/// Writes what of a text does not fit into the event of the creation.
#[inline(never)]
fn write_rest(event: &Created<'_>, field: TextField, rest: &[u16]) {
    let mut offset = UNITS;
    for text in rest.chunks(UNITS) {
        write_text(event, field, offset, text);
        offset += text.len();
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "identifiers are of 32 bits, and a text has at most 32,767 units"
)]
fn write_text(event: &Created<'_>, field: TextField, offset: usize, text: &[u16]) {
    let data = TextData {
        process_id: event.pid.as_u64() as u32,
        create_time: event.create_time,
        field,
        offset: offset as u32,
    };
    PROVIDER.write(
        &PROCESS_TEXT,
        &mut [
            DataDescriptor::provider_traits(&PROVIDER_TRAITS),
            DataDescriptor::event_metadata(&PROCESS_TEXT_METADATA),
            DataDescriptor::of(&data),
            DataDescriptor::of(&byte_count(text)),
            DataDescriptor::of_slice(text),
        ],
    );
}

#[inline(never)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "identifiers are of 32 bits"
)]
fn write_exited(event: &Exited) {
    let data = ExitData {
        process_id: event.pid.as_u64() as u32,
        create_time: event.create_time,
        start_key: event.start_key.unwrap_or_default(),
        lifetime_ms: event.lifetime_ms,
        exit_status: event.exit_status,
    };
    PROVIDER.write(
        &PROCESS_EXIT,
        &mut [
            DataDescriptor::provider_traits(&PROVIDER_TRAITS),
            DataDescriptor::event_metadata(&PROCESS_EXIT_METADATA),
            DataDescriptor::of(&data),
        ],
    );
}

/// A text that may take several events.
struct Text<'a> {
    is_missing: bool,
    /// What stands in the first event.
    first: &'a [u16],
    rest: &'a [u16],
}

impl<'a> Text<'a> {
    fn new(text: Option<&'a [u16]>) -> Self {
        let units = text.unwrap_or_default();
        let (first, rest) = units.split_at_checked(UNITS).unwrap_or((units, &[]));
        Self {
            is_missing: text.is_none(),
            first,
            rest,
        }
    }
}

/// What stands in front of a counted string of at most [`UNITS`].
#[expect(clippy::cast_possible_truncation, reason = "at most 14,000")]
const fn byte_count(text: &[u16]) -> u16 {
    size_of_val(text) as u16
}
